"""The configuration of a process: where the book is, how it is opened, and where its events go.

Values come from ``onebook.yaml`` (or the same as TOML) and from the environment as
``ONEBOOK_SECTION__KEY``; the environment wins. Figures never depend on it: what changes them is in the log.
This package reads and checks; it opens nothing and has no state.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onebook.config.files import Given
    from onebook.config.keys import KEYS, Key, unknown
    from onebook.config.masks import MASK, masked, without_passwords
    from onebook.config.settings import DEFAULT, Config, RawRoute, Setting, config_for, load

_HOME_OF = {
    "Given": "files",
    "KEYS": "keys",
    "Key": "keys",
    "unknown": "keys",
    "MASK": "masks",
    "masked": "masks",
    "without_passwords": "masks",
    "DEFAULT": "settings",
    "Config": "settings",
    "RawRoute": "settings",
    "Setting": "settings",
    "config_for": "settings",
    "load": "settings",
}


def __getattr__(name: str) -> Any:
    """Load a name when it is first used: a command without configuration does without most of this."""
    if name not in _HOME_OF:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    return value


__all__ = [
    "DEFAULT",
    "KEYS",
    "MASK",
    "Config",
    "Given",
    "Key",
    "RawRoute",
    "Setting",
    "config_for",
    "load",
    "masked",
    "unknown",
    "without_passwords",
]
