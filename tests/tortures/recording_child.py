"""Record from 8 threads until somebody kills this process; one line per fact that the book acknowledged.

Arguments: the book's path, the number of this life, and per thread how many facts of the life before were
acknowledged. Each life begins with the last of those and the one after, since a bot that was killed cannot know
whether that one was taken.
"""

import os
import sys
import threading
from decimal import Decimal
from itertools import count

import onebook
from onebook.domain import times

THREADS = 8
AGAIN = 3
START = times.from_text("start", "2026-01-05T09:00:00Z")


def fill(name: str, thread: int, number: int) -> onebook.Fill:
    return onebook.Fill(
        instrument=f"COIN{thread % 3}/USD",
        side="sell" if number % 5 == 4 else "buy",
        quantity=Decimal(1),
        price=Decimal(100 + number % 7),
        strategy=f"s{thread % 4}",
        venue="kraken",
        occurred_ns=START + number * times.SECOND,
        venue_fill_id=name,
        fee=Decimal("0.01"),
    )


def work(book: onebook.Book, life: int, thread: int, before: int) -> None:
    if life:
        for number in range(max(0, before - AGAIN), before + 1):
            tell(book, f"{life - 1}-{thread}-{number}", thread, number)
    for number in count():
        tell(book, f"{life}-{thread}-{number}", thread, number)


def tell(book: onebook.Book, name: str, thread: int, number: int) -> None:
    receipt = book.record(fill(name, thread, number))
    os.write(1, f"{name} {receipt.sequence} {receipt.status}\n".encode())


def main() -> None:
    path, life, before = sys.argv[1], int(sys.argv[2]), [int(number) for number in sys.argv[3:]]
    book = onebook.open(path, actor=f"life {life}")
    os.write(1, b"open\n")
    threads = [threading.Thread(target=work, args=(book, life, thread, before[thread])) for thread in range(THREADS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


main()
