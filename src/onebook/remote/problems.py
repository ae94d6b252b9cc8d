"""Problems of the service as the errors of a book: the same classes, with what was at fault as attributes."""

from collections.abc import Mapping
from typing import Any

import msgspec

from onebook import errors
from onebook.errors import BookError, ConflictError, InputError, NotAllowed, RateLimited, SourceError, SourceTimeout

MAX_SHOWN = 200

_OWN: Mapping[str, type[BookError]] = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, BookError)
}
_OF_HTTP: Mapping[str, type[BookError]] = {
    "NotFound": InputError,
    "MethodNotAllowed": InputError,
    "NotAcceptable": InputError,
    "UnsupportedMediaType": InputError,
    "BodyTooLarge": InputError,
    "VersionNeeded": ConflictError,
    "RequestTimeout": SourceTimeout,
    "TooManyRequests": RateLimited,
    "InternalError": SourceError,
}
"""Codes of problems that are no error of the book."""

_HELPS = frozenset({408, 429, 502, 503, 504})
_NO_DETAIL = frozenset({"message", "self"})


def error_of(code: str, message: str, details: Mapping[str, Any] | None = None) -> BookError:
    """Return the error of a code; one of a newer release is a :class:`SourceError`.

    Args:
        code: of the problem.
        message: what was wrong and what to do.
        details: the objects at fault, as plain data.
    """
    kind = _OWN.get(code) or _OF_HTTP.get(code) or SourceError
    given = {name: value for name, value in (details or {}).items() if name not in _NO_DETAIL and name.isidentifier()}
    return kind(message, **given)


def error_in(status: int, body: bytes, url: str) -> BookError:
    """Return the error that an answer stands for.

    Args:
        status: of HTTP, 300 or more.
        body: of the answer; a problem, or whatever stands between here and the service sends.
        url: of the service, for the message.
    """
    try:
        data = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        data = None
    if isinstance(data, dict) and isinstance(data.get("code"), str):
        details = data.get("details")
        return error_of(data["code"], str(data.get("detail", "")), details if isinstance(details, dict) else None)
    said = body[:MAX_SHOWN].decode("utf-8", "replace")
    msg = f"{url} answered {status} and no problem of an onebook service: {said!r}"
    if status in {401, 403}:
        return NotAllowed(msg, status=status)
    return RateLimited(msg, status=status) if status == 429 else SourceError(msg, status=status)


def may_pass(status: int, problem: BookError) -> bool:
    """Say whether the same request may succeed a moment later.

    Args:
        status: of the answer.
        problem: that it stands for.
    """
    if status not in _HELPS:
        return False
    return status != 503 or problem.retryable or isinstance(problem, errors.StoreClosed)
