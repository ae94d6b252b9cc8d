"""``GET /v1/protections/history``: how stops and targets stood over time, those of the past too."""

import json
from collections.abc import Mapping
from itertools import islice
from typing import Any

from onebook.book.lens import Lens
from onebook.book.reading import moment_ns
from onebook.domain.identity import identity_parts
from onebook.errors import InputError
from onebook.http import wire
from onebook.http.asof import AS_OF, view_of
from onebook.http.calls import Call, Endpoint, Parameter, Reply
from onebook.http.lists import STRATEGY
from onebook.http.paging import PAGED, limit_of
from onebook.http.reads import LEG, OF_ACCOUNT, OF_QUERY


def _history(call: Call) -> Reply:
    from onebook.trading.protection_steps import protection_steps, sequence_at

    limit, given = limit_of(call), call.given
    account, until = given.get("account", "main"), moment_ns("until", given.get("until"))
    since = moment_ns("since", given.get("since"))
    with call.book.store.reading() as reader:
        known = _known(call, reader)
        first = Lens(reader, known).names(account, given["instrument"])[0]
        steps = protection_steps(
            reader,
            account,
            first,
            known=known,
            since=min(known, sequence_at(reader, since)) if since else 0,
            after=_place(given["after"], account, first) if "after" in given else ("", 0),
        )
        found = list(islice((step for step in steps if _is_wanted(step, given, since, until)), limit + 1))
    last = found[limit - 1] if len(found) > limit else None
    return wire.page(found[:limit], None if last is None else json.dumps([last.id, last.sequence], ensure_ascii=False))


def _is_wanted(step: Any, given: Mapping[str, Any], since: int | None, until: int | None) -> bool:
    if any(name in given and given[name] != getattr(step, name) for name in ("strategy", "leg")):
        return False
    began, ended = moment_ns("began_at", step.began_at) or 0, moment_ns("ended_at", step.ended_at)
    return (since is None or ended is None or ended > since) and (until is None or began < until)


def _known(call: Call, reader: Any) -> int:
    """Return the newest entry that counts at the point that was asked for."""
    from onebook.trading.protection_steps import sequence_at

    view_of(call)  # refuses a point that there is not
    head: int = reader.head()[0]
    as_of: str = call.given.get("as_of", str(head))
    if as_of.isdecimal():
        return int(as_of)
    known: int = call.given.get("known", head)
    return min(known, sequence_at(reader, (moment_ns("as_of", as_of) or 0) + 1))


def _place(text: str, account: str, instrument: str) -> tuple[str, int]:
    """Take the place behind which a page begins.

    Raises:
        InputError: it is none of this list.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    match found:
        case [str(key), int(sequence)] if type(sequence) is int and 0 < sequence < 2**63:
            if identity_parts(key)[:2] == [account, instrument]:
                return key, sequence
    msg = f"after: {text[:60]!r} is no place in this list; write what next_after said"
    raise InputError(msg, field="after", value=text)


ENDPOINTS = (
    Endpoint(
        method="GET", path="/v1/protections/history", name="list_protections_history", run=_history,
        about="How stops and targets of an instrument stood over time, each protection from its oldest step on.",
        parameters=(
            OF_QUERY, OF_ACCOUNT, STRATEGY, LEG,
            Parameter(name="since", kind="moment", about="Leave out what had ended by this moment."),
            Parameter(name="until", kind="moment", about="Leave out what began at this moment or later."),
            *PAGED, *AS_OF,
        ),
        answers={200: "ProtectionStepPage"}, group="Trading",
    ),
)  # fmt: skip
