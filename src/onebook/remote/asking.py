"""Requests to the service: bounded in time, tried again where that is safe and may help."""

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, Any

from onebook.errors import BadConfig, BadPayload, BookError, SourceError, SourceTimeout, StoreClosed
from onebook.market.retrying import asked_pause
from onebook.remote.problems import error_in, may_pass
from onebook.remote.terms import Terms, checked_url, trust_of
from onebook.remote.wire import body_of, data_of

if TYPE_CHECKING:
    import httpx

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
LEAST_SECONDS = 0.05
MAX_CONNECTIONS = 64
CONNECT_SECONDS = 5.0

Query = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the service answered.

    Attributes:
        status: of HTTP.
        body: as it came.
        headers: looked up without regard to capitals.
        tries: how many requests it took; of more than one, an earlier one may have been carried out.
    """

    status: int
    body: bytes
    headers: Mapping[str, str]
    tries: int = 1

    @property
    def data(self) -> Any:
        """The body as JSON data."""
        return data_of(self.body)


class Asking:
    """Asks one service. Thread-safe.

    Args:
        terms: how it is reached.

    Raises:
        BadConfig: no such address or certificates, or httpx is not installed.
    """

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.url = checked_url(terms)
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._streams: set[Stream] = set()
        self._trust = trust_of(self.url, terms.ca)
        self._http = self._client(MAX_CONNECTIONS)

    def _client(self, most: int | None) -> "httpx.Client":
        try:
            import httpx
        except ImportError:
            msg = 'onebook.connect needs httpx: pip install "onebook[connect]"'
            raise BadConfig(msg) from None
        headers = {"Authorization": f"Bearer {self.terms.token}"} if self.terms.token else {}
        limits = httpx.Limits(max_connections=most, max_keepalive_connections=most)
        return httpx.Client(base_url=self.url, headers=headers, limits=limits, verify=self._trust, trust_env=False)

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closing.is_set()

    def check_open(self) -> None:
        """Refuse when it was closed.

        Raises:
            StoreClosed: it was.
        """
        if self.closed:
            raise self._over()

    def close(self) -> None:
        """Ask no more; who waits to try again is refused, and streams end."""
        self._closing.set()
        with self._lock:
            streams = [*self._streams]
        for stream in streams:
            stream.cut()
        self._http.close()

    def pause(self, seconds: float) -> bool:
        """Wait; True when it was closed meanwhile."""
        return self._closing.wait(seconds)

    def backoff(self, tries: int, longest: float = LONGEST_PAUSE_SECONDS) -> float:
        """Return how many seconds to wait after so many tries that failed: twice as long each time, by chance less."""
        most = min(FIRST_PAUSE_SECONDS * 2 ** min(tries - 1, 20), longest)
        return float(most * (0.5 + self.terms.jitter() / 2))

    # ---- one answer ----

    def ask(  # noqa: PLR0913  the parts of a request
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        passes: frozenset[int] = frozenset(),
        patience: float | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """Ask, and try again for as long as the patience lasts where that may help. What is asked must bear repeating.

        Args:
            method: of HTTP.
            path: encoded.
            query: parameters; None values are left out.
            body: plain data, sent as JSON.
            headers: more of them.
            passes: statuses of 400 and more that are an answer to who asks.
            patience: seconds for all tries; None: as the terms say; 0: one try, for what must not be done twice.
            timeout: seconds for one try; None: as the terms say.

        Raises:
            SourceError: nobody answers, or not in time (:class:`SourceTimeout`).
            BookError: the service refuses.
            StoreClosed: this client is closed.
        """
        request: dict[str, Any] = {"params": _texts(query), "headers": dict(headers or {})}
        if body is not None:
            request["content"] = body_of(body)
            request["headers"]["Content-Type"] = "application/json"
        longest = self.terms.timeout_seconds if timeout is None else timeout
        until = monotonic() + (self.terms.patience_seconds if patience is None else patience)
        tries = 0
        while True:
            tries += 1
            left = longest if patience == 0 else min(longest, max(until - monotonic(), LEAST_SECONDS))
            found = self._once(method, path, request, left)
            if isinstance(found, Answer):
                if found.status < 300 or found.status in passes:
                    return replace(found, tries=tries)
                problem = error_in(found.status, found.body, self.url)
                asked = asked_pause(found.headers)
                if not may_pass(found.status, problem):
                    raise problem
            else:
                problem, asked = found, None
            wait = max(self.backoff(tries), asked or 0.0)
            if monotonic() + wait >= until:
                raise problem
            if self.pause(wait):
                raise self._over()

    def _once(self, method: str, path: str, request: dict[str, Any], seconds: float) -> "Answer | SourceError":
        import httpx

        self.check_open()
        limits = httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))
        try:
            found = self._http.request(method, path, timeout=limits, **request)
        except httpx.HTTPError as problem:
            return self.unreached(problem)
        except RuntimeError:  # closed by another thread just now
            self.check_open()
            raise
        return Answer(status=found.status_code, body=found.content, headers=found.headers)

    def unreached(self, problem: Exception) -> SourceError:
        """Return the error of a request that got no answer."""
        import httpx

        if isinstance(problem, httpx.TimeoutException):
            return SourceTimeout(f"{self.url} did not answer in time; is it reachable from here?", url=self.url)
        if isinstance(problem, httpx.DecodingError):
            return BadPayload(f"{self.url}: the answer cannot be unpacked: {problem}", url=self.url)
        why = str(problem) or type(problem).__name__
        return SourceError(f"{self.url} cannot be reached: {why}; is onebook serve running there?", url=self.url)

    def _over(self) -> StoreClosed:
        return StoreClosed("this remote book is closed; connect again")

    # ---- answers without an end ----

    def stream(self, path: str, query: Query, headers: Mapping[str, str], silence: float) -> "Stream":
        """Begin an answer that has no end, over a connection of its own.

        Args:
            path: encoded.
            query: parameters; None values are left out.
            headers: more of them.
            silence: seconds without a byte after which the connection counts as lost.

        Raises:
            SourceError: nobody answers.
            BookError: the service refuses.
        """
        import httpx

        self.check_open()
        http = self._client(1)
        limits = httpx.Timeout(self.terms.timeout_seconds, connect=CONNECT_SECONDS, read=silence)
        request = http.build_request("GET", path, params=_texts(query), headers=dict(headers), timeout=limits)
        try:
            answer = http.send(request, stream=True)
            if answer.status_code == httpx.codes.OK:
                return self._kept(Stream(self, http, answer))
            body = answer.read()
        except httpx.HTTPError as problem:
            http.close()
            raise self.unreached(problem) from None
        except BaseException:
            http.close()
            raise
        http.close()
        refusal = error_in(answer.status_code, body, self.url)
        raise NotBegun(refusal, asked_pause(answer.headers), is_final=not may_pass(answer.status_code, refusal))

    def _kept(self, stream: "Stream") -> "Stream":
        with self._lock:
            self._streams.add(stream)
        if self.closed:
            stream.cut()
        return stream

    def gone(self, stream: "Stream") -> None:
        """Forget a stream that is closed."""
        with self._lock:
            self._streams.discard(stream)


class NotBegun(Exception):
    """A stream that was not begun.

    Args:
        problem: why.
        pause: seconds that the service asks to wait; None: it does not say.
        is_final: whether it will be refused again.
    """

    def __init__(self, problem: BookError, pause: float | None, *, is_final: bool) -> None:
        super().__init__(str(problem))
        self.problem, self.pause, self.is_final = problem, pause, is_final


class Stream:
    """An answer without an end.

    Args:
        asking: who asked.
        http: the connection, which ends with it.
        answer: as it began.
    """

    def __init__(self, asking: Asking, http: "httpx.Client", answer: "httpx.Response") -> None:
        self._asking, self._http, self._answer = asking, http, answer
        self.headers: Mapping[str, str] = answer.headers

    def chunks(self) -> Any:
        """Yield bytes as they come, until the service ends.

        Raises:
            SourceError: the connection is lost, or silent (:class:`SourceTimeout`).
        """
        import httpx

        try:
            yield from self._answer.iter_bytes()
        except (httpx.HTTPError, httpx.StreamError) as problem:
            raise self._asking.unreached(problem) from None

    def cut(self) -> None:
        """End it from another thread: who reads it sees the end."""
        line = self._answer.extensions.get("network_stream")
        found = None if line is None else line.get_extra_info("socket")
        if found is not None:
            with suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the connection back, by who reads it."""
        self._asking.gone(self)
        self._answer.close()
        self._http.close()


def _texts(query: Query | None) -> dict[str, str]:
    """Return parameters as they stand in an address."""
    found = {}
    for name, value in (query or {}).items():
        if value is not None:
            found[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return found
