"""Positions, fills and round trips as queries answer them."""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from heapq import merge
from itertools import islice

from onebook.book import rows
from onebook.book.exposures import exposure_of, in_new_units
from onebook.book.lens import FAR, LedgerInfo, Lens
from onebook.book.marks import STALE_AFTER, LiveMark
from onebook.domain import times
from onebook.domain.holdings import ClosedTrip, Holding, Key, flag_names
from onebook.domain.identity import fill_identity
from onebook.domain.instruments import Terms
from onebook.domain.movements import FIRST, Movement
from onebook.domain.numbers import ZERO, absolute, add, canonical, multiply, subtract
from onebook.domain.positions import fold
from onebook.domain.reports import Position, RecordedFill, RoundTrip
from onebook.domain.steps import average_price, entry_price, exit_price
from onebook.store.codec import decode
from onebook.store.port import Row

MarkOf = Callable[[str], LiveMark | None]


def newest_mark(mark_of: MarkOf, info: LedgerInfo) -> LiveMark | None:
    """Return the newest mark of an instrument, under whichever of its names it came."""
    found = [mark for name in info.names if (mark := mark_of(name)) is not None]
    return max(found, key=lambda mark: mark.at, default=None)


def based(holding: Holding) -> Decimal:
    """Return the quantity whose cost is known, signed."""
    if not holding.unbased:
        return holding.quantity
    size = subtract(absolute(holding.quantity), holding.unbased)
    return size if holding.quantity > ZERO else subtract(ZERO, size)


def position_of(
    lens: Lens | None, info: LedgerInfo, terms: Terms, holding: Holding, mark: LiveMark | None, now: int
) -> Position:
    """Return one position with its mark."""
    quantity = based(holding)
    unrealized = price = None
    if mark is not None:
        price = in_new_units(mark.price, mark.at, holding.splits)
    if price is not None and holding.quantity:
        unrealized = canonical(exposure_of(terms, quantity, holding.cost).unrealized(price))
    open_part = bool(holding.quantity)
    average = average_price(terms, quantity, holding.cost) if quantity else None
    highest, lowest = holding.highest, holding.lowest
    if open_part and mark is not None and lens is not None and lens.at_head:
        seen = mark.extremes(max(holding.opened_ns or 0, *(moment for moment, _, _ in holding.splits), 0))
        if seen is not None:
            highest = seen[0] if highest is None else max(highest, seen[0])
            lowest = seen[1] if lowest is None else min(lowest, seen[1])
    return Position(
        account=info.account,
        instrument=info.name,
        strategy=holding.strategy,
        leg=holding.leg,
        quantity=canonical(holding.quantity),
        average_price=None if average is None else canonical(average),
        cost_basis=canonical(holding.cost),
        currency=terms.settle,
        realized_pnl_gross=canonical(holding.gross),
        fees=canonical(holding.fees),
        fees_in_base=canonical(holding.fees_in_base),
        funding=canonical(holding.funding),
        income=canonical(holding.income),
        realized_pnl=canonical(holding.realized),
        opened_at=None if holding.opened_ns is None else times.to_datetime(holding.opened_ns),
        updated_at=None if holding.untouched else times.to_datetime(holding.updated_ns),
        mark=None if price is None else canonical(price),
        marked_at=None if mark is None else times.to_datetime(mark.at),
        mark_source="" if mark is None else mark.source,
        stale=None if mark is None else now - mark.at > STALE_AFTER,
        unrealized_pnl=unrealized,
        highest=highest if open_part else None,
        lowest=lowest if open_part else None,
        unvalued=tuple(sorted((name, canonical(amount)) for name, amount in holding.unvalued.items())),
        flags=flag_names(holding.flags),
        sequence=holding.sequence,
    )


def summed(holdings: Iterable[Holding]) -> Holding | None:
    """Return the sum of an account's positions in one instrument; money adds up, units net."""
    total: Holding | None = None
    for holding in holdings:
        if total is None:
            total = holding.copy()
            total.cost = holding.cost if holding.quantity > ZERO else subtract(ZERO, holding.cost)
            continue
        signed = holding.cost if holding.quantity > ZERO else subtract(ZERO, holding.cost)
        total.cost = add(total.cost, signed)
        for name in ("quantity", "unbased", "gross", "fees", "fees_in_base", "funding", "income"):
            setattr(total, name, add(getattr(total, name), getattr(holding, name)))
        total.flags |= holding.flags
        total.updated_ns = max(total.updated_ns, holding.updated_ns)
        total.sequence = max(total.sequence, holding.sequence)
        for currency, amount in holding.unvalued.items():
            total.unvalued = {**total.unvalued, currency: add(total.unvalued.get(currency, ZERO), amount)}
        opened = [item for item in (total.opened_ns, holding.opened_ns) if item is not None]
        total.opened_ns = min(opened, default=None)
    return total


def summed_position(
    lens: Lens, info: LedgerInfo, terms: Terms, holdings: list[Holding], mark: LiveMark | None, now: int
) -> Position | None:
    """Return an account's total: quantity and money are sums of the strategies'."""
    total = summed(holdings)
    if total is None:
        return None
    if len(holdings) == 1:
        only = position_of(lens, info, terms, holdings[0], mark, now)
        return _as_total(only)
    longs = any(holding.quantity > ZERO for holding in holdings)
    shorts = any(holding.quantity < ZERO for holding in holdings)
    parts = [position_of(lens, info, terms, holding, mark, now) for holding in holdings]
    cost = ZERO
    for holding in holdings:
        cost = add(cost, holding.cost)
    total.cost = cost
    whole = _as_total(position_of(lens, info, terms, total, mark, now))
    unrealized = None
    if mark is not None:
        unrealized = ZERO
        for part in parts:
            unrealized = add(unrealized, part.unrealized_pnl or ZERO)
    highs = [part.highest for part in parts if part.highest is not None]
    lows = [part.lowest for part in parts if part.lowest is not None]
    return _with(
        whole,
        unrealized_pnl=unrealized if longs or shorts else None,
        average_price=None if longs and shorts else whole.average_price,
        highest=max(highs, default=None),
        lowest=min(lows, default=None),
    )


def _as_total(position: Position) -> Position:
    return _with(position, strategy=None)


def _with(position: Position, **changes: object) -> Position:
    from dataclasses import replace

    return replace(position, **changes)  # type: ignore[arg-type]


def netted(lens: Lens, info: LedgerInfo, terms: Terms, leg: str | None) -> dict[Key, Holding]:
    """Return an account's position with all its fills folded as one, as the venue does."""
    holdings: dict[Key, Holding] = {}
    for movement in lens.movements(info.id):
        if leg is not None and terms.hedging and movement.leg not in {"", leg}:
            continue
        for change in fold(terms, holdings, as_one(movement)):
            holdings[change.after.key] = change.after
    return holdings


def as_one(movement: Movement) -> Movement:
    """Return a movement as it counts when the account's strategies are one."""
    if movement.kind == "reassign":
        movement.quantity = ZERO
    if movement.strategy is not None:
        movement.strategy = ""
    movement.to_strategy = ""
    return movement


# ---- fills ----


def recorded_fills(  # noqa: PLR0913  the parts of one row or query
    lens: Lens,
    *,
    account: str | None = None,
    strategy: str | None = None,
    instrument: str | None = None,
    since: int | None = None,
    until: int | None = None,
    after: Movement | None = None,
) -> Iterator[RecordedFill]:
    """Return the fills that stand, in the order in which they fold, across all ledgers."""
    infos = lens.ledgers("position", account, instrument)
    begin = FIRST if since is None else (since, -1, "", 0, 0)
    if after is not None:
        begin = max(begin, after.order)
    streams = [_fill_movements(lens, info.id, begin, strategy, until) for info in infos]
    for movement in merge(*streams, key=lambda item: item.order):
        fill = lens.fact_of(movement)
        event_id = f"{movement.order[3]}.{movement.order[4]}"
        yield RecordedFill(
            sequence=movement.order[3],
            id=event_id,
            identity=fill_identity(fill, event_id),
            fill=fill,
            flags=flag_names(movement.flags),
        )


def _fill_movements(
    lens: Lens, ledger: int, begin: tuple[int, int, str, int, int], strategy: str | None, until: int | None
) -> Iterator[Movement]:
    for movement in lens.movements(ledger, begin):
        if until is not None and movement.order[0] >= until:
            return
        if movement.kind == "fill" and (strategy is None or movement.strategy == strategy):
            yield movement


# ---- round trips ----


def round_trips(  # noqa: PLR0913  the parts of one row or query
    lens: Lens,
    *,
    account: str | None = None,
    strategy: str | None = None,
    instrument: str | None = None,
    since: int | None = None,
    until: int | None = None,
    is_open: bool | None = None,
    limit: int | None = None,
) -> Iterator[RoundTrip]:
    """Return round trips: the ended ones by the time they ended, then the open ones by when they began."""
    infos = {info.id: info for info in lens.ledgers("position", account, instrument)}
    found: Iterator[RoundTrip] = iter(())
    if is_open is not True:
        found = _ended(lens, infos, account, strategy, instrument, since, until)
    if is_open is not False:
        found = _chain(found, _open(lens, account, instrument, strategy, since, until))
    return islice(found, limit) if limit is not None else found


def _chain(first: Iterator[RoundTrip], second: Iterator[RoundTrip]) -> Iterator[RoundTrip]:
    yield from first
    yield from second


def _ended(  # noqa: PLR0913  the filters of one query
    lens: Lens,
    infos: dict[int, LedgerInfo],
    account: str | None,
    strategy: str | None,
    instrument: str | None,
    since: int | None,
    until: int | None,
) -> Iterator[RoundTrip]:
    wanted = list(infos) if account is not None or instrument is not None else None
    for row in ended_rows(lens, wanted, since, until):
        info = infos.get(row[0])
        if info is not None and strategy in {None, row[2]}:
            yield _closed_round_trip(lens, info, rows.trip_of(row))


def ended_rows(lens: Lens, ledgers: list[int] | None, since: int | None, until: int | None) -> Iterator[Row]:
    """Return rows of ended round trips by when they ended, page by page.

    Args:
        lens: the point of view.
        ledgers: only of these; None: of all.
        since: ended at or after it, in nanoseconds.
        until: ended before it.
    """
    limit = FAR if until is None else until
    if lens.until_ns is not None:
        limit = min(limit, lens.until_ns + 1)
    after: tuple[int, int] | None = None
    while True:
        page = lens.reader.trips(ledgers, since, limit, after, lens.known, 256)
        yield from page
        if len(page) < 256:
            return
        after = (page[-1][5], page[-1][1])


def _open(
    lens: Lens,
    account: str | None,
    instrument: str | None,
    strategy: str | None,
    since: int | None,
    until: int | None,
) -> Iterator[RoundTrip]:
    found = []
    for info, holdings in lens.all_holdings(account, instrument, is_open=True):
        for holding in holdings.values():
            trip = holding.trip
            if trip is None or (strategy is not None and holding.strategy != strategy):
                continue
            if (since is not None and trip.opened_ns < since) or (until is not None and trip.opened_ns >= until):
                continue
            found.append((trip.opened_ns, trip.id, info, holding))
    for _, _, info, holding in sorted(found, key=lambda item: item[:2]):
        yield _open_round_trip(lens, info, holding)


def _signal(lens: Lens, account: str, signal_id: str) -> dict[str, str]:
    if not signal_id:
        return {}
    row = lens.reader.record("signal", account, signal_id, lens.known)
    return {} if row is None else decode(row[1])


def _notes(lens: Lens, info: LedgerInfo, trip_id: int) -> tuple[str, tuple[str, ...]]:
    row = lens.reader.record("annotation", info.account, str(trip_id), lens.known)
    if row is None:
        return "", ()
    body = decode(row[1])
    return body.get("notes", ""), tuple(body.get("tags", ()))


def _closed_round_trip(lens: Lens, info: LedgerInfo, trip: ClosedTrip) -> RoundTrip:
    terms = lens.terms(info)
    return _round_trip(
        lens,
        info,
        terms,
        trip.id,
        strategy=trip.strategy,
        leg=trip.leg,
        direction=trip.direction,
        quantity=canonical(trip.quantity),
        entry_price=_shown(trip.entry_price),
        exit_price=_shown(trip.exit_price),
        opened_at=times.to_datetime(trip.opened_ns),
        closed_at=times.to_datetime(trip.closed_ns),
        gross=canonical(trip.gross),
        fees=canonical(trip.fees),
        funding=canonical(trip.funding),
        income=canonical(trip.income),
        net=canonical(trip.net),
        close_reason=trip.close_reason,
        signal_id=trip.signal_id,
        highest=trip.highest,
        lowest=trip.lowest,
        is_open=False,
    )


def _open_round_trip(lens: Lens, info: LedgerInfo, holding: Holding) -> RoundTrip:
    terms = lens.terms(info)
    trip = holding.trip
    assert trip is not None  # noqa: S101  asked before
    gross = subtract(holding.gross, trip.gross)
    fees = subtract(holding.fees, trip.fees)
    funding = subtract(holding.funding, trip.funding)
    income = subtract(holding.income, trip.income)
    net = add(add(subtract(gross, fees), funding), income)
    return _round_trip(
        lens,
        info,
        terms,
        trip.id,
        strategy=holding.strategy,
        leg=holding.leg,
        direction=trip.direction,
        quantity=canonical(trip.largest),
        entry_price=_shown(entry_price(trip)),
        exit_price=_shown(exit_price(trip)),
        opened_at=times.to_datetime(trip.opened_ns),
        closed_at=None,
        gross=canonical(gross),
        fees=canonical(fees),
        funding=canonical(funding),
        income=canonical(income),
        net=canonical(net),
        close_reason="",
        signal_id=trip.signal_id,
        highest=holding.highest,
        lowest=holding.lowest,
        is_open=True,
    )


def _shown(price: Decimal | None) -> Decimal | None:
    return None if price is None else canonical(price)


def _round_trip(lens: Lens, info: LedgerInfo, terms: Terms, trip_id: int, **parts: object) -> RoundTrip:
    signal = _signal(lens, info.account, str(parts["signal_id"]))
    notes, tags = _notes(lens, info, trip_id)
    stop = Decimal(signal["stop_loss"]) if "stop_loss" in signal else None
    target = Decimal(signal["take_profit"]) if "take_profit" in signal else None
    entry, quantity = parts["entry_price"], parts["quantity"]
    risk = None
    if stop is not None and isinstance(entry, Decimal) and isinstance(quantity, Decimal):
        distance = absolute(subtract(entry, stop))
        units = multiply(quantity, terms.contract_size)
        risk = None if terms.inverse else canonical(multiply(distance, units))
    return RoundTrip(
        id=trip_id,
        account=info.account,
        instrument=info.name,
        currency=terms.settle,
        stop_loss=stop,
        take_profit=target,
        risk_amount=risk,
        notes=notes,
        tags=tags,
        **parts,  # type: ignore[arg-type]
    )


def with_basis(position: Position, basis: str) -> Position:
    """Return a position that says on which basis it was folded."""
    return _with(position, basis=basis, strategy=None)


def with_strategy(position: Position, strategy: str | None) -> Position:
    """Return a total that says whose it is."""
    return _with(position, strategy=strategy)
