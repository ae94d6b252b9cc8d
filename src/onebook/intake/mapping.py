"""From a row to a fact: which column is which field, and what a row leaves unsaid.

A map names, per field, a column (``amount``, ``#1``) or a constant. Columns named like a field are that field
without being mapped. Fills without an id get one derived from their content, so that the same file again
records nothing.
"""

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from datetime import timedelta, tzinfo
from typing import Any

from onebook.domain import times
from onebook.domain.cells import as_it_was
from onebook.domain.facts import FACTS, Fill
from onebook.domain.identity import content_id
from onebook.domain.numbers import ZERO, negate, number
from onebook.errors import ImportRefused, InputError, NaiveTime
from onebook.intake.files import Row, Source, plain_json

_NUMBERS = frozenset({"quantity", "price", "fee", "amount", "occurred_ns"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """A map: fields to columns, and fields to constants."""

    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)


def parse_map(texts: Sequence[str], kind: str = "fill") -> Columns:
    """Return the map that texts such as ``quantity=amount``, ``occurred_at=#1`` and ``venue:=nyse`` say.

    Raises:
        InputError: a text is not of that form, or its field does not exist.
    """
    columns: dict[str, str] = {}
    constants: dict[str, str] = {}
    for text in texts:
        name, equals, column = text.partition("=")
        name = name.strip()
        target = constants if name.endswith(":") else columns
        known = _field(kind, name.rstrip(":"))
        if not equals or (not column and target is columns):
            msg = f"map {text!r}: write FIELD=COLUMN, FIELD=#1 for the first column, or FIELD:=CONSTANT"
            raise InputError(msg, field=known)
        if known in columns or known in constants:
            msg = f"map {text!r}: {known} is mapped twice"
            raise InputError(msg, field=known)
        target[known] = column
    return Columns(columns=columns, constants=constants)


def _field(kind: str, name: str) -> str:
    found = name.strip().replace("-", "_")
    if found in fields_of(kind):
        return found
    raise unknown_field(kind, name)


def fields_of(kind: str) -> dict[str, bool]:
    """Return the fields of a kind of fact, and whether each must be given."""
    return {item.name: item.default is MISSING and item.default_factory is MISSING for item in fields(FACTS[kind])}


def unknown_field(kind: str, name: str) -> InputError:
    """Return the error for a field that a kind of fact does not have."""
    known = fields_of(kind)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}"
    return InputError(f"{kind} has no field {name!r}; {hint}", field=name)


@dataclass(slots=True)
class Mapper:
    """Makes facts of the rows of one file.

    Args:
        source: the file.
        kind: what its rows are; JSON lines may say otherwise by their ``type``.
        chosen: the map.
        defaults: fields for rows that leave them out (account, strategy, venue).
        zone: the IANA name of the zone of times that state none; empty refuses them.
    """

    source: Source
    kind: str
    chosen: Columns
    defaults: Mapping[str, str]
    zone: str = ""
    used: dict[str, str] = field(default_factory=dict)
    own_form: bool = False
    _seen: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.source.is_json:
            self._choose_columns()

    def unused(self) -> list[str]:
        """Return the columns that no field takes."""
        header = self.source.header
        taken = set(self.used.values())
        return [
            name or f"#{place}"
            for place, name in enumerate(header, 1)
            if name not in taken and f"#{place}" not in taken
        ]

    def _choose_columns(self) -> None:
        header = self.source.header
        known = fields_of(self.kind)
        wanted = {name: name for name in header if name in known} | dict(self.chosen.columns)
        self.used = {name: column for name, column in wanted.items() if name not in self.chosen.constants}
        self.own_form = not self.chosen.columns
        numbers = {f"#{place}" for place in range(1, len(header) + 1)}
        for name, column in self.used.items():
            if column not in numbers and header.count(column) != 1:
                what = "is there more than once; use #1, #2, …" if column in header else "is not there"
                msg = f"{self.source.path}: column {column!r} for {name} {what}; the columns are: {self._names()}"
                raise ImportRefused(msg, file=self.source.path, field=name)
        given = {*self.used, *self.chosen.constants, *self.defaults}
        for name, required in known.items():
            if required and name not in given and not (name == "side" and "quantity" in given):
                msg = (
                    f"{self.source.path}: no column for {name}; say --map {name}=COLUMN."
                    f" The columns are: {self._names()}"
                )
                raise ImportRefused(msg, file=self.source.path, field=name)

    def _names(self) -> str:
        return ", ".join(name or f"#{place}" for place, name in enumerate(self.source.header, 1))

    def fact(self, row: Row) -> Any:
        """Return the fact of a row.

        Raises:
            InputError: a field is missing, unknown or malformed.
        """
        kind, stated = self._stated(row)
        known = fields_of(kind)
        for name, value in self.defaults.items():
            if name in known and stated.get(name) in {None, ""}:
                stated[name] = value
        if self.zone and isinstance(stated.get("occurred_at"), str):
            stated |= _zoned(stated.pop("occurred_at"), self.zone)
        for name, required in known.items():
            if required and name not in stated:
                msg = f"{name}: is missing"
                raise InputError(msg, field=name)
        fact = FACTS[kind](**stated)
        return self.identified(fact) if isinstance(fact, Fill) else fact

    def _stated(self, row: Row) -> tuple[str, dict[str, Any]]:
        if self.source.is_json:
            stated = dict(row.values)
            kind = str(stated.pop("type", self.kind))
            if kind not in FACTS:
                msg = f"type: {kind!r} is none of {', '.join(FACTS)}"
                raise InputError(msg, field="type")
            for name in stated:
                _field(kind, name)
            if "raw" in stated:
                stated["raw"] = plain_json(stated["raw"])
            return kind, stated
        stated = {}
        for name, column in self.used.items():
            value = _cell(name, row.values[column], own_form=self.own_form)
            if value is not None:
                stated[name] = value
        stated |= self.chosen.constants
        if self.kind == "fill" and "side" not in self.used and "side" not in self.chosen.constants:
            stated |= _signed(stated.get("quantity", ""))
        return self.kind, stated

    def identified(self, fill: Fill) -> Fill:
        """Return a fill with an id: its own, or one derived from its content and how often that came before."""
        if fill.venue_fill_id or fill.client_fill_id:
            return fill
        first = content_id(fill)
        times_seen = self._seen.get(first, 0)
        self._seen[first] = times_seen + 1
        return fill.replaced(client_fill_id=content_id(fill, times_seen) if times_seen else first)


def _cell(name: str, text: str, *, own_form: bool) -> Any:
    """Return a cell's value; None when it says nothing."""
    if name == "note" and own_form:
        return as_it_was(text)
    bare = text.strip()
    if not bare:
        return None
    if own_form and name not in _NUMBERS:
        bare = as_it_was(bare)
    if name == "raw" or (name in {"tags", "confluences"} and bare.startswith("[")):
        try:
            return json.loads(bare)
        except ValueError:
            msg = f"{name}: is not JSON"
            raise InputError(msg, field=name, value=text) from None
    if name == "occurred_ns" and bare.isdecimal():
        return int(bare)
    return bare


def _signed(text: Any) -> dict[str, Any]:
    """Return side and quantity of a signed quantity: above 0 buys, below 0 sells."""
    quantity = number("quantity", text)
    if quantity < ZERO:
        return {"side": "sell", "quantity": negate(quantity)}
    return {"side": "buy", "quantity": quantity}


def zone_of(name: str) -> tzinfo:
    """Return a zone by its IANA name.

    Raises:
        InputError: there is none.
    """
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        msg = f"zone: {name!r} is no zone; write an IANA name such as Europe/Berlin"
        raise InputError(msg, field="zone", value=name) from None


def _zoned(text: str, zone: str) -> dict[str, Any]:
    """Return a time whose zone the file leaves out.

    Raises:
        InputError: clocks of that zone never showed this time, or showed it twice.
    """
    try:
        return {"occurred_ns": times.from_text("occurred_at", text)}
    except NaiveTime:
        ns = times.from_text("occurred_at", f"{text.strip()}Z")
    local = times.to_datetime(ns).replace(tzinfo=zone_of(zone))
    either = (local, local.replace(fold=1))
    before, after = (moment.utcoffset() or timedelta() for moment in either)
    if before != after:
        what = "is skipped" if before < after else "comes twice"
        written = " or ".join(moment.isoformat() for moment in either)
        msg = f"occurred_at: {text.strip()} {what} in {zone}, where clocks change then; write its offset: {written}"
        raise InputError(msg, field="occurred_at", value=text)
    return {"occurred_ns": ns - before // timedelta(seconds=1) * times.SECOND}
