"""The service's figures as InfluxDB's line protocol, sent at intervals: ``metrics.push``.

A thread of its own sends; nobody waits for it. While InfluxDB does not answer, points are kept up to a limit and the
waits between tries grow. Source: InfluxDB's line protocol reference.
"""

import logging
import math
import threading
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from onebook.config.masks import without_passwords
from onebook.errors import BookError

if TYPE_CHECKING:
    from onebook.http.service import Service

BATCH = 5_000
"""Most points of one request."""
MAX_WAITING = 100_000
"""Points that wait while InfluxDB does not answer; then the oldest are given up."""
TIMEOUT_SECONDS = 5.0
FIRST_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 300.0
_AGAIN = frozenset({408, 425, 429})
"""Refusals that may pass; any other below 500 means that these points will never be taken."""

_log = logging.getLogger("onebook.http")

Send = Callable[[bytes], None]


@dataclass(slots=True)
class Pushed:
    """What was pushed so far.

    Attributes:
        points: that InfluxDB took.
        failures: requests that failed.
        dropped: points that were given up.
    """

    points: int = 0
    failures: int = 0
    dropped: int = 0


class Refused(Exception):
    """InfluxDB will never take these points."""


def lines_of(families: Iterable[Any], at_ns: int) -> list[str]:
    """Return samples as lines: measurement, tags, the field ``value``, nanoseconds since 1970.

    Args:
        families: of a Prometheus registry.
        at_ns: when they were collected.
    """
    lines = []
    for family in families:
        for sample in family.samples:
            if not math.isfinite(sample.value):
                continue
            tags = "".join(
                f",{_escaped(name)}={_escaped(value)}" for name, value in sorted(sample.labels.items()) if value
            )
            lines.append(f"{_escaped(sample.name)}{tags} value={float(sample.value)!r} {at_ns}")
    return lines


def _escaped(text: str) -> str:
    """Return a name, a tag's key or its value with what the protocol would read otherwise escaped."""
    kept = "".join(letter if letter.isprintable() else " " for letter in text).rstrip("\\")
    for letter in ("\\", ",", "=", " "):
        kept = kept.replace(letter, "\\" + letter)
    return kept


class Pusher:
    """Sends points at intervals until it is told to end.

    Args:
        collect: returns the families.
        send: takes the body of one request; raises ``Refused`` or ``OSError``.
        now: the book's clock, in nanoseconds.
        every_seconds: the interval.
        ending: set at the end.
        pushed: where it counts.
    """

    def __init__(
        self,
        collect: Callable[[], Iterable[Any]],
        send: Send,
        now: Callable[[], int],
        every_seconds: float,
        ending: threading.Event,
        pushed: Pushed,
    ) -> None:
        self._collect = collect
        self._send = send
        self._now = now
        self._every = every_seconds
        self._ending = ending
        self._pushed = pushed
        self._waiting: deque[str] = deque()
        self._failed = 0

    def run(self) -> None:
        """Push until the end; the first time once the service has had a moment to begin."""
        wait = max(self._every, FIRST_SECONDS)
        while not self._ending.wait(wait):
            self.turn()
            wait = self.wait_seconds()

    def wait_seconds(self) -> float:
        """Return the time until the next try: the interval, and twice as long after each failure in a row."""
        longest = max(LONGEST_WAIT_SECONDS, self._every)
        return min(self._every * 2.0 ** min(self._failed, 30), longest)

    def turn(self) -> None:
        """Collect once, and send all that waits, as far as it is taken."""
        try:
            self._waiting.extend(lines_of(self._collect(), self._now()))
        except BookError as problem:
            _log.warning("figures could not be collected: %s", problem)
        self._give_up(len(self._waiting) - MAX_WAITING)
        while self._waiting and not self._ending.is_set():
            count = min(BATCH, len(self._waiting))
            body = "\n".join(self._waiting[index] for index in range(count)).encode()
            try:
                self._send(body)
            except Refused as problem:
                self._fail(problem)
                self._give_up(count)
                return
            except OSError as problem:
                self._fail(problem)
                return
            for _ in range(count):
                self._waiting.popleft()
            self._pushed.points += count
            self._failed = 0

    def _give_up(self, count: int) -> None:
        for _ in range(max(count, 0)):
            self._waiting.popleft()
        self._pushed.dropped += max(count, 0)

    def _fail(self, problem: Exception) -> None:
        self._pushed.failures += 1
        if not self._failed:
            _log.warning("metrics.push failed: %s; trying on", without_passwords(str(problem)))
        self._failed += 1


def sender(url: str, token: str | None) -> Send:
    """Return what sends a body to InfluxDB.

    Args:
        url: of its write address: ``https://influx.example/api/v2/write?org=o&bucket=b``.
        token: of InfluxDB; None: none.
    """
    headers = {"Content-Type": "text/plain; charset=utf-8", "User-Agent": "onebook"}
    if token:
        headers["Authorization"] = f"Token {token}"
    opener = urllib.request.build_opener(_NoRedirect)

    def send(body: bytes) -> None:
        request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310  http(s) only
        try:
            with opener.open(request, timeout=TIMEOUT_SECONDS):
                pass
        except urllib.error.HTTPError as problem:
            with problem:
                if problem.code < 500 and problem.code not in _AGAIN:
                    raise Refused(f"InfluxDB refuses them: {problem.code} {problem.reason}") from None
            raise

    return send


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The token goes to the address that was configured, and to no other."""

    def redirect_request(self, *_args: Any, **_given: Any) -> None:
        return None


def begin(service: "Service", registry: Any) -> Pusher | None:
    """Push a service's figures where the configuration says so; None where it does not.

    Args:
        service: whose.
        registry: of Prometheus, that collects them.
    """
    url = service.config.get("metrics.push")
    if url is None:
        return None
    pushed: Pushed = service.part("pushed", lambda _: Pushed())
    pusher = Pusher(
        registry.collect, sender(url, service.config.get("metrics.push_token")), service.book.now,
        service.config.get("metrics.push_seconds"), service.ending, pushed,
    )  # fmt: skip
    threading.Thread(target=pusher.run, name="onebook-push", daemon=True).start()
    return pusher
