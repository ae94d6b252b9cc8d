"""Reading one mapping of a configuration: what is known is taken, everything else refused with its line."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from onebook.config import Given, unknown
from onebook.config import values as take
from onebook.domain import fields, times
from onebook.domain.numbers import number
from onebook.errors import BadConfig, InputError
from onebook.market import timeframes


class Written:
    """One mapping of a file.

    Args:
        given: it, with its place.
        name: of it, for messages.

    Raises:
        BadConfig: it is none.
    """

    def __init__(self, given: Given, name: str) -> None:
        self.where = given.where
        self.name = name
        value = {} if given.value is None else given.value
        if not isinstance(value, dict):
            msg = f"{given.where}: {name}: expected keys below it, found {type(value).__name__}"
            raise BadConfig(msg, key=name)
        self._values: dict[str, Given] = {
            key: item if isinstance(item, Given) else Given(item, given.where) for key, item in value.items()
        }
        self._known: list[str] = []

    def __contains__(self, key: str) -> bool:
        return self._values.get(key, Given(None, "")).value is not None

    def get(self, key: str, take: Callable[[str, Any], Any], default: Any = None) -> Any:
        """Return a value as a function takes it; the default where none is given.

        Raises:
            BadConfig: it cannot be taken.
        """
        self._known.append(key)
        given = self._values.get(key)
        if given is None or given.value is None:
            return default
        try:
            return take(key, given.plain)
        except BadConfig as problem:
            raise _at(given.where, problem) from None
        except InputError as problem:
            raise _at(given.where, problem) from None

    def needed(self, key: str, take: Callable[[str, Any], Any]) -> Any:
        """Return a value that must be there.

        Raises:
            BadConfig: it is missing, or cannot be taken.
        """
        found = self.get(key, take)
        if found is None:
            msg = f"{self.where}: {self.name}: {key} is missing"
            raise BadConfig(msg, key=key)
        return found

    def below(self, key: str) -> "Written":
        """Return the mapping under a key; an empty one where there is none."""
        self._known.append(key)
        return Written(self._values.get(key, Given(None, self.where)), f"{self.name}.{key}" if self.name else key)

    def each(self, key: str) -> "Iterator[Written]":
        """Yield the mappings of a list, or those of a mapping of names with the name under ``name``.

        Raises:
            BadConfig: it is neither.
        """
        self._known.append(key)
        given = self._values.get(key, Given(None, self.where))
        if given.value is None:
            return
        if isinstance(given.value, dict):
            for name, item in given.value.items():
                inner = Written(item, f"{key}.{name}")
                inner._values.setdefault("name", Given(name, item.where))
                yield inner
            return
        if not isinstance(given.value, list):
            msg = f"{given.where}: {key}: expected a list, found {type(given.value).__name__}"
            raise BadConfig(msg, key=key)
        for number_, item in enumerate(given.value, 1):
            yield Written(Given(item, given.where), f"{key}[{number_}]")

    def rest(self) -> dict[str, Any]:
        """Return everything that is written here as plain values, whatever its keys."""
        self._known.extend(self._values)
        return {key: item.plain for key, item in self._values.items() if item.value is not None}

    def where_of(self, key: str) -> str:
        """Return the place of a key."""
        return self._values[key].where if key in self._values else self.where

    def end(self) -> None:
        """Refuse what nobody asked for.

        Raises:
            BadConfig: an unknown key, with the nearest known one.
        """
        for key, item in self._values.items():
            if key not in self._known:
                raise unknown(
                    f"{self.name}.{key}" if self.name else key, item.where, known=list(dict.fromkeys(self._known))
                )

    def placed(self, key: str, make: Callable[[], Any]) -> Any:
        """Return what a function makes of a key's value; what it refuses gets the key's place.

        Raises:
            BadConfig: it cannot be made.
        """
        try:
            return make()
        except InputError as problem:
            raise _at(self.where_of(key), problem, self.name) from None

    def made(self, make: Callable[[], Any]) -> Any:
        """Return what a function makes of what is written here; what it refuses gets the place of its key, or this one.

        Raises:
            BadConfig: it cannot be made.
        """
        try:
            return make()
        except InputError as problem:
            key = str(problem.details.get("field") or problem.details.get("key") or "")
            raise _at(self.where_of(key), problem, self.name) from None


def of_fields(kind: Any, given: dict[str, Any], written: Written) -> Any:
    """Return a record of what is given, its numbers exact.

    Raises:
        BadConfig: a field that it does not have, with its line and the nearest that there is.
        InputError: a value that a field cannot have.
    """
    for key in given:
        if key not in kind.__dataclass_fields__:
            raise unknown(f"{written.name}.{key}", written.where_of(key), known=list(kind.__dataclass_fields__))
    return kind(**given)


def stated(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is not None: for the rest its own default counts."""
    return {key: value for key, value in values.items() if value is not None}


def _at(where: str, problem: InputError, name: str = "") -> BadConfig:
    text = str(problem)
    file = where.rpartition(":")[0]
    if text.startswith((where, f"{file}:" if file else where)) or (
        problem.code == "BadConfig" and text.startswith("/")
    ):
        return problem if isinstance(problem, BadConfig) else BadConfig(text)
    return BadConfig(f"{where}: {name}: {text}" if name else f"{where}: {text}", **problem.details)


# ---- kinds of values ----


def decimal(key: str, value: Any) -> Decimal:
    """Take an exact number."""
    return number(key, str(value) if isinstance(value, float) else value)


def name(key: str, value: Any) -> str:
    """Take a name that the book keeps: printable, without blanks around it, of at most 200 characters."""
    return fields.required(key, str(value) if isinstance(value, int) and not isinstance(value, bool) else value)


def currency(key: str, value: Any) -> str:
    """Take the name of a currency: without blanks in it."""
    found = name(key, value)
    if any(letter.isspace() for letter in found):
        msg = f"{key}: {found!r} has blanks in it; write a name such as USD"
        raise InputError(msg, field=key, value=value)
    return found


def not_negative(key: str, value: Any) -> Decimal:
    """Take an exact number of 0 or more."""
    return fields.not_negative(key, str(value) if isinstance(value, float) else value)


def timeframe(key: str, value: Any) -> str:
    """Take the length of bars."""
    return timeframes.parse(take.text(key, value))


def moment(key: str, value: Any) -> int:
    """Take a time as nanoseconds since 1970 UTC; a bare day is its first moment in UTC."""
    text = str(value).strip()
    if len(text) == len("2026-01-31"):
        text += "T00:00:00Z"
    return times.from_text(key, text.replace(" ", "T", 1))
