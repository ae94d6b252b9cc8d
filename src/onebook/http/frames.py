"""Events as the bytes that readers are sent: each is encoded once, whoever asks for it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from onebook.book.log import WHOLE, Filter, events_of
from onebook.book.logged import LoggedEvent, Place
from onebook.domain.reports import Event, as_json
from onebook.errors import BookError, CorruptLog
from onebook.feed.tail import TailEntry

CHUNK_BYTES = 32_768
"""About how much is sent at once."""

_END = b"\n\n"


class Frame:
    """One event as a server-sent event; its JSON is what ``onebook tail --json`` prints.

    Args:
        event_id: empty for an event that is not in the log.
        name: the type.
        data: its JSON.
    """

    __slots__ = ("_begin", "event_id", "sse")

    def __init__(self, event_id: str, name: str, data: bytes) -> None:
        line = f"id: {event_id}\n" if event_id else ""
        head = f"{line}event: {name}\ndata: ".encode()
        self.event_id = event_id
        self.sse = head + data + _END
        self._begin = len(head)

    @property
    def json(self) -> bytes:
        """The event as JSON."""
        return self.sse[self._begin : -len(_END)]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one reader is sent at once: frames, the same as one piece of bytes, and the place where it is then."""

    frames: tuple[Frame, ...]
    sse: bytes
    place: Place


NOTHING = Batch((), b"", (0, 0))


def framed(event: Event) -> Frame:
    """Return an event as a frame."""
    return Frame(event.id, event.type, as_json(event).encode())


def batch_of(frames: Sequence[Frame], place: Place) -> Batch:
    """Return frames as one piece."""
    return Batch(tuple(frames), b"".join([frame.sse for frame in frames]), place)


class EntryFrames:
    """The events of one entry, decoded and encoded when somebody first wants them.

    Args:
        entry: of the log.
    """

    __slots__ = ("_events", "_frames", "_wrong", "entry", "size")

    def __init__(self, entry: TailEntry) -> None:
        self.entry = entry
        self.size = len(entry.body)
        self._events: list[LoggedEvent] | None = None
        self._frames: dict[int, Frame] = {}
        self._wrong: Frame | None = None

    def after(self, place: Place, wanted: Filter) -> list[Frame]:
        """Return the wanted events after a place; an entry that cannot be read becomes one that says so."""
        sequence = self.entry.sequence
        if place >= (sequence, WHOLE) or not wanted.may_hold(self.entry.body):
            return []
        if self._wrong is None:
            try:
                return self._read(place, wanted)
            except BookError as problem:
                self._wrong = _unreadable(sequence, problem)
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as problem:
                msg = f"entry {sequence} cannot be read ({problem!r}); run: onebook verify"
                self._wrong = _unreadable(sequence, CorruptLog(msg, sequence=sequence))
        return [self._wrong]

    def _read(self, place: Place, wanted: Filter) -> list[Frame]:
        if self._events is None:
            self._events = events_of(self.entry.sequence, self.entry.raw)
        return [
            self._frame(event)
            for event in self._events
            if event.place > place and (wanted.passes_all or wanted.wants(event))
        ]

    def _frame(self, event: LoggedEvent) -> Frame:
        ordinal = event.place[1]
        found = self._frames.get(ordinal)
        if found is None:
            found = self._frames[ordinal] = framed(event)
            self.size += len(found.sse)
        return found


def gathered(entries: Iterable[EntryFrames], place: Place, wanted: Filter) -> Batch:
    """Return the wanted events of entries after a place, about as much as is sent at once.

    Args:
        entries: in order, the first right after the place or holding it.
        place: everything up to here was sent.
        wanted: which events.
    """
    frames: list[Frame] = []
    size = 0
    for each in entries:
        found = each.after(place, wanted)
        frames += found
        size += sum(len(frame.sse) for frame in found)
        place = max(place, (each.entry.sequence, WHOLE))
        if size >= CHUNK_BYTES:
            break
    return batch_of(frames, place)


def _unreadable(sequence: int, problem: BookError) -> Frame:
    """Return what stands in for an entry that cannot be read, so that nobody takes the log for whole."""
    name = "unreadable"
    data = {"id": str(sequence), "sequence": sequence, "type": name, "version": 1}
    told = data | {"data": {"code": problem.code, "message": str(problem)}}
    return Frame(str(sequence), name, as_json(told).encode())
