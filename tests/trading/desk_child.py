"""Another process on a book, which waits for a line before it begins. Arguments: the path, what to do, and its terms.

``place N NAME`` places N orders of one share; ``marks PRICE…`` gives marks of AAPL; ``watch SECONDS PRICE`` gives one
mark again and again. It prints what came of it.
"""

import sys
import time
from pathlib import Path

import onebook
from onebook import Order
from onebook.errors import StoreBusy


def place(book: onebook.Book, count: int, name: str) -> str:
    passed = 0
    for number in range(count):
        wish = Order(instrument="AAPL", side="buy", quantity=1, strategy=name, client_order_id=f"{name}-{number}")
        while True:
            try:
                passed += book.trading.place(wish).ok
            except StoreBusy:
                continue
            break
    return str(passed)


def marks(book: onebook.Book, prices: list[str]) -> str:
    for price in prices:
        while True:
            try:
                book.mark("AAPL", price)
            except StoreBusy:
                continue
            break
    return "done"


def watch(book: onebook.Book, seconds: float, price: str) -> str:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        book.mark("AAPL", price)
        time.sleep(0.01)
    return "done"


def main() -> None:
    path, how = sys.argv[1:3]
    with onebook.open(Path(path), create=False) as book:
        if how != "place":
            assert book.trading.stops is not None
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        if how == "place":
            said = place(book, int(sys.argv[3]), sys.argv[4])
        elif how == "marks":
            said = marks(book, sys.argv[3:])
        else:
            said = watch(book, float(sys.argv[3]), sys.argv[4])
    sys.stdout.write(f"{said}\n")


main()
