"""The configuration of a process: where the book is, how it is opened, and where its events go.

Values come from ``onebook.yaml`` (or the same as TOML) and from the environment as
``ONEBOOK_SECTION__KEY``; the environment wins. Figures never depend on it: what changes them is in the log.
This package reads and checks; it opens nothing and has no state.
"""

from onebook.config.files import Given
from onebook.config.keys import KEYS, Key, unknown
from onebook.config.masks import MASK, masked, without_passwords
from onebook.config.settings import DEFAULT, Config, RawRoute, Setting, config_for, load

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
