"""The remote book: ``onebook.connect(url, token)`` gives the calls of a book over HTTP, with a spool for outages."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from onebook.errors import BadConfig

if TYPE_CHECKING:
    from onebook.remote.book import RemoteBook

SPOOL_BYTES = 256 * 1024 * 1024
LEAST_BYTES = 4096


def connect(  # noqa: PLR0913  what a bot may choose
    url: str,
    token: str | None = None,
    spool: str | os.PathLike[str] | None = None,
    *,
    timeout_seconds: float = 10.0,
    patience_seconds: float = 30.0,
    gate_seconds: float = 2.0,
    silence_seconds: float = 45.0,
    spool_bytes: int = SPOOL_BYTES,
    ca: str | None = None,
    on_refused: Callable[[str], None] | None = None,
) -> "RemoteBook":
    """Connect to a book that ``onebook serve`` serves. Nothing is asked yet.

    Args:
        url: address of the service.
        token: as ``onebook token create`` printed it; None on the service's own machine.
        spool: file on this machine in which facts are durable before they are sent, in order, by a thread; one per
            bot. None: facts are sent at once.
        timeout_seconds: how long one request may take.
        patience_seconds: how long a call may take with all its tries.
        gate_seconds: how long the order gate is waited for; then only exits of what is known to be held pass.
        silence_seconds: how long a stream may be silent before it is begun anew.
        spool_bytes: most that waits in the spool.
        ca: file with the certificates that are trusted, in place of the usual ones.
        on_refused: called with a sentence when a queued fact is refused.

    Raises:
        BadConfig: no such address, spool or number; or httpx is not installed.
    """
    from onebook.remote.book import RemoteBook
    from onebook.remote.terms import Terms

    for name, seconds in (("gate_seconds", gate_seconds), ("silence_seconds", silence_seconds)):
        given: object = seconds
        if not isinstance(given, int | float) or isinstance(given, bool) or not 0 < given <= 86_400:
            msg = f"{name}: {given!r} is no number of seconds above 0, at most 86400"
            raise BadConfig(msg, field=name, value=given)
    if type(spool_bytes) is not int or spool_bytes < LEAST_BYTES:
        msg = f"spool_bytes: {spool_bytes!r} is no number of bytes from {LEAST_BYTES} on"
        raise BadConfig(msg, field="spool_bytes", value=spool_bytes)
    terms = Terms(url=url, token=token, timeout_seconds=timeout_seconds, patience_seconds=patience_seconds, ca=ca)
    return RemoteBook(
        terms,
        spool=spool,
        spool_bytes=spool_bytes,
        gate_seconds=gate_seconds,
        silence_seconds=silence_seconds,
        on_refused=on_refused,
    )


__all__ = ["connect"]
