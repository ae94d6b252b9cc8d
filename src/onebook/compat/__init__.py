"""The older names of the documents, as faces over one book.

``install()`` makes the documented modules importable; programs that use them go on as they were, and everything
they ask or tell goes to the book. Nothing is kept here but the book to speak to and the one manager that the
documents promise.
"""

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from onebook.app import Book
from onebook.compat import current, managers, modules
from onebook.config import Config

if TYPE_CHECKING:
    from onebook.market.port import MarketData


def install(
    book: Book | None = None,
    *,
    replace: Iterable[str] = (),
    config: Mapping[str, Any] | str | os.PathLike[str] | Config | None = None,
    csv_audit: str | os.PathLike[str] | bool = True,
    data: "MarketData | str | None" = None,
    venue: Any = None,
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
        data: where ``services.unified_data_manager`` gets its prices: a source of ``onebook.market.providers``, which
            the caller closes, or ``alpaca``, ``ccxt:EXCHANGE``, ``files:PATH``. None: what ``ONEBOOK_DATA`` says at the
            first need; where that says nothing, asking for prices is refused.
        venue: who is asked for the account: an exchange of ccxt, or a ``TradingClient`` of alpaca-py. None: with
            ``alpaca``, the account of its keys; else asking is refused.

    Raises:
        InputError: ``replace`` names a module that is none of the older ones.
        BadConfig: ``venue`` is none.
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
    if data is not None or venue is not None:
        from onebook.compat import market

        market.configure(data, venue)


def uninstall() -> None:
    """Undo ``install``, for tests: supplied modules are gone, replaced ones are back, an own book is closed."""
    from onebook.compat import market

    modules.withdraw()
    _forget()
    market.forget()
    current.configure()
    current.release()


def _forget() -> None:
    """Let go of what there is one of; nobody holds the lock meanwhile, which a callback may need to end."""
    from onebook.compat import event_bus, market, state_persistence, state_store

    market.forget_book()
    managers.forget_manager()
    event_bus.forget_bus()
    state_store.forget_store()
    state_persistence.forget_persistence()


__all__ = ["install", "uninstall"]
