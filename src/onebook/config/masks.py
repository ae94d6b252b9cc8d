"""What may be shown of a value: secrets are replaced by ``***``."""

import re
from collections.abc import Mapping
from typing import Any

MASK = "***"

_PASSWORD = re.compile(r"(?<=://)([^/@:\s]*):\S*@")
_QUERY = re.compile(r"([?&][^=&\s]*(?:password|passwd|secret|token|key|sig)[^=&\s]*=)[^&\s'\"]*", re.IGNORECASE)
_SECRET = re.compile(r"password|passphrase|secret|token|credential|authorization|(?:^|_)key$")
_POINTERS = ("_env", "_file", "_seconds")
"""Endings of keys that say where a secret is, not what it is."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_HOST = re.compile(r"(https?://)(?:[^/?#\s]*@)?([^/?#\s]*)(.*)", re.DOTALL | re.IGNORECASE)
_WHOLE = frozenset({"target", "targets"})
"""Addresses in which every part may be a secret."""


def masked(key: str, value: Any) -> Any:
    """Return a value that may be shown.

    Whole secrets, passwords and tokens in URLs, the paths of web addresses to which a route or a health check
    goes, everything but the scheme of notification targets, and the values of headers are replaced.

    Args:
        key: the key it belongs to; its last word says whether it is a secret.
        value: as it is in force.
    """
    word = key.rpartition(".")[2].lower()
    if value is None or value is False or value is True:
        return value
    if ".headers." in key or (_SECRET.search(word) and not word.endswith(_POINTERS)):
        return MASK
    if isinstance(value, Mapping):
        return {name: masked(f"{key}.{name}", item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(masked(key, item) for item in value)
    if not isinstance(value, str):
        return value
    if word in _WHOLE:
        found = _SCHEME.match(value)
        return f"{found.group() if found else ''}{MASK}"
    if word == "healthcheck_url" or (word.endswith("url") and key.startswith("routes.")):
        return _host(value)
    return without_passwords(value)


def without_passwords(text: str) -> str:
    """Return a text with the passwords and tokens of the URLs in it replaced."""
    return _QUERY.sub(rf"\1{MASK}", _PASSWORD.sub(rf"\1:{MASK}@", text))


def _host(value: str) -> str:
    found = _HOST.fullmatch(value)
    if found is None:
        return without_passwords(value)
    scheme, host, rest = found.groups()
    return f"{scheme}{host}{rest if rest in {'', '/'} else '/' + MASK}"
