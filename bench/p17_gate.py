"""P17: the order gate's answer beside 0, 30 and 300 open orders of the instrument, every limit of size in force."""

from decimal import Decimal

from bench.figures import Context, Line, Raw, middle
from bench.workload import milliseconds, opened
from onebook import Book, Fill, Order, OrderUpdate
from onebook.trading.answers import Approved

OPEN = (0, 30, 300)
INSTRUMENT = "COIN/USD"
FULL = 400


def run(context: Context) -> list[Line]:
    """Return what 30 and 300 open orders make of the cost of ``may`` and of ``place``."""
    each = context.size(FULL, 20)
    books = {count: _filled(context, count) for count in OPEN}
    may: dict[int, list[float]] = {count: [] for count in OPEN}
    place: dict[int, list[float]] = {count: [] for count in OPEN}
    try:
        for turn in range(context.rounds):
            for count, book in books.items():
                asked = [_order(f"asked-{turn}-{number}") for number in range(each)]
                book.mark(INSTRUMENT, Decimal(100))
                may[count].append(milliseconds(lambda: _asked(book, asked)) / each)  # noqa: B023  called at once
                sent = _order(f"sent-{turn}")
                place[count].append(milliseconds(lambda: book.trading.place(sent)))  # noqa: B023  called at once
                book.record(OrderUpdate(client_order_id=sent.client_order_id, status="canceled"))
    finally:
        for book in books.values():
            book.close()
    return [line for name, found in (("may", may), ("place", place)) for line in _lines(name, found)]


def _lines(name: str, found: dict[int, list[float]]) -> list[Line]:
    raw: Raw = {f"with_{count}_ms": middle(values) for count, values in found.items()}
    return [
        Line(
            figure="P17",
            work=f"{name} beside {count} open orders",
            value=middle([value / alone for value, alone in zip(found[count], found[0], strict=True)]),
            unit="× beside none",
            bar=3.0 if count == OPEN[-1] and name == "may" else None,
            direction="at_most",
            raw=raw if count == OPEN[-1] else {},
            includes="limits of position, notional and exposure; synchronous NORMAL",
        )
        for count in OPEN[1:]
    ]


def _filled(context: Context, count: int) -> Book:
    """Return a book with a position and so many open orders of its instrument."""
    book = opened(context.folder / f"p17-{count}.db", "normal")
    book.record(Fill(instrument=INSTRUMENT, side="buy", quantity=Decimal(1), price=Decimal(100), strategy="a"))
    book.trading.limits.set(max_position=10**6, max_notional=10**9, max_exposure=10**9)
    book.mark(INSTRUMENT, Decimal(100))
    for number in range(count):
        book.record(_order(f"open-{number}", strategy="abc"[number % 3]))
    answer = book.trading.may(_order("first"))
    if not isinstance(answer, Approved):
        print(f"!! P17: the gate refuses what it should measure: {answer.text}", flush=True)
    return book


def _order(name: str, *, strategy: str = "a") -> Order:
    return Order(
        instrument=INSTRUMENT,
        side="buy",
        quantity=Decimal(1),
        kind="limit",
        limit_price=Decimal(90),
        strategy=strategy,
        client_order_id=name,
    )


def _asked(book: Book, orders: list[Order]) -> None:
    for order in orders:
        book.trading.may(order)
