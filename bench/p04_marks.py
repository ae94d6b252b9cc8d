"""P4: ticks with 100 open positions, a stop, a target and a trail on each, the account's total exact after each one."""

import random
from decimal import Decimal

from bench.figures import Context, Line, Raw, middle, ratio
from bench.peer import Peer
from bench.workload import opened, per_second
from onebook import Book, Fill

POSITIONS = 100
FULL = 200_000


def run(context: Context) -> list[Line]:
    """Return the ratio to nautilus's path of one instrument and one position."""
    count = context.size(FULL * 10, 20_000)
    rng = random.Random(4)
    ticks = [
        (f"COIN{rng.randrange(POSITIONS)}/USDT", Decimal(rng.randrange(9_000, 11_000)).scaleb(-2)) for _ in range(count)
    ]
    found: dict[str, list[float]] = {"decimal": [], "text": [], "nautilus": [], "mark_only": []}
    texts = [(name, str(price)) for name, price in ticks]
    with opened(context.folder / "p4.db") as book, Peer("nautilus", "nautilus_ticks") as nautilus:
        book.record_many(
            Fill(instrument=f"COIN{number}/USDT", side="buy" if number % 3 else "sell", quantity=Decimal("1.5"),
                 price=Decimal(100), strategy=f"strategy-{number % 10}")
            for number in range(POSITIONS)
        )  # fmt: skip
        for number in range(POSITIONS):
            stop, target = (50, 200) if number % 3 else (200, 50)
            book.trading.protect(
                f"COIN{number}/USDT", strategy=f"strategy-{number % 10}", stop_loss=stop, take_profit=target,
                trail_ratio="0.4", activates_at=150 if number % 3 else 60,
            )  # fmt: skip
        _ticks(book, ticks[:1_000])
        _check(book)
        for _turn in range(context.rounds):
            found["decimal"].append(per_second(lambda: _ticks(book, ticks), count))
            speed = nautilus.rate(work="ticks", count=count)
            if speed is not None:
                found["nautilus"].append(speed)
            found["text"].append(per_second(lambda: _ticks(book, texts), count))
            found["mark_only"].append(per_second(lambda: _marks(book, ticks), count))
    peer = middle(found["nautilus"]) if found["nautilus"] else None
    numbers: Raw = {
        "onebook_per_s": middle(found["decimal"]),
        "onebook_prices_as_text_per_s": middle(found["text"]),
        "onebook_mark_without_reading_per_s": middle(found["mark_only"]),
        "nautilus_one_instrument_per_s": peer,
        "ticks": count,
    }
    value = ratio(middle(found["decimal"]), peer)
    return [
        Line(
            figure="P4", work="mark + unrealized, 100 open positions", value=value, unit="× nautilus, one position",
            bar=1.5, raw=numbers,
            includes="prices ready as Decimal; total read after each tick; shared once a second; 300 triggers armed",
        )
    ]  # fmt: skip


def _ticks(book: Book, ticks: list[tuple[str, Decimal]] | list[tuple[str, str]]) -> None:
    mark, unrealized = book.mark, book.unrealized
    for name, price in ticks:
        mark(name, price)
        unrealized()


def _marks(book: Book, ticks: list[tuple[str, Decimal]]) -> None:
    mark = book.mark
    for name, price in ticks:
        mark(name, price)


def _check(book: Book) -> None:
    """The total that moved tick by tick is the sum over the positions."""
    shown = sum(position.unrealized_pnl or Decimal(0) for position in book.positions())
    total = sum(book.unrealized().values())
    if shown != total:
        print(f"!! P4: the running total {total} is not the positions' sum {shown}", flush=True)
