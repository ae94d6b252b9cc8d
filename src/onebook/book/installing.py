"""Taking decisions over: the entry they append, and the rows that read models gain or close."""

from onebook.book import rows
from onebook.book.state import StateReads
from onebook.domain.cash import Cash, cash_data
from onebook.domain.daily import add_days
from onebook.domain.decide.exits import open_order
from onebook.domain.holdings import Holding, Key
from onebook.domain.movements import FIRST
from onebook.domain.numbers import ZERO, add, plain
from onebook.domain.positions import fold
from onebook.domain.state import CashLedger, DayDelta, DayKey, Decision, Ledger, Record, Stamp
from onebook.store.codec import RULES, VERSIONS, EntryBody, EventBody, chained, encode, encode_text

MAX_CACHED_DAYS = 20_000


class BookState(StateReads):
    """Everything a decision reads, and what the open transaction will write."""

    # ---- what decisions change ----

    def install(self, decision: Decision, stamp: Stamp, *, logged: bool = False) -> bytes:
        """Append the decision's entry and take over what it changes; return the entry's body.

        Args:
            decision: with at least one event.
            stamp: the entry's place.
            logged: the entry is in the log already; only what it changes is taken over.
        """
        events = [
            EventBody(
                draft.type,
                draft.data,
                VERSIONS.get(draft.type, 1),
                draft.account,
                draft.instrument,
                draft.strategy,
            )
            for draft in decision.events
        ]
        body = encode(
            EntryBody(
                stamp.recorded_ns,
                decision.occurred_ns,
                events,
                RULES,
                stamp.actor,
                stamp.correlation_id,
                decision.account,
                decision.instrument,
                decision.strategy,
            )
        )
        digest = chained(self.head[1], body)
        if not logged:
            self.batch.entries.append((stamp.sequence, body.decode(), digest))
        self.head = (stamp.sequence, digest)
        self._take_over(decision, stamp)
        self.drop_unsaved()
        return body

    def _take_over(self, decision: Decision, stamp: Stamp) -> None:
        sequence = stamp.sequence
        self._take_identities(decision, sequence)
        for ledger, holding in decision.holdings:
            self._take_holding(ledger, holding)
        for number, (last, shared, point, since) in decision.progress.items():
            ledger = self._ledger_of(number, decision)
            ledger.last, ledger.shared, ledger.point, ledger.since_point = last, shared, point, since
        self._take_movements(decision, sequence)
        if decision.days:
            self._add_days(decision.days)
        for record in decision.records:
            self._put_record(record, sequence)
            if record.kind == "protection":
                self._protected = None
        if decision.tally:
            self._count(decision)
        if decision.cash_ledgers:
            for cash_ledger, cash in decision.cash_ledgers:
                self._take_cash(cash_ledger, cash)
        if decision.rates:
            self._take_rates(decision, sequence)
        if decision.definitions:
            self.flush()
            self._forget_definitions()
            self._ledgers.clear()
            self._cash.clear()

    def _take_rates(self, decision: Decision, sequence: int) -> None:
        for base, quote, rate in decision.rates:
            self.batch.rates.append((base, quote, rate.at, rate.source, plain(rate.price), sequence))
            if self._pairs is not None:
                self._pairs.add((base, quote))

    def _count(self, decision: Decision) -> None:
        for name, count in decision.tally.items():
            if name == "days_anew":
                self._forget_definitions()
                self._days_anew()
            else:
                self.batch.tally.append((name, count))

    def _take_identities(self, decision: Decision, sequence: int) -> None:
        for scope, key, ordinal in decision.identities:
            held = max(0, ordinal)
            place = (sequence, held) if held else (decision.first, self._ordinal_of(decision))
            self.batch.identities.append((self._scope(scope), key, *place))
            self._identities.setdefault((scope, key), []).append(place)

    def _take_holding(self, ledger: Ledger, holding: Holding) -> None:
        ledger.holdings[holding.key] = holding
        self._dirty[ledger.id, holding.strategy, holding.leg] = holding
        if self._unsaved:
            self._save_ledger(ledger.id)

    def _take_cash(self, ledger: CashLedger, cash: Cash) -> None:
        ledger.cash = cash
        self._save_ledger(ledger.id)
        waiting = int(any(cash.missing.values()))
        state = encode_text(cash_data(cash))
        self.batch.positions.append((ledger.id, "", "", 0, waiting, cash.sequence, state, *FIRST, None, None))

    def _save_ledger(self, number: int) -> None:
        """Give a new ledger its row, the first time something is booked in it."""
        if number in self._unsaved:
            self.batch.ledgers.append(self._unsaved.pop(number))

    def _take_movements(self, decision: Decision, sequence: int) -> None:
        batch = self.batch
        for number, movement in decision.ended:
            batch.movement_ends.append((sequence, number, *movement.order, movement.known_from))
        for number, movement in decision.added:
            if self._unsaved:
                self._save_ledger(number)
            batch.movements.append(rows.movement_row(number, movement))
        for number, trip in decision.trips_ended:
            batch.trip_ends.append((sequence, trip.closed_ns, trip.id, number, trip.strategy, trip.leg))
        for number, trip in decision.trips_added:
            batch.trips.append(rows.trip_row(number, trip, sequence))
        for number, order in decision.points_ended:
            batch.point_ends.append((sequence, number, *order))
        for fold_point in decision.points_added:
            batch.points.append(rows.point_row(fold_point, sequence))

    def _ordinal_of(self, decision: Decision) -> int:
        """Return the ordinal of the fill that a completed one stands for, as its history names it."""
        for draft in decision.events:
            if draft.type == "trade_corrected":
                return int(draft.data["fills"][1])
        return 1

    def _ledger_of(self, number: int, decision: Decision) -> Ledger:
        if decision.ledger is not None and decision.ledger.id == number:
            return decision.ledger
        for ledger, _ in decision.holdings:
            if ledger.id == number:
                return ledger
        return next(ledger for ledger in self._ledgers.values() if ledger.id == number)

    def _scope(self, name: str) -> int:
        number = self._scopes.get(name)
        if number is None:
            number = self._store.scope(name)
            if number is None:
                number = self._store.new_scope(name)
            self._scopes[name] = number
        return number

    def _put_record(self, record: Record, sequence: int) -> None:
        key = (record.kind, record.account, record.id)
        self._records[key] = record
        row = rows.record_row(record, sequence)
        if record.kind == "order" and self._open_orders:
            as_read = rows.record_of(*key, (row[4], row[8], *row[5:8], sequence))
            self._open_orders.put(open_order(as_read))
        earlier = self._record_rows.get(key)
        if earlier is None:
            self.batch.record_ends.append((sequence, *key))
        elif earlier[3] == sequence:
            earlier[:] = row
            return
        else:
            earlier[9] = sequence
        self.batch.records.append(row)  # type: ignore[arg-type]
        self._record_rows[key] = row

    def _add_days(self, days: dict[DayKey, DayDelta]) -> None:
        for key, delta in days.items():
            found = self._days.get(key)
            if found is None:
                row = self._store.day((key[2], key[4], key[0], key[1], key[3], key[5]))
                found = DayDelta(ZERO, ZERO, ZERO, ZERO) if row is None else rows.day_of(row)
                self._days[key] = found
            if delta.gross:
                found.gross = add(found.gross, delta.gross)
            if delta.fees:
                found.fees = add(found.fees, delta.fees)
            if delta.funding:
                found.funding = add(found.funding, delta.funding)
            if delta.income:
                found.income = add(found.income, delta.income)
            found.fills += delta.fills
            found.round_trips += delta.round_trips
            found.restated = found.restated or delta.restated
            self._dirty_days.add(key)

    def _days_anew(self) -> None:
        """Fold every ledger for its daily rows, under the calendar now in force."""
        self.flush()
        self._store.wipe_days()
        self._days.clear()
        self._ledgers.clear()
        for ledger in self.ledgers():
            holdings: dict[Key, Holding] = {}
            days: dict[DayKey, DayDelta] = {}
            for movement in self.movements(ledger.id):
                changes = fold(ledger.terms, holdings, movement)
                for change in changes:
                    holdings[change.after.key] = change.after
                add_days(self, days, ledger, movement, changes, sign=1)
            self._add_days(days)

    def flush(self) -> None:
        """Write all rows so far, inside the transaction."""
        batch = self.batch
        if self._dirty:
            for (number, _, _), holding in self._dirty.items():
                batch.positions.append(rows.position_row(number, holding))
            self._dirty.clear()
        if self._dirty_days:
            for key in self._dirty_days:
                batch.days.append(rows.day_row(key, self._days[key]))
            self._dirty_days.clear()
            if len(self._days) > MAX_CACHED_DAYS:
                self._days.clear()
        self._store.write(batch)
        batch.clear()
        for place, found in self._identities.items():
            if place in self._asked:
                self._asked[place] += found
        self._identities.clear()
        self._records.clear()
        self._record_rows.clear()
