"""Where the older data manager gets its prices: a source that was handed in, or what ``ONEBOOK_DATA`` names.

Nothing is the default: a program that was not told whom to ask is refused, never given somebody's prices.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from onebook.compat import current
from onebook.compat.venue import AlpacaVenue, CcxtVenue, Venue, alpaca_client
from onebook.errors import BadConfig
from onebook.market.pacing import Rate
from onebook.market.port import MarketData
from onebook.market.sources import RATES

VARIABLE = "ONEBOOK_DATA"
KEYS = ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY")
"""Alpaca's own names of the variables with its keys."""

_HOW = (
    f"set {VARIABLE} to alpaca, ccxt:EXCHANGE such as ccxt:kraken, or files:PATH; or hand a source in with"
    " onebook.compat.install(data=…)"
)


@dataclass(frozen=True, slots=True)
class Outside:
    """Whom the older data manager asks.

    Attributes:
        data: a source, or text as in ``ONEBOOK_DATA``; None: what stands there.
        venue: of the account; None: that of ``ONEBOOK_DATA``.
    """

    data: MarketData | str | None = None
    venue: Venue | None = None

    @property
    def is_lent(self) -> bool:
        """Whether the source was handed in; then who did it closes it."""
        return self.data is not None and not isinstance(self.data, str)

    @property
    def named(self) -> str:
        """The text that names the source; empty where none does."""
        return self.data if isinstance(self.data, str) else os.environ.get(VARIABLE, "").strip()

    def asked_venue(self) -> Venue:
        """Return the venue of the account.

        Raises:
            BadConfig: there is none.
        """
        if self.venue is not None:
            return self.venue
        if not self.is_lent and self.named == "alpaca":
            return AlpacaVenue(alpaca_client(*_keys()))
        msg = (
            "no venue is configured that could be asked for the account; hand in an exchange of ccxt or a TradingClient"
            f" of alpaca-py with onebook.compat.install(venue=…), or set {VARIABLE} to alpaca"
        )
        raise BadConfig(msg)


NOTHING = Outside()


def source_of(outside: Outside) -> MarketData:
    """Return the source of prices.

    Raises:
        BadConfig: none is configured, or there is no such one.
    """
    if outside.data is not None and not isinstance(outside.data, str):
        return outside.data
    if not outside.named:
        msg = f"no source of market data is configured; {_HOW}"
        raise BadConfig(msg)
    kind, _, rest = outside.named.partition(":")
    make = _MAKERS.get(kind)
    if make is None or bool(rest) == (kind == "alpaca"):
        msg = f"{VARIABLE}: {outside.named!r} names no source; {_HOW}"
        raise BadConfig(msg)
    return make(rest)


def venue_of(given: Any) -> Venue:
    """Return what was handed in as a venue that can be asked.

    Raises:
        BadConfig: it is none.
    """
    if isinstance(given, Venue):
        return given
    if hasattr(given, "fetch_balance"):
        return CcxtVenue(given)
    if hasattr(given, "get_account") and hasattr(given, "get_all_positions"):
        return AlpacaVenue(given)
    msg = f"venue: {given!r:.80} is neither an exchange of ccxt nor a TradingClient of alpaca-py"
    raise BadConfig(msg)


def rate_of(name: str) -> Rate:
    """Return how often a source may be asked."""
    return RATES.get(name, RATES["ccxt"])


def _keys() -> tuple[str, str]:
    key, secret = (os.environ.get(name, "") for name in KEYS)
    if not key or not secret:
        msg = f"Alpaca needs a key and a secret; set {' and '.join(KEYS)}"
        raise BadConfig(msg)
    return key, secret


def _alpaca(_rest: str) -> MarketData:
    from onebook.market.providers.alpaca import AlpacaSource

    return AlpacaSource(*_keys(), base_url=os.environ.get("APCA_API_DATA_URL") or None)


def _ccxt(exchange: str) -> MarketData:
    from onebook.market.providers.ccxt import CcxtSource

    return CcxtSource(exchange)


def _files(paths: str) -> MarketData:
    from onebook.market.providers.files import FileSource

    return FileSource(paths.split(os.pathsep), clock=current.now_ns)


_MAKERS: dict[str, Callable[[str], MarketData]] = {"alpaca": _alpaca, "ccxt": _ccxt, "files": _files}
