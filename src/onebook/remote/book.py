"""A book that another process serves: the same calls, the same records, the same errors."""

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import cached_property
from time import monotonic
from typing import TYPE_CHECKING, Any, NoReturn, Self

from onebook.book.log import Filter
from onebook.book.reading import Moment, moment_ns
from onebook.domain import times
from onebook.domain.fields import required
from onebook.domain.numbers import number
from onebook.domain.reports import Event, Mark, Position, Status, Verification, as_plain
from onebook.errors import InputError, NotAllowed
from onebook.feed.calling import Handler
from onebook.remote.asking import Asking
from onebook.remote.following import SILENCE_SECONDS, Following, event_of
from onebook.remote.listening import RemoteListener
from onebook.remote.naming import MakeId, new_id
from onebook.remote.reading import RemoteReading
from onebook.remote.recording import Recording
from onebook.remote.rows import filter_query, text_of
from onebook.remote.state import RemoteState
from onebook.remote.subscribers import RemoteDesk
from onebook.remote.terms import Terms
from onebook.remote.trading import RemoteTrading
from onebook.remote.wire import record_of

if TYPE_CHECKING:
    from onebook.remote.aio import AsyncRemote

CLOSE_SECONDS = 5.0
VERIFY_SECONDS = 3600.0
_CONFLICT = frozenset({409})
_log = logging.getLogger("onebook.remote")


class RemoteAsOf(RemoteReading):
    """A remote book as of a point: read-only, same queries."""

    def events(self, *, after: int | str = 0, types: Any = None, **filters: Any) -> Iterator[Event]:
        """Return events after a sequence or event id, in the order of the log.

        Args:
            after: where to begin.
            types: names or patterns such as ``trade_*``.
            filters: ``instruments``, ``accounts``, ``strategies``, ``min_quantity``, ``min_amount``.
        """
        wanted, query = filter_query(types=types, **filters)
        return self.history(after, wanted, query)

    @cached_property
    def state(self) -> RemoteState:
        """What users kept under paths, and what the book showed of itself there."""
        return RemoteState(self._asking, self._point, None)


class RemoteBook(Recording):
    """A book behind a service. Thread-safe; close it, or use ``with``.

    Args:
        terms: how the service is reached.
        spool: file in which facts wait for the service; None: they are sent at once.
        spool_bytes: most that waits.
        gate_seconds: how long the order gate is waited for.
        silence_seconds: how long a stream may be silent before it is begun anew.
        on_refused: called with a sentence when a queued fact is refused.
        make_id: makes the id of a fact that has none.
    """

    def __init__(  # noqa: PLR0913  the parts of a remote book
        self,
        terms: Terms,
        *,
        spool: str | os.PathLike[str] | None = None,
        spool_bytes: int,
        gate_seconds: float,
        silence_seconds: float = SILENCE_SECONDS,
        on_refused: Callable[[str], None] | None = None,
        make_id: MakeId = new_id,
    ) -> None:
        place = None
        if spool is not None:
            from onebook.remote.queue import spool_at

            place = spool_at(spool, spool_bytes)
        super().__init__(Asking(terms), place, on_refused, make_id)
        self._silence = silence_seconds
        self._lock = threading.Lock()
        self._listeners: list[RemoteListener] = []
        self._aio: AsyncRemote | None = None
        self.trading = RemoteTrading(
            self._asking, self._known, self._named_order, self._behind, self._keep_exit, self._look_again, gate_seconds
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The address of the service."""
        return self._asking.url

    @property
    def store(self) -> NoReturn:
        """Refuse what needs the book itself.

        Raises:
            NotAllowed: always.
        """
        msg = f"{self.url}: a remote book has no file here; what needs one, such as recording(…), runs beside the book"
        raise NotAllowed(msg, url=self.url)

    @property
    def subscribe(self) -> NoReturn:
        """Point to what follows a book from elsewhere.

        Raises:
            AttributeError: always.
        """
        msg = (
            "a remote book has no subscribe: durable subscribers run beside the book; here use book.listen(handler),"
            " or book.events(after=…, follow=True) with the sequence that you keep"
        )
        raise AttributeError(msg, name="subscribe", obj=self)

    # ---- prices, signs of life ----

    def mark(self, instrument: str, price: Any, *, at: Moment = None, source: str = "") -> None:
        """Say what an instrument costs now. Marks are not durable, and never queued."""
        value = number("price", price)
        seen = moment_ns("at", at)
        body = {"instrument": required("instrument", instrument), "price": as_plain(value), "source": source}
        self._asking.ask("POST", "/v1/marks", body=body | ({} if seen is None else {"at": times.to_text(seen)}))

    def marks(self) -> list[Mark]:
        """Return the newest prices."""
        return self._listed("/v1/marks", Mark, {}, None)

    def heartbeat(self, strategy: str, every_seconds: float) -> None:
        """Say that a bot is alive and when its next sign of life is due; 0 says that it ends on purpose."""
        body = {"strategy": strategy, "every_seconds": as_plain(every_seconds)}
        self._asking.ask("POST", "/v1/heartbeats", body=body)

    # ---- about the book ----

    def status(self) -> Status:
        """Return the book in numbers."""
        return record_of(Status, self._get("/v1/status"))

    def verify(self) -> Verification:
        """Check every hash, fold everything again from zero and compare; it never raises for what it finds."""
        answer = self._asking.ask("GET", "/v1/verify", timeout=VERIFY_SECONDS, patience=VERIFY_SECONDS)
        return record_of(Verification, answer.data)

    @property
    def subscribers(self) -> RemoteDesk:
        """The durable subscribers: ``book.subscribers()`` lists them; ``skip retry reset drop remove`` act on them."""
        return RemoteDesk(self._asking, {})

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
        whose = {"account": account, "strategy": strategy, "instrument": instrument}
        found = super().positions(**whose, is_open=is_open, after=after, limit=limit)
        if self._queue is None:
            is_whole = set(whose.values()) == {None} and is_open is not False and not after and limit is None
            self._known.saw(found, all_of_them=is_whole)
            self._learn_own()
        return found

    def as_of(self, sequence: int | None = None, *, moment: Moment = None, known: int | None = None) -> RemoteAsOf:
        """Return the book at another point, read-only, with the same queries.

        Args:
            sequence: as it was known after this entry.
            moment: only what had happened by then, as known now.
            known: with ``moment``: as known after this entry.

        Raises:
            InputError: neither or both, or a sequence that the log does not have.
        """
        if (sequence is None) == (moment is None):
            msg = "as_of takes a sequence, or moment=... (and known=...)"
            raise InputError(msg)
        point = {"as_of": str(sequence)} if moment is None else {"as_of": str(text_of("moment", moment))}
        limit = known if sequence is None else sequence
        given: object = limit
        if given is not None and (type(given) is not int or given < 0):
            msg = f"{'known' if sequence is None else 'sequence'}: {limit!r} is not a sequence of the log"
            raise InputError(msg, value=limit)
        if known is not None and sequence is None:
            point["known"] = str(known)
        self._asking.ask("GET", "/v1/settings", query={**point, "limit": 1})
        return RemoteAsOf(self._asking, point)

    # ---- following ----

    def events(  # noqa: PLR0913  the filters of a book
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
        """Return events after a sequence or event id, in the order of the log, each once.

        Args:
            after: where to begin.
            types: names or patterns such as ``trade_*``.
            instruments: only these.
            accounts: only these.
            strategies: only these.
            min_quantity: leave fills of a smaller quantity out.
            min_amount: leave fills of a smaller quantity × price out, in the quote currency.
            follow: wait for more at the end, over lost connections and restarts of the service.
            timeout: end after so many seconds without one; None waits for ever.

        Raises:
            ConflictError: while following: the book was replaced by another; read everything again.
            SourceError: nobody answered.
        """
        given = {"types": types, "instruments": instruments, "accounts": accounts, "strategies": strategies}
        wanted, query = filter_query(**given, min_quantity=min_quantity, min_amount=min_amount)
        if not follow:
            return self.history(after, wanted, query)
        return self._followed(self.following(query, after), wanted, timeout)

    def following(self, query: dict[str, Any], after: int | str) -> Following:
        """Return a follower of the log, for the async face; prices are left out.

        Raises:
            StoreClosed: this remote book is closed.
        """
        self._asking.check_open()
        return Following(self._asking, {**query, "prices_per_second": 0}, after, self._silence)

    @staticmethod
    def _followed(following: Following, wanted: Filter, timeout: float | None) -> Iterator[Event]:
        with closing(following), closing(following.frames(timeout)) as frames:  # type: ignore[type-var]
            for frame in frames:
                event = event_of(frame)
                if wanted.wants(event):
                    yield event

    def listen(  # noqa: PLR0913  the filters of a book
        self,
        handler: Handler,
        *,
        types: Iterable[str] | str | None = ("*",),
        instruments: Iterable[str] | str | None = None,
        accounts: Iterable[str] | str | None = None,
        strategies: Iterable[str] | str | None = None,
        min_quantity: Any = None,
        min_amount: Any = None,
        after: int | str | None = None,
    ) -> RemoteListener:
        """Tell a handler what happens from now on; returns a handle with ``close() errors last_error``.

        As with a book; and an event of the type ``reset`` says that the book was replaced by another, so that what was
        read before has to be read again.

        Args:
            handler: called with each event, one at a time, in order, on a thread of its own; may be ``async def``.
            types: names or patterns such as ``trade_*``.
            instruments: only these.
            accounts: only these.
            strategies: only these.
            min_quantity: leave fills of a smaller quantity out.
            min_amount: leave fills of a smaller quantity × price out, in the quote currency.
            after: begin behind this sequence or event id; None: with what is recorded from now on.

        Raises:
            SourceError: nobody answered.
        """
        given = {"types": types, "instruments": instruments, "accounts": accounts, "strategies": strategies}
        wanted, query = filter_query(**given, min_quantity=min_quantity, min_amount=min_amount)
        return self._listen(handler, wanted, query, after, None)

    def _listen(
        self, handler: Handler, wanted: Filter, query: dict[str, Any], after: int | str | None, told: Any
    ) -> RemoteListener:
        place = self.status().entries if after is None else after
        following = Following(self._asking, query, place, self._silence)
        made = RemoteListener(self._asking, following, wanted, handler, told)
        with self._lock:
            self._listeners = [item for item in self._listeners if not item.closed] + [made]
        return made

    @cached_property
    def state(self) -> RemoteState:
        """Values under paths: what users keep there, and what the book shows of itself; with ``watch``."""

        def listen(handler: Handler, told: Any) -> RemoteListener:
            wanted, query = filter_query()
            return self._listen(handler, wanted, {**query, "prices_per_second": 0}, None, told)

        return RemoteState(self._asking, {}, listen)

    @property
    def aio(self) -> "AsyncRemote":
        """The calls for event loops: ``await book.aio.record(fact)``, ``async for event in book.aio.events()``."""
        with self._lock:
            if self._aio is None:
                from onebook.remote.aio import AsyncRemote

                self._aio = AsyncRemote(self)
            return self._aio

    def close(self, timeout: float = CLOSE_SECONDS) -> None:
        """Send what can be sent in so many seconds, and give everything back. What is queued stays in its file."""
        if self._asking.closed:
            return
        until = monotonic() + timeout
        for listener in self._listeners:
            listener.close()
        if self._queue is not None:
            self._queue.close(max(until - monotonic(), 0.1), self._asking.close)
        self._asking.close()
        if self._aio is not None:
            self._aio.end()
