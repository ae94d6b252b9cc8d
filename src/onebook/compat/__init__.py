"""The older names of the documents, as faces over one book.

``install()`` makes the documented modules importable; programs that use them go on as they were, and everything
they ask or tell goes to the book. Nothing is kept here but the book to speak to and the one manager that the
documents promise.
"""

from collections.abc import Iterable

from onebook.app import Book
from onebook.compat import current, managers, modules


def install(book: Book | None = None, *, replace: Iterable[str] = ()) -> None:
    """Make the older modules importable where the user has none of that name.

    Call it before the modules are imported, and after ``sys.path`` is complete. It can be called again.

    Args:
        book: the book behind the older names; the caller closes it. None: the one in use, else the one of
            ``ONEBOOK_URL``, else ``crypto_bot/logs/onebook.db`` in the current folder, opened at the first need.
        replace: modules to supply even where the user has them, such as ``crypto_bot.utils.trade_manager``. Names
            that other modules imported before stay what they were there.

    Raises:
        InputError: ``replace`` names a module that is none of the older ones.
    """
    with current.LOCK:
        modules.supply(replace)
        if book is not None:
            managers.forget_manager()
            current.use(book)


def uninstall() -> None:
    """Undo ``install``, for tests: supplied modules are gone, replaced ones are back, an own book is closed."""
    with current.LOCK:
        modules.withdraw()
        managers.forget_manager()
        current.release()


__all__ = ["install", "uninstall"]
