"""The book at the head of its log, for decisions: small caches over the store, and the rows to write.

Implements :class:`onebook.domain.state.State`. What a decision changes is put into the caches and into one
batch of rows; a read that the caches cannot answer first writes the batch, inside the transaction, so that it
sees everything decided before it. Nothing here outlives a rolled back transaction.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from onebook.book import rows
from onebook.book.open_orders import OpenOrders
from onebook.domain.cash import Cash, cash_from
from onebook.domain.days import Days
from onebook.domain.decide.exits import open_order
from onebook.domain.event_types import FACT_TYPES
from onebook.domain.facts import Account, BookSettings, Fill, Instrument
from onebook.domain.holdings import Holding
from onebook.domain.instruments import terms_of
from onebook.domain.movements import FIRST, Movement, Order
from onebook.domain.rates import MAX_AGE, KnownRate
from onebook.domain.shapes import fact_from
from onebook.domain.state import (
    CashLedger,
    DayDelta,
    DayKey,
    FoldPoint,
    Ledger,
    OpenOrder,
    Record,
    StoredFact,
)
from onebook.errors import InputError
from onebook.store.codec import (
    decode,
    decode_entry,
)
from onebook.store.port import Batch, Head, Store

PAGE = 512
MAX_CACHED_DAYS = 20_000
_FAR = 2**62
_KINDS = {"trade_executed": "fill", "trade_corrected": "fill", "trade_busted": "fill"}
_DEFINING = frozenset(
    {"instrument_defined", "account_defined", "settings_defined", "corporate_action_applied", "book_restored"}
)


class StateReads:
    """Everything a decision reads. What the open transaction will write is kept by the subclass.

    Args:
        store: whose write connection is read and written; only the one who holds the write lock may call.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.batch = Batch()
        self.head: Head = (0, bytes(32))
        self._observed: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
        self._open_orders = OpenOrders()
        self.forget()

    # ---- caches ----

    def forget(self) -> None:
        """Drop every cache and unwritten row: after a rollback, or when others wrote much."""
        self.head = (-1, b"")
        self.batch.clear()
        self._ledger_ids: dict[tuple[str, str, str], int] | None = None
        self._next_ledger = 1
        self._unsaved: dict[int, tuple[Any, ...]] = {}
        self._ledgers: dict[tuple[str, str], Ledger] = {}
        self._cash: dict[tuple[str, str], CashLedger] = {}
        self._scopes: dict[str, int] = {}
        self._identities: dict[tuple[str, str], list[tuple[int, int]]] = {}
        self._asked: dict[tuple[str, str], list[tuple[int, int]]] = {}
        self._records: dict[tuple[str, str, str], Record] = {}
        self._record_rows: dict[tuple[str, str, str], list[Any]] = {}
        self._open_orders.clear()
        self._dirty: dict[tuple[int, str, str], Holding] = {}
        self._days: dict[DayKey, DayDelta] = {}
        self._dirty_days: set[DayKey] = set()
        self._protected: set[str] | None = None
        self._forget_definitions()

    def flush(self) -> None:
        """Write all rows so far, inside the transaction."""
        raise AssertionError

    def _forget_definitions(self) -> None:
        self._settings: BookSettings | None = None
        self._calendar: Days | None = None
        self._accounts: dict[str, Account | None] = {}
        self._venues: dict[str, str] = {}
        self._instruments: dict[str, Instrument | None] = {}
        self._aliases: dict[tuple[str, str], list[str]] | None = None
        self._pairs: set[tuple[str, str]] | None = None

    def refresh(self) -> None:
        """See what other processes wrote since; drop only what they touched, and what was asked ahead."""
        self._asked.clear()
        head = self._store.head()
        if head == self.head:
            return
        behind = head[0] - self.head[0]
        if self.head[0] < 0 or behind > PAGE:
            self.forget()
        else:
            self._catch_up()
        self.head = head

    def _catch_up(self) -> None:
        self._ledger_ids = None
        self._identities.clear()
        self._asked.clear()
        self._records.clear()
        self._open_orders.clear()
        self._days.clear()
        self._protected = None
        self._pairs = None
        for sequence, body, _ in self._store.entries(self.head[0], PAGE):
            entry = decode_entry(sequence, body)
            if any(event.type in _DEFINING for event in entry.events):
                self.forget()
                return
            for event in entry.events:
                account = event.account or entry.account
                touched = self._ledgers.get((account, event.instrument or entry.instrument))
                self._ledgers = {key: item for key, item in self._ledgers.items() if item is not touched}
                self._cash = {key: item for key, item in self._cash.items() if key[0] != account}
            if any(event.type in {"rate_recorded", "transfer_recorded"} for event in entry.events):
                self._ledgers.clear()
                self._cash.clear()

    # ---- what decisions read ----

    @property
    def settings(self) -> BookSettings:
        """The settings in force."""
        if self._settings is None:
            found = self.record("settings", "", "book")
            self._settings = BookSettings(**found.body["definition"]) if found else BookSettings()
        return self._settings

    @property
    def days(self) -> Days:
        """The book's calendar."""
        if self._calendar is None:
            self._calendar = Days(self.settings.zone, self.settings.rolls_at)
        return self._calendar

    def defined_account(self, name: str) -> Account | None:
        """Return an account's definition."""
        if name not in self._accounts:
            found = self.record("account", "", name)
            self._accounts[name] = Account(**found.body["definition"]) if found else None
        return self._accounts[name]

    def account(self, name: str) -> Account:
        """Return an account's definition, or a plain one."""
        return self.defined_account(name) or Account(name=name)

    def account_venue(self, account: str) -> str:
        """Return the venue an account is at."""
        found = self._venues.get(account)
        if not found:
            defined = self.defined_account(account)
            if defined is not None and defined.venue:
                found = defined.venue
            else:
                first = self.record("account_venue", account, "")
                found = "" if first is None else str(first.body["venue"])
            self._venues[account] = found
        return found

    def definition(self, symbol: str) -> Instrument | None:
        """Return an instrument's definition."""
        if symbol not in self._instruments:
            found = self.record("instrument", "", symbol)
            self._instruments[symbol] = Instrument(**found.body["definition"]) if found else None
        return self._instruments[symbol]

    def names(self, account: str, symbol: str) -> list[str]:
        """Return every name of an instrument in an account, the oldest first."""
        if self._aliases is None:
            self.flush()
            self._aliases = {
                (row[0], row[1]): list(decode(row[3])["names"])
                for row in self._store.records("alias", None, (-1, "", ""), 100_000)
            }
        return self._aliases.get((account, symbol)) or [symbol]

    def _ids(self) -> dict[tuple[str, str, str], int]:
        if self._ledger_ids is None:
            found = {(row[1], row[3], row[2]): row[0] for row in self._store.ledgers()}
            self._ledger_ids = found
            self._next_ledger = max(found.values(), default=0) + 1
        return self._ledger_ids

    def drop_unsaved(self) -> None:
        """Give back the numbers of new ledgers in which a command booked nothing, or was refused.

        A number is handed out by what is in the log alone: another process, and ``verify``, must come to the same.
        """
        if not self._unsaved:
            return
        ids = self._ids()
        for _, account, instrument, kind in self._unsaved.values():
            del ids[account, kind, instrument]
            (self._ledgers if kind == "position" else self._cash).pop((account, instrument), None)
        last = self._next_ledger - 1
        while last in self._unsaved:
            last -= 1
        self._next_ledger = last + 1
        self._unsaved.clear()

    def _number(self, account: str, kind: str, instrument: str) -> tuple[int, bool]:
        """Return a ledger's number, and whether it is new."""
        ids = self._ids()
        number = ids.get((account, kind, instrument))
        if number is not None:
            return number, number in self._unsaved
        number = self._next_ledger
        self._next_ledger += 1
        ids[account, kind, instrument] = number
        self._unsaved[number] = (number, account, instrument, kind)
        return number, True

    def ledger(self, account: str, symbol: str) -> Ledger:
        """Return the ledger of an instrument in an account."""
        found = self._ledgers.get((account, symbol))
        if found is None:
            found = self._load_ledger(account, symbol)
            self._ledgers[account, symbol] = found
        return found

    def _load_ledger(self, account: str, symbol: str) -> Ledger:
        names = self.names(account, symbol)
        canonical, name = names[0], names[-1]
        if canonical != symbol and (account, canonical) in self._ledgers:
            return self._ledgers[account, canonical]
        definition = next((item for each in reversed(names) if (item := self.definition(each))), None)
        terms = terms_of(definition, canonical, self.account(account))
        number, new = self._number(account, "position", canonical)
        ledger = Ledger(number, account, canonical, name, terms)
        if not new:
            self.flush()
            for row in self._store.positions(number):
                holding = rows.holding_of(row)
                ledger.holdings[holding.key] = holding
            ledger.last, ledger.shared, ledger.since_point = self._store.last_movements(number)
            point = self._store.point(number, (_FAR, 0, "", 0, 0), None)
            ledger.point = FIRST if point is None else point[:5]
        self._ledgers[account, canonical] = ledger
        return ledger

    def ledgers(self, account: str | None = None, *, unvalued: bool = False) -> Iterable[Ledger]:
        """Return ledgers of positions."""
        self.flush()
        waiting = {row[0] for row in self._store.positions(None, unvalued=True)} if unvalued else None
        for (owner, kind, instrument), number in sorted(self._ids().items(), key=lambda item: item[1]):
            if kind != "position" or (account is not None and owner != account):
                continue
            if number in self._unsaved or (waiting is not None and number not in waiting):
                continue
            yield self.ledger(owner, instrument)

    def cash(self, account: str, currency: str) -> CashLedger:
        """Return the cash ledger of a currency in an account."""
        found = self._cash.get((account, currency))
        if found is None:
            number, new = self._number(account, "cash", currency)
            cash = Cash()
            if not new:
                self.flush()
                for row in self._store.positions(number):
                    cash = cash_from(decode(row[6]))
            found = self._cash[account, currency] = CashLedger(number, account, currency, cash)
        return found

    def cash_ledgers(self, *, unvalued: bool = False) -> Iterable[CashLedger]:
        """Return cash ledgers."""
        self.flush()
        waiting = {row[0] for row in self._store.positions(None, unvalued=True)} if unvalued else None
        for (owner, kind, currency), number in sorted(self._ids().items(), key=lambda item: item[1]):
            if kind == "cash" and number not in self._unsaved and (waiting is None or number in waiting):
                yield self.cash(owner, currency)

    def identities(self, scope: str, key: str) -> list[tuple[int, int]]:
        """Return who holds an id."""
        pending = self._identities.get((scope, key))
        if (scope, key) in self._asked:
            found = self._asked[scope, key]
            return sorted({*found, *pending}) if pending else found
        number = self._scopes.get(scope)
        if number is None:
            number = self._store.scope(scope)
            if number is None:
                return pending or []
            self._scopes[scope] = number
        found = self._store.identities(number, key, _FAR)
        if pending:
            found = sorted({*found, *pending})
        return found

    def ask_ahead(self, wanted: list[tuple[str, str]]) -> None:
        """Look many ids up in one query, for the commands that come next; what was asked before is dropped."""
        self._asked = {place: [] for place in wanted}
        numbers: dict[int, str] = {}
        for scope in {scope for scope, _ in wanted}:
            number = self._scopes.get(scope)
            if number is None:
                number = self._store.scope(scope)
            if number is not None:
                self._scopes[scope] = number
                numbers[number] = scope
        known = [(self._scopes[scope], key) for scope, key in self._asked if scope in self._scopes]
        for number, key, sequence, ordinal in self._store.identities_of(known):
            self._asked[numbers[number], key].append((sequence, ordinal))

    def fact(self, sequence: int, ordinal: int) -> StoredFact:
        """Return the fact that an event holds."""
        self.flush()
        return read_fact(self._store, sequence, ordinal)

    def record(self, kind: str, account: str, key: str) -> Record | None:
        """Return a record as it stands."""
        found = self._records.get((kind, account, key))
        if found is not None:
            return found
        row = self._store.record(kind, account, key, None)
        return None if row is None else rows.record_of(kind, account, key, row)

    def records_under(self, kind: str, prefix: str) -> Iterator[Record]:
        """Return a kind's records without an account whose ids go on after a prefix, page by page."""
        if any(place[0] == kind and place[2].startswith(prefix) for place in self._records):
            self.flush()
        after = ""
        while True:
            page = self._store.records_under(kind, prefix, None, after, PAGE)
            for row in page:
                yield rows.record_of(kind, "", row[0], row[1:])
            if len(page) < PAGE:
                return
            after = page[-1][0]

    def open_orders(self, account: str | None, instrument: str | None) -> list[OpenOrder]:
        """Return orders that may still fill: of an instrument, of an account, or all; the list is the caller's own."""
        if account is None or instrument is None:
            return self._open_at((account, None))
        return [record for name in self.names(account, instrument) for record in self._open_at((account, name))]

    def _open_at(self, place: tuple[str | None, str | None]) -> list[OpenOrder]:
        found = self._open_orders.at(place)
        if found is None:
            self.flush()
            found = [
                open_order(rows.record_of("order", row[0], row[1], row[2:8])) for row in self._store.open_orders(*place)
            ]
            self._open_orders.keep(place, found)
        return found

    def open_breaks(self, account: str, instrument: str) -> int:
        """Return how many differences of an instrument wait for somebody."""
        self.flush()
        return sum(self._store.open_breaks(account, name) for name in self.names(account, instrument))

    def recent_orders(self, since_ns: int) -> Iterator[Record]:
        """Return orders placed at a moment or after, page by page."""
        self.flush()
        after = (since_ns - 1, "\U0010ffff", "")
        while True:
            page = self._store.records("order", None, after, PAGE)
            for row in page:
                yield rows.record_of("order", row[0], row[1], row[2:8])
            if len(page) < PAGE:
                return
            after = (page[-1][2], page[-1][0], page[-1][1])

    def protections(self) -> set[str]:
        """Return the ids of the stops and targets in force; looked up once, then kept."""
        if self._protected is None:
            self._protected = {
                record.id for record in self.records_under("protection", "") if record.status == "active"
            }
        return self._protected

    def find_rate(self, base: str, quote: str, at: int) -> KnownRate | None:
        """Return the newest fit rate of a pair."""
        if (base, quote) not in self.rate_pairs():
            return None
        if self.batch.rates:
            self.flush()
        row = self._store.rate(base, quote, at, at - MAX_AGE, None)
        return None if row is None else KnownRate(Decimal(row[0]), row[1], row[2])

    def rate_pairs(self) -> set[tuple[str, str]]:
        """Return all pairs that have rates."""
        if self._pairs is None:
            self.flush()
            self._pairs = {(row[0], row[1]) for row in self._store.rate_pairs(None)}
        return self._pairs

    def movements(self, ledger: int, after: Order = FIRST) -> Iterator[Movement]:
        """Return a ledger's movements that stand, page by page."""
        self.flush()
        while True:
            page = self._store.movements(ledger, after, None, PAGE)
            for row in page:
                yield rows.movement_from(row)
            if len(page) < PAGE:
                return
            after = page[-1][:5]

    def movement(self, ledger: int, order: Order) -> Movement | None:
        """Return the movement that stands at a place."""
        self.flush()
        row = self._store.movement(ledger, order)
        return None if row is None else rows.movement_from(row)

    def fold_point(self, ledger: int, before: Order) -> FoldPoint | None:
        """Return the newest fold point before a place."""
        self.flush()
        row = self._store.point(ledger, before, None)
        return None if row is None else rows.point_of(ledger, row)

    def seen(self, account: str, instrument: str) -> tuple[Decimal | None, Decimal | None]:
        """Return the marks that the command brings along."""
        found = self._observed.get((account, instrument))
        return (None, None) if found is None else found

    def opened_ns(self, fill: Fill) -> int | None:
        """Return when the position that a fill is about opened; None when it is flat."""
        ledger = self.ledger(fill.account, fill.instrument)
        held = ledger.holdings.get((fill.strategy, fill.leg if ledger.terms.hedging else ""))
        return None if held is None else held.opened_ns

    def observe(self, account: str, instrument: str, marks: tuple[Decimal, Decimal] | None) -> None:
        """Let the next command bring along the highest and lowest mark seen; None for none."""
        if marks is None:
            self._observed.pop((account, instrument), None)
        else:
            self._observed[account, instrument] = marks


def read_fact(reader: Any, sequence: int, ordinal: int) -> StoredFact:
    """Return the fact that an event of the log holds.

    Raises:
        InputError: there is no such event, or it holds no fact.
    """
    row = reader.entry(sequence)
    if row is None:
        msg = f"{sequence}: the log has no such entry"
        raise InputError(msg, sequence=sequence)
    entry = decode_entry(sequence, row[1])
    if not 1 <= ordinal <= len(entry.events):
        msg = f"{sequence}.{ordinal}: the entry has {len(entry.events)} events"
        raise InputError(msg, sequence=sequence, ordinal=ordinal)
    event = entry.events[ordinal - 1]
    kind = _KINDS.get(event.type) or (event.data.get("fact") if event.type in FACT_TYPES else None)
    if kind is None:
        msg = f"{sequence}.{ordinal} is {event.type}, which holds no fact"
        raise InputError(msg, sequence=sequence, ordinal=ordinal)
    fact = fact_from(
        kind,
        event.data,
        account=event.account or entry.account,
        instrument=event.instrument or entry.instrument,
        strategy=entry.strategy if event.strategy is None else event.strategy,
        occurred_ns=event.data.get("occurred_ns", entry.occurred),
    )
    return StoredFact(sequence, ordinal, kind, fact, not event.data.get("own_time", False), event.data)
