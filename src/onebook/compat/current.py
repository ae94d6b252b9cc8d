"""The book that the older names speak to, opened at the first need.

The older programs reach everything through functions without arguments, so this package, alone in the
product, keeps one book for the whole process. It holds the door, never what is behind it: no trade, position or
signal lives here.
"""

import os
import threading
from datetime import datetime

from onebook.app import Book
from onebook.app import open as open_book
from onebook.clock import system_clock
from onebook.domain import times
from onebook.domain.days import Days
from onebook.domain.facts import BookSettings

DEFAULT_BOOK = "crypto_bot/logs/onebook.db"
"""Where the book lies when neither ``install(book)`` nor ``ONEBOOK_URL`` says so, in the folder of today."""

LOCK = threading.RLock()
"""Guards what there is one of: the book here, the manager in ``managers``."""

_book: Book | None = None
_opened_here = False


def use(book: Book | None) -> None:
    """Make this the book of the older names; None lets the next call open the default one."""
    global _book, _opened_here
    with LOCK:
        if book is not None and book is _book:
            return
        release()
        _book, _opened_here = book, False


def current_book() -> Book:
    """Return the book of the older names, opening the default one when there is none yet.

    Raises:
        StoreError: it cannot be opened.
    """
    global _book, _opened_here
    with LOCK:
        if _book is None:
            _book = open_book(os.environ.get("ONEBOOK_URL") or DEFAULT_BOOK, actor="compat")
            _opened_here = True
        return _book


def release(*, only_own: bool = False) -> None:
    """Forget the book, closing it when it was opened here.

    Args:
        only_own: keep a book that was handed in.
    """
    global _book, _opened_here
    with LOCK:
        if _book is not None and _opened_here:
            _book.close()
        elif only_own:
            return
        _book, _opened_here = None, False


def now_ns(book: Book | None = None) -> int:
    """Return the moment by the book's own clock, or the machine's where no book is open: never opens one."""
    asked = book or _book
    return system_clock() if asked is None else asked.now()


def now(book: Book | None = None) -> datetime:
    """Return the same as an aware datetime."""
    return times.to_datetime(now_ns(book))


def settings_of(book: Book) -> BookSettings:
    """Return the book's base currency, zone and roll time."""
    found: list[BookSettings] = book.facts("settings")
    return found[-1] if found else BookSettings()


def calendar_of(book: Book) -> Days:
    """Return the book's days."""
    settings = settings_of(book)
    return Days(settings.zone, settings.rolls_at)
