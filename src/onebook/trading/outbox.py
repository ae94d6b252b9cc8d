"""The log is the outbox: what the gate has let through is read from it and handed to the broker of its account.

Every process may place orders; only the one that holds an account's broker sends them. What was written while nobody
held it is asked for, and sent, at the start.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from onebook.book.core import Core
from onebook.domain.commands import Record
from onebook.domain.orders import TERMINAL
from onebook.domain.reports import Event, OrderState
from onebook.errors import SourceError, StoreError
from onebook.trading.brokers.port import Broker, Report, Reports
from onebook.trading.doubts import Doubts
from onebook.trading.recovering import UNKNOWN_AFTER_SECONDS, Recovered, recover
from onebook.trading.sending import send

LOOK_SECONDS = 0.5
"""How often the thread looks whether it is to end, and tries again what could not be sent."""

MAX_AGAIN = 1000
"""Wishes that could not be sent and are tried again; of more the oldest are given up, with a warning."""

_TERMS = ("quantity", "limit_price", "stop_price")
_log = logging.getLogger("onebook.trading")


class Outbox:
    """Sends what the log says is to be sent, each thing once. Thread-safe.

    Args:
        book: whose log.
        brokers: by account; one broker may hold several.
        reports: takes what the venues say; None records it, one venue's word in one transaction.
        unknown_after_seconds: an order in doubt that its venue does not know is rejected when it is older.
    """

    def __init__(
        self,
        book: Core,
        brokers: Mapping[str, Broker],
        *,
        reports: Reports | None = None,
        unknown_after_seconds: float = UNKNOWN_AFTER_SECONDS,
    ) -> None:
        self._book = book
        self._brokers = dict(brokers)
        self._reports = reports or self.record
        self._unknown_after = unknown_after_seconds
        self._lock = threading.RLock()
        self._place = 0
        self._connected_at = 0
        self._doubts = Doubts(book, self._brokers, unknown_after_seconds, self._cancel)
        self._again: OrderedDict[tuple[str, str, str], Callable[[], None]] = OrderedDict()
        self._ends = threading.Event()
        self._thread: threading.Thread | None = None

    def record(self, reports: Sequence[Report]) -> None:
        """Record what a venue says, all of it in one transaction."""
        self._book.submit(*[Record(item) for item in reports], along=lambda _store: None)

    # ---- the start ----

    def start(self) -> list[Recovered]:
        """Connect every broker, ask it for the open orders, and send what was wished for while nobody was here.

        Returns:
            What became of the open orders, venue by venue.
        """
        self.connect()
        return self.recover()

    def connect(self) -> None:
        """Connect every broker; what is placed from now on is sent by :meth:`pump`, what was placed before is not."""
        with self._lock:
            self._place = self._connected_at = self._book.wakeups.look()
            for broker in distinct(self._brokers):
                broker.start(self._reports)

    def recover(self) -> list[Recovered]:
        """Ask every broker for the open orders, send what was wished for before, and what was placed since."""
        found = []
        with self._lock:
            for broker in distinct(self._brokers):
                if broker.is_certain:
                    self._send_left(broker)
                found.append(self._recover(broker))
            self._doubts.read(self._connected_at)
            self.pump()
        return found

    def _recover(self, broker: Broker) -> Recovered:
        """Ask a broker for the open orders; what it has not answered is asked of it again, in the order of wishing."""
        asked = [item for item in self._open_of(broker) if item.status in {"pending_cancel", "pending_replace"}]
        found_open: set[tuple[str, str]] = set()
        found = recover(
            self._book,
            broker,
            unknown_after_seconds=self._unknown_after,
            up_to=self._connected_at,
            cancel=lambda account, name: found_open.add((account, name)),
        )
        wished = self._wished(asked)
        for order in sorted(asked, key=lambda item: wished.get((item.account, item.client_order_id), item.sequence)):
            place = (order.account, order.client_order_id)
            now = self._book.order(order.client_order_id, account=order.account)
            if place in found_open:
                found_open.remove(place)
                self._cancel(*place)
            elif now is not None and now.is_open:
                self._wish_again(now if order.status == "pending_replace" else order)
        for place in sorted(found_open):
            self._cancel(*place)
        return found

    def _wished(self, asked: Sequence[OrderState]) -> dict[tuple[str, str], int]:
        """Return the entries that last asked for something of these orders: an order's end may end its children."""
        if not asked:
            return {}
        accounts = sorted({item.account for item in asked})
        begin = min(item.sequence for item in asked) - 1
        return {
            (event.account, str(event.data["client_order_id"])): event.sequence
            for event in self._book.events(after=begin, types="order_updated", accounts=accounts)
            if _wish(event) and _wish(event) != "pending_new"
        }

    def _open_of(self, broker: Broker) -> list[OrderState]:
        """Return what was open at a broker when it was connected."""
        accounts = [account for account, item in self._brokers.items() if item is broker]
        every = (order for account in accounts for order in self._book.orders(account=account, is_open=True))
        return [order for order in every if order.sequence <= self._connected_at]

    def _send_left(self, broker: Broker) -> None:
        """Send what was placed and never sent, in the order of its placing: a parent before its children."""
        for order in sorted(self._open_of(broker), key=lambda item: item.sequence):
            if order.status == "pending_new":
                self._submit(order.account, order.client_order_id)

    def _wish_again(self, order: OrderState) -> None:
        """Ask the venue again for what was asked for before, if it was not answered."""
        account, name = order.account, order.client_order_id
        if order.status == "pending_cancel" and not order.is_in_doubt:
            self._cancel(account, name)
        elif order.status == "pending_replace":
            events = self._book.events(after=order.sequence - 1, types="order_updated", accounts=[account])
            wishes = [event for event in events if event.data.get("client_order_id") == name and _wish(event)]
            if wishes:
                self._replace(account, name, wishes[-1].data)

    # ---- going on ----

    def pump(self, *, before: Callable[[], None] = lambda: None) -> int:
        """Send what was written since the last look; return how many things that were.

        Where it is time, venues are asked again for orders in doubt.

        Args:
            before: called once before anything is sent or asked; not where there is nothing to do.
        """
        with self._lock:
            again, self._again = self._again, OrderedDict()
            is_due = self._doubts.is_due()
            if again or is_due:
                before()
            for try_again in again.values():
                try_again()
            if is_due:
                self._doubts.look(self._place)
            head = self._book.wakeups.look()
            if head == self._place:
                return 0
            events = list(self._book.events(after=self._place, types="order_updated", accounts=list(self._brokers)))
            if not again and not is_due and any(map(_wish, events)):
                before()
            self._place = max([head, *(event.sequence for event in events)])
            return sum(self._send(event) for event in events)

    def _send(self, event: Event) -> bool:
        wish = _wish(event)
        if not wish:
            return False
        name = str(event.data["client_order_id"])
        if wish == "pending_new":
            self._submit(event.account, name)
        elif wish == "pending_cancel":
            self._cancel(event.account, name)
        else:
            self._replace(event.account, name, event.data)
        return True

    def _submit(self, account: str, name: str) -> None:
        """Send an order whose time it is: for the first time, so that one taken back by now was never sent."""
        found = self._book.order(name, account=account)
        if found is None or not found.is_open or found.status == "unknown":
            return
        broker = self._brokers[account]
        fate = send(self._book, broker, found)
        if fate == "unknown" or (fate == "sent" and not broker.is_certain):
            self._doubts.add(account, name)

    def _cancel(self, account: str, name: str) -> None:
        found = self._book.order(name, account=account)
        if found is None or not found.is_open:
            return
        if found.is_in_doubt:
            self._doubts.add(account, name)
        self._wish(account, name, "cancel", lambda: self._brokers[account].cancel(account, name))

    def _replace(self, account: str, name: str, data: Mapping[str, Any]) -> None:
        terms = {term: Decimal(data[term]) for term in _TERMS if data.get(term) is not None}
        self._wish(account, name, "replace", lambda: self._brokers[account].replace(account, name, **terms))

    def _wish(self, account: str, name: str, what: str, send: Callable[[], None]) -> None:
        """Send a wish about an order; where the venue cannot be reached it is tried again later."""
        try:
            send()
        except SourceError as problem:
            _log.warning("cannot %s order %s now: %s; it is tried again", what, name, problem)
            self._again[account, name, what] = lambda: self._wish_if_open(account, name, what, send)
            while len(self._again) > MAX_AGAIN:
                (_, dropped, wish), _ = self._again.popitem(last=False)
                _log.warning("too much waits to be sent: %s of order %s is given up", wish, dropped)

    def _wish_if_open(self, account: str, name: str, what: str, send: Callable[[], None]) -> None:
        found = self._book.order(name, account=account)
        if found is not None and found.status not in TERMINAL:
            self._wish(account, name, what, send)

    # ---- a thread, for orders of other processes ----

    def follow(self) -> None:
        """Send what other processes and threads place too, on a thread, until it is closed."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._follow, name="onebook-outbox", daemon=True)
            self._thread.start()

    def _follow(self) -> None:
        with self._book.wakeups as wakeups:
            while not self._ends.is_set() and not wakeups.closed:
                if wakeups.wait(self._place, LOOK_SECONDS) or self._again or len(self._doubts):
                    try:
                        self.pump()
                    except StoreError as problem:
                        _log.warning("the outbox cannot read the book now: %s", problem)
                        self._ends.wait(LOOK_SECONDS)

    def close(self) -> None:
        """Send nothing more, and disconnect the brokers. What rests at a venue stays there."""
        self._ends.set()
        thread = self._thread
        if thread is not None and thread.is_alive() and thread is not threading.current_thread():
            thread.join()
        for broker in distinct(self._brokers):
            broker.close()


def distinct(brokers: Mapping[str, Broker]) -> list[Broker]:
    """Return each broker once, in the order of their accounts."""
    return list({id(item): item for item in brokers.values()}.values())


def _wish(event: Event) -> str:
    """Return what an event asks for: ``pending_new``, ``pending_cancel`` or ``pending_replace``, else nothing."""
    status = str(event.data.get("status", ""))
    if "side" in event.data:  # the order itself: as it was placed, or after a fill
        return status if status == "pending_new" else ""
    return status if status in {"pending_cancel", "pending_replace"} else ""
