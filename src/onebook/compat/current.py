"""The book that the older names speak to, opened at the first need.

The older programs reach everything through functions without arguments, so this package, alone in the
product, keeps one book for the whole process. It holds the door, never what is behind it: no trade, position or
signal lives here.
"""

import logging
import os
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

from onebook.app import Book
from onebook.app import open as open_book
from onebook.clock import system_clock
from onebook.config import Config, config_for, load
from onebook.config.files import read_file
from onebook.config.presence import DEFAULT_FILE
from onebook.domain import times
from onebook.domain.days import Days
from onebook.domain.facts import BookSettings
from onebook.errors import BadConfig

_log = logging.getLogger("onebook.compat")

DEFAULT_BOOK = "crypto_bot/logs/onebook.db"
"""Where the book lies when neither ``install(book)`` nor ``ONEBOOK_URL`` says so, in the folder of today."""

DEFAULT_AUDIT = "crypto_bot/logs/onebook_audit.csv"
"""Where the CSV audit of the older names is written."""

OLDER_CONFIG = "config/config.yaml"
"""Where the documents put their configuration; only their own sections of it count here."""

DOCUMENTED = ("event_bus", "state_store", "trade_manager", "position_monitor", "paper_wallet")
"""Those sections."""

LOCK = threading.RLock()
"""Guards what there is one of: the book here, the manager in ``managers``."""

_book: Book | None = None
_opened_here = False
_config: Any = None
_csv_audit: str | None = DEFAULT_AUDIT
_needed_by: list[object] = []


def use(book: Book | None) -> None:
    """Make this the book of the older names; None lets the next call open the default one."""
    global _book, _opened_here
    with LOCK:
        if book is not None and book is _book:
            return
        release()
        _book, _opened_here = book, False


def configure(*, config: Any = None, csv_audit: str | os.PathLike[str] | None = DEFAULT_AUDIT) -> None:
    """Say how the default book is opened, and where the CSV audit goes.

    Args:
        config: as for ``onebook.open``; None: what is found in the current folder.
        csv_audit: a path; None for no audit.
    """
    global _config, _csv_audit
    with LOCK:
        _config, _csv_audit = config, None if csv_audit is None else os.fspath(csv_audit)


def csv_audit() -> str | None:
    """Return where the CSV audit goes; None when it is off."""
    return _csv_audit


def current_book() -> Book:
    """Return the book of the older names, opening the default one when there is none yet.

    Raises:
        StoreError: it cannot be opened.
        BadConfig: the configuration is wrong.
    """
    global _book, _opened_here
    with LOCK:
        if _book is None:
            config = found_config() if _config is None else config_for(_config)
            place = os.environ.get("ONEBOOK_URL") or _url_of(config) or DEFAULT_BOOK
            _book = open_book(place, actor="compat", config=config)
            _opened_here = True
        return _book


def found_config() -> Config | None:
    """Return the configuration of the current folder: ours, else the documents' sections of the older program's.

    Raises:
        BadConfig: ours is wrong.
    """
    if os.environ.get("ONEBOOK_CONFIG") or Path(DEFAULT_FILE).is_file():
        return load()
    if not Path(OLDER_CONFIG).is_file():
        return None
    try:
        return config_for(documented_sections(OLDER_CONFIG))
    except BadConfig as problem:  # the older program's own file; it may hold what only that understands
        _log.warning("%s; its sections %s do not count", problem, ", ".join(DOCUMENTED))
        return None


def documented_sections(path: str) -> dict[str, Any]:
    """Return those sections of an older program's configuration that the documents describe.

    Args:
        path: its YAML or TOML file; everything else in it is left aside.

    Raises:
        BadConfig: it cannot be read.
    """
    found = read_file(path).plain
    sections = found if isinstance(found, dict) else {}
    return {name: sections[name] for name in DOCUMENTED if sections.get(name) is not None}


def _url_of(config: Config | None) -> str | None:
    found: str | None = None if config is None else config.get("book.url")
    return found


def keep_open(who: object) -> None:
    """Note that somebody follows the book, so that a manager that shuts down does not close it under them."""
    with LOCK:
        if not any(item is who for item in _needed_by):
            _needed_by.append(who)


def let_go(who: object) -> None:
    """Note that somebody does not follow the book any more."""
    with LOCK:
        _needed_by[:] = [item for item in _needed_by if item is not who]


def release(*, only_own: bool = False) -> None:
    """Forget the book, closing it when it was opened here.

    Args:
        only_own: keep a book that was handed in, and one that somebody follows.
    """
    global _book, _opened_here
    with LOCK:
        if only_own and (not _opened_here or _needed_by):
            return
        if _book is not None and _opened_here:
            _book.close()
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
