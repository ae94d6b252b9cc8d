"""The log of requests: one line of JSON each, without secrets."""

import asyncio
import os
import re
import sys
import threading
from dataclasses import dataclass
from time import perf_counter
from typing import Any, TextIO

import msgspec
from msgspec import UNSET, UnsetType

from onebook.config.masks import MASK, without_passwords
from onebook.domain import times
from onebook.http.auth import Caller, Scope, header

LONGEST = 300
"""Characters of a path, a query or the name of a program."""

WAIT_SECONDS = 0.05
"""How long a line waits for others, that all are written at once."""

WAITING = 500
"""So many lines wait at most."""

DRAWN = 128
"""Ids that are drawn at once."""

_GIVEN_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_HOOK = re.compile(r"(/v1/+hooks/+[^/]*/+).+", re.DOTALL)
_SECRET = re.compile(r"ob[th]_[A-Za-z0-9_-]+")


class Ids:
    """Ids of requests: as the caller gave it, or a new one of 64 random bits."""

    def __init__(self) -> None:
        self._drawn = ""

    def of(self, scope: Scope) -> str:
        """Return the id of a request.

        Args:
            scope: of ASGI.
        """
        given = header(scope, b"x-request-id")
        if given is not None and _GIVEN_ID.fullmatch(given):
            return given.decode("ascii")
        if not self._drawn:
            self._drawn = os.urandom(DRAWN * 8).hex()
        found, self._drawn = self._drawn[:16], self._drawn[16:]
        return found


def shown_path(path: str) -> str:
    """Return a path that may be shown: the secret of a hook is masked, and whatever looks like a token."""
    return _masked(_HOOK.sub(rf"\1{MASK}", path) if "hooks" in path else path)[:LONGEST]


def shown_query(query: bytes) -> str:
    """Return a query that may be shown."""
    if not query:
        return ""
    return _masked(without_passwords("?" + query.decode("latin-1"))[1:])[:LONGEST]


def _masked(text: str) -> str:
    return _SECRET.sub(MASK, text) if "ob" in text else text


@dataclass(slots=True)
class Visit:
    """One request as it goes on.

    Attributes:
        id: of the request.
        started: by the process's own clock, in seconds.
        caller: who sends it; None while that is not known.
        status: of the answer; 0 while there is none.
        size: bytes of the answer's body.
        is_counted: whether it is among the open requests.
    """

    id: str
    started: float
    caller: Caller | None = None
    status: int = 0
    size: int = 0
    is_counted: bool = False


class _Row(msgspec.Struct, omit_defaults=True):
    at: str
    request_id: str
    method: str
    path: str
    status: int
    ms: float
    bytes: int
    peer: str
    query: str = ""
    caller: str | UnsetType = UNSET
    role: str | UnsetType = UNSET
    how: str | UnsetType = UNSET
    agent: str = ""


class RequestLog:
    """Writes a line for each request. Lines of the same moment are written together, at the end each at once.

    Args:
        now: the moment, in nanoseconds since 1970 UTC.
        stream: where to; None is the process's standard error.
    """

    def __init__(self, now: Any, stream: TextIO | None = None) -> None:
        self._now = now
        self._stream = stream
        self._lock = threading.Lock()
        self._encode = msgspec.json.Encoder().encode
        self._second = -1
        self._begin = ""
        self._lines: list[bytes] = []
        self._is_due = False
        self._is_closed = False

    def write(self, scope: Scope, visit: Visit) -> None:
        """Say what became of a request. To be called in an event loop, until the log is closed."""
        caller, peer = visit.caller, scope.get("client")
        row = _Row(
            self._at(),
            visit.id,
            scope.get("method", "WS"),
            shown_path(scope["path"]),
            visit.status,
            round((perf_counter() - visit.started) * 1000, 2),
            visit.size,
            peer[0] if peer else "",
            shown_query(scope.get("query_string", b"")),
        )
        if caller is not None:
            row.caller, row.role, row.how = caller.name, caller.role, caller.how
        agent = header(scope, b"user-agent")
        if agent:
            row.agent = _masked(agent.decode("latin-1"))[:LONGEST]
        self._lines.append(self._encode(row))
        if self._is_closed or len(self._lines) >= WAITING:
            self.flush()
        elif not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_later(WAIT_SECONDS, self.flush)

    def _at(self) -> str:
        """Return the moment as text."""
        second, rest = divmod(self._now(), times.SECOND)
        if second != self._second:
            self._second, self._begin = second, times.to_text(second * times.SECOND)[:-1]
        return f"{self._begin}.{rest:09d}Z"

    def flush(self) -> None:
        """Write the lines that wait."""
        with self._lock:
            lines, self._lines, self._is_due = self._lines, [], False
            if lines:
                stream = self._stream or sys.stderr
                stream.write(b"\n".join(lines).decode() + "\n")
                stream.flush()

    def close(self) -> None:
        """Write the lines that wait; from now on each line is written at once."""
        self._is_closed = True
        self.flush()
