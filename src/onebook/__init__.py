"""The one book of record for trading bots.

Names are loaded when they are first used, so that importing the package costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onebook.app import Book, open  # noqa: A004  the name users know from files
    from onebook.book.keeping import restore
    from onebook.book.receipts import Receipt
    from onebook.domain.facts import (
        EXTERNAL,
        Account,
        BookSettings,
        CashMovement,
        CorporateAction,
        Fill,
        FundingPayment,
        Instrument,
        Limits,
        OpeningBalance,
        Order,
        OrderUpdate,
        Rate,
        Reassign,
        Settlement,
        Signal,
        SignalUpdate,
        Transfer,
    )
    from onebook.domain.identity import content_id
    from onebook.domain.numbers import exact
    from onebook.domain.reports import BatchReport, Equity, Event, Lots, Position, RoundTrip, Status
    from onebook.errors import (
        AmbiguousLot,
        BadConfig,
        BadPayload,
        BookError,
        BreakerOpen,
        ConflictError,
        CorruptLog,
        HashMismatch,
        ImportRefused,
        InputError,
        InvalidTransition,
        NaiveTime,
        NotABook,
        NotAllowed,
        OrderRefused,
        PrecisionLost,
        RateLimited,
        RuleError,
        SchemaTooNew,
        SequenceGap,
        SourceError,
        SourceTimeout,
        StoreBusy,
        StoreClosed,
        StoreError,
        StoreFull,
        TradingHalted,
        UnknownEventVersion,
        UnknownInstrument,
    )
    from onebook.trading.answers import Approved, Refused

__version__ = "0.2.0"

_HOMES = {
    "onebook.app": (
        "Book",
        "open",
    ),
    "onebook.book.keeping": ("restore",),
    "onebook.book.receipts": ("Receipt",),
    "onebook.domain.facts": (
        "Account",
        "BookSettings",
        "CashMovement",
        "CorporateAction",
        "EXTERNAL",
        "Fill",
        "FundingPayment",
        "Instrument",
        "Limits",
        "OpeningBalance",
        "Order",
        "OrderUpdate",
        "Rate",
        "Reassign",
        "Settlement",
        "Signal",
        "SignalUpdate",
        "Transfer",
    ),
    "onebook.domain.identity": ("content_id",),
    "onebook.domain.numbers": ("exact",),
    "onebook.domain.reports": (
        "BatchReport",
        "Equity",
        "Event",
        "Lots",
        "Position",
        "RoundTrip",
        "Status",
    ),
    "onebook.errors": (
        "AmbiguousLot",
        "BadConfig",
        "BadPayload",
        "BookError",
        "BreakerOpen",
        "ConflictError",
        "CorruptLog",
        "HashMismatch",
        "ImportRefused",
        "InputError",
        "InvalidTransition",
        "NaiveTime",
        "NotABook",
        "NotAllowed",
        "OrderRefused",
        "PrecisionLost",
        "RateLimited",
        "RuleError",
        "SchemaTooNew",
        "SequenceGap",
        "SourceError",
        "SourceTimeout",
        "StoreBusy",
        "StoreClosed",
        "StoreError",
        "StoreFull",
        "TradingHalted",
        "UnknownEventVersion",
        "UnknownInstrument",
    ),
    "onebook.trading.answers": (
        "Approved",
        "Refused",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "EXTERNAL",
    "Account",
    "AmbiguousLot",
    "Approved",
    "BadConfig",
    "BadPayload",
    "BatchReport",
    "Book",
    "BookError",
    "BookSettings",
    "BreakerOpen",
    "CashMovement",
    "ConflictError",
    "CorporateAction",
    "CorruptLog",
    "Equity",
    "Event",
    "Fill",
    "FundingPayment",
    "HashMismatch",
    "ImportRefused",
    "InputError",
    "Instrument",
    "InvalidTransition",
    "Limits",
    "Lots",
    "NaiveTime",
    "NotABook",
    "NotAllowed",
    "OpeningBalance",
    "Order",
    "OrderRefused",
    "OrderUpdate",
    "Position",
    "PrecisionLost",
    "Rate",
    "RateLimited",
    "Reassign",
    "Receipt",
    "Refused",
    "RoundTrip",
    "RuleError",
    "SchemaTooNew",
    "SequenceGap",
    "Settlement",
    "Signal",
    "SignalUpdate",
    "SourceError",
    "SourceTimeout",
    "Status",
    "StoreBusy",
    "StoreClosed",
    "StoreError",
    "StoreFull",
    "TradingHalted",
    "Transfer",
    "UnknownEventVersion",
    "UnknownInstrument",
    "content_id",
    "exact",
    "open",
    "restore",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is not None:
        value = getattr(import_module(home), name)
        globals()[name] = value
        return value
    if name in {"alpaca", "ccxt", "compat", "freqtrade", "testing"}:
        return import_module(f"onebook.{name}")
    msg = f"module 'onebook' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
