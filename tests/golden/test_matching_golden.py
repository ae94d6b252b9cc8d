"""Golden tables of the matching: orders and market on the left, what must come of them on the right.

A file below ``matching/`` holds one order type or rule. A block begins with `== what it shows`; `#` is prose,
`rules k=v …` the venue's rules, `held 5` a position to begin with. Then one table:

    time  | event                        | outcome
    09:00 | S: sell 10 stop 95           | S accepted
    09:01 | bar 100 104 94 99            | S triggered; S filled 10 @ 95 taker

Orders: `NAME: side quantity kind`, the kind `market`, `limit L`, `stop S`, `stop_limit S L`, `trail 5`, `trail 2%`,
then any of `IOC FOK DAY until=10:00 reduce group=g parent=E strategy=s leg=long from=95` (`from` is a trail's first
level). Market: `print P x Q`, `quote B / A` or `quote B x Q / A x Q`, `bar O H L C`, with `v=volume` and `running`; a
bar lasts a minute from its time on. Others: `cancel NAME`, `replace NAME quantity=… limit=… stop=…`, `expire`,
`session ends`, `held Q`. `-` is no outcome; outcomes are as in `tests/domain/matching_venue.py`. Every table is played
twice: as it is, and with the orders forgotten and built again from what a book keeps before every row.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.domain.matching_venue import Venue, text_of

from onebook.domain import matching, times
from onebook.domain.facts import Order
from onebook.domain.market import Bar, Print, Quote
from onebook.domain.matching import Rules
from onebook.domain.times import MINUTE

FOLDER = Path(__file__).parent / "matching"
TOPICS = """
bar_market bar_share bracket day expiry fill_or_kill gap_limit gap_stop half_spread immediate_or_cancel inside_bar
lifting_trail_inside_bar limit_on_bars limit_on_prints limit_on_quotes limit_touch market_on_prints market_on_quotes
oco oto partial_fills path random_slippage reduce_only rejections replacing running_bar slippage stop stop_limit
this_close tick trailing_amount trailing_ratio trail_step volume_share
"""
DAY_START = times.from_text("", "2024-01-15T00:00:00Z")
MODELS: dict[str, Any] = {
    "fixed_bps": matching.FixedBps,
    "half_spread": matching.HalfSpread,
    "volume_share": matching.VolumeShare,
}
WORDS = {"fixed_bps": "bps", "half_spread": "spread", "volume_share": "impact"}


@dataclass
class Table:
    file: str
    name: str
    rules: Rules = field(default_factory=Rules)
    held: Decimal = Decimal(0)
    rows: list[tuple[int, str, str, str]] = field(default_factory=list)


def tables(path: Path) -> Iterator[Table]:
    table: Table | None = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if text.startswith("=="):
            if table is not None:
                yield table
            table = Table(path.stem, text.strip("= "))
            continue
        assert table is not None, f"{path.name}:{number}: a block begins with =="
        if "|" not in text:
            word, rest = text.split(" ", 1)
            if word == "held":
                table.held = Decimal(rest)
            else:
                assert word == "rules", f"{path.name}:{number}: {text}"
                table.rules = rules_of(rest)
            continue
        cells = [cell.strip() for cell in text.split("|")]
        assert len(cells) == 3, f"{path.name}:{number}: {len(cells)} cells"
        if cells != ["time", "event", "outcome"]:
            table.rows.append((number, cells[0], cells[1], cells[2]))
    assert table is not None, path
    yield table


def rules_of(text: str) -> Rules:
    given: dict[str, Any] = {}
    for part in text.split():
        name, value = part.split("=", 1)
        if name in WORDS:
            ratio = Decimal(given.pop("random", "0"))
            given["slippage"] = MODELS[name](**{WORDS[name]: Decimal(value), "random_ratio": ratio})
        elif name == "uniform":
            given[name] = lambda _id, n, value=value: Decimal(value) / n
        elif name in {"inside_bar", "limit_on", "market_on", "oco", "random"}:
            given[name] = value
        else:
            given[name] = None if value == "none" else Decimal(value)
    return Rules(**given)


def order_of(name: str, text: str) -> Order:
    words = text.split()
    terms: dict[str, Any] = {"side": words[0], "quantity": words[1], "kind": words[2]}
    rest = words[3:]
    if words[2] == "trail":
        terms["kind"] = "trailing_stop"
        trail = rest.pop(0)
        if trail.endswith("%"):
            terms["trail_ratio"] = Decimal(trail[:-1]) / 100
        else:
            terms["trail_amount"] = trail
    for wanted in {"limit": ["limit_price"], "stop": ["stop_price"], "stop_limit": ["stop_price", "limit_price"]}.get(
        words[2], []
    ):
        if rest and rest[0] != "-":
            terms[wanted] = rest[0]
        rest = rest[1:]
    names = {"group": "group_id", "parent": "parent_id", "from": "stop_price"}
    for word in rest:
        key, _, value = word.partition("=")
        if key == "until":
            terms |= {"time_in_force": "GTD", "expires_at": times.to_datetime(moment(value))}
        elif key == "reduce":
            terms["reduce_only"] = True
        elif value:
            terms[names.get(key, key)] = value
        else:
            terms["time_in_force"] = word
    return Order(instrument="X", client_order_id=name, **terms)


def moment(text: str) -> int:
    hours, minutes, *seconds = (int(part) for part in text.split(":"))
    return DAY_START + (hours * 3600 + minutes * 60 + (seconds[0] if seconds else 0)) * times.SECOND


def market_of(event: str, at_ns: int) -> Any:
    word, *rest = event.split()
    if word == "bar":
        given = dict(zip(("open", "high", "low", "close"), map(Decimal, rest[:4]), strict=True))
        volume = next((Decimal(item[2:]) for item in rest[4:] if item.startswith("v=")), Decimal(0))
        is_final = "running" not in rest
        end = at_ns + MINUTE
        return Bar(
            instrument="X", timeframe="1m", opened_ns=at_ns, at_ns=end, volume=volume, is_final=is_final, **given
        )
    if word == "print":
        return Print(instrument="X", at_ns=at_ns, price=Decimal(rest[0]), quantity=Decimal(rest[2]))
    bid, ask = (part.split("x") for part in event.removeprefix("quote").split("/"))
    sizes = [Decimal(part[1].strip()) if len(part) > 1 else Decimal(0) for part in (bid, ask)]
    return Quote(
        instrument="X",
        at_ns=at_ns,
        bid=Decimal(bid[0].strip()),
        ask=Decimal(ask[0].strip()),
        bid_quantity=sizes[0],
        ask_quantity=sizes[1],
    )


def act(venue: Venue, event: str, at_ns: int) -> list[Any]:
    named = re.fullmatch(r"([A-Z]\w*): (.*)", event)
    if named is not None:
        return list(venue.send(order_of(*named.groups()), at_ns).outcomes)
    word, *rest = event.split()
    if word == "cancel":
        return list(venue.cancel(rest[0], at_ns).outcomes)
    if word == "replace":
        names = {"limit": "limit_price", "stop": "stop_price"}
        terms = {names.get(key, key): Decimal(value) for key, _, value in (item.partition("=") for item in rest[1:])}
        return list(venue.replace(rest[0], at_ns, terms).outcomes)
    if word in {"expire", "session"}:
        return list(venue.expire(at_ns, day_ended=word == "session").outcomes)
    if word == "held":
        venue.held[("", "")] = Decimal(rest[0])
        return []
    return list(venue.see(market_of(event, at_ns)).outcomes)


def all_tables() -> list[Any]:
    found = [table for path in sorted(FOLDER.glob("*.txt")) for table in tables(path)]
    return [pytest.param(table, id=f"{table.file}: {table.name}") for table in found]


@pytest.mark.parametrize("restarts", [False, True], ids=["whole", "with restarts"])
@pytest.mark.parametrize("table", all_tables())
def test_matching_table(table: Table, restarts: bool) -> None:
    venue = Venue(table.rules, restarts=restarts)
    venue.held[("", "")] = table.held
    for line, time, event, expected in table.rows:
        got = "; ".join(text_of(outcome) for outcome in act(venue, event, moment(time))) or "-"
        assert got == expected, f"{table.file}.txt:{line}: {event}"


def test_every_topic_has_its_table() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(TOPICS.split())
