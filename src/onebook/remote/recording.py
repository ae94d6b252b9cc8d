"""The part of a remote book that records: at once, or through a file that outlasts an outage."""

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from onebook.clock import system_clock
from onebook.domain.facts import AnyFact, Order
from onebook.domain.fields import required
from onebook.domain.reports import BatchReport, Break, OrderState, Position, as_plain
from onebook.errors import BookError, InputError, NotAllowed, RuleError
from onebook.remote.asking import Asking
from onebook.remote.known import Known
from onebook.remote.naming import MakeId, identity_of, is_untimed, named, sendable
from onebook.remote.reading import RemoteReading
from onebook.remote.receipts import QUEUED, RemoteReceipt, receipt_of, subject_of
from onebook.remote.sending import MOST, Sending, Tally, chunks_of, row_of
from onebook.remote.wire import record_of, stated

if TYPE_CHECKING:
    from onebook.intake.adapters.spool import Spool
    from onebook.remote.moments import Moments
    from onebook.remote.queue import Queue

_log = logging.getLogger("onebook.remote")


class Recording(RemoteReading):
    """Records over HTTP.

    Args:
        asking: the service.
        spool: in which facts wait for the service; None: they are sent at once.
        on_refused: called with a sentence when a queued fact is refused.
        make_id: makes the id of a fact that has none.
    """

    def __init__(
        self, asking: Asking, spool: "Spool | None", on_refused: Callable[[str], None] | None, make_id: MakeId
    ) -> None:
        super().__init__(asking, {})
        self._make_id = make_id
        self._sending = Sending(asking)
        self._known = Known()
        self._moments: Moments | None = None
        self._queue: Queue | None = None  # its thread may be done before the next line is
        if spool is not None:
            self._queue = self._queue_on(spool, on_refused)

    def _queue_on(self, spool: "Spool", alert: Callable[[str], None] | None) -> "Queue":
        from onebook.remote.moments import Moments
        from onebook.remote.queue import Queue

        self._moments = Moments(spool.path.with_name(spool.path.name + ".times"))
        pause, emptied = self._asking.backoff, self._look_when_sent
        return Queue(spool, self._sending.rows, most=MOST, pause=pause, emptied=emptied, alert=alert)

    def now(self) -> int:
        """Return the moment by the clock of this machine, in nanoseconds since 1970 UTC."""
        return system_clock()

    # ---- facts ----

    def record(self, fact: AnyFact, *, correlation_id: str = "") -> RemoteReceipt:
        """Take in a fact; it is durable when this returns: in the book, or with a spool on this machine (``queued``).

        Args:
            fact: a Fill, Order, Transfer and so on; one without an identity is given one.
            correlation_id: none over HTTP.

        Raises:
            InputError: it is malformed.
            RuleError: a rule refuses it; with a spool that is found out later.
            SourceError: nobody answered; trying again is safe for a fact with an identity.
            StoreFull: the spool is at its limit.
        """
        if correlation_id:
            msg = "correlation_id: is not taken over HTTP; leave it out"
            raise InputError(msg, field="correlation_id", value=correlation_id)
        if self._queue is not None:
            return self._put([sendable(fact)])[0]
        ready = self._ready(fact)
        found = self._sending.one(ready)
        self._known.recorded(ready, found.position)
        self._learn_own()
        return found

    def _ready(self, fact: Any) -> Any:
        return named(sendable(fact), self._make_id, self.now(), waits=False)

    def _timed(self, given: list[Any]) -> list[Any]:
        """Return facts with identities, and times; a repeat without a time is given that of the first."""
        assert self._moments is not None  # noqa: S101  asked only where there is a spool
        now = self.now()
        repeatable = [name for fact in given if is_untimed(fact) and (name := identity_of(fact))]
        moments = dict(zip(repeatable, self._moments.of(repeatable, now), strict=True)) if repeatable else {}
        return [named(fact, self._make_id, moments.get(identity_of(fact), now), waits=True) for fact in given]

    def _put(self, given: list[Any]) -> list[RemoteReceipt]:
        """Keep facts for the sender."""
        assert self._queue is not None  # noqa: S101  asked only where there is one
        facts = self._timed(given)
        rows = [row_of(self._make_id(), fact.KIND, stated(fact)) for fact in facts]
        self._queue.put(rows)
        for fact in facts:
            self._known.queued(identity_of(fact), fact)
        return [RemoteReceipt(QUEUED, 0, identity_of(fact), subject=subject_of(fact)) for fact in facts]

    def record_many(self, facts: Iterable[AnyFact], *, progress: Callable[[int], None] | None = None) -> BatchReport:
        """Take in many facts, in order; bad ones are refused alone and listed.

        With a spool the answer is a :class:`onebook.remote.receipts.QueuedReport`.

        Args:
            facts: any iterable; it is read in pieces.
            progress: called with how many were handled so far.
        """
        if self._queue is None:
            self._known.forget()
            try:
                return self._sending.many(facts, self._ready, progress).report()
            finally:
                self._known.forget()
        tally = Tally()
        for chunk in chunks_of(facts):
            ready = []
            for place, given in enumerate(chunk, tally.handled):
                try:
                    ready.append(sendable(given))
                except (InputError, NotAllowed) as problem:
                    tally.refuse(place, problem)
            if ready:
                self._put(ready)
            tally.handled += len(chunk)
            tally.queued += len(ready)
            if progress is not None:
                progress(tally.handled)
        return tally.queued_report()

    def bust(self, which: int | str, *, reason: str) -> RemoteReceipt:
        """Take a fill back: the venue says it never happened."""
        return self._deed("POST", "/v1/fills/bust", {"which": which, "reason": reason})

    def correct(self, which: int | str, *, reason: str, **changes: Any) -> RemoteReceipt:
        """Replace fields of a fill by what is right."""
        body = {"which": which, "reason": reason, "changes": as_plain(changes)}
        return self._deed("POST", "/v1/fills/correct", body)

    def annotate(
        self, round_trip_id: int, *, notes: str | None = None, tags: Iterable[str] | None = None
    ) -> RemoteReceipt:
        """Hang notes and tags on a round trip; None leaves them as they are."""
        given = {"notes": notes, "tags": tags if tags is None or isinstance(tags, str) else list(tags)}
        body = {name: value for name, value in given.items() if value is not None}
        return self._deed("PATCH", f"/v1/round-trips/{quote(str(round_trip_id), safe='')}", body)

    def _deed(self, method: str, path: str, body: Any) -> RemoteReceipt:
        self._known.forget()
        return receipt_of(self._asking.ask(method, path, body=body).data, None)

    def resolve_break(self, break_id: str, *, reason: str) -> Break:
        """Settle a difference: orders may open positions in its instrument again."""
        path = f"/v1/breaks/{quote(required('break_id', break_id), safe='')}/resolve"
        try:
            answer = self._asking.ask("POST", path, body={"reason": required("reason", reason)})
        except RuleError:
            found = next((item for item in self.breaks(state="resolved") if item.id == break_id), None)
            if found is None or found.note != reason:  # not by an earlier try of this call
                raise
            return found
        return record_of(Break, answer.data)

    # ---- what waits here ----

    @property
    def queued_bytes(self) -> int:
        """How many bytes of facts wait to be sent; 0 when there is nothing, or no spool."""
        return 0 if self._queue is None else self._queue.spool.size

    @property
    def refused(self) -> int:
        """How many queued facts were refused; they are in the spool's file with ``.refused`` at its end."""
        return 0 if self._queue is None else len(self._queue.refused)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until everything recorded is with the service; False when it is not in so many seconds."""
        return self._queue is None or self._queue.wait(timeout)

    def _look_when_sent(self) -> None:
        """Look once everything is sent: exits may depend on it when nobody can be asked."""
        if self._queue is not None:
            waiting = self._known.waiting
            if not self._queue.spool.size:  # so all that waited then is with the service now
                self._look(waiting)

    def _look(self, sent: frozenset[str] = frozenset()) -> None:
        """Ask what is held, and what is on its way.

        Args:
            sent: queued fills that the service has.
        """
        try:
            opened = [record_of(OrderState, row) for row in self._rows("/v1/orders", {"is_open": "true"})]
            held = [record_of(Position, row) for row in self._rows("/v1/positions", {"is_open": "true"})]
        except BookError as problem:
            _log.debug("%s: positions are not known: %s", self._asking.url, problem)
            return
        self._known.looked(held, opened, sent)
        self._learn_own()

    def _learn_own(self) -> None:
        """Ask once under which strategy the service records what names none; that is the token's."""
        if self._known.knows_own:
            return
        if self._asking.terms.token is None:
            self._known.is_mine("")
            return
        try:
            session = self._asking.ask("GET", "/v1/session", patience=0).data
            self._known.is_mine(str(session["strategy"]))
        except (BookError, LookupError, TypeError) as problem:
            _log.debug("%s: the token's strategy is not known: %s", self._asking.url, problem)

    # ---- trading without the service ----

    def _named_order(self, order: Order) -> Order:
        given: object = order
        if not isinstance(given, Order):
            msg = f"order: {type(given).__name__} is no Order"
            raise InputError(msg, field="order")
        ready: Order = named(given, self._make_id, self.now(), waits=False)
        return ready

    def _behind(self, seconds: float) -> str:
        """Return why the gate cannot know everything yet; empty when it does."""
        if self._queue is None or self._queue.wait(0 if self._queue.trouble else seconds):
            return ""
        return self._queue.trouble or "facts of this client still wait to be sent"

    def _keep_exit(self, order: Order) -> None:
        if self._queue is not None:
            self._put([order])

    def _look_again(self) -> None:
        """Look after an outage; with a spool that is done when everything is sent."""
        if self._queue is None:
            self._look()
