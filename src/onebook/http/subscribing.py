"""What one client of a socket follows: its subscriptions, and the places that are kept for them."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from onebook.book.log import make_filter, place_after
from onebook.book.logged import Place
from onebook.book.subscribers import shown_place
from onebook.domain import fields
from onebook.errors import InputError, StoreError
from onebook.http.events import FILTERS, paced, reset_data
from onebook.http.kept import Holders, KeptPlace
from onebook.http.lines import Line, Reader, read_again
from onebook.http.stream import Stream
from onebook.http.wire import item

if TYPE_CHECKING:
    from onebook.app import Book

MOST_SUBSCRIPTIONS = 32
KEEP_SECONDS = 0.25
"""How often what was acknowledged is written down."""

_KNOWN = ("id", "after", "book", "name", "prices_per_second", *FILTERS)

Say = Callable[[bytes], None]
"""Has a message sent to the client."""


@dataclass(slots=True)
class Subscription:
    """One ``subscribe`` of a client: what it reads, and the place kept for it."""

    name: str
    reader: Reader
    head: str
    kept: KeptPlace | None = None


@dataclass(frozen=True, slots=True)
class Shared:
    """What all sockets of a service share: who serves which place, and one at a time who takes or gives one."""

    holders: Holders = field(default_factory=Holders)
    serving: dict[str, "Subscriptions"] = field(default_factory=dict)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Subscriptions:
    """The subscriptions of one client.

    Args:
        book: which is followed.
        stream: of the book.
        line: of the client.
        caller: its name, under which places are kept.
        shared: what all sockets share.
        say: has a message sent.
    """

    def __init__(self, book: "Book", stream: Stream, line: Line, *, caller: str, shared: Shared, say: Say) -> None:
        self._book = book
        self._stream = stream
        self._line = line
        self._caller = caller
        self._shared = shared
        self._say = say
        self._listed: dict[str, Subscription] = {}

    def __bool__(self) -> bool:
        return bool(self._listed)

    def _answer(self, answer: dict[str, Any]) -> None:
        self._say(item(answer))

    # ---- sending ----

    async def send(self, send: Callable[[bytes], Awaitable[None]]) -> bool:
        """Send what each has to be sent; return whether there was something."""
        moved = False
        for each in list(self._listed.values()):
            moved = await self._send_events(each, send) or moved
        return moved

    async def _send_events(self, each: Subscription, send: Callable[[bytes], Awaitable[None]]) -> bool:
        reader = each.reader
        batch = await read_again(reader)
        if batch is None:
            self._line.end("stopped")
            return False
        moved = batch.place != reader.place
        for frame in (*batch.frames, *reader.prices().frames):
            if not self._is_on(each):
                return True
            if frame.event_id:
                reader.place = place_after(frame.event_id)
            await send(f"{each.head}{frame.json.decode()}}}".encode())
        reader.place = max(reader.place, batch.place)
        return moved

    def _is_on(self, each: Subscription) -> bool:
        return self._listed.get(each.name) is each

    # ---- joining and leaving ----

    async def subscribe(self, message: dict[str, Any]) -> None:
        """Begin to follow."""
        for field_name in message:
            if field_name not in {"op", *_KNOWN}:
                msg = f"{field_name[:60]}: is no field of subscribe; it has {', '.join(_KNOWN)}"
                raise InputError(msg, field=field_name[:60])
        name = fields.required("id", message.get("id"))
        if name in self._listed:
            msg = f"id: {name[:60]} is subscribed already; unsubscribe it first, or choose another"
            raise InputError(msg, field="id", value=name[:60])
        if len(self._listed) >= MOST_SUBSCRIPTIONS:
            msg = f"at most {MOST_SUBSCRIPTIONS} subscriptions on one connection; open another"
            raise InputError(msg, field="id")
        wanted = make_filter(**{key: _names(key, message[key]) for key in FILTERS if message.get(key) is not None})
        per_second = paced("prices_per_second", message.get("prices_per_second"))
        begin = await self._stream.begin(message.get("after"), fields.text("book", message.get("book", "")))
        kept = await self._take_up(message.get("name"), begin.place)
        try:
            if kept is not None and kept.done != begin.place:
                begin = await self._stream.begin(shown_place(kept.done))
                if begin.reset:
                    kept.start_over(begin.place)
            reader = await self._stream.read(self._line, wanted, begin.place, per_second)
        except StoreError:
            if kept is not None:
                await self._give_back(kept)
            raise
        told = {"op": "subscribed", "id": name, "after": shown_place(begin.place), "book": begin.book}
        self._answer(told)
        if begin.reset:
            self._say(b'{"op": "reset", "sub": ' + item(name) + b', "reset": ' + reset_data(begin).encode() + b"}")
        head = f'{{"op": "event", "sub": {item(name).decode()}, "event": '
        self._listed[name] = Subscription(name, reader, head, kept)

    async def _take_up(self, name: Any, start: Place) -> KeptPlace | None:
        """Take up the place kept under a name; who has it on another connection here gives it up."""
        if name is None:
            return None
        kept = KeptPlace(self._book, self._caller, fields.required("name", name), self._shared.holders.next())
        other = self._shared.serving.get(kept.name)
        if other is not None:
            await other.give_up(kept.name)
        async with self._shared.turn:
            await kept.open(start)
            self._shared.serving[kept.name] = self
        return kept

    async def give_up(self, kept_name: str) -> None:
        """End the subscription whose place is kept under a name: another connection takes it up."""
        for each in list(self._listed.values()):
            if each.kept is not None and each.kept.name == kept_name:
                await self._drop(each)
                self._answer({"op": "unsubscribed", "id": each.name, "reason": "another connection took it up"})

    async def unsubscribe(self, message: dict[str, Any]) -> None:
        """Follow no longer."""
        await self._drop(self._known(message))
        self._answer({"op": "unsubscribed", "id": message["id"]})

    async def _drop(self, each: Subscription) -> None:
        self._listed.pop(each.name, None)
        if each.reader in self._line.readers:
            self._stream.drop(each.reader)
        if each.kept is not None:
            await self._give_back(each.kept)

    async def _give_back(self, kept: KeptPlace) -> None:
        """Let others have a place; who wishes for it meanwhile waits."""
        async with self._shared.turn:
            if self._shared.serving.get(kept.name) is self:
                del self._shared.serving[kept.name]
            await kept.close()

    def _known(self, message: dict[str, Any]) -> Subscription:
        found = self._listed.get(str(message.get("id")))
        if found is None:
            msg = f"id: nothing is subscribed under {str(message.get('id'))[:60]!r} on this connection"
            raise InputError(msg, field="id")
        return found

    async def acknowledge(self, message: dict[str, Any]) -> None:
        """Take everything up to an event as done."""
        each = self._known(message)
        if each.kept is None:
            msg = f"id: no place is kept for {each.name[:60]}; subscribe it with a name to acknowledge events"
            raise InputError(msg, field="id")
        event: Any = message.get("event")
        place = place_after(event)
        if place > each.reader.place:
            msg = f"event: {event} was not sent yet; acknowledge what came"
            raise InputError(msg, field="event", value=event)
        each.kept.acknowledge(place)

    async def keep(self) -> None:
        """Write down what is acknowledged, every now and then, and say so."""
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            for each in list(self._listed.values()):
                if each.kept is None:
                    continue
                try:
                    held, new = await each.kept.keep()
                except StoreError:
                    continue  # it is written at the next turn
                if new is not None:
                    self._answer({"op": "acked", "id": each.name, "event": shown_place(new)})
                if not held and self._is_on(each):
                    await self._drop(each)
                    reason = "somebody moved its place, or another process serves it"
                    self._answer({"op": "unsubscribed", "id": each.name, "reason": reason})

    async def close(self) -> None:
        """End them all, and write down what was acknowledged."""
        for each in list(self._listed.values()):
            with suppress(StoreError):
                await self._drop(each)


def _names(name: str, value: Any) -> Any:
    """Take a filter: text with commas, or a list of texts.

    Raises:
        InputError: neither.
    """
    if isinstance(value, str) or (isinstance(value, list) and all(isinstance(each, str) for each in value)):
        return value
    msg = f"{name}: {str(value)[:60]!r} is neither text nor a list of texts"
    raise InputError(msg, field=name)
