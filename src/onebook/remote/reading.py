"""All questions that a remote book answers, at one point of view: now, or as of another point."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

from onebook.book import log
from onebook.book.reading import Moment, position_key
from onebook.domain import facts
from onebook.domain.fields import required
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
    as_json,
)
from onebook.domain.statistics import Statistics
from onebook.errors import InputError
from onebook.remote.naming import ADDRESSES
from onebook.remote.rows import PAGE, Rows, chosen, days_of, text_of
from onebook.remote.wire import record_of

FILTERS = frozenset({"account", "strategy", "instrument", "since", "until"})
_OF_KIND: Mapping[str, frozenset[str]] = {
    "order": FILTERS,
    "signal": FILTERS,
    "cash_movement": FILTERS,
    "funding": FILTERS,
    "opening_balance": FILTERS,
    "corporate_action": FILTERS - {"strategy"},
    "settlement": FILTERS - {"strategy"},
    "reassign": FILTERS - {"strategy"},
    "order_update": frozenset({"account", "since", "until"}),
    "signal_update": frozenset({"account", "since", "until"}),
    "transfer": frozenset({"account", "since", "until"}),
    "rate": frozenset({"since", "until"}),
}
"""What the address of each kind can filter by; of the others nothing."""


class RemoteReading(Rows):
    """Queries over HTTP; the same calls as a book's."""

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
        """Return the positions, one per account, instrument, strategy and leg, in this order; no totals."""
        wanted = {True: "true", False: "false", None: "all"}[is_open]
        query = {"account": account, "strategy": strategy, "instrument": instrument, "is_open": wanted}
        behind = list(position_key(after))
        return self._listed("/v1/positions", Position, query | {"after": as_json(behind) if behind else None}, limit)

    def position(
        self,
        instrument: str,
        *,
        account: str = "main",
        strategy: str | None = None,
        leg: str | None = None,
        basis: str = "sum",
    ) -> Position | None:
        """Return a strategy's position, or the account's total; None when it was never held."""
        name = quote(required("instrument", instrument), safe="")
        query = {"account": account, "strategy": strategy, "leg": leg, "basis": basis}
        found = self._get(f"/v1/positions/{name}", query, passes=frozenset({404}))
        return None if found is None else record_of(Position, found)

    def lots(
        self,
        instrument: str,
        *,
        account: str = "main",
        strategy: str | None = None,
        leg: str | None = None,
        method: str = "average",
    ) -> Lots:
        """Return the lots of an instrument: of a strategy, or of the account as one (the tax view)."""
        query = {"instrument": required("instrument", instrument), "account": account, "strategy": strategy}
        return record_of(Lots, self._get("/v1/lots", {**query, "leg": leg, "method": method}))

    # ---- lists ----

    def fills(  # noqa: PLR0913  the filters of a book
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
        query = chosen(account, strategy, instrument, since, until)
        return self._listed("/v1/fills", RecordedFill, query, limit, after, "sequence")

    def round_trips(  # noqa: PLR0913  the filters of a book
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
        query = {**chosen(account, strategy, instrument, since, until), "is_open": is_open}
        return self._listed("/v1/round-trips", RoundTrip, query, limit, after, "id")

    def orders(  # noqa: PLR0913  the filters of a book
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
        query = {**chosen(account, strategy, instrument, since, until), "is_open": is_open}
        return self._listed("/v1/orders", OrderState, query, limit, after, "sequence")

    def order(self, client_order_id: str, *, account: str | None = None) -> OrderState | None:
        """Return one order with how far it is; None when there is none.

        Args:
            client_order_id: our id of it.
            account: whose; None: of whichever account has it.

        Raises:
            InputError: more than one account has an order of this id; name the account.
        """
        query = {"client_order_id": required("client_order_id", client_order_id), "account": account}
        found = self._listed("/v1/orders", OrderState, query, None)
        return found[0] if found else None

    def signals(  # noqa: PLR0913  the filters of a book
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
        query = {**chosen(account, strategy, instrument, since, until), "status": status}
        return self._listed("/v1/signals", SignalState, query, limit, after, "sequence")

    def transfers(
        self, *, account: str | None = None, since: Moment = None, until: Moment = None, limit: int | None = None
    ) -> list[facts.Transfer]:
        """Return transfers."""
        return self.facts("transfer", account=account, since=since, until=until, limit=limit)

    def funding(
        self,
        *,
        account: str | None = None,
        strategy: str | None = None,
        instrument: str | None = None,
        since: Moment = None,
        until: Moment = None,
        limit: int | None = None,
    ) -> list[facts.FundingPayment]:
        """Return funding payments."""
        chosen = {"account": account, "strategy": strategy, "instrument": instrument}
        return self.facts("funding", **chosen, since=since, until=until, limit=limit)

    def facts(  # noqa: PLR0913  the filters of a book
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
        """Return the recorded facts of a kind other than fills: definitions in the order of their names.

        Raises:
            InputError: no such kind over HTTP, or nothing that this kind can be filtered by.
        """
        if kind not in ADDRESSES or kind == "fill":
            msg = f"kind: {kind!r} is none of {', '.join(name for name in ADDRESSES if name != 'fill')}"
            raise InputError(msg, field="kind", value=kind)
        given = chosen(account, strategy, instrument, since, until)
        wrong = sorted(name for name in given.keys() - _OF_KIND.get(kind, frozenset()) if given[name] is not None)
        if wrong:
            msg = f"{wrong[0]}: facts of the kind {kind} cannot be filtered by it over HTTP"
            raise InputError(msg, field=wrong[0])
        held: dict[str, tuple[type[Any], str]] = {"order": (OrderState, "order"), "signal": (SignalState, "signal")}
        record, part = held.get(kind, (facts.FACTS[kind], ""))
        rows = self._listed(f"/v1/{ADDRESSES[kind]}", record, given, limit)
        return [getattr(row, part) for row in rows] if part else rows

    def breaks(  # noqa: PLR0913  the filters of a book
        self,
        *,
        account: str | None = None,
        strategy: str | None = None,
        instrument: str | None = None,
        state: str | None = None,
        since: Moment = None,
        until: Moment = None,
        limit: int | None = None,
    ) -> list[Break]:
        """Return the differences that wait for somebody, or waited."""
        query = {**chosen(account, strategy, instrument, since, until), "state": state}
        return self._listed("/v1/breaks", Break, query, limit)

    # ---- money ----

    def balances(self, *, account: str | None = None) -> list[Balance]:
        """Return how much of each asset each account holds."""
        return self._listed("/v1/balances", Balance, {"account": account}, None)

    def equity(self, *, currency: str | None = None, account: str | None = None) -> Equity:
        """Return what the book is worth in one currency, its parts, and what could not be valued."""
        return record_of(Equity, self._get("/v1/equity", {"currency": currency, "account": account}))

    def equity_curve(
        self,
        since: Moment,
        until: Moment,
        every: timedelta | int,
        *,
        currency: str | None = None,
        account: str | None = None,
    ) -> list[EquityPoint]:
        """Return equity at moments from ``since`` to ``until``, both included, ``every`` so many whole seconds."""
        seconds = every.total_seconds() if isinstance(every, timedelta) else every
        begin, end = text_of("since", since), text_of("until", until)
        if begin is None or end is None or seconds != int(seconds) or seconds < 1:
            msg = "since, until, every: must span 1 to 100,000 points, whole seconds apart"
            raise InputError(msg, field="every", value=every)
        query = {"since": begin, "until": end, "every": int(seconds), "currency": currency, "account": account}
        return self._listed("/v1/equity/curve", EquityPoint, query, None)

    def daily_pnl(  # noqa: PLR0913  the filters of a book
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
        """Return what each day realized: ``since`` ≤ day < ``until``; days without entries are left out."""
        query = {"zone": zone, "rolls_at": rolls_at, "account": account, "strategy": strategy, "currency": currency}
        days = {"instrument": instrument, **days_of(since, until)}
        return self._listed("/v1/pnl/daily", DailyPnl, {**query, **days}, None)

    def pnl(  # noqa: PLR0913  the filters of a book
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
    ) -> list[Pnl]:
        """Return the sum over days, one row per currency; filters as for :meth:`daily_pnl`."""
        query = {"zone": zone, "rolls_at": rolls_at, "account": account, "strategy": strategy, "currency": currency}
        return self._listed("/v1/pnl", Pnl, {**query, "instrument": instrument, **days_of(since, until)}, None)

    def statistics(
        self,
        *,
        account: str | None = None,
        strategy: str | None = None,
        instrument: str | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        currency: str | None = None,
    ) -> list[Statistics]:
        """Return how trading went: figures over the round trips that ended, and over the days, one row per currency.

        Args:
            account: None for all live ones (all paper ones where there is no live one).
            strategy: only this one; ``""`` is the unnamed one.
            instrument: only this one, under any of its names.
            since: first day, of the book's own.
            until: the day after the last.
            currency: all in this one; None: a row per currency.
        """
        query = {"account": account, "strategy": strategy, "instrument": instrument, "currency": currency}
        return self._listed("/v1/statistics", Statistics, {**query, **days_of(since, until)}, None)

    def explain(
        self,
        instrument: str,
        *,
        account: str = "main",
        strategy: str | None = None,
        leg: str | None = None,
        figure: str = "realized_pnl",
    ) -> list[Explanation]:
        """Return the facts that make a figure of a position; the amounts sum to it exactly."""
        query = {"instrument": required("instrument", instrument), "account": account, "strategy": strategy}
        return self._listed("/v1/explain", Explanation, {**query, "leg": leg, "figure": figure}, None)

    # ---- the log ----

    def history(self, after: int | str, wanted: log.Filter, query: Mapping[str, Any]) -> Iterator[Event]:
        """Yield the events of the log after a place, up to its end."""
        log.place_after(after)
        place: int | str | None = after
        while place is not None:
            page = self._get("/v1/events/history", {**query, "limit": PAGE, "after": place})
            for row in page["items"]:
                event = record_of(Event, row)
                if wanted.wants(event):
                    yield event
            place = page["next_after"]
