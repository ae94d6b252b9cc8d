"""How an option of a sink is taken, where the kinds of values of :mod:`onebook.config.values` do not suffice."""

import re
from pathlib import Path
from typing import Any

from onebook.config.values import Take, refused, text
from onebook.errors import BadConfig

_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*([kmgt]?)(i?)(b?)", re.IGNORECASE)


def needed(options: dict[str, Any], name: str, route: str) -> Any:
    """Return an option that has no default.

    Raises:
        BadConfig: it was not given.
    """
    if options.get(name) is None:
        msg = f"route {route}: {name} is missing; write `{name}: …` under it"
        raise BadConfig(msg, key=name)
    return options[name]


def secret(key: str, value: Any) -> str:
    """Take text that no message may show."""
    if isinstance(value, str) and value.strip() and value.isprintable():
        return value.strip()
    msg = f"{key}: what is given (not shown, it is a secret) is not text on one line"
    raise BadConfig(msg, key=key)


def optional(take: Take) -> Take:
    """Return a function that leaves None, and takes everything else as ``take`` does."""
    return lambda key, value: None if value is None else take(key, value)


def path(key: str, value: Any) -> Path:
    """Take the path of a file; a relative one counts from the folder the process is in now, ``~`` is the user's."""
    given = Path(text(key, value)).expanduser().absolute()
    if given.is_dir():
        raise refused(key, value, "is a folder; name a file in it")
    return given


def size(key: str, value: Any) -> int:
    """Take a number of bytes: ``10485760``, ``10MB`` (millions) or ``10MiB`` (1024 × 1024)."""
    found = (
        _SIZE.fullmatch(str(value).strip()) if isinstance(value, str | int) and not isinstance(value, bool) else None
    )
    if found is None or (found[3] and not found[2]):
        raise refused(key, value, "is not a size; write bytes, or such as 10MB or 512KiB")
    number, unit, binary, _ = found.groups()
    step = 1024 if binary else 1000
    whole, _, part = number.partition(".")
    factor: int = step ** " kmgt".index(unit.lower() or " ")
    return int(whole) * factor + (int(part) * factor // 10 ** len(part) if part else 0)
