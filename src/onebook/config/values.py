"""How a value of the configuration is taken: one small function per kind of value.

Each takes the key as messages name it, with the place in front, and the value as a file, the environment or a
caller gave it. What it cannot take it refuses with a sentence.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from onebook.config.masks import without_passwords
from onebook.errors import BadConfig

Take = Callable[[str, Any], Any]

MAX_NAMES = 1000

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_NEXT_ADDRESS = re.compile(r"[,\s]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_WEB_ADDRESS = re.compile(r"https?://[^\s/?#]+\S*")


def refused(key: str, value: Any, what: str) -> BadConfig:
    """Return the error for a value that a key cannot have.

    Args:
        key: the key, with its place.
        value: as it was given.
        what: what it is not, such as ``is not text``.
    """
    return BadConfig(f"{key}: {without_passwords(repr(value))[:80]} {what}", key=key, value=value)


def text(key: str, value: Any) -> str:
    """Take text that is not empty, on one line."""
    if isinstance(value, str) and value.strip() and value.isprintable():
        return value.strip()
    raise refused(key, value, "is not text on one line; write it in quotes")


def anything(key: str, value: Any) -> Any:
    """Take what is there: nothing reads it."""
    del key
    return value


def choice(*names: str) -> Take:
    """Return a function that takes one of these names."""

    def take(key: str, value: Any) -> str:
        if isinstance(value, str) and value.strip().lower() in names:
            return value.strip().lower()
        raise refused(key, value, f"is none of {', '.join(names)}")

    return take


def synchronous(key: str, value: Any) -> str:
    """Take how durable an answer is."""
    if isinstance(value, str) and value.lower() in {"full", "normal"}:
        return value.lower()
    raise refused(key, value, "is neither full (survives a power cut) nor normal (survives a crash)")


def switch(key: str, value: Any) -> bool:
    """Take true or false."""
    if isinstance(value, bool):
        return value
    given = str(value).strip().lower()
    if isinstance(value, str | int) and given in _TRUE | _FALSE:
        return given in _TRUE
    raise refused(key, value, "is neither true nor false")


def measure(unit: str, least: float, most: float) -> Take:
    """Return a function that takes a number within limits.

    Args:
        unit: what it counts, for messages: ``number of seconds``.
        least: the smallest it takes.
        most: the largest it takes.
    """

    def take(key: str, value: Any) -> float:
        try:
            found = float(value) if isinstance(value, str | int | float | Decimal) else least - 1
        except (ValueError, OverflowError):
            found = least - 1
        if least <= found <= most and not isinstance(value, bool):
            return found
        raise refused(key, value, f"is not a {unit} between {least:g} and {most:g}")

    return take


def seconds(least: float, most: float) -> Take:
    """Return a function that takes a number of seconds within limits."""
    return measure("number of seconds", least, most)


def count(least: int, most: int) -> Take:
    """Return a function that takes a whole number within limits."""

    def take(key: str, value: Any) -> int:
        given = value.strip() if isinstance(value, str) else value
        if isinstance(given, str) and given.isascii() and given.isdecimal():
            given = int(given[:20])
        if type(given) is int and least <= given <= most:
            return given
        raise refused(key, value, f"is not a whole number between {least} and {most}")

    return take


def names(key: str, value: Any) -> tuple[str, ...]:
    """Take a list of names, or one text with commas; at least one."""
    listed = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
    if not isinstance(listed, list | tuple | set | frozenset):
        raise refused(key, value, "is neither a list of names nor text with commas")
    if not 0 < len(listed) <= MAX_NAMES:
        msg = f"{key}: names {len(listed)}; leave it out for all, or name 1 to {MAX_NAMES}"
        raise BadConfig(msg, key=key)
    return tuple(_name(key, item) for item in listed)


def _name(key: str, item: Any) -> str:
    if type(item) is int:
        return str(item)
    if isinstance(item, str) and item.isprintable():
        return item
    raise refused(key, item, "is not a name; write it in quotes")


def places(key: str, value: Any) -> tuple[Any, ...]:
    """Take paths: one text, with commas for several, or a list of them; a mapping where a path needs more words."""
    if isinstance(value, str):
        listed: Any = [part.strip() for part in value.split(",") if part.strip()]
    else:
        listed = [value] if isinstance(value, Mapping) else value
    if not isinstance(listed, list | tuple) or not 0 < len(listed) <= MAX_NAMES:
        raise refused(key, value, f"is neither a path nor a list of 1 to {MAX_NAMES} paths")
    for item in listed:
        if not isinstance(item, Mapping) and not (isinstance(item, str) and item.strip()):
            raise refused(key, item, "is neither a path nor a mapping such as {path: feed.gz, feed_times: received}")
    return tuple(listed)


def mapping(key: str, value: Any) -> dict[str, Any]:
    """Take a mapping of names to anything."""
    if not isinstance(value, Mapping):
        raise refused(key, value, "is not a mapping of names to values")
    return {str(name): item for name, item in value.items()}


def texts(key: str, value: Any) -> dict[str, str]:
    """Take a mapping of names to texts."""
    if not isinstance(value, Mapping):
        raise refused(key, value, "is not a mapping of names to texts")
    for name, item in value.items():
        if not isinstance(item, str):
            raise refused(f"{key}.{name}", item, "is not text; write it in quotes")
    return {str(name): item for name, item in value.items()}


def addresses(key: str, value: Any) -> tuple[str, ...]:
    """Take addresses that are secrets: a list, or one text with commas. Messages do not show them."""
    listed = _NEXT_ADDRESS.split(value.strip()) if isinstance(value, str) else value
    if not isinstance(listed, list | tuple):
        msg = f"{key}: is neither a list of addresses nor text with commas"
        raise BadConfig(msg, key=key)
    for number, item in enumerate(listed, 1):
        if not isinstance(item, str) or _ADDRESS.fullmatch(item.strip()) is None:
            msg = f"{key}: number {number} is no address such as tgram://TOKEN/CHAT (not shown, it may be a secret)"
            raise BadConfig(msg, key=key)
    return tuple(dict.fromkeys(item.strip() for item in listed))


def address(*schemes: str) -> Take:
    """Return a function that takes an address of one of these schemes."""

    def take(key: str, value: Any) -> str:
        given = value.strip() if isinstance(value, str) else ""
        scheme, _, rest = given.partition("://")
        if scheme.lower() in schemes and rest.strip("/") and not re.search(r"\s", rest):
            return given.rstrip("/")
        raise refused(key, value, f"is no address such as {schemes[0]}://127.0.0.1:8080")

    return take


def secret(key: str, value: Any) -> str:
    """Take text that is a secret. Messages do not show it."""
    if isinstance(value, str) and value.strip() and value.isprintable():
        return value.strip()
    msg = f"{key}: is not text on one line; write it in quotes (not shown, it is a secret)"
    raise BadConfig(msg, key=key)


def web_address(key: str, value: Any) -> str:
    """Take a web address that is a secret. Messages do not show it."""
    if isinstance(value, str) and _WEB_ADDRESS.fullmatch(value.strip()) is not None:
        return value.strip()
    msg = f"{key}: is no address such as https://hc-ping.com/UUID (not shown, it may be a secret)"
    raise BadConfig(msg, key=key)
