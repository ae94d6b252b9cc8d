"""``book.trading``: whether orders may be sent, stops and targets, and the switches of a person."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

from onebook.book.core import Core
from onebook.domain.commands import Protect, Replace, SetTrading
from onebook.domain.facts import Limits, Order, OrderUpdate
from onebook.domain.fields import choice, optional, positive, required, text
from onebook.domain.numbers import Number
from onebook.domain.reports import OrderState
from onebook.errors import InputError
from onebook.store.port import Store
from onebook.trading.answers import Answer
from onebook.trading.brokers.port import Broker
from onebook.trading.end_of_day import EndOfDay, EndOfDayTerms
from onebook.trading.flatten import Wish, flatten
from onebook.trading.gate import Gate
from onebook.trading.guard import Guard
from onebook.trading.protections import Protection, protection_at, protections
from onebook.trading.recovering import UNKNOWN_AFTER_SECONDS, Recovered, find_order, recover, settle
from onebook.trading.results import Results, Standing
from onebook.trading.stops import Stops

_FIGURES_OF_LIMITS = tuple(name for name in Limits.CONVERT if name not in {"account", "strategy", "instrument"})
_FIGURES = ("stop_loss", "take_profit", "trail_amount", "trail_ratio", "activates_at")


class LimitsDesk:
    """The limits in force; iterate over them, ``set`` and ``clear`` them.

    They are in the log, so that every process on the book has the same.

    Args:
        book: whose.
        gate: which reads them.
    """

    def __init__(self, book: Core, gate: Gate) -> None:
        self._book = book
        self._gate = gate

    def __iter__(self) -> Iterator[Limits]:
        return iter([item for item in self._gate.limits() if item != _none(item)])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def set(self, *, account: str = "", strategy: str = "", instrument: str = "", **figures: Any) -> Limits:
        """Set limits of an account, strategy and instrument (empty: all); what is not named stays as it is.

        Args:
            account: whose orders.
            strategy: whose orders.
            instrument: of what.
            figures: fields of :class:`onebook.Limits`; None takes a limit away.

        Raises:
            InputError: no such limit, or no such value.
        """
        unknown = sorted(figures.keys() - Limits.CONVERT.keys())
        if unknown:
            msg = f"{unknown[0]}: is no limit; there are {', '.join(_FIGURES_OF_LIMITS)}"
            raise InputError(msg, field=unknown[0], value=figures[unknown[0]])
        place = (account, strategy, instrument)
        held = next((item for item in self._gate.limits() if _place(item) == place), None)
        limits = (held or Limits(account=account, strategy=strategy, instrument=instrument)).replaced(**figures)
        self._book.record(limits)
        return limits

    def clear(self, *, account: str = "", strategy: str = "", instrument: str = "") -> None:
        """Take the limits of exactly this account, strategy and instrument away."""
        self._book.record(Limits(account=account, strategy=strategy, instrument=instrument))


def _place(limits: Limits) -> tuple[str, str, str]:
    return limits.account, limits.strategy, limits.instrument


def _none(limits: Limits) -> Limits:
    return Limits(account=limits.account, strategy=limits.strategy, instrument=limits.instrument)


class TradingDesk:
    """What may be sent, and who stops it. Thread-safe.

    Args:
        book: whose.
    """

    def __init__(self, book: Core) -> None:
        self._book = book
        self._results = Results(book)
        self._gate = Gate(book, self._results)
        self._making = threading.Lock()
        self._stops: Stops | None = None
        self._guard = Guard(book, self._gate, self._results, self._flatten_for)

    @property
    def stops(self) -> Stops:
        """Stops and targets as this process watches them; every mark given to the book is looked at."""
        with self._making:
            if self._stops is None:
                self._stops = Stops(self._book)
        return self._stops

    # ---- the gate ----

    def may(self, order: Order) -> Answer:
        """Say whether an order may be sent; nothing is written.

        Raises:
            InputError: the order lacks what its kind needs.
            StoreError: the book could not be asked; nothing may be sent then.
        """
        return self._gate.may(order)

    @overload
    def place(self, order: Order, /, *, along: Callable[[Store], None] | None = None) -> Answer: ...

    @overload
    def place(
        self, order: Order, /, *more: Order, along: Callable[[Store], None] | None = None
    ) -> Answer | tuple[Answer, ...]: ...

    def place(
        self, order: Order, /, *more: Order, along: Callable[[Store], None] | None = None
    ) -> Answer | tuple[Answer, ...]:
        """Decide on an order and record it in one transaction: approved and to be sent, or denied with the reason.

        Who holds the account's broker sends what is approved. The same order again, by its id, gets the same answer,
        and is refused once it must not be sent any more: it has ended, or trading stopped before the venue answered.

        Args:
            order: which.
            more: others of the same transaction, such as the children of a bracket; the answer is a tuple then.
            along: writes something beside the log in the same transaction, for the floors above.

        Raises:
            InputError: an order lacks what its kind needs.
            StoreError: nothing is recorded, and nothing may be sent.
        """
        self._guard.look()
        answers = self._gate.place([order, *more], along=along)
        return tuple(answers) if more else answers[0]

    def cancel(self, client_order_id: str, *, account: str | None = None, reason: str = "") -> OrderState:
        """Ask for an order's end: it is ``pending_cancel``, and who holds the account's broker asks the venue.

        One that was not sent yet is closed by who would have sent it; one whose fate is not known is asked for first.

        Raises:
            InputError: no such order.
            InvalidTransition: it is at its end.
        """
        order = find_order(self._book, client_order_id, account)
        if order.status != "pending_cancel":
            update = OrderUpdate(
                client_order_id=client_order_id, account=order.account, status="pending_cancel", reason=reason
            )
            self._book.record(update)
        return find_order(self._book, client_order_id, order.account)

    def replace(
        self,
        client_order_id: str,
        *,
        account: str | None = None,
        quantity: Number | None = None,
        limit_price: Number | None = None,
        stop_price: Number | None = None,
    ) -> OrderState:
        """Ask for other terms of an order: it is ``pending_replace`` until the venue says what counts.

        The gate is asked for them as for a new order.

        Raises:
            InputError: no such order, or no such value.
            TradingHalted: trading is halted where the order is; the order stays as it is.
            OrderRefused: the gate refuses them; the order stays as it is.
            InvalidTransition: it does not stand at the venue.
        """
        order = find_order(self._book, client_order_id, account)
        update = OrderUpdate(
            client_order_id=client_order_id,
            account=order.account,
            status="pending_replace",
            quantity=quantity,
            limit_price=limit_price,
            stop_price=stop_price,
        )
        self._guard.look()
        self._book.submit(self.replacing(update))
        return find_order(self._book, client_order_id, order.account)

    def replacing(self, update: OrderUpdate) -> Replace:
        """Return the command behind :meth:`replace`, for the floors above that commit several things together."""
        order = find_order(self._book, update.client_order_id, update.account).order
        return self._gate.replacement(order, update)

    # ---- states ----

    @property
    def state(self) -> str:
        """``ACTIVE``, ``REDUCING`` (only exits pass) or ``HALTED`` (only a person's flatten does), of the book."""
        return self._book.trading_state()

    def state_of(self, account: str = "", strategy: str = "") -> str:
        """Return the strictest state that covers an account's strategy."""
        return self._book.trading_state(account, strategy)

    def halt(self, reason: str, *, account: str = "", strategy: str = "") -> str:
        """Let nothing through but a person's flatten; return the state in force.

        Args:
            reason: why, for the log.
            account: only this one; empty for all.
            strategy: only this one; empty for all.

        Raises:
            InputError: no reason.
        """
        return self._set("HALTED", reason, account, strategy)

    def reduce(self, reason: str, *, account: str = "", strategy: str = "") -> str:
        """Let only exits through; as for :meth:`halt`."""
        return self._set("REDUCING", reason, account, strategy)

    def resume(self, reason: str, *, account: str = "", strategy: str = "") -> str:
        """Let orders through again; a limit of loss that was reached counts anew from now on. As for :meth:`halt`."""
        return self._set("ACTIVE", reason, account, strategy)

    def _set(self, state: str, reason: str, account: str, strategy: str) -> str:
        command = SetTrading(
            state=state,
            reason=required("reason", reason),
            account=text("account", account),
            strategy=text("strategy", strategy),
            figures={"marks": self._results.marks()} if state == "ACTIVE" else {},
        )
        self._book.submit(command)
        return self._book.trading_state(account, strategy)

    @property
    def limits(self) -> LimitsDesk:
        """The limits in force."""
        return LimitsDesk(self._book, self._gate)

    def standing(self, account: str = "", strategy: str = "") -> Standing:
        """Return how an account or strategy stands today: the loss since the roll and the drawdown."""
        return self._results.standings([(account, strategy)])[account, strategy]

    def check(self) -> list[Standing]:
        """Compare all limits of loss with how things stand now, and act on those that are reached.

        Placing an order does this too, and a runner does it with every mark that matters.
        """
        return self._guard.look()

    # ---- stops and targets ----

    def protect(  # noqa: PLR0913  the figures of the contract
        self,
        instrument: str,
        *,
        account: str = "main",
        strategy: str = "",
        leg: str = "",
        stop_loss: Number | None = None,
        take_profit: Number | None = None,
        trail_amount: Number | None = None,
        trail_ratio: Number | None = None,
        activates_at: Number | None = None,
        act: str = "notify",
    ) -> Protection:
        """Set the stop and target of a position anew; it ends with the position, and waits for one where there is none.

        Args:
            instrument: of what.
            account: whose.
            strategy: whose position.
            leg: ``long`` or ``short`` in a hedging account.
            stop_loss: a price.
            take_profit: a price.
            trail_amount: distance of a trailing stop from the best mark since the position opened.
            trail_ratio: the same as a part of that mark, between 0 and 1.
            activates_at: the mark at which the trail begins; None: at once.
            act: ``notify`` writes ``stop_triggered``; ``order`` also places an exit at the market.

        Raises:
            InputError: no figure, or figures that contradict each other or the position.
        """
        given = (stop_loss, take_profit, trail_amount, trail_ratio, activates_at)
        take = optional(positive)
        figures: dict[str, Any] = {name: take(name, value) for name, value in zip(_FIGURES, given, strict=True)}
        if not any(figures.values()):
            required("stop_loss", "")
        place = (required("account", account), required("instrument", instrument), text("strategy", strategy))
        command = Protect(
            account=place[0],
            instrument=place[1],
            strategy=place[2],
            leg=choice("", "long", "short")("leg", leg),
            act=choice("notify", "order")("act", act),
            **figures,
        )
        self._book.submit(command)
        found = protection_at(self._book, *place, leg)
        assert found is not None  # noqa: S101  it was set right here
        return found

    def unprotect(
        self, instrument: str, *, account: str = "main", strategy: str = "", leg: str = "", reason: str = ""
    ) -> None:
        """Take the stop and target of a position away.

        Raises:
            InputError: a name is missing, or the leg is none.
        """
        why = text("reason", reason) or "taken away"
        command = Protect(
            account=required("account", account),
            instrument=required("instrument", instrument),
            strategy=text("strategy", strategy),
            leg=choice("", "long", "short")("leg", leg),
            reason=why,
        )
        self._book.submit(command)

    def protections(self, *, status: str | None = "active") -> list[Protection]:
        """Return stops and targets; ``status`` ``active``, ``triggered`` or ``removed``, None for all."""
        return protections(self._book, status=status)

    # ---- deeds of a person ----

    def flatten(
        self,
        reason: str,
        *,
        account: str | None = None,
        strategy: str | None = None,
        instrument: str | None = None,
        close_reason: str = "kill_switch",
    ) -> list[Answer]:
        """Close what is held at the market, and take open orders back; it passes in every state.

        An exit at the market that is on its way already is let be. An order that was not sent yet never is then; one
        that its venue has not answered is canceled when the venue has it.

        Args:
            reason: why, for the log.
            account: only this one.
            strategy: only this one.
            instrument: only this one.
            close_reason: of the round trips that it ends.

        Returns:
            The gate's answer on each exit.
        """
        wish = Wish(
            reason=required("reason", reason),
            account=account,
            strategy=strategy,
            instrument=instrument,
            close_reason=close_reason,
        )
        return flatten(self._book, self._gate, wish)

    def _flatten_for(self, reason: str, limits: Limits, key: str) -> None:
        """Close what limits of loss cover; done again it doubles nothing."""
        account, strategy = limits.account or None, limits.strategy or None
        wish = Wish(reason=reason, account=account, strategy=strategy, operator=False, key=key)
        flatten(self._book, self._gate, wish)

    def recover(self, broker: Broker, *, unknown_after_seconds: float = UNKNOWN_AFTER_SECONDS) -> Recovered:
        """Ask a venue for every open order of its accounts, and record what it says; for when a program starts.

        Args:
            broker: the venue.
            unknown_after_seconds: an order that it does not know is rejected when it is older, and unknown till then.
        """
        return recover(self._book, broker, unknown_after_seconds=unknown_after_seconds)

    def settle(self, client_order_id: str, status: str, reason: str, *, account: str | None = None) -> OrderState:
        """Say what became of an order whose fate nobody knows: ``rejected canceled expired``, or ``new``.

        Raises:
            InputError: no such order or status, or no reason.
            RuleError: its fate is known.
        """
        return settle(self._book, client_order_id, status, reason, account=account)

    def end_of_day(self, rules: Sequence[EndOfDayTerms]) -> EndOfDay:
        """Return what closes positions before a market does; ask it with ``look(now_ns)``.

        Args:
            rules: what is closed, and when.
        """
        return EndOfDay(self._book, self._gate, rules)

    def close(self) -> None:
        """Keep what was observed."""
        if self._stops is not None and not self._book.store.read_only:
            self._stops.close()
        self._results.close()
