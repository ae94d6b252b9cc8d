"""Which fact is the same as which: scopes, ids, and the text of an identity.

A **scope** names a space in which an id is unique: a venue's fills of an instrument in an account, an
account's orders, and so on. The text of an identity joins its parts with ``|``.
"""

from decimal import Decimal
from functools import lru_cache

from onebook.domain import facts, times
from onebook.domain.numbers import ZERO, plain
from onebook.errors import InputError

_SEPARATOR = "\x1f"


def scope(kind: str, *parts: str) -> str:
    """Return the name of an identity space."""
    return _SEPARATOR.join((kind, *parts))


@lru_cache(4096)
def fill_scope(venue: str, account: str, instrument: str) -> str:
    """Return the space of a venue's fill ids: order id and side are compared beside it."""
    return f"fill{_SEPARATOR}{venue}{_SEPARATOR}{account}{_SEPARATOR}{instrument}"


@lru_cache(256)
def client_scope(account: str) -> str:
    """Return the space of the caller's own fill ids."""
    return f"client{_SEPARATOR}{account}"


def identity_text(*parts: str) -> str:
    """Join the parts of an identity into one text that :func:`identity_parts` takes apart again."""
    return "|".join(part.replace("\\", "\\\\").replace("|", "\\|") if "|" in part or "\\" in part else part
                    for part in parts)  # fmt: skip


def identity_parts(text: str) -> list[str]:
    """Take the text of an identity apart."""
    parts, part, escaped = [], "", False
    for letter in text:
        if escaped:
            part += letter
            escaped = False
        elif letter == "\\":
            escaped = True
        elif letter == "|":
            parts.append(part)
            part = ""
        else:
            part += letter
    return [*parts, part]


def fill_identity(fill: facts.Fill, event_id: str) -> str:
    """Return the identity of a fill as text; one without ids is named after its event."""
    if fill.venue_fill_id:
        return identity_text(
            "fill",
            fill.venue,
            fill.account,
            fill.instrument,
            fill.venue_order_id,
            fill.venue_fill_id,
            fill.side,
        )
    if fill.client_fill_id:
        return identity_text("client", fill.account, fill.client_fill_id)
    return identity_text("event", event_id)


Content = tuple[Decimal, Decimal, Decimal | None, str | None, int | None]
"""(quantity, price, fee or None, fee currency or None, given occurred_ns or None)."""


def content(fill: facts.Fill, *, timed: bool) -> Content:
    """Return what makes two reports of one fill the same; ``timed`` when the caller gave the time."""
    return fill.quantity, fill.price, fill.fee, fill.fee_currency, fill.occurred_ns if timed else None


def agrees(first: Content, second: Content, settle: str) -> bool:
    """Say whether two contents agree: what one of them leaves out says nothing.

    Args:
        first: one content.
        second: the other.
        settle: the settlement currency, which a fee without currency is in.
    """
    if first[0] != second[0] or first[1] != second[1]:
        return False
    fee, other = first[2], second[2]
    if fee is not None and other is not None:
        if fee != other:
            return False
        if fee != ZERO and (first[3] or settle) != (second[3] or settle):
            return False
    return first[4] is None or second[4] is None or _same_time(first[4], second[4])


def _same_time(first: int, second: int) -> bool:
    step = max(times.precision(first), times.precision(second))
    return first // step == second // step


def completes(first: Content, second: Content) -> bool:
    """Say whether the second content states something that the first left out."""
    return any(had is None and has is not None for had, has in zip(first[2:], second[2:], strict=True)) and (
        (first[2] is None and second[2] is not None) or (first[4] is None and second[4] is not None)
    )


def content_id(fill: facts.Fill, occurrence: int = 0) -> str:
    """Return an identity derived from a fill's content, the same on every run.

    Args:
        fill: with its ``occurred_at``.
        occurrence: which one of several fills with the very same content.

    Raises:
        InputError: the fill has no time of its own.
    """
    import hashlib

    if fill.occurred_ns is None:
        msg = "occurred_at: is missing; an identity derived from content needs the time"
        raise InputError(msg, field="occurred_at")
    parts = (
        fill.venue,
        fill.account,
        fill.instrument,
        fill.side,
        plain(fill.quantity),
        plain(fill.price),
        str(fill.occurred_ns),
        str(occurrence),
    )
    return "content:" + hashlib.sha256(_SEPARATOR.join(parts).encode()).hexdigest()[:32]
