"""Recording a bot that trades through ccxt: the same exchange object, of whose calls the book hears.

The object stays the bot's own: its class becomes a subclass made for it, so that ``isinstance``, ``super()`` and the
library's own calls (``create_limit_order`` calls ``create_order``) work as before, and what ccxt answers or raises
reaches the bot unchanged. ccxt itself is never imported here.
"""

import functools
import inspect
import logging
import os
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from onebook.book.core import Core
from onebook.book.reading import Moment, moment_ns
from onebook.errors import BadConfig
from onebook.feed.calling import tried
from onebook.intake.adapters.ccxt_calls import ALL, CREATE, CREATE_MANY, Call, Calls
from onebook.intake.adapters.recorder import Item, OrderSeen, Recorder
from onebook.intake.adapters.recorder_place import check_bot

MAX_HELD = 10_000
"""Most orders seen that wait for the answer to an order of which the venue does not know our id."""

_Exchange = TypeVar("_Exchange")


def recording(  # noqa: PLR0913  what a bot may choose
    exchange: _Exchange,
    book: Core,
    *,
    strategy: str,
    account: str = "main",
    venue: str = "",
    spool: str | os.PathLike[str] | None = None,
    send_ids: bool = True,
    since: Moment = None,
    patience_seconds: float = 0.5,
) -> _Exchange:
    """Record what a bot does through a ccxt exchange, and return the exchange.

    Works with ``ccxt``, ``ccxt.async_support`` and ``ccxt.pro``. Calls answer what they answered before; when the book
    fails, facts go to a spool and are booked later. ``exchange.recorder`` is the :class:`Recorder`.

    Args:
        exchange: an instance of a ccxt exchange.
        book: an open book.
        strategy: the bot's.
        account: the book's account at this exchange.
        venue: name of the venue in the book; empty: the exchange's ``id``.
        spool: file, or folder, for what the book cannot take just now; None: beside the book.
        send_ids: send an order without a client order id with one of ours, where the exchange takes them, so that an
            order can be found again after a crash.
        since: what happened before this is left out, for an account whose book begins with an opening balance.
        patience_seconds: how long a call waits at most for the book.

    Raises:
        BadConfig: it is no ccxt exchange, it is recorded already, the account is at another venue, or the spool is a
            file that is no spool.
        InputError: no strategy.
    """
    _check_exchange(exchange)
    kind = type(exchange)
    venue = venue or str(exchange.id)  # type: ignore[attr-defined]
    check_bot(book, account, venue, strategy, "this exchange")
    recorder = Recorder(
        book, strategy=strategy, account=account, venue=venue, spool=spool, patience_seconds=patience_seconds
    )
    calls = Calls(exchange, recorder, send_ids=send_ids, since_ns=moment_ns("since", since) or 0)
    watch = _Watch(calls, recorder)
    own: dict[str, Any] = {"recorder": recorder, "__module__": kind.__module__, "__doc__": kind.__doc__}
    for name in ALL:
        original = getattr(kind, name, None)
        if original is not None:
            wrap = _async if inspect.iscoroutinefunction(original) else _sync
            own[name] = own[_camel(name)] = wrap(name, original, watch)
    exchange.__class__ = type(kind.__name__, (kind,), own)
    return exchange


def _check_exchange(exchange: object) -> None:
    """Refuse what is no ccxt exchange, or recorded already."""
    kind = type(exchange)
    if not all(hasattr(exchange, name) for name in ("id", "create_order", "fetch_my_trades", "describe")):
        msg = f"exchange: {kind.__name__} is no ccxt exchange; hand over an instance such as ccxt.okx({{...}})"
        raise BadConfig(msg, field="exchange")
    if hasattr(exchange, "recorder"):
        msg = f"exchange: this {kind.__name__} is recorded already; a bot needs one recording"
        raise BadConfig(msg, field="exchange")


class _Watch:
    """Brings calls and answers to the recorder.

    While an order is on its way of which the venue does not know our id, what other calls tell of orders waits for its
    answer: the stream may be faster, and only the answer says which order is ours. Executions do not wait: the book
    gives them to their order when it hears which one that is.
    """

    def __init__(self, calls: Calls, recorder: Recorder) -> None:
        self.recorder = recorder
        self._calls = calls
        self._lock = threading.Lock()
        self._flying = 0
        self._held: list[Item] = []

    def begin(
        self, name: str, original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Call, list[Item]]:
        call, problem = tried(lambda: self._calls.begin(name, original, args, kwargs))
        self.recorder.contain(problem, f"a call of {name} cannot be read", logging.DEBUG)
        if call is None:
            return Call(name, args, kwargs), []
        wishes, problem = tried(lambda: list(self._calls.wishes(call)))
        self.recorder.contain(problem, f"the order of {name} cannot be read", logging.WARNING)
        if call.hides:
            with self._lock:
                self._flying += 1
        return call, wishes or []

    def answered(self, call: Call, result: Any) -> list[Item]:
        what = "order" if "order" in call.name else "answer"
        return self._passed(
            call, self.recorder.read(lambda: self._calls.answer(call, result), what=what, raw={"answer": result})
        )

    def failed(self, call: Call, problem: BaseException | None) -> list[Item]:
        items, second = tried(lambda: list(self._calls.failure(call, problem)))
        self.recorder.contain(second, f"a failure of {call.name} cannot be read")
        return self._passed(call, items or [])

    def _passed(self, call: Call, items: list[Item]) -> list[Item]:
        with self._lock:
            if call.hides:
                self._flying -= 1
                if not self._flying:
                    held, self._held = self._held, []
                    return items + held
            elif self._flying and call.name not in {*CREATE, *CREATE_MANY} and len(self._held) < MAX_HELD:
                self._held += [item for item in items if isinstance(item, OrderSeen)]
                return [item for item in items if not isinstance(item, OrderSeen)]
        return items


def _sync(name: str, original: Callable[..., Any], watch: _Watch) -> Callable[..., Any]:
    @functools.wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        call, wishes = watch.begin(name, original, args, kwargs)
        answered = False
        try:
            watch.recorder.take(wishes)
            call.is_sent = True
            result = original(self, *call.args, **call.kwargs)
            answered = True
        finally:
            if not answered:
                watch.recorder.take(watch.failed(call, sys.exc_info()[1]))
        watch.recorder.take(watch.answered(call, result))
        return result

    return method


def _async(name: str, original: Callable[..., Any], watch: _Watch) -> Callable[..., Any]:
    @functools.wraps(original)
    async def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        call, wishes = watch.begin(name, original, args, kwargs)
        answered = False
        try:
            await watch.recorder.take_async(wishes)
            call.is_sent = True
            result = await original(self, *call.args, **call.kwargs)
            answered = True
        finally:
            if not answered:
                problem = sys.exc_info()[1]
                failed = watch.failed(call, problem)
                if isinstance(problem, GeneratorExit):  # nothing may be awaited any more
                    watch.recorder.take(failed)
                else:
                    await watch.recorder.take_async(failed)
        await watch.recorder.take_async(watch.answered(call, result))
        return result

    return method


def _camel(name: str) -> str:
    """Return ccxt's other name of a method."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
