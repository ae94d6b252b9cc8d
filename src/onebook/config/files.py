"""Reading a configuration file: a tree of values, each with the place where it stands.

YAML is read by its nodes, so that every value knows its line, a key that stands twice is seen, and a number is
exactly the digits that were written. Aliases are followed within limits. TOML tells no lines.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from onebook.errors import BadConfig

MAX_BYTES = 250_000
MAX_DEPTH = 20
MAX_VALUES = 20_000

_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9_]{0,30})")
_FLOAT = re.compile(r"[-+]?(?:\d[\d_]{0,60})?(?:\.\d{0,60})?(?:[eE][-+]?\d{1,2})?")
_AS_WRITTEN = frozenset({"str", "int", "float", "timestamp"})
_TRUE = frozenset({"yes", "true", "on"})
_FALSE = frozenset({"no", "false", "off"})


@dataclass(frozen=True, slots=True)
class Given:
    """A value as it was given; a mapping holds such again. ``where`` is its place: ``onebook.yaml:12``."""

    value: Any
    where: str

    @property
    def plain(self) -> Any:
        """The value with plain ones in it."""
        if isinstance(self.value, dict):
            return {name: item.plain for name, item in self.value.items()}
        return self.value


def read_file(path: str) -> Given:
    """Return what a file holds: TOML where its name ends so, else YAML.

    Raises:
        BadConfig: it cannot be read, or is not what its name says.
    """
    text = _text_of(path)
    try:
        return _toml(path, text) if path.endswith(".toml") else _yaml(path, text)
    except RecursionError:
        raise _too_much(path, f"is nested deeper than {MAX_DEPTH} levels") from None


def given_tree(value: Any, where: str, depth: int = 0) -> Given:
    """Return plain values as a tree, all at one place.

    Raises:
        BadConfig: nested too deeply.
    """
    if depth > MAX_DEPTH:
        raise _too_much(where, f"is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, Mapping):
        return Given({str(name): given_tree(item, where, depth + 1) for name, item in value.items()}, where)
    return Given(value, where)


def _text_of(path: str) -> str:
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
        raise _too_much(path, f"{size} bytes is no configuration; at most {MAX_BYTES} are read")
    return text


def _too_much(path: str, what: str) -> BadConfig:
    return BadConfig(f"{path}: {what}", path=path)


def _toml(path: str, text: str) -> Given:
    import tomllib

    try:
        found = tomllib.loads(text, parse_float=_number)
    except tomllib.TOMLDecodeError as problem:
        msg = f"{path}: is not TOML: {problem}"
        raise BadConfig(msg, path=path) from None
    return given_tree(found, path)


def _yaml(path: str, text: str) -> Given:
    import yaml

    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        line = f":{mark.line + 1}" if mark is not None else ""
        said = " ".join(part for part in (problem.context, problem.problem) if part)
        msg = f"{path}{line}: is not YAML: {said}"
        raise BadConfig(msg, path=path) from None
    except yaml.YAMLError as problem:
        msg = f"{path}: is not YAML: {' '.join(str(problem).split())}"
        raise BadConfig(msg, path=path) from None
    return Given(None, path) if node is None else _Nodes(path).given(node, 0)


@dataclass(slots=True)
class _Nodes:
    """Turns the nodes of one file into values; counts them, so that aliases of aliases end."""

    path: str
    values: int = field(default=0)

    def given(self, node: Any, depth: int) -> Given:
        """Return the value of a node."""
        where = self._where(node)
        self.values += 1
        if depth > MAX_DEPTH:
            raise _too_much(where, f"is nested deeper than {MAX_DEPTH} levels")
        if self.values > MAX_VALUES:
            raise _too_much(where, f"comes to more than {MAX_VALUES} values")
        if node.id == "mapping":
            return Given(self._mapping(node, depth), where)
        if node.id == "sequence":
            return Given([self.given(item, depth + 1).plain for item in node.value], where)
        return Given(_scalar(node, where), where)

    def _where(self, node: Any) -> str:
        return f"{self.path}:{node.start_mark.line + 1}"

    def _mapping(self, node: Any, depth: int) -> dict[str, Given]:
        found: dict[str, Given] = {}
        places: dict[str, str] = {}
        merged: dict[str, Given] = {}
        for key, value in node.value:
            place = self._where(key)
            if key.id != "scalar":
                msg = f"{place}: a key is a word, not a list or a mapping"
                raise BadConfig(msg, path=self.path)
            if key.tag == _TAG + "merge":
                merged |= self._merged(value, depth)
                continue
            if key.value in found:
                first = places[key.value].rpartition(":")[2]
                msg = f"{place}: {key.value}: stands twice, first on line {first}; keep one"
                raise BadConfig(msg, key=key.value)
            found[key.value] = Given(self.given(value, depth + 1).value, place)
            places[key.value] = place
        return merged | found

    def _merged(self, node: Any, depth: int) -> dict[str, Given]:
        """Return what ``<<`` brings in; of several mappings the first one wins."""
        nodes = node.value if node.id == "sequence" else [node]
        brought: dict[str, Given] = {}
        for item in reversed(nodes):
            found = self.given(item, depth + 1)
            if not isinstance(found.value, dict):
                msg = f"{self._where(node)}: <<: takes a mapping, or a list of them"
                raise BadConfig(msg, path=self.path)
            brought |= found.value
        return brought


def _scalar(node: Any, where: str) -> Any:
    kind, text = node.tag.removeprefix(_TAG), node.value
    if kind == "null":
        return None
    if kind == "bool" and text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    if kind == "int" and _INT.fullmatch(text):
        return int(text)
    if kind == "float":
        return _number(text)
    if kind in _AS_WRITTEN:
        return text
    msg = f"{where}: {node.tag}: such values are not taken; write text, a number, true or false"
    raise BadConfig(msg)


def _number(text: str) -> Decimal | str:
    """Return the number with exactly these digits; text that is no ordinary number stays text."""
    digits = text.replace("_", "")
    if _FLOAT.fullmatch(text) and any(letter.isdigit() for letter in digits):
        return Decimal(digits)
    return text
