"""The configuration of a process: where the book is and how it is opened.

Values come from ``onebook.yaml`` (or the same as TOML) and from the environment as
``ONEBOOK_SECTION__KEY``; the environment wins. Figures never depend on it: what changes them is in the log.
This module reads and checks; it opens nothing and has no state.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onebook.errors import BadConfig

DEFAULT_FILE = "onebook.yaml"
MAX_BYTES = 1_000_000
MASK = "***"

_PASSWORD = re.compile(r"(?<=://)([^/@:\s]*):([^/@\s]*)@")
_SECRET = ("password", "secret", "token", "api_key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A known key: how its value is taken, what it is without one, and what it is for."""

    take: Callable[[str, Any], Any]
    default: Any
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One key's value in force, and where it came from."""

    key: str
    value: Any
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings in force. ``path`` is the file they were read from, empty for none."""

    settings: tuple[Setting, ...]
    path: str = ""

    def get(self, key: str) -> Any:
        """Return the value of a known key.

        Raises:
            BadConfig: there is no such key.
        """
        for setting in self.settings:
            if setting.key == key:
                return setting.value
        raise unknown(key)

    def shown(self) -> tuple[Setting, ...]:
        """Return the settings with secrets masked."""
        return tuple(
            Setting(key=item.key, value=masked(item.key, item.value), source=item.source) for item in self.settings
        )


def _text(key: str, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    msg = f"{key}: {value!r} is not text"
    raise BadConfig(msg, key=key, value=value)


def _synchronous(key: str, value: Any) -> str:
    if isinstance(value, str) and value.lower() in {"full", "normal"}:
        return value.lower()
    msg = f"{key}: {value!r} is neither full (survives a power cut) nor normal (survives a crash)"
    raise BadConfig(msg, key=key, value=value)


def _seconds(key: str, value: Any) -> float:
    try:
        seconds = float(value) if not isinstance(value, bool) else -1.0
    except (TypeError, ValueError):
        seconds = -1.0
    if 0 <= seconds <= 3600:
        return seconds
    msg = f"{key}: {value!r} is not a number of seconds between 0 and 3600"
    raise BadConfig(msg, key=key, value=value)


KEYS: dict[str, Key] = {
    "book.url": Key(take=_text, default=None, help="the book to open; none is the default book"),
    "book.synchronous": Key(take=_synchronous, default="full", help="full or normal"),
    "book.busy_seconds": Key(take=_seconds, default=10.0, help="longest wait for another process"),
}
"""Every key there is."""


def options(given: Any) -> dict[str, Any]:
    """Return the options with which a book is opened, checked; what is None is left out.

    Raises:
        BadConfig: no mapping, no such option, or not a value it can have.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        msg = f"config: {given!r} is not a mapping, such as {{'busy_seconds': 5}}"
        raise BadConfig(msg, key="config", value=given)
    known = {name.partition(".")[2]: key for name, key in KEYS.items() if name != "book.url"}
    for name in given:
        if name not in known:
            import difflib

            near = difflib.get_close_matches(str(name).lower(), known, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(known)}"
            msg = f"config: there is no option {name!r}; {hint}"
            raise BadConfig(msg, key=str(name))
    return {name: known[name].take(f"config: {name}", value) for name, value in given.items() if value is not None}


def unknown(key: str, where: str = "") -> BadConfig:
    """Return the error for a key that is not known, naming the nearest that is."""
    import difflib

    near = difflib.get_close_matches(key.lower(), KEYS, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(KEYS)}"
    return BadConfig(f"unknown setting {key}{where}; {hint}", key=key)


def masked(key: str, value: Any) -> Any:
    """Return a value that may be shown: passwords in URLs and whole secrets are replaced."""
    if not isinstance(value, str):
        return value
    if any(word in key.rpartition(".")[2] for word in _SECRET):
        return MASK
    return _PASSWORD.sub(rf"\1:{MASK}@", value)


def load(path: str | None = None, environ: Mapping[str, str] | None = None) -> Config:
    """Return the configuration in force.

    Args:
        path: the file; None asks ``ONEBOOK_CONFIG``, then ``onebook.yaml`` in the current folder if it is there.
        environ: the environment; None is the process's.

    Raises:
        BadConfig: the file cannot be read, a key is not known, or a value is not one it can have.
    """
    env = os.environ if environ is None else environ
    file = path or env.get("ONEBOOK_CONFIG") or (DEFAULT_FILE if Path(DEFAULT_FILE).is_file() else "")
    given = _from_file(file) if file else {}
    given |= _from_environment(env)
    settings = []
    for name, key in KEYS.items():
        value, source = given.get(name, (key.default, "default"))
        settings.append(
            Setting(
                key=name,
                value=value if source == "default" else key.take(f"{name} ({source})", value),
                source=source,
            )
        )
    return Config(settings=tuple(settings), path=file)


def _from_environment(environ: Mapping[str, str]) -> dict[str, tuple[Any, str]]:
    found: dict[str, tuple[Any, str]] = {}
    for name in sorted(environ):
        if not name.startswith("ONEBOOK_") or "__" not in name:
            continue
        section, _, rest = name.removeprefix("ONEBOOK_").partition("__")
        key = f"{section}.{rest.replace('__', '.')}".lower()
        if key not in KEYS:
            raise unknown(key, f" in the environment ({name})")
        found[key] = (environ[name], f"environment {name}")
    if environ.get("ONEBOOK_URL"):
        found["book.url"] = (environ["ONEBOOK_URL"], "environment ONEBOOK_URL")
    return found


def _from_file(path: str) -> dict[str, tuple[Any, str]]:
    try:
        size = Path(path).stat().st_size
        text = Path(path).read_text(encoding="utf-8-sig") if size <= MAX_BYTES else ""
    except OSError as problem:
        msg = f"{path}: cannot be read ({problem.strerror})"
        raise BadConfig(msg, path=path) from None
    except UnicodeDecodeError:
        msg = f"{path}: is not UTF-8 text"
        raise BadConfig(msg, path=path) from None
    if size > MAX_BYTES:
        msg = f"{path}: {size} bytes is no configuration"
        raise BadConfig(msg, path=path)
    tree = _toml(path, text) if path.endswith(".toml") else _yaml(path, text)
    found: dict[str, tuple[Any, str]] = {}
    for key, value in _flat(tree, path):
        if key not in KEYS:
            raise unknown(key, f" in {path}")
        found[key] = (value, path)
    return found


def _toml(path: str, text: str) -> Any:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        msg = f"{path}: is not TOML: {problem}"
        raise BadConfig(msg, path=path) from None


def _yaml(path: str, text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as problem:
        where = " ".join(str(problem).split())
        msg = f"{path}: is not YAML: {where}"
        raise BadConfig(msg, path=path) from None


def _flat(tree: Any, path: str, prefix: str = "") -> list[tuple[str, Any]]:
    if tree is None:
        return []
    if not isinstance(tree, dict):
        msg = f"{path}: expected sections with keys, found {type(tree).__name__}"
        raise BadConfig(msg, path=path)
    found: list[tuple[str, Any]] = []
    for name, value in tree.items():
        key = f"{prefix}{name}"
        inner = isinstance(value, dict) or (not prefix and value is None)
        found += _flat(value, path, f"{key}.") if inner else [(key, value)]
    return found
