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
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, NoReturn, TypeVar

from onebook.book.core import Core
from onebook.book.reading import Moment, moment_ns
from onebook.domain.facts import Instrument
from onebook.errors import BadConfig
from onebook.feed.calling import tried
from onebook.intake.adapters.ccxt_calls import ALL, CREATE, CREATE_MANY, Call, Calls
from onebook.intake.adapters.ccxt_shapes import Shape
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
    names: Mapping[str, str] | None = None,
    owns: str = "sent",
) -> _Exchange:
    """Record what a bot does through a ccxt exchange, and return the exchange.

    Works with ``ccxt``, ``ccxt.async_support`` and ``ccxt.pro``. Calls answer what they answered before; when the book
    fails, facts go to a spool and are booked later. ``exchange.recorder`` is the :class:`Recorder`. A copy of the
    exchange is recorded by the same one; to pickle it is refused.

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
        names: the book's name for a symbol of the exchange, where it shall be another one: another venue has contracts
            of another size under the same symbol, or the exchange renamed it.
        owns: whose is what the bot is told of: ``sent``: its own are the orders that it sends through this exchange,
            and what it hears of others is held by EXTERNAL until their bot records them; ``all``: everything on the
            account is this bot's, for one that trades there alone.

    Raises:
        BadConfig: it is no ccxt exchange, it is recorded already, the account is at another venue, or the spool is a
            file that is no spool; a name that is none; ``owns`` is neither of the two.
        InputError: no strategy.
    """
    _check_exchange(exchange)
    kind = type(exchange)
    venue = venue or str(exchange.id)  # type: ignore[attr-defined]
    check_bot(book, account, venue, strategy, "this exchange")
    recorder = Recorder(
        book,
        strategy=strategy,
        account=account,
        venue=venue,
        spool=spool,
        patience_seconds=patience_seconds,
        owns=owns,
    )
    calls = Calls(exchange, recorder, send_ids=send_ids, since_ns=moment_ns("since", since) or 0)
    watch = _Watch(calls, recorder, _names(names))
    own: dict[str, Any] = {"recorder": recorder, "__module__": kind.__module__, "__doc__": kind.__doc__}
    for name in ALL:
        original = getattr(kind, name, None)
        if original is not None:
            call = _Named(name, Shape(kind, name), watch)
            own[name] = own[_camel(name)] = _recorded(original, call)
            _patch(exchange, name, call)
    own["__reduce_ex__"] = _reduced(kind)
    exchange.__class__ = type(kind.__name__, (kind,), own)
    return exchange


def _names(given: Mapping[str, str] | None) -> dict[str, str]:
    """Return the book's names of symbols."""
    names: dict[Any, Any] = dict(given or {})
    for symbol, name in names.items():
        if not (isinstance(symbol, str) and isinstance(name, str) and name):
            msg = f"names: {symbol!r}: {name!r} names no instrument; write names={{'BTC/USDT:USDT': 'okx:BTC'}}"
            raise BadConfig(msg, field="names")
    return names


def _patch(exchange: object, name: str, call: "_Named") -> None:
    """Record a method that the bot has put in the place of the class's, as it does to try again what failed."""
    for place in {name, _camel(name)} & vars(exchange).keys():
        given = vars(exchange)[place]
        if callable(given):
            own = functools.wraps(given)(lambda _, *args, given=given, **kwargs: given(*args, **kwargs))
            vars(exchange)[place] = _recorded(own, call).__get__(exchange)


def _reduced(kind: Any) -> Callable[[Any, Any], Any]:
    """Return how a recorded exchange is copied; a pickle would leave its book behind."""

    def reduce(self: Any, protocol: Any) -> Any:
        made = kind.__reduce_ex__(self, protocol)
        return (_Maker(type(self)), (), *made[2:]) if isinstance(made, tuple) and type(self) in made[1] else made

    return reduce


class _Maker:
    """Makes what a copy of a recorded exchange is filled into."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind

    def __call__(self) -> Any:
        return self._kind.__new__(self._kind)

    def __reduce__(self) -> NoReturn:
        msg = (
            f"a recorded {self._kind.__name__} cannot be pickled: its book stays in this process;"
            " make the exchange in the other process, and record it there"
        )
        raise TypeError(msg)


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
    answer: the stream may be faster, and only the answer says which order is ours. Executions do not wait, so that
    they are durable when the bot hears of them: EXTERNAL holds them until the book hears whose order that is.
    """

    def __init__(self, calls: Calls, recorder: Recorder, names: Mapping[str, str]) -> None:
        self.recorder = recorder
        self._names = names
        self._calls = calls
        self._outer: ContextVar[Call | None] = ContextVar("onebook_ccxt_call", default=None)
        self._lock = threading.Lock()
        self._flying = 0
        self._held: list[Item] = []

    def begin(
        self, named: "_Named", exchange: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Call, list[Item]]:
        call = Call(named.name, exchange, args, kwargs, self._outer.get())
        calls = self._calls.of(exchange)
        _, problem = tried(lambda: calls.begin(call, named.shape))
        self.recorder.contain(problem, f"a call of {call.name} cannot be read", logging.DEBUG)
        wishes, problem = tried(lambda: list(calls.wishes(call)))
        self.recorder.contain(problem, f"the order of {call.name} cannot be read", logging.WARNING)
        if call.hides:
            with self._lock:
                self._flying += 1
        return call, [self._named(item) for item in wishes or []]

    def sent(self, call: Call, work: Callable[..., Any]) -> Any:
        """Call what the bot called; calls inside it are parts of it."""
        call.is_sent = True
        token = self._outer.set(call)
        try:
            return work(call.exchange, *call.args, **call.kwargs)
        finally:
            self._outer.reset(token)

    async def sent_async(self, call: Call, work: Callable[..., Awaitable[Any]]) -> Any:
        """Do as :meth:`sent`, for a method that is awaited."""
        call.is_sent = True
        token = self._outer.set(call)
        try:
            return await work(call.exchange, *call.args, **call.kwargs)
        finally:
            if call is self._outer.get():
                self._outer.reset(token)

    def answered(self, call: Call, result: Any) -> list[Item]:
        calls, what = self._calls.of(call.exchange), "order" if "order" in call.name else "answer"
        return self._passed(
            call, self.recorder.read(lambda: calls.answer(call, result), what=what, raw={"answer": result})
        )

    def failed(self, call: Call, problem: BaseException | None) -> list[Item]:
        items, second = tried(lambda: list(self._calls.of(call.exchange).failure(call, problem)))
        self.recorder.contain(second, f"a failure of {call.name} cannot be read")
        return self._passed(call, items or [])

    def _named(self, item: Item) -> Item:
        """Return an item with the book's name of its instrument."""
        field = "symbol" if isinstance(item, Instrument) else "instrument"
        name = self._names.get(getattr(item, field, None) or "")
        return item.replaced(**{field: name}) if name else item

    def _passed(self, call: Call, found: list[Item]) -> list[Item]:
        items = [self._named(item) for item in found]
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


class _Named:
    """A method that is recorded: its name, how it is called, and who is told of it."""

    def __init__(self, name: str, shape: Shape, watch: _Watch) -> None:
        self.name, self.shape, self.watch = name, shape, watch


def _recorded(original: Callable[..., Any], named: _Named) -> Callable[..., Any]:
    return (_async if inspect.iscoroutinefunction(original) else _sync)(original, named)


def _sync(original: Callable[..., Any], named: _Named) -> Callable[..., Any]:
    watch = named.watch

    @functools.wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        call, wishes = watch.begin(named, self, args, kwargs)
        answered = False
        try:
            watch.recorder.take(wishes)
            result = watch.sent(call, original)
            answered = True
        finally:
            if not answered:
                watch.recorder.take(watch.failed(call, sys.exc_info()[1]))
        if inspect.isawaitable(result):  # a plain function around one that is awaited
            return _awaited(call, lambda *_, **__: result, watch)
        watch.recorder.take(watch.answered(call, result))
        return result

    return method


def _async(original: Callable[..., Any], named: _Named) -> Callable[..., Any]:
    @functools.wraps(original)
    async def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        call, wishes = named.watch.begin(named, self, args, kwargs)
        return await _awaited(call, original, named.watch, wishes)

    return method


async def _awaited(
    call: Call, original: Callable[..., Awaitable[Any]], watch: _Watch, wishes: Sequence[Item] = ()
) -> Any:
    answered = False
    try:
        await watch.recorder.take_async(wishes)
        result = await watch.sent_async(call, original)
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


def _camel(name: str) -> str:
    """Return ccxt's other name of a method."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
