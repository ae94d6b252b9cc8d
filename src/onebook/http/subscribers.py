"""Addresses of durable subscribers: how far each is, what it put aside, and what a person does about one."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from onebook.domain import fields
from onebook.errors import InputError
from onebook.feed.desk import Desk, note_deed
from onebook.http import wire
from onebook.http.asof import AS_OF, refuse_past
from onebook.http.calls import Call, Endpoint, Parameter, Reply
from onebook.http.lists import listing
from onebook.http.paging import PAGED, key_after, keyed_page, limit_of
from onebook.http.writes import acting

OF = Parameter(name="subscriber", about="Only this subscriber's.")


def _subscribers(call: Call) -> Reply:
    refuse_past(call, "subscribers")
    return keyed_page(call, call.book.subscribers(), lambda row: (row.name,))


def _letters(call: Call) -> Reply:
    """Return a page of dead letters; only those of the page are read."""
    refuse_past(call, "dead-letters")
    limit, place = limit_of(call), key_after(call)
    if len(place) not in {0, 2}:
        msg = f"after: {call.given['after'][:60]!r} is no place in this list; write what next_after said"
        raise InputError(msg, field="after", value=call.given["after"])
    behind = (place[0], place[1]) if place else None
    found = list(islice(call.book.subscribers.dead_letters(call.given.get("subscriber"), after=behind), limit + 1))
    last = [found[limit - 1].subscriber, found[limit - 1].event_id] if len(found) > limit else None
    return wire.page(found[:limit], None if last is None else json.dumps(last, ensure_ascii=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """What came of a deed: its name in the answer, and its value; a count is one of dead letters."""

    name: str
    value: Any

    @property
    def count(self) -> int | None:
        """How many dead letters; None where the deed is about none."""
        return self.value if type(self.value) is int else None


def _skip(desk: Desk, given: Mapping[str, str]) -> _Done:
    desk.skip(given["name"])
    return _Done(name="skipped", value=True)


def _retry(desk: Desk, given: Mapping[str, str]) -> _Done:
    return _Done(name="retried", value=desk.retry(given["name"], given.get("event_id")))


def _drop(desk: Desk, given: Mapping[str, str]) -> _Done:
    return _Done(name="dropped", value=desk.drop(given["name"], given.get("event_id")))


def _reset(desk: Desk, given: Mapping[str, str]) -> _Done:
    desk.reset(given["name"], given["to"])
    return _Done(name="checkpoint", value=given["to"])


def _remove(desk: Desk, given: Mapping[str, str]) -> _Done:
    desk.remove(given["name"])
    return _Done(name="removed", value=True)


def _deed(deed: str, about: str, act: Callable[[Desk, Mapping[str, str]], _Done], body: str, **more: bool) -> Endpoint:
    """Return the address of a deed: done, and written into the log with who did it.

    Args:
        deed: its name.
        about: one sentence.
        act: does it.
        body: the schema's name.
        more: fields beside the name, True where they are needed.
    """

    def run(call: Call) -> Reply:
        stated = wire.only(wire.an_object(call.body, deed), deed, name=True, **more)
        given = {key: fields.required(key, value) for key, value in stated.items()}
        with acting(call):
            done = act(call.book.subscribers, given)
            said = {key: given[key] for key in more if key in given}
            note_deed(call.book.note, given["name"], deed, **said, count=done.count)
        return wire.reply({"name": given["name"], done.name: done.value})

    return Endpoint(
        method="POST", path=f"/v1/subscribers/{deed}", name=f"{deed}_subscriber", about=about, run=run,
        group="Subscribers", body=body, answers={200: "SubscriberDeed"},
    )  # fmt: skip


ENDPOINTS = (
    listing("subscribers", "The durable subscribers, now.", _subscribers, "SubscriberState", group="Subscribers"),
    Endpoint(
        method="GET", path="/v1/subscribers/dead-letters", name="list_dead_letters", group="Subscribers", run=_letters,
        about="Events that subscribers could not handle, with the reason, now.", parameters=(OF, *PAGED, *AS_OF),
        answers={200: "DeadLetterStatePage"},
    ),
    _deed("skip", "Pass over the event at which a subscriber stands still.", _skip, "Subscriber"),
    _deed(
        "retry", "Deliver dead letters again, one or all, and let a halted subscriber try again.", _retry,
        "DeadLetters", event_id=False,
    ),
    _deed("drop", "Forget dead letters for good, one or all.", _drop, "DeadLetters", event_id=False),
    _deed("reset", "Move a checkpoint: what comes after it is delivered.", _reset, "SubscriberReset", to=True),
    _deed("remove", "Forget a subscriber that nobody serves any more.", _remove, "Subscriber"),
)  # fmt: skip
