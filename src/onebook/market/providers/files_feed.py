"""Feeds as they were received from Binance: a line holds the receiver's time in nanoseconds, a blank, the message."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from onebook.domain.market import Print, Quote
from onebook.domain.times import SECOND
from onebook.market.providers.files_rows import bad, lines_of, placed, price_at
from onebook.market.providers.files_terms import FileTerms

_MILLISECOND = 1_000_000


def feed_of(terms: FileTerms) -> Iterator[tuple[int, Print | Quote]]:
    """Yield line and what it shows: ``trade`` is a print, ``bookTicker`` a quote; depth is left out.

    Raises:
        BadPayload: a line that cannot be read, with file and line.
    """
    path = terms.file
    shift = int(Decimal(str(terms.behind_seconds)) * SECOND)
    for line, text in lines_of(path):
        received, blank, message = text.partition(" ")
        if not blank or not (received.isascii() and received.isdecimal()):
            raise bad(path, line, "does not begin with the time of receipt in nanoseconds and a blank")
        if "@trade" not in message and "@bookTicker" not in message:
            continue
        try:
            data = json.loads(message)["data"]
            with placed(path, line):
                yield line, _seen(terms, line, data, int(received) + shift)
        except json.JSONDecodeError as problem:
            raise bad(path, line, f"not JSON: {problem}") from None
        except (KeyError, TypeError, ValueError) as problem:
            raise bad(path, line, f"not a trade or bookTicker of Binance: {problem!r}") from None


def _seen(terms: FileTerms, line: int, data: dict[str, Any], received: int) -> Print | Quote:
    instrument = terms.instrument or terms.name_of(data["s"])
    given = data.get("T")
    at = received if given is None or terms.feed_times == "received" else int(given) * _MILLISECOND

    def exactly(field: str) -> Decimal:
        return price_at(terms.file, line, field, data[field])

    if data.get("e") == "trade":
        return Print(
            instrument=instrument,
            at_ns=at,
            price=exactly("p"),
            quantity=exactly("q"),
            side="sell" if data["m"] else "buy",
            id=str(data["t"]),
        )
    return Quote(
        instrument=instrument,
        at_ns=at,
        bid=exactly("b"),
        ask=exactly("a"),
        bid_quantity=exactly("B"),
        ask_quantity=exactly("A"),
    )
