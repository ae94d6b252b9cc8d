"""A book with a desk: fills, orders and marks in a few words, and answers that are easy to compare."""

import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import onebook
from onebook import Fill, Order, OrderUpdate, Receipt
from onebook.testing.store_rows import MODELS
from onebook.trading.answers import Answer, Approved, Refused

LIMIT_SECONDS = 30.0


def order(side: str, quantity: Any = 1, instrument: str = "AAPL", **more: Any) -> Order:
    return Order(instrument=instrument, side=side, quantity=quantity, **more)


def fill(book: onebook.Book, side: str, quantity: Any = 1, price: Any = 100, **more: Any) -> Receipt:
    """Record what a venue filled; AAPL in main where nothing else is said."""
    return book.record(
        Fill(instrument=more.pop("instrument", "AAPL"), side=side, quantity=quantity, price=price, **more)
    )


def ok(answer: Any) -> Order:
    assert isinstance(answer, Approved), answer
    return answer.order


def no(answer: Any, reason: str, **figures: Any) -> Refused:
    """Check a refusal and the figures that are named."""
    assert isinstance(answer, Refused), answer
    assert answer.reason == reason, answer
    assert answer.text.strip(), answer
    assert {name: answer.figures.get(name) for name in figures} == figures, answer
    return answer


def place(book: onebook.Book, side: str, quantity: Any = 1, instrument: str = "AAPL", **more: Any) -> Answer:
    return book.trading.place(order(side, quantity, instrument, **more))


def may(book: onebook.Book, side: str, quantity: Any = 1, instrument: str = "AAPL", **more: Any) -> Answer:
    return book.trading.may(order(side, quantity, instrument, **more))


def update(book: onebook.Book, name: str, status: str, **more: Any) -> Receipt:
    return book.record(OrderUpdate(client_order_id=name, status=status, **more))


def status(book: onebook.Book, name: str) -> str:
    (found,) = [item for item in book.orders() if item.client_order_id == name]
    return found.status


def types(book: onebook.Book, *names: str) -> list[str]:
    """Types of events in the order of the log; only those named, where any is."""
    return [event.type for event in book.events() if not names or event.type in names]


def tables(book: onebook.Book) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that follows from the log, as the store holds it, to be compared."""
    return {name: sorted(book.store.digest_rows(name), key=repr) for name in MODELS}


def whole(book: onebook.Book) -> None:
    """Check that the book verifies, and that rebuilding it changes nothing."""
    report = book.verify()
    assert report.ok, report.problems
    before = tables(book)
    book.rebuild()
    after = tables(book)
    assert after == before
    report = book.verify()
    assert report.ok, report.problems


def held(book: onebook.Book, instrument: str = "AAPL", **more: Any) -> Decimal:
    found = book.position(instrument, **more)
    return Decimal(0) if found is None else found.quantity


def until(holds: Callable[[], Any]) -> None:
    end = time.monotonic() + LIMIT_SECONDS
    while not holds():
        assert time.monotonic() < end, f"it never held: {holds}"
        time.sleep(0.002)


def child(path: Path | str, *arguments: str) -> subprocess.Popen[str]:
    """Start another process on a book; see ``desk_child.py``."""
    script = Path(__file__).with_name("desk_child.py")
    return subprocess.Popen(
        [sys.executable, str(script), str(path), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def together(*children: "subprocess.Popen[str]") -> list[str]:
    """Let children that are ready go on at once; return what each says at its end."""
    try:
        for each in children:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        for each in children:
            assert each.stdin is not None
            each.stdin.write("go\n")
            each.stdin.flush()
        said = [each.communicate(timeout=60)[0].strip() for each in children]
        assert [each.returncode for each in children] == [0] * len(children)
        return said
    finally:
        for each in children:
            each.kill()
            each.communicate()
