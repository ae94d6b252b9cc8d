"""The older names of the documents, as faces over one book.

``install()`` makes the documented modules importable; programs that use them go on as they were, and everything
they ask or tell goes to the book. Nothing is kept here but the book to speak to and the one manager that the
documents promise.
"""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from onebook.app import Book
from onebook.compat import current, managers, modules
from onebook.config import Config


def install(
    book: Book | None = None,
    *,
    replace: Iterable[str] = (),
    config: Mapping[str, Any] | str | os.PathLike[str] | Config | None = None,
    csv_audit: str | os.PathLike[str] | bool = True,
) -> None:
    """Make the older modules importable where the user has none of that name.

    Call it before the modules are imported, and after ``sys.path`` is complete. It can be called again.

    Args:
        book: the book behind the older names; the caller closes it. None: the one in use, else the one of
            ``ONEBOOK_URL``, else ``crypto_bot/logs/onebook.db`` in the current folder, opened at the first need.
        replace: modules to supply even where the user has them, such as ``crypto_bot.utils.trade_manager``. Names
            that other modules imported before stay what they were there.
        config: with what a book that is opened here is opened, as for ``onebook.open``. None: ``ONEBOOK_CONFIG``, else
            ``onebook.yaml`` in the current folder, else the documents' sections of ``config/config.yaml`` there.
        csv_audit: where the automatic CSV audit goes; True: ``crypto_bot/logs/onebook_audit.csv``, False: nowhere.

    Raises:
        InputError: ``replace`` names a module that is none of the older ones.
    """
    modules.supply(replace)
    if book is not None or config is not None or csv_audit is not True:
        _forget()
    audit = current.DEFAULT_AUDIT if csv_audit is True else None if csv_audit is False else csv_audit
    if config is not None or csv_audit is not True:
        current.configure(config=config, csv_audit=audit)
        current.release(only_own=True)
    if book is not None:
        current.use(book)


def uninstall() -> None:
    """Undo ``install``, for tests: supplied modules are gone, replaced ones are back, an own book is closed."""
    modules.withdraw()
    _forget()
    current.configure()
    current.release()


def _forget() -> None:
    """Let go of what there is one of; nobody holds the lock meanwhile, which a callback may need to end."""
    from onebook.compat import event_bus, state_persistence, state_store

    managers.forget_manager()
    event_bus.forget_bus()
    state_store.forget_store()
    state_persistence.forget_persistence()


__all__ = ["install", "uninstall"]
