"""What EXTERNAL holds of an account: executions of orders that no bot recorded, until one of them does.

Who reads an execution often cannot tell whose it is: another bot's order may wait in that one's spool, or be a
person's. So EXTERNAL holds it, and when a bot's order gets the id under which the execution came, it moves there. See
``docs/decisions/0016-an-execution-is-its-orders.md``.
"""

import logging
from datetime import datetime

from onebook.book.core import Core
from onebook.domain.decide.orders import facts_of_order
from onebook.domain.facts import EXTERNAL, Fill
from onebook.domain.times import to_datetime, to_ns
from onebook.errors import RuleError
from onebook.intake.adapters.recorder_known import Known
from onebook.store.codec import decode_entry

CLOCKS_NS = 60_000_000_000
"""How far the clocks of hosts that write into one book may be apart."""
MAX_ORDERS = 100_000
"""Most orders of EXTERNAL's executions that are kept in memory; the oldest go first."""
MANY = 1000
"""So many entries are read rather than looked for the first one that matters."""
_NOBODYS = frozenset({"", EXTERNAL})
_MARGIN_NS = 3_600_000_000_000

_log = logging.getLogger("onebook.recorder")


class External:
    """Gives EXTERNAL what nobody's order explains, and takes it back for the bot whose order does.

    Args:
        book: which.
        account: whose.
        venue: where.
        strategy: who reads, for the log.
    """

    def __init__(self, book: Core, account: str, venue: str, strategy: str) -> None:
        self._book, self._account = book, account
        self._subject = "/".join(filter(None, (venue, account, strategy)))
        self._strategy = strategy
        self._index = _Index(book, account)
        self._has_said = False

    def holds(self, venue_order_id: str, instrument: str) -> None:
        """Say, once, that EXTERNAL gets something."""
        if not self._has_said:
            self._has_said = True
            text = (
                "%s: no recorded bot sent order %s of %s, so EXTERNAL holds what it fills until one records it; where"
                " %s is all that trades on this account, record it with owns='all'"
            )
            _log.warning(text, self._subject, venue_order_id or "without an id", instrument, self._strategy)

    def claim(self, order: Known, venue_order_id: str = "") -> None:
        """Move what EXTERNAL holds of a bot's order to that bot, and to the order.

        Args:
            order: which; nothing is done with one that is not known or nobody's.
            venue_order_id: the venue's name of it, where the book does not have it yet.

        Raises:
            StoreError: the book fails; the same again is safe.
        """
        body = order.body
        if body is None or not order.is_known or order.strategy in _NOBODYS:
            return
        names = {venue_order_id, str(body.get("venue_order_id") or "")} - {""}
        since = self._index.since(order.at, [*((_VENUE, name) for name in names), (_OURS, order.client_order_id)])
        if since is None:
            return
        for held in self._book.fills(
            account=self._account, strategy=EXTERNAL, instrument=body["instrument"], since=since
        ):
            fill: Fill = held.fill
            named = fill.client_order_id == order.client_order_id or fill.venue_order_id in names
            if not named or fill.side != body.get("side"):
                continue
            more = facts_of_order(fill, body)
            own = {"strategy": order.strategy, "client_order_id": order.client_order_id}
            try:
                self._book.correct(held.id, reason="claimed", **own, **more)
            except RuleError as problem:
                _log.debug("%s is not claimed: %s", held.identity, problem)  # busted meanwhile


_VENUE, _OURS = "venue", "ours"


class _Index:
    """When executions of which order were booked under EXTERNAL, by the order's names: the log read once, onwards.

    The log is asked and not the venue's times: its clock may be another one, and what came early for an order was
    booked after the order was made.
    """

    def __init__(self, book: Core, account: str) -> None:
        self._book, self._account = book, account
        self._start_ns: int | None = None
        self._position = 0
        self._first: dict[tuple[str, str], datetime] = {}

    def since(self, made_ns: int, names: list[tuple[str, str]]) -> datetime | None:
        """Return a moment of the venue's clock before all executions under one of these names; None: there are none.

        Args:
            made_ns: when the order was made, nanoseconds since 1970 UTC.
            names: of the order.
        """
        self._read(min(made_ns, self._book.now()) - CLOCKS_NS)
        found = [self._first[name] for name in names if name in self._first]
        if not found:
            return None
        return to_datetime(max(to_ns("since", min(found)) - _MARGIN_NS, 0))

    def _read(self, begin_ns: int) -> None:
        """Read the log from a moment on, as far as that is not done; what is older and not read yet is passed over."""
        with self._book.store.reading() as reader:
            head = reader.head()[0]
        if self._start_ns is None or begin_ns < self._start_ns:
            self._start_ns, self._position = begin_ns, self._sequence_at(begin_ns, head)
            self._first.clear()
        elif head - self._position > MANY and (begin := self._sequence_at(begin_ns, head)) > self._position:
            self._start_ns, self._position = begin_ns, begin
        found = self._book.events(
            after=self._position, types="trade_executed", accounts=self._account, strategies=EXTERNAL
        )
        for event in found:
            data = event.data
            for name in ((_VENUE, data.get("venue_order_id", "")), (_OURS, data.get("client_order_id", ""))):
                if name[1]:
                    self._first[name] = min(event.occurred_at, self._first.get(name, event.occurred_at))
        while len(self._first) > MAX_ORDERS:
            del self._first[next(iter(self._first))]
        self._position = max(head, self._position)

    def _sequence_at(self, moment_ns: int, head: int) -> int:
        """Return the newest entry recorded before a moment; 0 when there is none."""
        low, high = 0, head
        if not high or self._at(high) < moment_ns:
            return high
        while low < high - 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._at(middle) < moment_ns else (low, middle)
        return low

    def _at(self, sequence: int) -> int:
        row = self._book.entries(after=sequence - 1, limit=1)[0]
        return decode_entry(row[0], row[1]).at
