"""A read of the book at one point: now, as it was known at a sequence, or as of a moment.

Every query looks through a lens. At the head it reads the read models; behind it, it folds each ledger from the
last fold point that was known then. Both give the same answer for the same point.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Protocol

from onebook.book import rows
from onebook.domain.cash import Cash, cash_from, fold_cash
from onebook.domain.days import Days
from onebook.domain.facts import Account, BookSettings, Instrument
from onebook.domain.holdings import Holding, Key
from onebook.domain.instruments import Terms, terms_of
from onebook.domain.movements import FIRST, Movement, Order, Valuation
from onebook.domain.numbers import ONE
from onebook.domain.positions import fold
from onebook.domain.rates import MAX_AGE, KnownRate, valuation
from onebook.domain.shapes import fact_from
from onebook.store.codec import EntryBody, EventBody, decode, decode_entry
from onebook.store.port import Reader, Row

PAGE = 512
FAR = 2**62
FEW = 4
"""So many ledgers are looked at one by one."""


@dataclass(frozen=True, slots=True)
class LedgerInfo:
    """Which ledger a number stands for; ``names`` are the instrument's names, the oldest first."""

    id: int
    account: str
    instrument: str
    kind: str
    names: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name it goes by now."""
        return self.names[-1]


class Shortcut(Protocol):
    """Knows the positions of some ledgers without folding."""

    def holdings(self, lens: "Lens", info: LedgerInfo) -> dict[Key, Holding] | None:
        """Return a ledger's positions; None when they are to be folded."""


@dataclass(slots=True)
class Lens:
    """One point of view over one reader.

    ``known`` is the last sequence that counts (None: all); ``until_ns`` the last moment (None: all). ``shortcut`` knows
    the positions of some ledgers without folding.
    """

    reader: Reader
    known: int | None = None
    until_ns: int | None = None
    shortcut: "Shortcut | None" = None
    _definitions: dict[tuple[str, str], Any] = field(default_factory=dict)
    _terms: dict[tuple[str, tuple[str, ...]], Terms] = field(default_factory=dict)
    _aliases: dict[tuple[str, str], list[str]] | None = None
    _settings: BookSettings | None = None
    _pairs: set[tuple[str, str]] | None = None
    _folded: dict[int, tuple[int, Order, dict[Key, Holding]]] | None = None

    @property
    def at_head(self) -> bool:
        """Whether this is the book as it stands now."""
        return self.known is None and self.until_ns is None

    def at(self, until_ns: int) -> "Lens":
        """Return the same point of view up to a moment.

        Definitions are read once for both. Moments that are asked for in their order fold each ledger on from where
        the one before ended, where no fold point lies nearer.
        """
        self.names("", "")
        if self._folded is None:
            self._folded = {}
        return replace(self, until_ns=until_ns)

    # ---- definitions ----

    def _definition(self, kind: str, name: str, make: type[Any]) -> Any:
        place = (kind, name)
        if place not in self._definitions:
            row = self.reader.record(kind, "", name, self.known)
            self._definitions[place] = None if row is None else make(**decode(row[1])["definition"])
        return self._definitions[place]

    @property
    def settings(self) -> BookSettings:
        """The settings in force."""
        if self._settings is None:
            self._settings = self._definition("settings", "book", BookSettings) or BookSettings()
        return self._settings

    def calendar(self) -> Days:
        """Return the book's own days."""
        return Days(self.settings.zone, self.settings.rolls_at)

    def account(self, name: str) -> Account:
        """Return an account's definition, or a plain one."""
        found: Account | None = self._definition("account", name, Account)
        if found is None:
            found = self._definitions["account", name] = Account(name=name)
        return found

    def names(self, account: str, symbol: str) -> tuple[str, ...]:
        """Return every name of an instrument in an account, the oldest first."""
        if self._aliases is None:
            found = self.reader.records("alias", self.known, (-1, "", ""), 100_000)
            self._aliases = {(row[0], row[1]): decode(row[3])["names"] for row in found}
        return tuple(self._aliases.get((account, symbol), [symbol]))

    def terms(self, info: LedgerInfo) -> Terms:
        """Return the terms under which a ledger folds."""
        place = (info.account, info.names)
        found = self._terms.get(place)
        if found is not None:
            return found
        definition = None
        for name in reversed(info.names):
            definition = self._definition("instrument", name, Instrument)
            if definition is not None:
                break
        made = self._terms[place] = terms_of(definition, info.instrument, self.account(info.account))
        return made

    def terms_of(self, account: str, symbol: str) -> Terms:
        """Return the terms of a symbol in an account, whether anything was booked there or not."""
        names = self.names(account, symbol)
        return self.terms(LedgerInfo(0, account, names[0], "position", names))

    # ---- ledgers ----

    def ledgers(
        self, kind: str = "position", account: str | None = None, instrument: str | None = None
    ) -> list[LedgerInfo]:
        """Return the ledgers of a kind, of an account, of an instrument under any of its names."""
        found = []
        for number, owner, name, its_kind in self.reader.ledgers():
            if its_kind != kind or (account is not None and owner != account):
                continue
            names = self.names(owner, name) if kind == "position" else (name,)
            if names[0] != name:
                continue
            if instrument is None or instrument in names:
                found.append(LedgerInfo(number, owner, name, its_kind, names))
        return found

    def movements(self, ledger: int, after: Order = FIRST) -> Iterator[Movement]:
        """Return a ledger's movements that stood, in their order, page by page."""
        while True:
            page = self.reader.movements(ledger, after, self.known, PAGE, self.until_ns)
            for row in page:
                yield rows.movement_from(row)
            if len(page) < PAGE:
                return
            after = page[-1][:5]

    def holdings(self, info: LedgerInfo) -> dict[Key, Holding]:
        """Return a ledger's positions at this point."""
        if self.at_head:
            found = (rows.holding_of(row) for row in self.reader.positions(info.id))
            return {holding.key: holding for holding in found if not holding.untouched}
        moment = FAR if self.until_ns is None else self.until_ns
        row = self.reader.point(info.id, (min(moment + 1, FAR), -1, "", 0, 0), self.known)
        folded = None if self._folded is None else self._folded.get(info.id)
        if folded is not None and folded[0] <= moment and (row is None or folded[1] >= row[:5]):
            begin, holdings = folded[1], dict(folded[2])
        else:
            begin, holdings = _beginning(info.id, row)
        terms = self.terms(info)
        for movement in self.movements(info.id, begin):
            begin = movement.order
            for change in fold(terms, holdings, movement):
                holdings[change.after.key] = change.after
        if self._folded is not None:
            self._folded[info.id] = (moment, begin, dict(holdings))
        return holdings

    def before(self, info: LedgerInfo, moment: int) -> tuple[Order, dict[Key, Holding]]:
        """Return where a fold may begin that goes beyond a moment: a place before it, and the positions there."""
        return _beginning(info.id, self.reader.point(info.id, (moment, -1, "", 0, 0), self.known))

    def taken_back(self, info: LedgerInfo) -> dict[Key, Holding]:
        """Return flat positions for what was booked once and no longer stands."""
        hedging = self.terms(info).hedging
        found = self.reader.moved(info.id, self.known, self.until_ns)
        keys = {(strategy, leg if hedging else "") for strategy, leg in found}
        return {key: Holding(*key) for key in keys}

    def all_holdings(
        self,
        account: str | None = None,
        instrument: str | None = None,
        *,
        is_open: bool = False,
        begin: tuple[str, ...] = (),
    ) -> Iterator[tuple[LedgerInfo, dict[Key, Holding]]]:
        """Return every ledger with its positions, by account and name; only those taken from it are read or folded.

        Args:
            account: only this one.
            instrument: only this one, under any of its names.
            is_open: only what is not flat, where that is known without folding.
            begin: the (account, name) from which on.
        """
        infos = [info for info in self.ledgers("position", account, instrument) if (info.account, info.name) >= begin]
        infos.sort(key=lambda info: (info.account, info.name))
        if not self.at_head or (instrument is not None and len(infos) <= FEW):
            shortcut = self.shortcut if len(infos) > FEW else None
            for info in infos:
                found_there = None if shortcut is None else shortcut.holdings(self, info)
                yield info, self.holdings(info) if found_there is None else found_there
            return
        found: dict[int, list[Row]] = {}
        for row in self.reader.positions(None, is_open=is_open):
            found.setdefault(row[0], []).append(row)
        for info in infos:
            held = (rows.holding_of(row) for row in found.get(info.id, ()))
            touched = {holding.key: holding for holding in held if not holding.untouched}
            if touched:
                yield info, touched

    def cash(self, info: LedgerInfo, target: str | None = None) -> Cash:
        """Return a cash ledger at this point; with a target currency, valued in that instead."""
        if self.at_head and target is None:
            for row in self.reader.positions(info.id):
                return cash_from(decode(row[6]))
            return Cash()
        cash = Cash()
        wanted = target or self.settings.base_currency
        for movement in self.movements(info.id):
            if target is not None:
                movement.base = self.valuation(info.instrument, target, movement.order[0])
            cash = fold_cash(cash, movement, valued=info.instrument != wanted)
        return cash

    # ---- rates ----

    def find_rate(self, base: str, quote: str, at: int) -> KnownRate | None:
        """Return the newest recorded rate of a pair, not older than seven days."""
        row = self.reader.rate(base, quote, at, at - MAX_AGE, self.known)
        return None if row is None else KnownRate(Decimal(row[0]), row[1], row[2])

    def find_any_rate(self, base: str, quote: str, at: int) -> KnownRate | None:
        """Return the newest recorded rate of a pair, however old."""
        row = self.reader.rate(base, quote, at, -FAR, self.known)
        return None if row is None else KnownRate(Decimal(row[0]), row[1], row[2])

    def rate_pairs(self) -> set[tuple[str, str]]:
        """Return all pairs that have rates."""
        if self._pairs is None:
            self._pairs = {(row[0], row[1]) for row in self.reader.rate_pairs(self.known)}
        return self._pairs

    def valuation(self, source: str, target: str, at: int) -> Valuation | None:
        """Return the rate that values a fact of this moment."""
        if source == target:
            return Valuation(ONE, ONE, at, "")
        return valuation(self.find_rate, self.rate_pairs(), source, target, at)

    def newest_valuation(self, source: str, target: str, at: int) -> Valuation | None:
        """Return the newest rate up to a moment, however old."""
        if source == target:
            return Valuation(ONE, ONE, at, "")
        return valuation(self.find_any_rate, self.rate_pairs(), source, target, at)

    # ---- facts ----

    def fact_of(self, movement: Movement) -> Any:
        """Return the fact behind a movement, as it stood."""
        entry, event = self._event(movement.known_from, movement.content)
        place = list(movement.order[3:])
        if event.data.get("fills") != place and place != [movement.known_from, movement.content]:
            entry, event = self._version(*place)  # a rate or a definition made this version of the movement
        return fact_from(
            "fill",
            event.data,
            account=event.account or entry.account,
            instrument=event.instrument or entry.instrument,
            strategy=movement.strategy or "",
            occurred_ns=movement.order[0],
        )

    def _event(self, sequence: int, ordinal: int) -> tuple[EntryBody, EventBody]:
        row = self.reader.entry(sequence)
        assert row is not None  # noqa: S101  a movement names an entry of the log
        entry = decode_entry(sequence, row[1])
        return entry, entry.events[min(max(ordinal, 1), len(entry.events)) - 1]

    def _version(self, sequence: int, ordinal: int) -> tuple[EntryBody, EventBody]:
        """Return the event that says a fill as it stood: its newest correction, else its report."""
        entry, event = self._event(sequence, ordinal)
        history = self.reader.record("fill", event.account or entry.account, f"{sequence}.{ordinal}", self.known)
        version = None if history is None else decode(history[1]).get("version")
        return (entry, event) if version is None else self._event(*version)


def _beginning(ledger: int, row: Row | None) -> tuple[Order, dict[Key, Holding]]:
    """Return where a fold begins that goes on from a fold point, and the positions there."""
    if row is None:
        return FIRST, {}
    point = rows.point_of(ledger, row)
    return point.order, {holding.key: holding for holding in point.holdings}
