"""``?as_of=`` and ``known=``: the book as of another point, on every address that reads."""

from typing import TYPE_CHECKING, Any

from onebook.domain import fields, times
from onebook.errors import InputError
from onebook.http.calls import Call, Parameter

if TYPE_CHECKING:
    from onebook.book.reading import Reading

AS_OF = (
    Parameter(
        name="as_of",
        about="What was known at a sequence of the log (digits), or what is known about a moment (RFC 3339).",
    ),
    Parameter(name="known", kind="sequence", about="With a moment in as_of: as it was known at this sequence."),
)
_LONGEST = 18


def view_of(call: Call, known: int | None = None) -> "Reading":
    """Return the book at the point that was asked for.

    Args:
        call: with ``as_of`` and ``known``.
        known: the sequence that a page's place holds; it stands for the head of then.

    Raises:
        InputError: no such point.
    """
    as_of, limit = call.given.get("as_of"), call.given.get("known")
    book = call.book
    if as_of is None:
        if limit is not None:
            msg = "known goes with a moment in as_of; for what a sequence knew write as_of=SEQUENCE"
            raise InputError(msg, field="known")
        return book if known is None else book.as_of(known)
    if as_of.isdecimal():
        return book.as_of(_sequence(as_of))
    moment = times.to_datetime(times.from_text("as_of", as_of))
    return book.as_of(moment=moment, known=limit if limit is not None else known)


def _sequence(text: str) -> int:
    return 0 if text == "0" else fields.count("as_of", text[: _LONGEST + 1])


def refuse_past(call: Call, what: str) -> None:
    """Refuse ``as_of`` where only now can be told.

    Raises:
        InputError: it is given.
    """
    given: dict[str, Any] = call.chosen("as_of", "known")
    if given:
        msg = f"{what} tells of now; leave {' and '.join(given)} out"
        raise InputError(msg, field="as_of", value=given.get("as_of"))
