"""The accounts of a ``bot.yaml``: who trades each, and what its paper venue is like."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from onebook.config import values as take
from onebook.domain.matching import FixedBps, Rules
from onebook.domain.matching.slippage import HalfSpread, Slippage, VolumeShare
from onebook.domain.numbers import ZERO
from onebook.errors import BadConfig, InputError
from onebook.market.calendars import Calendar, calendar_for
from onebook.trading.brokers.paper_rules import MARGIN, Fees, Margin, PaperRules
from onebook.trading.runner.written import Written, currency, decimal, moment, not_negative, stated
from onebook.trading.runner.written import name as written_name

ALL_BPS = 10_000
"""A price as hundredths of a percent of itself."""

_MODELS = ("bps", "spread", "impact")
"""Each names a model of slippage."""

_FEES = ("maker_ratio", "taker_ratio", "per_unit", "least", "most", "step")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountConfig:
    """One account, and who trades it: ``paper``. Orders good for the day end with the ``calendar``'s sessions."""

    name: str
    broker: str
    currency: str
    opening: Decimal
    mode: str
    rules: PaperRules
    calendar: Calendar | None = None


def account(written: Written, instruments: Collection[str]) -> AccountConfig:
    """Return what is said of one account.

    Args:
        written: it.
        instruments: of which anything can be said.

    Raises:
        BadConfig: something in it is wrong, with its line.
    """
    broker = written.get("broker", take.choice("paper"), "paper")
    name = written.needed("name", written_name)
    opening = written.get("opening", not_negative, ZERO)
    settles = written.get("currency", currency, "USD")
    mode = written.get("mode", take.choice("netting", "hedging"), "netting")
    calendar = written.get("calendar", lambda _key, value: calendar_for("equity", str(value)))
    rules = written.below("rules")
    slippage = _slippage(written, rules)
    costs: dict[str, Any] = {
        "fees": _fees(written.below("fees")),
        "fees_of": {_about(item, instruments): _fees(item) for item in written.each("fees_of")},
        "margin_of": {_about(item, instruments): _margin(item) for item in written.each("margin_of")},
        "funding": _funding(written.below("funding"), instruments),
    }
    made = rules.made(lambda: _rules(rules, slippage, costs))
    rules.end()
    written.end()
    return AccountConfig(
        name=name, broker=broker, currency=settles, opening=opening, mode=mode, rules=made, calendar=calendar
    )


def _rules(rules: Written, slippage: Slippage | None, costs: Mapping[str, Any]) -> PaperRules:
    matching: dict[str, Any] = {
        **{key: rules.get(key, take.text) for key in ("inside_bar", "limit_on", "market_on", "oco")},
        **{key: rules.get(key, decimal) for key in ("fill_share", "bar_share", "trail_step")},
        "slippage": slippage,
    }
    venue: dict[str, Any] = {
        "venue": rules.get("venue", take.text),
        "seed": rules.get("seed", take.count(0, 2**63)),
        "liquidate": rules.get("liquidate", take.switch),
    }
    latency = rules.get("latency_ms", decimal)
    if latency is not None:
        venue["latency_ns"] = int(latency * 1_000_000)
    return PaperRules(matching=Rules(**stated(matching)), **costs, **stated(venue))


# ---- slippage ----


def _slippage(written: Written, rules: Written) -> Slippage | None:
    """Return how far takers fill from the price seen; None for not at all."""
    chance = rules.get("random_ratio", decimal)
    bps = written.get("slippage_bps", _bps)
    model = written.below("slippage")
    given = {key: model.get(key, _bps if key == "bps" else decimal) for key in (*_MODELS, "most")}
    model.end()
    asked = stated(given)
    if not asked and bps is None:
        if chance:
            msg = "random_ratio: takes a part of the slippage off, and there is none; set slippage_bps, or take it out"
            raise BadConfig(f"{rules.where_of('random_ratio')}: {rules.name}.{msg}", key="random_ratio")
        return None
    if bps is not None:
        if asked:
            msg = f"{written.where_of('slippage')}: {written.name}: slippage and slippage_bps are both there; keep one"
            raise BadConfig(msg, key="slippage")
        asked["bps"] = bps
    elif sum(name in asked for name in _MODELS) != 1 or ("most" in asked and "impact" not in asked):
        msg = f"{model.where}: {model.name}: say one of bps, spread, or impact; most goes with impact"
        raise BadConfig(msg, key="slippage")
    if chance is not None:
        rules.made(lambda: FixedBps(bps=ZERO, random_ratio=chance))
    made: Slippage = model.made(lambda: _model(asked, ZERO if chance is None else chance))
    return made


def _model(asked: Mapping[str, Decimal], chance: Decimal) -> Slippage:
    if "bps" in asked:
        return FixedBps(bps=asked["bps"], random_ratio=chance)
    if "spread" in asked:
        return HalfSpread(spread=asked["spread"], random_ratio=chance)
    return VolumeShare(**asked, random_ratio=chance)


def _bps(key: str, value: Any) -> Decimal:
    found = not_negative(key, value)
    if found >= ALL_BPS:
        msg = f"{key}: {found} is the whole price or more; 1 is a hundredth of a percent"
        raise InputError(msg, field=key, value=value)
    return found


# ---- what differs by instrument ----


def _about(written: Written, instruments: Collection[str]) -> str:
    """Return the symbol or kind of instrument that something is said of; one that there is not is refused."""
    about: str = written.needed("name", written_name)
    if about not in MARGIN and about not in instruments:
        msg = f"{written.where}: {written.name}: {about} is no instrument of this file, and no kind of instrument"
        raise BadConfig(f"{msg}; kinds are {', '.join(MARGIN)}", key=about)
    return about


def _fees(fees: Written) -> Fees:
    charged = {key: fees.get(key, decimal) for key in _FEES} | {
        "in_base_on_buy": fees.get("in_base_on_buy", take.switch)
    }
    fees.end()
    made: Fees = fees.made(lambda: Fees(**stated(charged)))
    return made


def _margin(margin: Written) -> Margin:
    asked = {key: margin.get(key, decimal) for key in ("initial_ratio", "maintenance_ratio")}
    short = margin.get("short", take.switch)
    margin.end()
    made: Margin = margin.made(lambda: Margin(**stated(asked | {"short": short})))
    return made


def _funding(funding: Written, instruments: Collection[str]) -> dict[str, tuple[tuple[int, Decimal], ...]]:
    """Return the rates of perpetuals, in the order of time."""
    found: dict[str, tuple[tuple[int, Decimal], ...]] = {}
    for symbol in funding.rest():
        if symbol not in instruments:
            msg = f"{funding.where_of(symbol)}: {funding.name}: {symbol} is no instrument of this file"
            raise BadConfig(msg, key=symbol)
        rates = funding.below(symbol)
        paid: dict[int, Decimal] = {}
        for at in rates.rest():
            at_ns = rates.placed(at, lambda at=at: moment("time", at))  # type: ignore[misc]
            if at_ns in paid:
                msg = f"{rates.where_of(at)}: {rates.name}: two rates are of the moment {at}; keep one"
                raise BadConfig(msg, key=symbol)
            paid[at_ns] = rates.get(at, decimal)
        found[symbol] = tuple(sorted(paid.items()))
    return found
