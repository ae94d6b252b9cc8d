"""What a bot missed while its stream was down: Alpaca's orders and FILL activities, less what the book has."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from onebook.book.core import Core
from onebook.domain import facts, times
from onebook.errors import SourceError, StoreBusy
from onebook.feed.calling import tried
from onebook.intake.adapters.alpaca_reading import VENUE, Data, execution_of, instrument, of_activity, of_order
from onebook.intake.adapters.recorder import Item, OrderSeen, Recorder, Unbooked

ACTIVITIES = "/account/activities"
ACTIVITIES_PAGE = 100
ORDERS_PAGE = 500
"""Most that Alpaca gives at a time."""
MAX_PAGES = 10_000
"""Where asking ends that would never end."""
SPOOL_SECONDS = 30.0
_MARGIN = timedelta(hours=1)


def catch_up(  # noqa: PLR0913  what a bot may choose
    client: Any,
    book: Core,
    since: datetime | str,
    *,
    strategy: str | None = None,
    account: str | None = None,
    client_order_prefix: str = "",
    owns: str | None = None,
) -> int:
    """Book the orders and executions since a moment that the book does not have; return how many executions.

    Call it at the start and after a reconnect. What the stream has recorded, or records meanwhile, is booked once.

    Args:
        client: a ``TradingClient``, recorded or not.
        book: an open book.
        since: the moment, with a zone; a little earlier than needed does no harm.
        strategy: whose; None: as the client records, else the unnamed one.
        account: as ``strategy``, else ``main``.
        client_order_prefix: only orders whose client_order_id begins so.
        owns: whose the orders are that the book does not know: EXTERNAL's with ``sent``, the strategy's with ``all``;
            None: as the client records, else ``sent``. Those with a prefix that is given are the strategy's.

    Raises:
        BadConfig: ``owns`` is neither of the two.
        SourceError: Alpaca did not answer. Calling again is safe.
        StoreBusy: the book does not take what waits in the spool. Calling again is safe.
    """
    joined: Recorder | None = getattr(client, "recorder", None)
    recorder = Recorder(
        book,
        strategy=strategy if strategy is not None else joined.strategy if joined is not None else "",
        account=account if account is not None else joined.account if joined is not None else "main",
        venue=VENUE,
        spool=None if joined is None else joined.spool.path,
        owns=owns if owns is not None else "all" if joined is not None and joined.owns_all else "sent",
    )
    try:
        if not recorder.wait(SPOOL_SECONDS) or (joined is not None and not joined.wait(SPOOL_SECONDS)):
            msg = f"facts still wait in {recorder.spool.path} for the book; call again when it takes them"
            raise StoreBusy(msg, path=str(recorder.spool.path))
        return _Asking(client, recorder, client_order_prefix).book_since(times.to_ns("since", since))
    finally:
        recorder.close()


def missing(book: Core, account: str, rows: Sequence[Data]) -> list[Data]:
    """Return the FILL activities that are not in the book: by the execution's id, else by order, side and figures.

    An order's fills made from its cumulative quantity do not count: executions take their place.

    Args:
        book: to compare with.
        account: the book's.
        rows: activities, of any order.
    """
    told = [row for row in rows if row.get("activity_type") == "FILL"]
    fills = [row for row in told if _is_whole(row)]
    odd = [row for row in told if not _is_whole(row)]  # whoever reads them says what is wrong
    if not fills:
        return odd
    first = min(times.to_ns("transaction_time", row["transaction_time"]) for row in fills)
    ids: set[tuple[str, str]] = set()
    held: dict[tuple[str, str], tuple[str, str, Decimal, Decimal]] = {}
    for found in book.fills(account=account, since=times.to_datetime(first) - _MARGIN):
        fill: facts.Fill = found.fill
        if fill.venue == VENUE and not fill.venue_fill_id.startswith("order:"):
            held[fill.venue_order_id, fill.venue_fill_id] = fill.venue_order_id, fill.side, fill.quantity, fill.price
    ids.update(held)
    named = {(str(row["order_id"]), execution_of(row)) for row in fills}
    others = Counter(content for key, content in held.items() if key not in named)
    left = []
    for row in fills:
        if (str(row["order_id"]), execution_of(row)) in ids:
            continue
        fill = of_activity(row)
        content = fill.venue_order_id, fill.side, fill.quantity, fill.price
        if others[content]:  # the same execution under another id
            others[content] -= 1
        else:
            left.append(row)
    return left + odd


def _is_whole(row: Data) -> bool:
    """Say whether an activity says of which order, when, how much and at which price."""
    _, problem = tried(lambda: (times.to_ns("transaction_time", row["transaction_time"]), of_activity(row)))
    return problem is None and bool(row.get("order_id"))


class _Asking:
    """Asks Alpaca for what happened."""

    def __init__(self, client: Any, recorder: Recorder, prefix: str) -> None:
        self._get: Callable[..., Any] = getattr(client.get, "__wrapped__", client.get)
        self._recorder, self._prefix = recorder, prefix
        self._sender = recorder.strategy if prefix or recorder.owns_all else None

    def book_since(self, since: int) -> int:
        """Book what is missing since then, in nanoseconds; return how many executions."""
        moment = times.to_text(since)
        orders = {_id_of(row): row for row in self._orders(moment)}
        left = missing(self._recorder.book, self._recorder.account, list(self._activities(moment)))
        for name in {_id_of(row, "order_id") for row in left} - {*orders, ""}:
            found = self._ask(f"/orders/{name}", {})
            if isinstance(found, Mapping):
                orders[name] = found
        mine = {name: row for name, row in orders.items() if self._is_mine(row)}
        count = 0
        for row in left:
            order = mine.get(_id_of(row, "order_id"))
            if not _is_whole(row):
                reason = "it lacks its order, its time, its quantity or its price"
                self._recorder.take([Unbooked(what="fill", reason=reason, raw=dict(row))])
            elif order is not None:
                self._take(self._execution(row, order), "fill", row)
                count += 1
        for order in mine.values():
            self._take(lambda order=order: of_order(order, filled=True), "order", order)  # type: ignore[misc]
        return count

    def _execution(self, row: Data, order: Data) -> Callable[[], Iterator[Item]]:
        def read() -> Iterator[Item]:
            yield from (
                item for item in of_order(dict(order) | {"legs": None}, status="new") if isinstance(item, OrderSeen)
            )
            yield of_activity(row, symbol=instrument(order), client_order_id=str(order.get("client_order_id") or ""))

        return read

    def _take(self, read: Callable[[], Iterator[Item]], what: str, raw: Data) -> None:
        items = self._recorder.read(read, what=what, raw=raw)
        account, sender = self._recorder.account, self._sender
        self._recorder.take(each for item in items for each in sent_by(item, sender, account))

    def _is_mine(self, order: Data) -> bool:
        legs = order.get("legs") or ()
        return any(str(each.get("client_order_id") or "").startswith(self._prefix) for each in (order, *legs))

    def _orders(self, since: str) -> Iterator[Data]:
        """Yield the orders since then, legs beside their parents."""
        asked = {"status": "all", "limit": ORDERS_PAGE, "direction": "asc", "nested": "false"}
        seen: set[str] = set()
        for _ in range(MAX_PAGES):
            told = _rows(self._ask("/orders", asked | {"after": since}))
            rows = [row for row in told if _id_of(row) not in {*seen, ""}]
            seen.update(map(_id_of, rows))
            yield from rows
            moments = [str(at) for row in rows if (at := row.get("submitted_at") or row.get("created_at"))]
            if not moments:
                return
            since = moments[-1]

    def _activities(self, since: str) -> Iterator[Data]:
        asked: dict[str, Any] = {"after": since, "direction": "asc", "page_size": ACTIVITIES_PAGE}
        for _ in range(MAX_PAGES):
            rows = _rows(self._ask(f"{ACTIVITIES}/FILL", asked))
            yield from rows
            if len(rows) < ACTIVITIES_PAGE or not _id_of(rows[-1]):
                return
            asked["page_token"] = _id_of(rows[-1])

    def _ask(self, path: str, params: Mapping[str, Any]) -> Any:
        """Ask Alpaca; what its library raises becomes ours."""
        answer, problem = tried(lambda: self._get(path, dict(params)))
        if problem is None:
            return answer if answer is not None else []
        if not isinstance(problem, Exception):
            raise problem
        msg = f"Alpaca did not answer {path}: {problem}; call again later"
        raise SourceError(msg, path=path) from problem


def _rows(answer: Any) -> list[Data]:
    return [row for row in answer if isinstance(row, Mapping)] if isinstance(answer, Sequence) else []


def _id_of(row: Data, name: str = "id") -> str:
    return str(row.get(name) or "")


def sent_by(item: Item, strategy: str | None, account: str) -> Iterator[Item]:
    """Yield an item with its account and who sent it.

    Args:
        item: of an order, or another one.
        strategy: who sent its order; None: nobody knows, and then an order that is told of as it was sent is left out.
        account: the book's.
    """
    if strategy is not None:
        own = owned(item, account, strategy)
        yield own.replaced(strategy=strategy) if isinstance(own, facts.Fill) else own
    elif isinstance(item, OrderSeen):
        yield item.replaced(heard=True)
    elif not isinstance(item, facts.Order):
        yield owned(item, account, "")


def owned(item: Item, account: str, strategy: str) -> Item:
    """Return a fact with its account, an order with its strategy too."""
    if isinstance(item, facts.Order):
        return item.replaced(account=account, strategy=strategy)
    return item.replaced(account=account) if isinstance(item, facts.Fill | facts.OrderUpdate) else item
