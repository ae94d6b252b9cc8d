"""The settings in force: from a file, a mapping, and the environment."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from onebook.config.files import Given, given_tree, read_file
from onebook.config.keys import KEYS, OLDER, ROUTES, SECTIONS, STANDS_FOR, unknown
from onebook.config.masks import masked
from onebook.config.presence import PREFIX, file_of
from onebook.errors import BadConfig

DEFAULT = "default"

_FLAT = {name.removeprefix("book."): name for name in ("book.synchronous", "book.busy_seconds")}
_ROUTE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One key's value in force, where it came from, and why it has no effect; empty when it has one."""

    key: str
    value: Any
    source: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRoute:
    """A route as it was written; :mod:`onebook.feed.routes` says what its options mean.

    Attributes:
        name: of the route.
        where: its place, such as ``onebook.yaml:12``.
        options: name -> what was given, and its place.
    """

    name: str
    where: str
    options: Mapping[str, Given]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings in force. ``path`` is the file they were read from, empty for none."""

    settings: tuple[Setting, ...]
    routes: tuple[RawRoute, ...] = ()
    path: str = ""

    def get(self, key: str) -> Any:
        """Return the value of a known key.

        Raises:
            BadConfig: there is no such key.
        """
        return self.setting(key).value

    def setting(self, key: str) -> Setting:
        """Return the value of a known key and where it came from.

        Raises:
            BadConfig: there is no such key.
        """
        for setting in self.settings:
            if setting.key == key:
                return setting
        raise unknown(key)

    def is_given(self, key: str) -> bool:
        """Say whether a known key was set, by whatever source."""
        return self.setting(key).source != DEFAULT

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was set and has no effect, a sentence each."""
        return tuple(f"{item.source}: {item.key}: {item.note}" for item in self.settings if item.note)

    def shown(self) -> tuple[Setting, ...]:
        """Return the settings with secrets masked, routes too; keys that never do anything only where they are set."""
        rows = [item for item in self.settings if item.key not in OLDER or item.source != DEFAULT]
        rows += [
            Setting(key=f"{ROUTES}.{route.name}.{name}", value=given.plain, source=given.where)
            for route in self.routes
            for name, given in route.options.items()
        ]
        return tuple(
            Setting(key=item.key, value=masked(item.key, item.value), source=item.source, note=item.note)
            for item in rows
        )


def load(path: str | None = None, environ: Mapping[str, str] | None = None) -> Config:
    """Return the configuration in force on the command line. The environment wins over the file.

    Args:
        path: the file; None asks ``ONEBOOK_CONFIG``, then ``onebook.yaml`` in the current folder if it is there.
        environ: the environment; None is the process's.

    Raises:
        BadConfig: the file cannot be read, a key is not known, or a value is not one it can have.
    """
    env = os.environ if environ is None else environ
    file = file_of(path, env)
    return _config(read_file(file) if file else Given(None, ""), env, file)


def config_for(given: Any, environ: Mapping[str, str] | None = None) -> Config:
    """Return the configuration that ``onebook.open`` was handed.

    A path is read as the command line reads its file, and a mapping with sections stands for a file: for both the
    environment wins. None is the defaults, and a mapping of ``synchronous`` and ``busy_seconds`` alone is just
    these: neither asks the environment.

    Args:
        given: None, a mapping, the path of a file, or a configuration already loaded.
        environ: the environment; None is the process's.

    Raises:
        BadConfig: none of these, or something in it is wrong.
    """
    if isinstance(given, Config):
        return given
    if isinstance(given, str | os.PathLike) and isinstance(os.fspath(given), str) and os.fspath(given):
        return load(os.fspath(given), environ)
    if given is not None and not isinstance(given, Mapping):
        msg = f"config: {given!r:.80} is not a mapping, such as {{'busy_seconds': 5}}, nor the path of a file"
        raise BadConfig(msg, key="config", value=given)
    tree, flat = _sectioned(given or {})
    env = {} if flat else os.environ if environ is None else environ
    return _config(given_tree(tree, "config"), env, "")


def _sectioned(given: Mapping[Any, Any]) -> tuple[dict[str, Any], bool]:
    """Return a mapping by sections, and whether it had none."""
    tree: dict[str, Any] = {name: item for name, item in given.items() if name in SECTIONS}
    book = tree.get("book")
    for name, item in given.items():
        if name in SECTIONS:
            continue
        if name not in _FLAT:
            raise _no_option(name)
        if not isinstance(book, Mapping):
            book = {} if book is None else {"": book}
        book = {**book, name: item}
        tree["book"] = book
    return tree, not any(name in SECTIONS for name in given)


def _no_option(name: Any) -> BadConfig:
    import difflib

    near = difflib.get_close_matches(str(name).lower(), [*_FLAT, *SECTIONS], n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(_FLAT)} and sections {', '.join(SECTIONS)}"
    return BadConfig(f"config: there is no option {name!r}; {hint}", key=str(name))


def _config(tree: Given, environ: Mapping[str, str], path: str) -> Config:
    found, routes = _sorted_out(tree)
    _add_environment(found, routes, environ)
    settings = {}
    for name, key in KEYS.items():
        given = found.get(name)
        if given is None or given.value is None:
            settings[name] = Setting(key=name, value=key.default, source=DEFAULT)
            continue
        value = key.take(f"{given.where}: {name}", given.plain)
        settings[name] = Setting(key=name, value=value, source=given.where, note=key.note(value) if key.note else "")
    _stand_in(settings)
    made = (RawRoute(name=name, where=item.where, options=item.value) for name, item in routes.items())
    return Config(settings=tuple(settings.values()), routes=tuple(made), path=path)


def _stand_in(settings: dict[str, Setting]) -> None:
    """Let keys of the documents set ours, where ours are not set themselves."""
    for older, ours in STANDS_FOR.items():
        given, own = settings[older], settings[ours]
        if given.source == DEFAULT:
            continue
        if own.source == DEFAULT:
            settings[ours] = Setting(key=ours, value=given.value, source=f"{given.source} ({older})")
        else:
            note = f"has no effect: {ours} is set too ({own.source}) and wins"
            settings[older] = Setting(key=older, value=given.value, source=given.source, note=note)


def _sorted_out(tree: Given) -> tuple[dict[str, Given], dict[str, Given]]:
    """Return what was given for known keys, and what for routes."""
    if tree.value is None:
        return {}, {}
    if not isinstance(tree.value, dict):
        msg = f"{tree.where}: expected sections with keys, found {type(tree.value).__name__}"
        raise BadConfig(msg)
    found: dict[str, Given] = {}
    routes: dict[str, Given] = {}
    for section, given in tree.value.items():
        if section not in SECTIONS:
            raise unknown(section, given.where, known=SECTIONS)
        if given.value is None:
            continue
        if not isinstance(given.value, dict):
            example = "a name for each route" if section == ROUTES else f"keys such as {_keys_of(section)[0]}"
            msg = f"{given.where}: {section}: expected {example} below it, found {type(given.value).__name__}"
            raise BadConfig(msg, key=section)
        if section == ROUTES:
            routes = {name: _route(name, item) for name, item in given.value.items()}
        else:
            found |= {_known(f"{section}.{name}", item.where): item for name, item in given.value.items()}
    return found, routes


def _keys_of(section: str) -> list[str]:
    return [name for name in KEYS if name.startswith(f"{section}.")]


def _known(key: str, where: str) -> str:
    if key in KEYS:
        return key
    section = key.partition(".")[0]
    if section == ROUTES:
        msg = f"{where}: {key}: names no option of a route; write {PREFIX}ROUTES__NAME__OPTION"
        raise BadConfig(msg, key=key)
    if section not in SECTIONS:
        raise unknown(section, where, known=SECTIONS)
    raise unknown(key, where, known=_keys_of(section))


def _route(name: str, given: Given) -> Given:
    if _ROUTE_NAME.fullmatch(name) is None:
        msg = f"{given.where}: {ROUTES}: {name!r:.80} is no name of a route; write letters, digits, - and _"
        raise BadConfig(msg, key=name)
    if not isinstance(given.value, dict):
        msg = f"{given.where}: {ROUTES}.{name}: expected options below it, such as to: csv"
        raise BadConfig(msg, key=name)
    return given


def _add_environment(found: dict[str, Given], routes: dict[str, Given], environ: Mapping[str, str]) -> None:
    """Put what the environment says over what the file says. A variable that is empty counts as not set."""
    for name in sorted(environ):
        if not name.startswith(PREFIX) or "__" not in name or not environ[name]:
            continue
        words = name.removeprefix(PREFIX).lower().split("__")
        given = Given(environ[name], f"environment {name}")
        if words[0] == ROUTES and len(words) > 2 and all(words):
            _add_to_route(routes, words[1:], given)
        elif ".".join(words[:2]) in KEYS and len(words) == 3 and isinstance(KEYS[".".join(words[:2])].default, dict):
            _put_below(found, ".".join(words[:2]), words[2], given)
        else:
            found[_known(".".join(words), given.where)] = given
    if environ.get("ONEBOOK_URL"):
        found["book.url"] = Given(environ["ONEBOOK_URL"], "environment ONEBOOK_URL")


def _add_to_route(routes: dict[str, Given], words: list[str], given: Given) -> None:
    """Set one option of a route; a name in the environment has small letters, and _ stands for - too."""
    name = next((name for name in routes if name.lower().replace("-", "_") == words[0]), words[0])
    route = _route(name, routes.get(name, Given({}, given.where)))
    options = dict(route.value)
    if len(words) == 2:
        options[words[1]] = given
    else:
        _put_below(options, words[1], "__".join(words[2:]), given)
    routes[name] = Given(options, route.where)


def _put_below(found: dict[str, Given], key: str, name: str, given: Given) -> None:
    held = found.get(key)
    below = dict(held.value) if held is not None and isinstance(held.value, dict) else {}
    found[key] = Given(below | {name: given}, held.where if held is not None else given.where)
