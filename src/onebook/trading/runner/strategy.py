"""What every strategy is: a small class that hears of the market and wishes for orders. It holds nothing itself."""

import difflib
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from onebook.domain.facts import Fill
from onebook.domain.fields import required
from onebook.domain.market import Bar, Print, Quote
from onebook.domain.numbers import number
from onebook.errors import InputError
from onebook.market.timeframes import parse

if TYPE_CHECKING:
    from onebook.trading.runner.context import Context

MAX_WARM_UP = 10_000
"""Most bars that a strategy may look back."""


@dataclass(frozen=True, slots=True)
class _Parameter:
    default: Any
    least: Any
    most: Any
    choices: tuple[Any, ...]

    def taken(self, name: str, value: Any) -> Any:
        """Return a value as the parameter's kind.

        Raises:
            InputError: it is none that the parameter may have.
        """
        kind = type(self.default)
        found = number(name, value) if kind is Decimal else value
        if type(found) is not kind:
            msg = f"{name}: {value!r:.60} is not of the kind of its default {self.default!r}"
            raise InputError(msg, field=name, value=value)
        if self.choices and found not in self.choices:
            msg = f"{name}: {value!r:.60} is none of {', '.join(map(str, self.choices))}"
            raise InputError(msg, field=name, value=value)
        if (self.least is not None and found < self.least) or (self.most is not None and found > self.most):
            least = "any" if self.least is None else self.least
            most = "any" if self.most is None else self.most
            msg = f"{name}: {value} is not from {least} to {most}"
            raise InputError(msg, field=name, value=value)
        return found


def parameter(default: Any, *, least: Any = None, most: Any = None, choices: Collection[Any] = ()) -> Any:
    """Declare a parameter of a strategy: a class attribute with a default, checked when the strategy is made.

    Args:
        default: its value where none is given; its kind (``int``, ``Decimal``, ``str``, ``bool``) is the parameter's.
        least: smallest value that it may have.
        most: largest value that it may have.
        choices: the only values that it may have.

    Example:
        >>> class Patient(Strategy):
        ...     days: int = parameter(5, least=1)
        >>> Patient("a", days=9).days
        9
    """
    return _Parameter(default, least, most, tuple(choices))


class Strategy:
    """A strategy. Subclass it, and override what it is to hear.

    It holds no positions, orders or money: it asks the context, which asks the book. What it keeps for itself is gone
    after a restart, so let what it decides follow from the context alone.

    Args:
        name: under which the book keeps what it does.
        account: in which it trades.
        instruments: that it hears of.
        timeframe: of its bars, such as ``5m``; shorter bars or prints are put together. Empty: as the class says.
        warm_up: how many bars ``on_bar`` needs to have seen; None: as the class says.
        parameters: those that the class declares with :func:`parameter`.

    Attributes:
        timeframe: of its bars.
        warm_up: how far back its history reaches, in bars.

    Raises:
        InputError: no such parameter, or no such value.
    """

    timeframe: str = "1m"
    warm_up: int = 0

    def __init__(
        self,
        name: str,
        account: str = "main",
        *,
        instruments: Collection[str] = (),
        timeframe: str = "",
        warm_up: int | None = None,
        **parameters: Any,
    ) -> None:
        self.name = required("name", name)
        self.account = required("account", account)
        self.instruments = tuple(instruments)
        self.timeframe = parse(timeframe or type(self).timeframe)
        declared = declared_by(type(self))
        for given in parameters:
            if given not in declared:
                raise _unknown(given, list(declared))
        for key, item in declared.items():
            setattr(self, key, item.taken(key, parameters[key]) if key in parameters else item.default)
        self.check()
        wanted = type(self).warm_up if warm_up is None else warm_up
        self.warm_up = max(wanted, self.needs())
        if not 0 <= wanted <= self.warm_up <= MAX_WARM_UP:
            msg = f"warm_up: {wanted if wanted < 0 else self.warm_up} is not from 0 to {MAX_WARM_UP} bars"
            raise InputError(msg, field="warm_up", value=self.warm_up)

    def check(self) -> None:
        """Refuse parameters that do not go together, with an ``InputError``. Override it where there are such."""

    def needs(self) -> int:
        """Return how many bars it looks back, where that follows from its parameters."""
        return 0

    # ---- what it hears ----

    def on_start(self, ctx: "Context") -> None:
        """It begins, or goes on after a restart: set timers here. Nothing can be ordered yet."""

    def on_bar(self, ctx: "Context", bar: Bar) -> None:
        """A bar of its timeframe has ended."""

    def on_print(self, ctx: "Context", print_: Print) -> None:
        """Somebody traded."""

    def on_quote(self, ctx: "Context", quote: Quote) -> None:
        """The best prices changed."""

    def on_fill(self, ctx: "Context", fill: Fill) -> None:
        """An order of this strategy was filled, wholly or in part; the book has it already."""

    def on_timer(self, ctx: "Context", name: str) -> None:
        """A timer that was set with ``ctx.timer`` is due."""

    def on_stop(self, ctx: "Context", reason: str) -> None:
        """It ends, or is to go on after a restart. Nothing can be ordered any more."""


def declared_by(kind: type[Strategy]) -> dict[str, _Parameter]:
    """Return the parameters of a class and those that it comes from."""
    found: dict[str, _Parameter] = {}
    for base in reversed(kind.__mro__):
        found |= {name: item for name, item in vars(base).items() if isinstance(item, _Parameter)}
    return found


def _unknown(name: str, known: list[str]) -> InputError:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known) or 'none'}"
    return InputError(f"{name}: is no parameter of this strategy; {hint}", field=name)
