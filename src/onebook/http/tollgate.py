"""How often a hook may be called, and may send what cannot be booked; what is dropped beyond that is counted.

Who sends alerts may not come again: what was dropped within a minute is one break that says how many they were.
"""

import asyncio
import logging
from dataclasses import dataclass

from anyio import to_thread

from onebook.domain import times
from onebook.domain.facts import Hook
from onebook.errors import StoreError
from onebook.http.limits import Rates
from onebook.http.service import Service

ALERTS_A_MINUTE = 600
"""Of one hook; they may come all at once, as at the close of a bar."""

BREAKS_A_MINUTE = 30
"""Alerts of one hook that cannot be booked and are kept, each as a break."""

COUNT_SECONDS = 60.0
"""What is dropped in this time is one break."""

_LOG = logging.getLogger("onebook.http")


@dataclass(slots=True, kw_only=True)
class Dropped:
    """What was dropped of one hook since a moment, in nanoseconds since 1970 UTC."""

    hook: Hook
    since_ns: int
    refused: int = 0
    unkept: int = 0


class Tollgate:
    """The limits of all hooks of a service. For its event loop.

    Args:
        service: which; what was dropped is written down at its end too.
    """

    def __init__(self, service: Service) -> None:
        self._book = service.book
        self._alerts = Rates(ALERTS_A_MINUTE, burst_seconds=60.0)
        self._breaks = Rates(BREAKS_A_MINUTE, burst_seconds=60.0)
        self._dropped: dict[str, Dropped] = {}
        self._counting: set[asyncio.Task[None]] = set()
        service.at_end(self._end)

    def wait(self, hook: Hook) -> float:
        """Count an alert; return 0.0, or the seconds until one is taken: this one is dropped."""
        wait = self._alerts.wait(hook.name)
        if wait > 0:
            self._of(hook).refused += 1
        return wait

    def keeps(self, hook: Hook) -> bool:
        """Count an alert that cannot be booked; say whether it is kept."""
        if self._breaks.wait(hook.name) > 0:
            self._of(hook).unkept += 1
            return False
        return True

    def _of(self, hook: Hook) -> Dropped:
        found = self._dropped.get(hook.name)
        if found is None:
            _LOG.warning("hook %s: alerts are dropped, more come than are taken; a break will count them", hook.name)
            found = self._dropped[hook.name] = Dropped(hook=hook, since_ns=self._book.now())
            task = asyncio.get_running_loop().create_task(self._count(found))
            self._counting.add(task)
            task.add_done_callback(self._counting.discard)
        return found

    async def _count(self, found: Dropped) -> None:
        """Write down what is dropped, every minute until nothing is."""
        while found.refused or found.unkept:
            await asyncio.sleep(COUNT_SECONDS)
            await self._write(found)
        del self._dropped[found.hook.name]

    async def _write(self, found: Dropped) -> None:
        refused, unkept, since_ns, until_ns = found.refused, found.unkept, found.since_ns, self._book.now()
        hook = found.hook
        reason = (
            f"alerts were dropped since {times.to_text(since_ns)}: {refused} refused, more than {ALERTS_A_MINUTE} a "
            f"minute; {unkept} that cannot be booked not kept, more than {BREAKS_A_MINUTE} a minute"
        )
        data = {
            "kind": "unbooked_fact",
            "what": "alerts",
            "reason": reason,
            "account": hook.account,
            "venue": "",
            "raw": {"hook": hook.name, "refused": refused, "not_kept": unkept},
            "key": f"unbooked_fact|dropped|{hook.name}|{since_ns}",
        }

        def note() -> None:
            with self._book.acting(f"hook:{hook.name}"):
                self._book.note("break_found", data, strategy=hook.strategy)

        try:
            await to_thread.run_sync(note)
        except StoreError as problem:  # it is written at the next turn
            _LOG.error("hook %s: %s; it could not be written down: %s", hook.name, reason, problem)
            return
        found.refused -= refused
        found.unkept -= unkept
        found.since_ns = until_ns

    async def _end(self) -> None:
        for task in self._counting:
            task.cancel()
        for found in list(self._dropped.values()):
            await self._write(found)
