"""Recording a bot on alpaca-py: its stream of trade updates, its trading client, and what it missed.

The bot's own objects are returned, with recording in front of what it calls; requests, answers and updates go through
unchanged. alpaca-py is never imported here. See ``docs/how-to/join-alpaca.md``.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar

from onebook.book.core import Core
from onebook.domain import facts
from onebook.errors import BadConfig, InputError
from onebook.feed.calling import tried
from onebook.intake.adapters.alpaca_missing import ACTIVITIES, catch_up, missing, owned, sent_by
from onebook.intake.adapters.alpaca_reading import VENUE, Data, of_activity, of_order, of_update, plain_data
from onebook.intake.adapters.recorder import Item, OrderSeen, Recorder
from onebook.intake.adapters.recorder_place import check_bot

__all__ = ["catch_up", "recording"]

Joined = TypeVar("Joined")
Heard = Callable[[Any], Awaitable[Any]]

ORDERS = "/orders"
POSITIONS = "/positions"
MAX_NAMES = 10_000
"""Most orders whose names are kept in memory."""
REFUSED = frozenset({400, 403, 404, 422})
"""Answers after which an order is certainly not at the venue, unless it is there already."""
DUPLICATE = re.compile(r"must be unique|duplicat|already (exist|used)", re.IGNORECASE)
"""How Alpaca says that it has an order of this client order id."""


def recording(  # noqa: PLR0913  what a bot may choose
    joined: Joined,
    book: Core,
    *,
    strategy: str,
    account: str = "main",
    client_order_prefix: str = "",
    spool: str | None = None,
    owns: str = "sent",
) -> Joined:
    """Let a bot's ``TradingStream`` or ``TradingClient`` record itself; the same object comes back.

    A stream records every trade update while it runs, whether the bot handles them or not. A client records the orders
    that it places, replaces, cancels or asks for, and the FILL activities. Do both, in any order: each is booked once.
    Nothing that goes wrong in recording reaches the bot; facts that the book does not take wait in a spool.

    Args:
        joined: a ``TradingStream``, or a ``TradingClient``.
        book: an open book.
        strategy: whose orders these are.
        account: the book's account at Alpaca.
        client_order_prefix: record only orders whose client_order_id begins so: several bots share one account.
        spool: path of the spool, or a folder for it; None: beside the book.
        owns: whose is what is heard: ``sent``: the strategy's are the orders that a recorded client of its sends, and
            those with its prefix; what is heard of others is held by EXTERNAL until their bot records them; ``all``:
            everything on the account is this bot's, for one that trades there alone.

    Raises:
        BadConfig: it is recorded already, the account is at another venue, the spool is a file that is no spool, or
            ``owns`` is neither of the two.
        InputError: it is neither, or no strategy.
    """
    kind: Any = joined
    if hasattr(kind, "recorder"):
        msg = f"this {type(joined).__name__} is recorded already; a bot needs one recording"
        raise BadConfig(msg, field="joined")
    if callable(getattr(kind, "subscribe_trade_updates", None)):
        join: Callable[[Any, _Desk], None] = _join_stream
    elif all(callable(getattr(kind, verb, None)) for verb in ("get", "post", "patch", "delete")):
        join = _join_client
    else:
        msg = f"{type(joined).__name__} is neither a TradingStream nor a TradingClient of alpaca-py"
        raise InputError(msg, field="joined")
    check_bot(book, account, VENUE, strategy, "this one")
    recorder = Recorder(book, strategy=strategy, account=account, venue=VENUE, spool=spool, owns=owns)
    kind.recorder = recorder
    join(kind, _Desk(recorder, client_order_prefix))
    return joined


class _Desk:
    """Turns what is sent and heard into facts of one strategy in one account."""

    def __init__(self, recorder: Recorder, prefix: str) -> None:
        self.recorder = recorder
        self._prefix = prefix
        self._names: dict[str, str] = {}
        self._defined: set[str] = set()

    def heard(self, update: Any) -> list[Item]:
        """Return what a trade update tells, as a model or as raw data."""
        data, _ = tried(lambda: plain_data(update))
        what = str((data or {}).get("event") or "trade update")
        raw = update if data is None else data
        return self._kept(self.recorder.read(lambda: of_update(plain_data(update)), what=what, raw=raw))

    def orders(self, rows: Iterable[Data], *, own: bool, **known: Any) -> list[Item]:
        """Return what orders tell: those that Alpaca answered with, or one that could not be sent.

        ``own``: the client itself sent them.
        """
        found: list[Item] = []
        for row in rows:
            read = self.recorder.read(lambda row=row: of_order(row, filled=True, **known), what="order", raw=row)  # type: ignore[misc]
            found += self._kept(read, own=own)
        return found

    def executions(self, rows: Iterable[Data]) -> list[Item]:
        """Return the executions in a list of activities that the book does not have.

        Raises:
            StoreError: the book cannot be read.
        """
        found: list[Item] = []
        for row in missing(self.recorder.book, self.recorder.account, list(rows)):
            found += self.recorder.read(lambda row=row: [of_activity(row)], what="fill", raw=row)  # type: ignore[misc]
        return self._kept(found)

    def asked(self, order_id: str, status: str, reason: str = "") -> list[Item]:
        """Return that an order shall be canceled or replaced, when it is one of ours."""
        name = self._names.get(order_id)
        if name is None:
            return []
        update = facts.OrderUpdate(client_order_id=name, status=status, venue_order_id=order_id, reason=reason)
        return [owned(update, self.recorder.account, self.recorder.strategy)]

    def _kept(self, items: list[Item], *, own: bool = False) -> list[Item]:
        """Return the items that are to be recorded, with the account and what is known of whose they are.

        An instrument comes once; the book may have another.
        """
        kept: list[Item] = []
        for item in items:
            if isinstance(item, facts.Instrument):
                if item.symbol in self._defined:
                    continue
                self._defined.add(item.symbol)
            elif isinstance(item, OrderSeen | facts.Order | facts.Fill):
                if not item.client_order_id.startswith(self._prefix):
                    continue
                if isinstance(item, OrderSeen):
                    self._remember(item)
                is_mine = own or self.recorder.owns_all or bool(self._prefix)
                kept += sent_by(item, self.recorder.strategy if is_mine else None, self.recorder.account)
                continue
            kept.append(owned(item, self.recorder.account, self.recorder.strategy))
        return kept

    def _remember(self, order: OrderSeen) -> None:
        self._names[order.venue_order_id] = order.client_order_id
        if len(self._names) > MAX_NAMES:
            del self._names[next(iter(self._names))]


# ---- the stream ----


def _join_stream(stream: Any, desk: _Desk) -> None:
    subscribe = stream.subscribe_trade_updates
    had: Heard | None = getattr(stream, "_trade_updates_handler", None)

    @wraps(subscribe)
    def subscribe_recording(handler: Heard) -> Any:
        if not asyncio.iscoroutinefunction(handler):
            return subscribe(handler)  # which says what is wrong with it
        return subscribe(_recording_first(handler, desk))

    subscribe(_recording_first(had, desk))
    stream.subscribe_trade_updates = subscribe_recording


def _recording_first(handler: Heard | None, desk: _Desk) -> Heard:
    """Return a handler that records an update, while the bot's own gets the very same object."""

    async def heard(update: Any) -> Any:
        recorded = asyncio.ensure_future(desk.recorder.take_async(desk.heard(update)))
        await asyncio.sleep(0)  # by now a thread of its own is recording
        try:
            return None if handler is None else await handler(update)
        finally:
            await recorded

    return heard if handler is None else wraps(handler)(heard)


# ---- the client ----


def _join_client(client: Any, desk: _Desk) -> None:
    post, patch, delete, get = client.post, client.patch, client.delete, client.get

    @wraps(post)
    def post_recording(path: str, data: Any = None, **more: Any) -> Any:
        try:
            answer = post(path, data, **more)
        except Exception as problem:
            if path == ORDERS:
                _unsent(desk, data, problem)
            raise
        _answered(desk, path, answer, own=True)
        return answer

    @wraps(patch)
    def patch_recording(path: str, data: Any = None, **more: Any) -> Any:
        answer = patch(path, data, **more)
        _answered(desk, path, answer, own=True)
        if path.startswith(f"{ORDERS}/") and isinstance(answer, Mapping) and answer.get("id"):
            reason = f"replaced by {answer['id']}"
            desk.recorder.take(desk.asked(path.removeprefix(f"{ORDERS}/"), "pending_replace", reason))
        return answer

    @wraps(delete)
    def delete_recording(path: str, data: Any = None, **more: Any) -> Any:
        answer = delete(path, data, **more)
        if path.startswith(f"{ORDERS}/"):
            desk.recorder.take(desk.asked(path.removeprefix(f"{ORDERS}/"), "pending_cancel"))
        elif path == ORDERS:
            for row in _rows(answer):
                desk.recorder.take(desk.asked(str(row.get("id")), "pending_cancel"))
        else:
            _answered(desk, path, answer, own=True)
        return answer

    @wraps(get)
    def get_recording(path: str, data: Any = None, **more: Any) -> Any:
        answer = get(path, data, **more)
        if path.startswith(ACTIVITIES):
            found, _ = tried(lambda: desk.executions(_rows(answer)))  # a book that cannot be read now: catch_up will
            desk.recorder.take(found or ())
        else:
            _answered(desk, path, answer, own=False)
        return answer

    client.post, client.patch, client.delete, client.get = (
        post_recording,
        patch_recording,
        delete_recording,
        get_recording,
    )


def _answered(desk: _Desk, path: str, answer: Any, *, own: bool) -> None:
    """Record the orders in an answer, which the client sent or only asked for.

    Those that close positions come in an envelope each.
    """
    if path.startswith((ORDERS, POSITIONS)):
        rows = [row["body"] if isinstance(row.get("body"), Mapping) else row for row in _rows(answer)]
        desk.recorder.take(desk.orders((row for row in rows if "client_order_id" in row), own=own))


def _unsent(desk: _Desk, data: Any, problem: Exception) -> None:
    """Record an order that Alpaca refused, or of which nobody knows whether it arrived; only under the bot's own id."""
    if isinstance(data, Mapping) and data.get("client_order_id"):
        refused, _ = tried(lambda: getattr(problem, "status_code", None) in REFUSED)
        reason = str(problem)[:500]
        is_there = DUPLICATE.search(reason) is not None
        status = "rejected" if refused and not is_there else "unknown"
        desk.recorder.take(desk.orders([data], own=True, status=status, reason=reason))


def _rows(answer: Any) -> list[Data]:
    found = answer if isinstance(answer, Sequence) and not isinstance(answer, str) else [answer]
    return [row for row in found if isinstance(row, Mapping)]
