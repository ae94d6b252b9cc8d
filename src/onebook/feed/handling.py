"""Handlers as sinks: outside the book, and inside it with effects that commit together with the checkpoint."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

from onebook.book.core import Core
from onebook.book.logged import LoggedEvent, Place
from onebook.domain import commands
from onebook.domain.facts import AnyFact
from onebook.domain.state_commands import AnyPath, change_command, publish_command
from onebook.errors import RuleError
from onebook.feed.calling import Caller, Handler
from onebook.feed.checkpoint import SAVE_EVERY, Superseded
from onebook.feed.sink import OneByOne
from onebook.store.port import Store

if TYPE_CHECKING:
    from onebook.feed.subscriber import Subscriber


class HandlerSink(OneByOne):
    """Calls a handler with each event. What it does is outside the book: at least once.

    Args:
        call: the handler.
        subscriber: told after each event that it is out.
    """

    max_batch = SAVE_EVERY

    def __init__(self, call: Caller, subscriber: "Subscriber") -> None:
        self._call = call
        self._subscriber = subscriber
        subscriber.give_up = call.give_up

    def deliver(self, events: Sequence[LoggedEvent], *, more: bool) -> bool:  # noqa: ARG002  it keeps nothing back
        """Call the handler with one after the other."""
        call, subscriber = self._call, self._subscriber
        for event in events:
            if subscriber.stopping:
                raise Superseded
            try:
                call(event)
            except CancelledError:
                raise Superseded from None
            subscriber.done(event.place)
        return True

    def close(self) -> None:
        """Give back what it holds."""
        self._call.close()


class Wanted(list[commands.Command]):
    """What a handler wants done in the book; it takes nothing more once the handler has returned."""

    ended = False

    def append(self, command: commands.Command) -> None:
        """Take one more.

        Raises:
            RuleError: the handler has returned, so nothing would come of it.
        """
        if self.ended:
            msg = "this tx is over: its handler has returned. Record with book.record, or inside the handler"
            raise RuleError(msg)
        super().append(command)


class Tx:
    """What a handler does in the book because of one event: all of it commits with the checkpoint, or nothing.

    Attributes:
        book: for queries, as it stands before.
        state: changes of the state.
        commands: what was asked for so far.
    """

    def __init__(self, book: Core) -> None:
        self.book = book
        self.commands = Wanted()
        self.state = TxState(book, self.commands)

    def record(self, fact: AnyFact) -> None:
        """Take in a fact when the handler has returned.

        Args:
            fact: as for :meth:`onebook.Book.record`; what is refused fails the event as if the handler had raised.
        """
        self.commands.append(commands.Record(fact))

    def publish(
        self,
        name: str,
        data: Mapping[str, object] | None = None,
        *,
        account: str = "",
        instrument: str = "",
        strategy: str = "",
    ) -> None:
        """Write an event of a user's own type when the handler has returned; as in ``book.publish``.

        Raises:
            InputError: the type or the data cannot be kept.
        """
        self.commands.append(publish_command(name, data, account=account, instrument=instrument, strategy=strategy))


class TxState:
    """The state, with changes that commit with the checkpoint. Reads show it as it stands before.

    Args:
        book: whose.
        wanted: where the changes go.
    """

    def __init__(self, book: Core, wanted: Wanted) -> None:
        self._book = book
        self._wanted = wanted

    def get(self, path: AnyPath, default: Any = None) -> Any:
        """Return what is at a path, without what this event changes."""
        return self._book.state.get(path, default)

    def set(self, path: AnyPath, value: object, *, expected_version: int | None = None, source: str = "") -> None:
        """Keep a value at a path when the handler has returned; as in ``book.state.set``."""
        expected = None if expected_version is None else {_key(path): expected_version}
        self._add(change_command({_key(path): value}, source=source, expected=expected))

    def update(self, values: Mapping[Any, object], *, delete: Iterable[AnyPath] = (), source: str = "") -> None:
        """Set several paths and take others away when the handler has returned; as in ``book.state.update``."""
        self._add(change_command(values, delete=delete, source=source))

    def delete(self, path: AnyPath, *, source: str = "") -> None:
        """Take away what is kept at a path when the handler has returned."""
        self._add(change_command({}, delete=[path], source=source))

    def _add(self, command: commands.ChangeState) -> None:
        """Take a change, unless the book shows itself there."""
        self._book.state.views.refuse(command)
        self._wanted.append(command)


def _key(path: AnyPath) -> str | tuple[str, ...]:
    return path if isinstance(path, str) else tuple(path)


class InBookSink(OneByOne):
    """Calls a handler with each event and a :class:`Tx`; what it does in the book happens exactly once.

    Args:
        call: the handler.
        book: where the effects go.
        subscriber: whose checkpoint commits with them.
    """

    max_batch = SAVE_EVERY

    def __init__(self, call: Caller, book: Core, subscriber: "Subscriber") -> None:
        self._call = call
        self._book = book
        self._subscriber = subscriber
        subscriber.give_up = call.give_up

    def deliver(self, events: Sequence[LoggedEvent], *, more: bool) -> bool:  # noqa: ARG002  it keeps nothing back
        """Call the handler with one after the other, and commit what it wants done together with the checkpoint."""
        subscriber = self._subscriber
        for event in events:
            if subscriber.stopping:
                raise Superseded
            tx = Tx(self._book)
            try:
                self._call(event, tx)
            except CancelledError:
                raise Superseded from None
            tx.commands.ended = True
            if tx.commands:
                self._commit(tx.commands, event.place)
            subscriber.done(event.place)
        return True

    def _commit(self, wanted: list[commands.Command], place: Place) -> None:
        subscriber, letter = self._subscriber, self._subscriber.letter
        with subscriber.checkpoint.along(place if letter is None else None) as write:

            def along(store: Store) -> None:
                rows = store.subscriber_rows()
                write(rows)
                if letter is not None:
                    rows.drop_dead_letter(letter.subscriber, (letter.sequence, letter.ordinal))

            self._book.committer.together(wanted, f"subscriber {subscriber.name}", along)

    def close(self) -> None:
        """Give back what it holds."""
        self._call.close()


Opens = Callable[["Subscriber"], Any]
"""Makes a sink for a subscriber."""


def opener(handler: Handler, book: Core, *, in_book: bool) -> Opens:
    """Return what makes the sink of a handler."""
    call = Caller(handler)
    if in_book:
        return lambda subscriber: InBookSink(call, book, subscriber)
    return lambda subscriber: HandlerSink(call, subscriber)
