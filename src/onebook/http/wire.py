"""Bytes on the wire: answers exactly as ``onebook … --json`` prints them, facts as ``onebook record`` takes them."""

from collections.abc import Iterable
from dataclasses import MISSING, fields
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec

from onebook.domain.facts import FACTS
from onebook.domain.reports import as_json
from onebook.errors import InputError
from onebook.http.calls import Reply
from onebook.intake.bodies import check_body

MAX_LIST = 10_000
"""Most facts of one request; a longer list is sent in parts."""

_EXACT = msgspec.json.Decoder(float_hook=Decimal)
_PLAIN = msgspec.json.Decoder()


def decoded(body: bytes, *, exact: bool = True) -> Any:
    """Return JSON as data.

    Args:
        body: of a request.
        exact: numbers with a point are decimals; else floats.

    Raises:
        InputError: it is not JSON, nested too deep, or gives a name twice.
    """
    try:
        found = (_EXACT if exact else _PLAIN).decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError) as problem:
        msg = f"body: is not JSON: {problem}"
        raise InputError(msg, field="body") from None
    check_body(body, found)
    return found


def item(value: Any) -> bytes:
    """Return an answer as JSON."""
    return as_json(value).encode()


def reply(value: Any, status: int = 200, **headers: str) -> Reply:
    """Return one object as a reply."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(body=item(value), status=status, headers=named)


def page(rows: Iterable[Any], next_after: str | None, **more: Any) -> Reply:
    """Return rows as a reply: each on a line of its own, as the command line has it, and whatever more there is."""
    listed = b",\n".join(map(item, rows))
    whole = b"\n" + listed + b"\n" if listed else b""
    named = b"".join(b", " + item(name) + b": " + item(value) for name, value in more.items())
    return Reply(body=b'{"items": [' + whole + b'], "next_after": ' + item(next_after) + named + b"}")


# ---- facts ----


def an_object(value: Any, what: str) -> dict[str, Any]:
    """Take a JSON object.

    Raises:
        InputError: it is something else.
    """
    if isinstance(value, dict):
        return value
    found = "nothing" if value is None else "a list" if isinstance(value, list) else f"a {type(value).__name__}"
    msg = f"body: {what} is an object with its fields, not {found}"
    raise InputError(msg, field="body")


@cache
def _shape(kind: str) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the names of a fact's fields, and those that it needs."""
    listed = fields(FACTS[kind])
    needed = [each.name for each in listed if each.default is MISSING and each.default_factory is MISSING]
    return frozenset(each.name for each in listed), tuple(needed)


def fact_of(kind: str, stated: dict[str, Any]) -> Any:
    """Return the fact with these fields.

    Raises:
        InputError: a field is missing, unknown or malformed.
    """
    known, needed = _shape(kind)
    for name in stated:
        if name not in known:
            from onebook.intake.mapping import unknown_field

            raise unknown_field(kind, name)
    for name in needed:
        if name not in stated:
            msg = f"{name}: is missing; a {kind} needs it"
            raise InputError(msg, field=name)
    if "raw" in stated:
        from onebook.intake.files import plain_json

        stated = stated | {"raw": plain_json(stated["raw"])}
    return FACTS[kind](**stated)


def only(stated: dict[str, Any], what: str, **fields_of: bool) -> dict[str, Any]:
    """Return the fields of a deed, of which those named True are needed.

    Raises:
        InputError: one is missing or unknown.
    """
    for name in stated:
        if name not in fields_of:
            msg = f"{name[:60]}: is no field of {what}; it has {', '.join(fields_of)}"
            raise InputError(msg, field=name[:60])
    for name, is_needed in fields_of.items():
        if is_needed and stated.get(name) is None:
            msg = f"{name}: is missing; {what} needs it"
            raise InputError(msg, field=name)
    return {name: value for name, value in stated.items() if value is not None}


def some(stated: list[Any], what: str) -> None:
    """Refuse a list that is empty, or longer than one request may have.

    Raises:
        InputError: it is.
    """
    if not 0 < len(stated) <= MAX_LIST:
        msg = f"body: {len(stated)} {what}; send 1 to {MAX_LIST:,} at once"
        raise InputError(msg, field="body")
