"""``/health/live``, ``/health/ready`` and ``/health``: for whoever watches the service."""

import shutil
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from litestar import Request, get

from onebook.errors import BookError
from onebook.health import Health, health_of
from onebook.http import wire
from onebook.http.calls import Reply
from onebook.http.problems import response
from onebook.http.service import Service

KEPT_NS = 1_000_000_000
"""So long an answer serves others who ask."""
MAX_LAG = 10_000
"""Entries that this process may not have seen yet and still be ready."""
MIN_FREE_BYTES = 16_777_216
"""Room on the disk below which the store counts as not writable."""


@dataclass(slots=True)
class _Kept:
    """The last answers, each made by one who asks while others wait."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    ready: tuple[int, dict[str, Any]] | None = None
    page: tuple[int, Health] | None = None


def _kept(service: Service) -> _Kept:
    found: _Kept = service.part("health", lambda _: _Kept())
    return found


@get("/health/live", sync_to_thread=False)
def live() -> Any:
    """Say that the process answers; nothing else is looked at."""
    return response(wire.reply({"status": "live"}))


@get("/health/ready", sync_to_thread=True)
def ready(request: Request[Any, Any, Any]) -> Any:
    """Say whether the service may be sent work: 200 or 503."""
    service: Service = request.state.service
    kept = _kept(service)
    with kept.lock:
        now = service.book.now()
        if kept.ready is None or not 0 <= now - kept.ready[0] < KEPT_NS:
            kept.ready = (now, readiness(service))
        found = kept.ready[1]
    return response(wire.reply(found, 200 if found["ready"] else 503))


def readiness(service: Service) -> dict[str, Any]:
    """Return what readiness depends on: the store, its schema, this process's part, and how far behind it is.

    A leader records; a follower was started with ``--read-only`` and serves what others record.
    """
    book = service.book
    problems: list[str] = []
    found: dict[str, Any] = {
        "role": "follower" if service.is_read_only else "leader",
        "writable": False,
        "migrated": True,  # a book whose schema is not this version's does not open
        "head": None,
        "lag": None,
    }
    try:
        with book.store.reading() as reader:
            head = reader.head()[0]
        found["head"], found["lag"] = head, max(head - book.wakeups.head, 0)
        if not service.is_read_only:
            book.store.aside(lambda _rows: None)  # takes the lock to write, and gives it back
            found["writable"] = _has_room(book.store.url)
    except BookError as problem:
        problems.append(f"the store does not answer: {problem.code}")  # its words may name places
    if not service.is_read_only and not found["writable"] and not problems:
        problems.append(f"less than {MIN_FREE_BYTES} bytes are free where the book is")
    if found["lag"] is not None and found["lag"] > MAX_LAG:
        problems.append(f"{found['lag']} entries of the log are not seen yet")
    if service.ending.is_set():
        problems.append("the service is stopping")
    return {"ready": not problems, **found, "problems": problems}


def _has_room(url: str) -> bool:
    folder = Path(url).parent
    return not folder.is_dir() or shutil.disk_usage(folder).free >= MIN_FREE_BYTES


@get("/health", sync_to_thread=True)
def health(request: Request[Any, Any, Any]) -> Any:
    """Return how everything stands, as ``onebook health --json`` prints it."""
    return response(_page(request.state.service))


def _page(service: Service) -> Reply:
    kept = _kept(service)
    with kept.lock:
        now = service.book.now()
        if kept.page is None or not 0 <= now - kept.page[0] < KEPT_NS:
            kept.page = (now, health_of(service.book, service.config))
        page = kept.page[1]
    return wire.reply({name: getattr(page, name) for name in Health.__dataclass_fields__})


ROUTES = [live, ready, health]
