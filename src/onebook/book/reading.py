"""All questions a book answers, at one point of view: the live book and ``as_of`` share them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from onebook.book import daily, explaining, log, money, positions
from onebook.book.curve import Curve
from onebook.book.kept_points import KeptPoints
from onebook.book.lens import FAR, Lens
from onebook.book.marks import LiveMark
from onebook.book.records import break_of, fact_of, order_of, signal_of
from onebook.domain import times
from onebook.domain.facts import FACTS
from onebook.domain.fields import required
from onebook.domain.holdings import Holding
from onebook.domain.lots import Lots as LotFold
from onebook.domain.movements import Movement
from onebook.domain.numbers import ONE
from onebook.domain.reports import (
    Balance,
    Break,
    DailyPnl,
    Equity,
    EquityPoint,
    Event,
    Explanation,
    Lots,
    OrderState,
    Pnl,
    Position,
    RecordedFill,
    RoundTrip,
    SignalState,
)
from onebook.errors import InputError
from onebook.store.codec import decode
from onebook.store.port import Store

if TYPE_CHECKING:
    from onebook.book.state_store import StateStore, Write
    from onebook.domain.statistics import Statistics

Moment = datetime | str | int | None
MAX_POINTS = 100_000
_KEY = ("account", "instrument", "strategy", "leg")


def moment_ns(name: str, value: Moment) -> int | None:
    """Take a moment: aware datetime, text, or nanoseconds; a bare date is not a moment.

    One beyond what a store can hold (the years 1677 to 2262) counts as the last that it can.
    """
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    return min(max(times.to_ns(name, value), -money.FARTHEST), money.FARTHEST)


class Reading:
    """Queries over a store. Subclasses say which point of view holds.

    Lists come oldest first; ``since`` ≤ ``occurred_at`` < ``until``; ``after`` continues behind a sequence or
    event id; ``limit`` None means all.
    """

    _store: Store
    _known: int | None = None
    _until_ns: int | None = None

    # ---- what subclasses say ----

    def _now(self) -> int:
        raise AssertionError

    def _mark(self, instrument: str) -> LiveMark | None:
        raise AssertionError(instrument)

    def _share_marks(self) -> None:
        """Bring marks of this moment to where answers about the past read them."""

    @contextmanager
    def _lens(self) -> Iterator[Lens]:
        with self._store.reading() as reader:
            yield Lens(reader, self._known, self._until_ns)

    # ---- positions ----

    def positions(
        self,
        *,
        account: str | None = None,
        strategy: str | None = None,
        instrument: str | None = None,
        is_open: bool | None = True,
        after: Sequence[str] = (),
        limit: int | None = None,
    ) -> list[Position]:
        """Return the positions, one per account, instrument, strategy and leg, in this order; no totals.

        Args:
            account: only this one.
            strategy: only this one; ``""`` is the unnamed one.
            instrument: only this one, under any of its names.
            is_open: True: not flat; False: flat; None: both.
            after: the account, instrument, strategy and leg behind which to begin; empty for the beginning.
            limit: at most so many; the others are not even valued.
        """
        most, behind = _at_most(limit), position_key(after)
        with self._lens() as lens:
            held = lens.all_holdings(account, instrument, is_open=bool(is_open), begin=behind[:2])
            wanted = (
                positions.position_of(
                    lens, info, lens.terms(info), holding, positions.newest_mark(self._mark, info), self._now()
                )
                for info, holdings in held
                for key, holding in sorted(holdings.items())
                if (info.account, info.name, *key) > behind
                and strategy in {None, holding.strategy}
                and (is_open is None or bool(holding.quantity) == is_open)
            )
            return list(islice(wanted, most))

    def position(
        self,
        instrument: str,
        *,
        account: str = "main",
        strategy: str | None = None,
        leg: str | None = None,
        basis: str = "sum",
    ) -> Position | None:
        """Return a strategy's position, or the account's total; None when it was never held.

        Args:
            instrument: under any of its names.
            account: whose.
            strategy: None for the account's total.
            leg: ``long`` or ``short`` in a hedging account.
            basis: ``sum`` adds the strategies up; ``netted`` folds all fills of the account as one.

        Raises:
            InputError: no such basis.
        """
        required("instrument", instrument)
        if basis not in {"sum", "netted"}:
            msg = f"basis: {basis!r} is neither sum nor netted"
            raise InputError(msg, field="basis", value=basis)
        with self._lens() as lens:
            infos = lens.ledgers("position", account, instrument)
            if not infos:
                return None
            info = infos[0]
            terms = lens.terms(info)
            mark = positions.newest_mark(self._mark, info)
            if basis == "netted":
                held = positions.netted(lens, info, terms, leg)
                whole = positions.summed_position(lens, info, terms, list(held.values()), mark, self._now())
                return None if whole is None else positions.with_basis(whole, "netted")
            holdings: list[Holding] = []
            for source in (lens.holdings, lens.taken_back):
                holdings = holdings or [
                    holding
                    for _, holding in sorted(source(info).items())
                    if (strategy is None or holding.strategy == strategy) and (leg is None or holding.leg == leg)
                ]
            if strategy is not None and len(holdings) == 1:
                return positions.position_of(lens, info, terms, holdings[0], mark, self._now())
            total = positions.summed_position(lens, info, terms, holdings, mark, self._now())
            return None if total is None else positions.with_strategy(total, strategy)

    def lots(
        self,
        instrument: str,
        *,
        account: str = "main",
        strategy: str | None = None,
        leg: str | None = None,
        method: str = "average",
    ) -> Lots:
        """Return the lots of an instrument: of a strategy, or of the account as one (the tax view).

        Args:
            instrument: under any of its names.
            account: whose.
            strategy: None folds the account as one.
            leg: ``long`` or ``short`` in a hedging account; None for both.
            method: how lots are closed: ``average``, ``fifo``, ``lifo`` or ``hifo``.

        Raises:
            InputError: no such method.
        """
        required("instrument", instrument)
        with self._lens() as lens:
            infos = lens.ledgers("position", account, instrument)
            if not infos:
                LotFold(_no_terms(instrument), method)
                return Lots(
                    instrument=instrument,
                    account=account,
                    strategy=strategy,
                    method=method,
                    currency="",
                    open=(),
                    closed=(),
                )
            folded = explaining.fold_lots(lens, infos[0], strategy, method, leg=leg)
            return Lots(
                instrument=infos[0].name,
                account=account,
                strategy=strategy,
                method=method,
                currency=folded.terms.settle,
                open=tuple(folded.open),
                closed=tuple(folded.closed),
            )

    # ---- lists ----

    def fills(  # noqa: PLR0913  the filters of the contract
        self,
        *,
        account: str | None = None,
        strategy: str | None = None,
        instrument: str | None = None,
        since: Moment = None,
        until: Moment = None,
        after: int | str | None = None,
        limit: int | None = None,
    ) -> list[RecordedFill]:
        """Return the fills that stand, in the order in which they count."""
        with self._lens() as lens:
            found = positions.recorded_fills(
                lens,
                account=account,
                strategy=strategy,
                instrument=instrument,
                since=moment_ns("since", since),
                until=moment_ns("until", until),
                after=None if after is None else self._movement(lens, after),
            )
            return list(islice(found, _at_most(limit)))

    def _movement(self, lens: Lens, after: int | str) -> Movement:
        sequence, ordinal = log.place_after(after)
        fact = rows_fact(lens, sequence, ordinal if ordinal < 10**9 else 1)
        for info in lens.ledgers("position", fact.account, fact.instrument):
            begin = (fact.occurred_ns - 1, 99, "", 0, 0)
            for movement in lens.movements(info.id, begin):
                if movement.order[3] == sequence:
                    return movement
                if movement.order[0] > fact.occurred_ns:
                    break
        msg = f"after: {after!r} is not a fill that stands"
        raise InputError(msg, field="after", value=after)

    def round_trips(  # noqa: PLR0913  the filters of the contract
        self,
        *,
        account: str | None = None,
        strategy: str | None = None,
        instrument: str | None = None,
        since: Moment = None,
        until: Moment = None,
        after: int | None = None,
        limit: int | None = None,
        is_open: bool | None = None,
    ) -> list[RoundTrip]:
        """Return round trips: ended ones by when they ended, then open ones by when they began."""
        with self._lens() as lens:
            found = positions.round_trips(
                lens,
                account=account,
                strategy=strategy,
                instrument=instrument,
                since=moment_ns("since", since),
                until=moment_ns("until", until),
                is_open=is_open,
            )
            if after is not None:
                found = _behind(found, after)
            return list(islice(found, _at_most(limit)))

    def orders(  # noqa: PLR0913  the filters of the contract
        self,
        *,
        account: str | None = None,
        strategy: str | None = None,
        instrument: str | None = None,
        since: Moment = None,
        until: Moment = None,
        after: int | None = None,
        limit: int | None = None,
        is_open: bool | None = None,
    ) -> list[OrderState]:
        """Return orders with how far they are; ``is_open`` only those that may, or may not, still fill."""
        if is_open and since is None and until is None and self._known is None and self._until_ns is None:
            found = self._open_orders(account, strategy, instrument)
        else:
            found = self._records("order", account, strategy, instrument, since, until)
        states = (order_of(body, row) for row, body in found if body.get("known", True))
        kept = (state for state in states if is_open is None or state.is_open == is_open)
        return _page(kept, after, limit)

    def order(self, client_order_id: str, *, account: str | None = None) -> OrderState | None:
        """Return one order with how far it is; None when there is none.

        Args:
            client_order_id: our id of it.
            account: whose; None: of whichever account has it.

        Raises:
            InputError: more than one account has an order of this id; name the account.
        """
        required("client_order_id", client_order_id)
        found = []
        with self._lens() as lens:
            for name in _owners(lens) if account is None else [account]:
                row = lens.reader.record("order", name, client_order_id, self._known)
                if row is not None and (self._until_ns is None or row[0] <= self._until_ns):
                    found.append(((name, client_order_id, row[0], row[1], *row[2:]), decode(row[1])))
        if not found and account is None:  # of an account that is not defined, holds nothing and waits for nothing
            every = self._records("order", None, None, None, None, None)
            found = [(row, body) for row, body in every if row[1] == client_order_id]
        states = [order_of(body, row) for row, body in found if body.get("known", True)]
        if len(states) > 1:
            names = ", ".join(item.account for item in states)
            msg = f"client_order_id: {client_order_id!r} is an order in {names}; name the account"
            raise InputError(msg, field="account", value=None, order=client_order_id)
        return states[0] if states else None

    def _open_orders(
        self, account: str | None, strategy: str | None, instrument: str | None
    ) -> Iterator[tuple[Any, dict[str, Any]]]:
        """Return what may still fill, without looking at what has ended."""
        with self._lens() as lens:
            names = [instrument] if account is None or instrument is None else lens.names(account, instrument)
            found = [row for name in names for row in lens.reader.open_orders(account, name if account else None)]
        for row in found:
            if strategy in {None, row[5]} and instrument in {None, row[4]}:
                yield row, decode(row[3])

    def signals(  # noqa: PLR0913  the filters of the contract
        self,
        *,
        account: str | None = None,
        strategy: str | None = None,
        instrument: str | None = None,
        since: Moment = None,
        until: Moment = None,
        after: int | None = None,
        limit: int | None = None,
        status: str | None = None,
    ) -> list[SignalState]:
        """Return signals with their status."""
        found = self._records("signal", account, strategy, instrument, since, until)
        states = (signal_of(body, row) for row, body in found if body.get("known", True))
        return _page((item for item in states if status is None or item.status == status), after, limit)

    def transfers(
        self,
        *,
        account: str | None = None,
        since: Moment = None,
        until: Moment = None,
        after: int | None = None,
        limit: int | None = None,
    ) -> list[Any]:
        """Return transfers."""
        found = self._records("transfer", None, None, None, since, until)
        facts = (
            fact_of("transfer", body, row)
            for row, body in found
            if account is None or account in {body.get("from_account"), body.get("to_account")}
        )
        return _page(facts, after, limit, fact=True)

    def funding(  # noqa: PLR0913  the filters of the contract
        self,
        *,
        account: str | None = None,
        strategy: str | None = None,
        instrument: str | None = None,
        since: Moment = None,
        until: Moment = None,
        after: int | None = None,
        limit: int | None = None,
    ) -> list[Any]:
        """Return funding payments."""
        found = self._records("funding", account, strategy, instrument, since, until)
        return _page((fact_of("funding", body, row) for row, body in found), after, limit, fact=True)

    def facts(  # noqa: PLR0913  the filters of the contract
        self,
        kind: str,
        *,
        account: str | None = None,
        strategy: str | None = None,
        instrument: str | None = None,
        since: Moment = None,
        until: Moment = None,
        limit: int | None = None,
    ) -> list[Any]:
        """Return the recorded facts of a kind other than fills: cash movements, rates, definitions and so on.

        Args:
            kind: its name, as ``onebook record`` has it.
            account: only of this one.
            strategy: only of this one.
            instrument: only of this one.
            since: from this moment on.
            until: before this moment.
            limit: at most so many, the oldest.

        Raises:
            InputError: no such kind.
        """
        if kind not in FACTS or kind == "fill":
            msg = f"kind: {kind!r} is none of {', '.join(name for name in FACTS if name != 'fill')}"
            raise InputError(msg, field="kind", value=kind)
        found = self._records(kind, account, strategy, instrument, since, until)
        facts = (fact_of(kind, body, row)[1] for row, body in found)
        return list(islice(facts, _at_most(limit)))

    def breaks(  # noqa: PLR0913  the parts of one row or query
        self,
        *,
        account: str | None = None,
        strategy: str | None = None,
        instrument: str | None = None,
        state: str | None = None,
        since: Moment = None,
        until: Moment = None,
        after: int | None = None,
        limit: int | None = None,
    ) -> list[Break]:
        """Return the differences that wait for somebody, or waited."""
        found = self._records("break", account, strategy, instrument, since, until)
        kept = ((row[7], break_of(body, row)) for row, body in found if state is None or body["state"] == state)
        return _page(kept, after, limit, fact=True)

    def _records(
        self,
        kind: str,
        account: str | None,
        strategy: str | None,
        instrument: str | None,
        since: Moment,
        until: Moment,
    ) -> Iterator[tuple[Any, dict[str, Any]]]:
        start = moment_ns("since", since)
        end = moment_ns("until", until)
        limit = FAR if end is None else end
        if self._until_ns is not None:
            limit = min(limit, self._until_ns + 1)
        after = (-1 if start is None else start - 1, "\U0010ffff", "")
        while True:
            with self._lens() as lens:
                page = lens.reader.records(kind, self._known, after, 256)
            for row in page:
                if row[2] >= limit:
                    return
                if (
                    (account is None or row[0] == account)
                    and (strategy is None or row[5] == strategy)
                    and (instrument is None or row[4] == instrument)
                ):
                    yield row, decode(row[3])
            if len(page) < 256:
                return
            after = (page[-1][2], page[-1][0], page[-1][1])

    # ---- money ----

    def balances(self, *, account: str | None = None) -> list[Balance]:
        """Return how much of each asset each account holds."""
        with self._lens() as lens:
            return money.balances(lens, account, self._now())

    def equity(self, *, currency: str | None = None, account: str | None = None) -> Equity:
        """Return what the book is worth in one currency, its parts, and what could not be valued.

        Args:
            currency: None for the book's base currency.
            account: None for all live accounts (all paper ones where there is no live one).
        """
        with self._lens() as lens:
            return money.EquityReader(lens, currency, self._mark, self._now()).read(account)

    def result(
        self,
        *,
        account: str | None = None,
        strategy: str | None = None,
        marks: Mapping[str, LiveMark] | None = None,
    ) -> tuple[Decimal, list[str]]:
        """Return what was gained or lost so far, in the book's base currency, and what could not be valued.

        It is equity without openings and transfers: realized, other cash, unrealized and revaluation.

        Args:
            account: None for all live accounts (all paper ones where there is no live one).
            strategy: only what the positions of this one make.
            marks: of some instruments, in place of the ones that the book kept.
        """
        kept = self._mark
        mark_of = kept if not marks else lambda name: marks.get(name) or kept(name)
        with self._lens() as lens:
            found = money.EquityReader(lens, None, mark_of, self._now()).read(account, strategy)
        parts = (found.realized, found.other, found.unrealized, found.revaluation)
        return sum(parts, Decimal()), [name for name, _ in found.unvalued]

    def rate(self, currency: str) -> Decimal | None:
        """Return how much of the book's base currency one unit of a currency is now; None when nothing says.

        The newest mark of the pair or recorded rate counts.
        """
        with self._lens() as lens:
            found = money.EquityReader(lens, None, self._mark, self._now()).rate(required("currency", currency))
        return None if found is None else found.value(ONE)

    def equity_curve(
        self,
        since: Moment,
        until: Moment,
        every: timedelta | int,
        *,
        currency: str | None = None,
        account: str | None = None,
    ) -> list[EquityPoint]:
        """Return equity at moments from ``since`` to ``until``, both included, ``every`` so many seconds.

        Raises:
            InputError: the span is empty, or would have more than 100,000 points.
        """
        start, end = moment_ns("since", since), moment_ns("until", until)
        seconds = every.total_seconds() if isinstance(every, timedelta) else every
        step = int(seconds * times.SECOND)
        if start is None or end is None or step <= 0 or end < start or (end - start) // step >= MAX_POINTS:
            msg = "since, until, every: must span 1 to 100,000 points"
            raise InputError(msg, field="every", value=every)
        self._share_marks()
        with self._store.reading() as reader:
            kept = self._kept_points()
            head = kept.look(reader)
            curve = Curve(Lens(reader, self._known), currency, account, end, self._until_ns)
            found: list[EquityPoint] = []
            for moment in range(start, end + 1, step):
                place = (moment, currency, account)
                point = kept.get(curve.mark_at, head, place)
                if point is None:
                    point, marks = curve.at(moment)
                    kept.put(head, place, point, marks)
                found.append(point)
        return found

    def _kept_points(self) -> KeptPoints:
        """Return the points of the curve that were computed before; none where the point of view is a new one."""
        return KeptPoints()

    def daily_pnl(  # noqa: PLR0913  the filters of the contract
        self,
        *,
        since: date | str | None = None,
        until: date | str | None = None,
        zone: str | None = None,
        rolls_at: str | None = None,
        account: str | None = None,
        strategy: str | None = None,
        instrument: str | None = None,
        currency: str | None = None,
    ) -> list[DailyPnl]:
        """Return what each day realized: ``since`` ≤ day < ``until``; days without entries are left out.

        Args:
            since: first day.
            until: the day after the last.
            zone: None for the book's own.
            rolls_at: None for the book's own.
            account: None for all live ones.
            strategy: only this one.
            instrument: only this one, under any of its names; its facts are folded, where days of all are kept as rows.
            currency: all in this one, at the rate of when each was realized; None: a row per currency.
        """
        query = daily.DayQuery(
            None if since is None else times.to_date("since", since).isoformat(),
            None if until is None else times.to_date("until", until).isoformat(),
            account,
            strategy,
            currency,
            zone,
            rolls_at,
            instrument,
        )
        with self._lens() as lens:
            return daily.daily_pnl(lens, query)

    def pnl(self, **filters: Any) -> list[Pnl]:
        """Return the sum over days, one row per currency; filters as for :meth:`daily_pnl`."""
        return daily.summed_pnl(self.daily_pnl(**filters))

    def statistics(
        self,
        *,
        account: str | None = None,
        strategy: str | None = None,
        instrument: str | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        currency: str | None = None,
    ) -> "list[Statistics]":
        """Return how trading went: figures over the round trips that ended, and over the days, one row per currency.

        Args:
            account: None for all live ones (all paper ones where there is no live one).
            strategy: only this one; ``""`` is the unnamed one.
            instrument: only this one, under any of its names.
            since: first day, of the book's own.
            until: the day after the last.
            currency: all in this one: a round trip at the rate of when it ended, a day as :meth:`daily_pnl` has it.
                What no rate could value stays in its own currency, in a row of its own. None: a row per currency.
        """
        from onebook.book.statistics import statistics

        query = daily.DayQuery(
            since=None if since is None else times.to_date("since", since).isoformat(),
            until=None if until is None else times.to_date("until", until).isoformat(),
            account=account,
            strategy=strategy,
            currency=currency,
            instrument=instrument,
        )
        with self._lens() as lens:
            return statistics(lens, query)

    def explain(
        self,
        instrument: str,
        *,
        account: str = "main",
        strategy: str | None = None,
        leg: str | None = None,
        figure: str = "realized_pnl",
    ) -> list[Explanation]:
        """Return the facts that make a figure of a position; the amounts sum to it exactly.

        Args:
            instrument: under any of its names.
            account: whose.
            strategy: None for the account's total.
            leg: ``long`` or ``short`` in a hedging account; None for both.
            figure: its name in the position.

        Raises:
            InputError: no such figure.
        """
        required("instrument", instrument)
        with self._lens() as lens:
            infos = lens.ledgers("position", account, instrument)
            return explaining.explain(lens, infos, strategy, figure, leg)

    # ---- the state ----

    @cached_property
    def state(self) -> "StateStore":
        """What users keep under paths, and what the book shows of itself there."""
        from onebook.book.state_store import StateStore
        from onebook.book.state_views import Point

        point = Point(self._lens, self._mark, self._now)
        return StateStore(point, known=self._known, until_ns=self._until_ns, write=self._state_writer())

    def _state_writer(self) -> "Write | None":
        """Return how a change of the state gets into the book; None where nothing may be changed."""
        return None

    # ---- the log ----

    def entries(self, *, after: int = 0, limit: int = 1000) -> list[tuple[Any, ...]]:
        """Return entries of the log as they are stored, for copies of it and for checks: (sequence, body, hash).

        Args:
            after: the sequence behind which to begin.
            limit: at most so many; fewer come only at the end.
        """
        wanted = _at_most(limit)
        limit = FAR if wanted is None else min(wanted, FAR)
        if self._known is not None:
            limit = min(limit, max(self._known - after, 0))
        with self._store.reading() as reader:
            return reader.entries(after, limit)

    def _fetch(self, after: int, limit: int) -> list[tuple[Any, ...]]:
        with self._store.reading() as reader:
            return reader.entries(after, limit)

    def _wait(self, _position: int, _deadline: float | None) -> bool:
        return False

    def events(  # noqa: PLR0913  the filters of the contract
        self,
        *,
        after: int | str = 0,
        types: Iterable[str] | str | None = None,
        instruments: Iterable[str] | str | None = None,
        accounts: Iterable[str] | str | None = None,
        strategies: Iterable[str] | str | None = None,
        min_quantity: Any = None,
        min_amount: Any = None,
        follow: bool = False,
        timeout: float | None = None,
    ) -> Iterator[Event]:
        """Return events after a sequence or event id, in the order of the log.

        Args:
            after: where to begin.
            types: names or patterns such as ``trade_*``.
            instruments: only these.
            accounts: only these.
            strategies: only these.
            min_quantity: leave fills of a smaller quantity out.
            min_amount: leave fills of a smaller quantity × price out, in the quote currency.
            follow: wait for more at the end.
            timeout: end after so many seconds without a new entry; None waits for ever.
        """
        wanted = log.make_filter(
            types, instruments, accounts, strategies, min_quantity=min_quantity, min_amount=min_amount
        )
        wait: Callable[[int], bool] | None = None
        if follow and self._known is None:
            wait = lambda position: self._wait(position, timeout)  # noqa: E731  one line beside its use
        return log.read_events(self._fetch, after, wanted, self._known, wait)


def _behind(found: Iterator[RoundTrip], after: int) -> Iterator[RoundTrip]:
    for trip in found:
        if trip.id == after:
            yield from found
            return


def _owners(lens: Lens) -> list[str]:
    """Return the accounts that are defined, hold anything or wait for an order, and the one meant without a name."""
    defined = lens.reader.records("account", lens.known, (-1, "", ""), FAR)
    waiting = lens.reader.open_orders(None, None)
    return sorted({"main", *(row[1] for row in (*lens.reader.ledgers(), *defined)), *(row[0] for row in waiting)})


def _page(found: Iterator[Any], after: int | None, limit: int | None, *, fact: bool = False) -> list[Any]:
    pairs = found if fact else ((item.sequence, item) for item in found)
    if after is not None:
        pairs = iter(pairs)
        for sequence, _ in pairs:
            if sequence == after:
                break
    return [item for _, item in islice(pairs, _at_most(limit))]


def _at_most(limit: Any) -> int | None:
    """Take how many rows are asked for; None is all."""
    if limit is None or (type(limit) is int and limit >= 0):
        return limit
    msg = f"limit: {limit!r} is not a whole number from 0 on; None means all"
    raise InputError(msg, field="limit", value=limit)


def position_key(after: Any) -> tuple[str, ...]:
    """Take the key of a position, or its first parts.

    Raises:
        InputError: it is none.
    """
    if isinstance(after, tuple | list) and len(after) <= len(_KEY) and all(isinstance(part, str) for part in after):
        return tuple(after)
    msg = f"after: {after!r} is not the {', '.join(_KEY)} of a position"
    raise InputError(msg, field="after", value=after)


def _no_terms(instrument: str) -> Any:
    from onebook.domain.facts import Account
    from onebook.domain.instruments import terms_of

    return terms_of(None, instrument, Account(name="main"))


def rows_fact(lens: Lens, sequence: int, ordinal: int) -> Any:
    """Return the fact of an event."""
    from onebook.book.state import read_fact

    return read_fact(lens.reader, sequence, ordinal).fact
