"""The strategies of a runner: they hear what happens, and one that raises is stopped while the others go on."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from onebook.book.core import Core
from onebook.domain.facts import Fill, OrderUpdate
from onebook.domain.fields import MAX_TEXT
from onebook.domain.identity import identity_text
from onebook.domain.market import Bar, Print, Quote, Seen
from onebook.domain.orders import CANCELABLE
from onebook.errors import InputError, InvalidTransition, RuleError
from onebook.trading.desk import TradingDesk
from onebook.trading.runner.calling import call, said_by
from onebook.trading.runner.context import Around, Context
from onebook.trading.runner.strategy import Strategy
from onebook.trading.runner.wishes import Wishes

HEARTBEAT_SECONDS = 30.0
"""When the next sign of life of a strategy that runs live is due."""

_log = logging.getLogger("onebook.runner")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hired:
    """A strategy, and what becomes of its positions when it raises: ``stop`` leaves them, ``flatten`` closes them."""

    strategy: Strategy
    on_error: str = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What is to be heard at one moment.

    Attributes:
        key: tells this moment from all others.
        now_ns: the moment.
        before_ns: the last moment at which something was heard; -1 for none.
        seen: what the market showed; None where only time went by.
        bars: that ended with it.
        fills: since the last moment, oldest first.
    """

    key: str
    now_ns: int
    before_ns: int
    seen: Seen | None = None
    bars: Sequence[Bar] = ()
    fills: Sequence[Fill] = ()


@dataclass(slots=True)
class Member:
    """One strategy at work."""

    strategy: Strategy
    on_error: str
    context: Context
    is_active: bool = True


class Crew:
    """All strategies of one runner.

    Args:
        book: the book.
        desk: of the book.
        around: what all contexts share.
        hired: the strategies.
        runner: name of the runner.
    """

    def __init__(self, book: Core, desk: TradingDesk, around: Around, hired: Sequence[Hired], runner: str) -> None:
        self._book = book
        self._desk = desk
        self._runner = runner
        self.members = [Member(item.strategy, item.on_error, Context(around, item.strategy)) for item in hired]

    @property
    def is_active(self) -> bool:
        """Whether any strategy still runs."""
        return any(member.is_active for member in self.members)

    @property
    def names(self) -> list[str]:
        """The strategies' names."""
        return [member.strategy.name for member in self.members]

    @property
    def is_leaving(self) -> bool:
        """Whether an exit at the market of a strategy that failed and is to be flattened has not come to its end."""
        return any(
            state.order.kind == "market" and state.reduce_only
            for member in self.members
            if member.on_error == "flatten" and not member.is_active
            for state in self._book.orders(account=member.strategy.account, strategy=member.strategy.name, is_open=True)
        )

    # ---- hearing ----

    def start(self, now_ns: int, key: str) -> None:
        """Let all begin."""
        for member in self.members:
            problem = self._hear(member, now_ns, None, partial(member.strategy.on_start, member.context))
            if problem is not None:
                self.fail(member, problem, key)

    def hear(self, heard: Heard) -> tuple[list[Wishes], list[tuple[Member, BaseException]]]:
        """Let all hear something; return their wishes, and those that raised with what they raised."""
        wishes: list[Wishes] = []
        failed: list[tuple[Member, BaseException]] = []
        for member in self.members:
            if not member.is_active:
                continue
            wish = Wishes(self._runner, member.strategy.name, heard.key)
            problem = self._hear(member, heard.now_ns, wish, partial(_tell, member, heard))
            if problem is not None:
                failed.append((member, problem))
            elif wish.signals or wish.orders or wish.others:
                wishes.append(wish)
        return wishes, failed

    def stop(self, now_ns: int, reason: str) -> None:
        """Let those that still run end; of one that raises people are told, and what it has stays as it is."""
        failed: list[tuple[Member, BaseException]] = []
        for member in self.members:
            if member.is_active:
                problem = self._hear(member, now_ns, None, partial(member.strategy.on_stop, member.context, reason))
                if problem is not None:
                    failed.append((member, problem))
        for member, problem in failed:
            _log.error("strategy %s raised in on_stop", member.strategy.name, exc_info=problem)
            self._alert(member, f"in on_stop: {said_by(problem)}", f"stop|{now_ns}")

    def _hear(
        self, member: Member, now_ns: int, wishes: Wishes | None, calls: Callable[[], None]
    ) -> BaseException | None:
        return call(member.context.hear, now_ns, wishes, calls)

    # ---- trouble ----

    def fail(self, member: Member, problem: BaseException, key: str) -> None:
        """Stop a strategy that raised: its positions are closed where that is wanted, and people are told."""
        name = member.strategy.name
        member.is_active = False
        _log.error("strategy %s has failed and is stopped", name, exc_info=problem)
        text = said_by(problem)
        reason = f"its strategy failed: {text}"[:MAX_TEXT].strip()
        try:
            self._take_back(member, reason)
        except (InputError, RuleError) as trouble:
            _log.error("what strategy %s left could not all be taken back: %s", name, trouble)
        once = self._alert(member, text, key)
        about = {"runner": self._runner, "account": member.strategy.account}
        self._book.note(
            "runner_stopped", {"reason": "strategy_failed", "text": text, "key": once} | about, strategy=name
        )
        self._book.heartbeat(name, 0)

    def _alert(self, member: Member, text: str, key: str) -> str:
        """Tell people, once, that a strategy raised; return what tells this time from all others."""
        name = member.strategy.name
        once = identity_text(self._runner, name, key)
        about = {"runner": self._runner, "account": member.strategy.account}
        said = {"kind": "strategy_failed", "subject": name, "text": text, "on_error": member.on_error, "key": once}
        self._book.note("alert_raised", said | about, strategy=name)
        return once

    def _take_back(self, member: Member, reason: str) -> None:
        """Take back the orders that would open; with ``flatten`` close what is held too."""
        account, name = member.strategy.account, member.strategy.name
        if member.on_error == "flatten":
            self._desk.flatten(reason, account=account, strategy=name)  # again at this event it adds no exit
            return
        for state in self._book.orders(account=account, strategy=name, is_open=True):
            if state.status in CANCELABLE and not state.reduce_only:
                with suppress(InvalidTransition):  # it came to its end in between
                    self._book.record(
                        OrderUpdate(
                            client_order_id=state.client_order_id,
                            account=account,
                            status="pending_cancel",
                            reason=reason,
                        )
                    )

    # ---- signs of life ----

    def beat(self) -> None:
        """Say that the strategies live."""
        for member in self.members:
            if member.is_active:
                self._book.heartbeat(member.strategy.name, HEARTBEAT_SECONDS)

    def rest(self) -> None:
        """Say that they end on purpose."""
        for member in self.members:
            self._book.heartbeat(member.strategy.name, 0)


def _tell(member: Member, heard: Heard) -> None:
    """Call a strategy with everything that it is to hear at one moment, in order."""
    strategy, ctx, seen = member.strategy, member.context, heard.seen
    for fill in heard.fills:
        if (fill.account, fill.strategy) == (strategy.account, strategy.name):
            strategy.on_fill(ctx, fill)
    if seen is not None and seen.instrument in strategy.instruments:
        if isinstance(seen, Print):
            strategy.on_print(ctx, seen)
        elif isinstance(seen, Quote):
            strategy.on_quote(ctx, seen)
    for bar in heard.bars:
        if bar.timeframe == strategy.timeframe and bar.instrument in strategy.instruments:
            strategy.on_bar(ctx, bar)
    for name in ctx.due(heard.before_ns):
        strategy.on_timer(ctx, name)
