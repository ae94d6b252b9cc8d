"""Every error of the product, as one tree.

::

    BookError
      InputError      what was handed in is wrong: mend it
        UnknownInstrument PrecisionLost NaiveTime BadConfig ImportRefused UnknownEventVersion
      RuleError       a rule of the book refuses it
        InvalidTransition AmbiguousLot TradingHalted OrderRefused NotAllowed
      ConflictError   somebody wrote first: reload and retry
      SourceError     something outside failed
        SourceTimeout RateLimited BreakerOpen BadPayload
      StoreError      the store could not
        StoreBusy StoreFull StoreClosed SchemaTooNew NotABook
        CorruptLog    the log itself is damaged
          SequenceGap HashMismatch

Each class has a stable ``code`` (its name), says by ``retryable`` whether the same call may succeed
later, carries the objects at fault as attributes, and knows the exit code of the command line and the
status of HTTP. Drivers' errors never leave the store: they are raised again as one of these.
"""

from typing import Any, ClassVar


class BookError(Exception):
    """Anything this package raises on purpose.

    Args:
        message: what was wrong and what to do.
        details: the objects at fault; each becomes an attribute.
    """

    retryable: ClassVar[bool] = False
    exit_code: ClassVar[int] = 2
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details = details

    def __getattr__(self, name: str) -> Any:
        details = self.__dict__.get("details", {})
        if name in details:
            return details[name]
        msg = f"{type(self).__name__} has no attribute {name!r}"
        raise AttributeError(msg)

    @property
    def code(self) -> str:
        """The stable name of this kind of error."""
        return type(self).__name__


class InputError(BookError):
    """What was handed in is malformed. Nothing of it was written."""

    http_status = 400


class UnknownInstrument(InputError):
    """A symbol that is neither defined nor of a shape that defines itself."""

    http_status = 422


class PrecisionLost(InputError):
    """A number that cannot be kept exactly: a float, or too many digits."""

    http_status = 422


class NaiveTime(InputError):
    """A time without a zone."""

    http_status = 422


class BadConfig(InputError):
    """A configuration that cannot be used as it stands."""


class ImportRefused(InputError):
    """A file of which some rows, or all, could not be taken."""

    http_status = 422


class UnknownEventVersion(InputError):
    """The log holds an event that this release cannot read."""

    http_status = 422


class RuleError(BookError):
    """A rule of the book refuses it. The same call will be refused again."""

    exit_code = 3
    http_status = 422


class InvalidTransition(RuleError):
    """An order or signal cannot go from its status to the one asked for."""

    http_status = 409


class AmbiguousLot(RuleError):
    """More than one lot, fill or fact fits: say which."""

    http_status = 409


class TradingHalted(RuleError):
    """Trading is halted: an order that stands gets no other terms."""

    http_status = 409


class OrderRefused(RuleError):
    """The gate refuses the order."""


class NotAllowed(RuleError):
    """The caller may not do this."""

    http_status = 403


class ConflictError(BookError):
    """Somebody wrote first: reload and try again."""

    retryable = True
    exit_code = 3
    http_status = 409


class SourceError(BookError):
    """Something outside the book failed."""

    retryable = True
    exit_code = 4
    http_status = 502


class SourceTimeout(SourceError):
    """The outside did not answer in time."""

    http_status = 504


class RateLimited(SourceError):
    """The outside asks for fewer calls."""


class BreakerOpen(SourceError):
    """The circuit breaker of this source is open."""


class BadPayload(SourceError):
    """The outside sent what cannot be read."""

    retryable = False


class StoreError(BookError):
    """The store could not. Nothing that was not acknowledged is promised; nothing acknowledged is lost."""

    exit_code = 5
    http_status = 503


class StoreBusy(StoreError):
    """Another process held the book for longer than the wait allowed."""

    retryable = True


class StoreFull(StoreError):
    """The disk is full."""

    retryable = True


class StoreClosed(StoreError):
    """The book is closed."""


class SchemaTooNew(StoreError):
    """The book was written by a newer release."""


class NotABook(StoreError):
    """The file is something else."""


class CorruptLog(StoreError):
    """The log is damaged. Restore from a backup; ``onebook verify`` lists what it found."""

    exit_code = 70
    http_status = 500


class SequenceGap(CorruptLog):
    """An entry is missing from the log."""


class HashMismatch(CorruptLog):
    """An entry's bytes are not the ones that were written."""
