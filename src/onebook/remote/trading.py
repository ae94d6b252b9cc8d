"""``book.trading`` of a remote book. Without the service nothing may be sent, but exits of what is known to be held."""

from collections.abc import Callable, Iterator
from typing import Any, overload

from onebook.domain.facts import Limits, Order
from onebook.domain.fields import positive, required, text
from onebook.domain.reports import OrderState, Status, as_plain
from onebook.errors import InputError, SourceError, StoreError
from onebook.remote.asking import Asking
from onebook.remote.known import Known
from onebook.remote.wire import record_of, stated
from onebook.trading.answers import Answer, Approved, Refused
from onebook.trading.protections import Protection

UNREACHABLE = "unreachable"
"""Reason of a refusal that the book did not give: nobody could ask it."""

_FIGURES = tuple(name for name in Limits.CONVERT if name not in {"account", "strategy", "instrument"})

Name = Callable[[Order], Order]


class RemoteTrading:
    """What may be sent, and who stops it. Thread-safe.

    Args:
        asking: the service.
        known: positions as this client last knew them.
        name: gives an order its id.
        ready: returns why the service does not know everything yet that this client recorded; empty when it does.
        kept: keeps an exit that was let through without the service, where there is a spool.
        look: asks what is held and what is on its way.
        gate_seconds: how long the gate is waited for.
    """

    def __init__(  # noqa: PLR0913  the parts of a desk
        self,
        asking: Asking,
        known: Known,
        name: Name,
        ready: Callable[[float], str],
        kept: Callable[[Order], None],
        look: Callable[[], None],
        gate_seconds: float,
    ) -> None:
        self._asking, self._known, self._name = asking, known, name
        self._ready, self._kept, self._look, self._gate_seconds = ready, kept, look, gate_seconds
        self._was_alone = False

    # ---- the gate ----

    def may(self, order: Order) -> Answer:
        """Say whether an order may be sent; nothing is written.

        When nobody answers it is refused as ``unreachable``; but an order that only reduces what this client last knew
        to be held is let through.

        Raises:
            InputError: the order lacks what its kind needs.
            NotAllowed: this client may not ask.
        """
        return self._decided("may", [self._name(order)])[0]

    @overload
    def place(self, order: Order, /) -> Answer: ...

    @overload
    def place(self, order: Order, /, *more: Order) -> Answer | tuple[Answer, ...]: ...

    def place(self, order: Order, /, *more: Order) -> Answer | tuple[Answer, ...]:
        """Decide on an order and record it: approved and to be sent, or denied with the reason.

        When nobody answers it is as for :meth:`may`; an exit that is let through then is recorded later where there is
        a spool, and its ``sequence`` is 0.

        Raises:
            InputError: an order lacks what its kind needs.
            NotAllowed: this client may not place orders.
        """
        answers = self._decided("place", [self._name(item) for item in (order, *more)])
        return tuple(answers) if more else answers[0]

    def _decided(self, deed: str, orders: list[Order]) -> list[Answer]:
        behind = self._ready(self._gate_seconds)
        if behind:
            return [self._alone(deed, order, behind) for order in orders]
        body = [stated(item) for item in orders]
        try:
            answer = self._asking.ask(
                "POST", f"/v1/trading/{deed}", body=body if len(body) > 1 else body[0], patience=self._gate_seconds
            )
            rows = answer.data if len(orders) > 1 else [answer.data]
            found = [_answer(row, order) for row, order in zip(rows, orders, strict=True)]
        except (SourceError, StoreError) as problem:
            return [self._alone(deed, order, str(problem)) for order in orders]
        for said in found:
            self._heard(said)
            if said.ok and deed == "place":
                self._known.leaves(said.order)
        if self._was_alone:  # what was let through meanwhile may have filled or not
            self._was_alone = False
            self._look()
        return found

    def _heard(self, said: Answer) -> None:
        """Take note of what an answer says of a halt; a refusal for another reason may say nothing of it."""
        place, reason = (said.order.account, said.order.strategy), said.reason if isinstance(said, Refused) else ""
        if reason == "halted":
            self._known.may_not_trade(*place)
        elif reason in {"", "reducing"}:
            self._known.may_trade(*place)

    def _alone(self, deed: str, order: Order, why: str) -> Answer:
        """Decide without the service."""
        self._was_alone = True
        leaving = self._known.exit_of(order, keep=deed == "place")
        if leaving is None:
            said = f"the book cannot be asked, so nothing is opened: {why}"
            return Refused(order=order, reason=UNREACHABLE, text=said, figures={"why": why})
        if deed == "place":
            self._kept(leaving)
        return Approved(order=leaving)

    # ---- the switches of a person ----

    @property
    def state(self) -> str:
        """``ACTIVE``, ``REDUCING`` or ``HALTED``, of the whole book."""
        found = record_of(Status, self._asking.ask("GET", "/v1/status").data).trading_state
        self._known.switched("", "", halted=found == "HALTED")
        return found

    def state_of(self, account: str = "", strategy: str = "") -> str:
        """Return the strictest state that covers an account's strategy."""
        query = {"account": text("account", account), "strategy": text("strategy", strategy)}
        found = str(self._asking.ask("GET", "/v1/trading", query=query).data["state"])
        if found == "HALTED":
            self._known.may_not_trade(account, strategy)
        else:
            self._known.may_trade(account, strategy)
        return found

    def halt(self, reason: str, *, account: str = "", strategy: str = "") -> str:
        """Let nothing through but a person's flatten; return the state in force."""
        return self._switch("halt", reason, account, strategy)

    def reduce(self, reason: str, *, account: str = "", strategy: str = "") -> str:
        """Let only exits through; as for :meth:`halt`."""
        return self._switch("reduce", reason, account, strategy)

    def resume(self, reason: str, *, account: str = "", strategy: str = "") -> str:
        """Let orders through again; as for :meth:`halt`."""
        return self._switch("resume", reason, account, strategy)

    def _switch(self, deed: str, reason: str, account: str, strategy: str) -> str:
        body = {"reason": required("reason", reason), "account": text("account", account)}
        body["strategy"] = text("strategy", strategy)
        found = str(self._asking.ask("POST", f"/v1/trading/{deed}", body=body).data["state"])
        self._known.switched(account, strategy, halted=deed == "halt")
        return found

    def flatten(
        self,
        reason: str,
        *,
        account: str | None = None,
        strategy: str | None = None,
        instrument: str | None = None,
    ) -> list[Answer]:
        """Close what is held at the market, and take open orders back; return the answer on each exit."""
        given = {"account": account, "strategy": strategy, "instrument": instrument}
        body = {"reason": required("reason", reason)} | {name: value for name, value in given.items() if value}
        rows = self._asking.ask("POST", "/v1/trading/flatten", body=body).data["items"]
        return [_exit(row, reason) for row in rows]

    # ---- orders that stand ----

    def cancel(self, client_order_id: str, *, account: str | None = None, reason: str = "") -> OrderState:
        """Ask for an order's end: it is ``pending_cancel``, and who holds the account's broker asks the venue."""
        body = {"client_order_id": required("client_order_id", client_order_id), "reason": reason}
        return self._stands("cancel", body, account)

    def replace(
        self,
        client_order_id: str,
        *,
        account: str | None = None,
        quantity: Any = None,
        limit_price: Any = None,
        stop_price: Any = None,
    ) -> OrderState:
        """Ask for other terms of an order: it is ``pending_replace`` until the venue says what counts.

        It is asked once: where no answer comes, look at the order before asking again.
        """
        given = {"quantity": quantity, "limit_price": limit_price, "stop_price": stop_price}
        body = {"client_order_id": required("client_order_id", client_order_id), **_numbers(given)}
        return self._stands("replace", body, account, patience=0.0)

    def _stands(
        self, deed: str, body: dict[str, Any], account: str | None, patience: float | None = None
    ) -> OrderState:
        whose = {} if account is None else {"account": account}
        answer = self._asking.ask("POST", f"/v1/trading/{deed}", body=body | whose, patience=patience)
        return record_of(OrderState, answer.data)

    # ---- stops and targets ----

    def protect(  # noqa: PLR0913  the figures of a stop
        self,
        instrument: str,
        *,
        account: str = "main",
        strategy: str = "",
        leg: str = "",
        stop_loss: Any = None,
        take_profit: Any = None,
        trail_amount: Any = None,
        trail_ratio: Any = None,
        activates_at: Any = None,
        act: str = "notify",
    ) -> Protection:
        """Set the stop and target of a position anew; the service looks at them with every mark.

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
        """
        figures = {
            "stop_loss": stop_loss,
            "take_profit": take_profit,
            "trail_amount": trail_amount,
            "trail_ratio": trail_ratio,
            "activates_at": activates_at,
        }
        place = {"account": required("account", account), "strategy": text("strategy", strategy), "leg": leg}
        body = {"instrument": required("instrument", instrument), **place, **_numbers(figures), "act": act}
        return record_of(Protection, self._asking.ask("POST", "/v1/trading/protect", body=body).data)

    def unprotect(
        self, instrument: str, *, account: str = "main", strategy: str = "", leg: str = "", reason: str = ""
    ) -> None:
        """Take the stop and target of a position away."""
        body = {"instrument": required("instrument", instrument), "account": account, "strategy": strategy, "leg": leg}
        self._asking.ask("POST", "/v1/trading/unprotect", body=body | {"reason": reason})

    def protections(self, *, status: str | None = "active") -> list[Protection]:
        """Return stops and targets; ``status`` ``active``, ``triggered`` or ``removed``, None for all."""
        found: list[Protection] = []
        after = None
        while True:
            query = {"status": status or "all", "limit": 1000, "after": after}
            page = self._asking.ask("GET", "/v1/protections", query=query).data
            found += [record_of(Protection, row) for row in page["items"]]
            after = page["next_after"]
            if after is None:
                return found

    @property
    def limits(self) -> "RemoteLimits":
        """The limits in force."""
        return RemoteLimits(self._asking)


class RemoteLimits:
    """The limits in force; iterate over them, ``set`` and ``clear`` them.

    Args:
        asking: the service.
    """

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def _all(self) -> list[Limits]:
        found: list[Limits] = []
        after = None
        while True:
            page = self._asking.ask("GET", "/v1/limits", query={"limit": 1000, "after": after}).data
            found += [record_of(Limits, row) for row in page["items"]]
            after = page["next_after"]
            if after is None:
                return found

    def __iter__(self) -> Iterator[Limits]:
        return iter([item for item in self._all() if item != _none(item)])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def set(self, *, account: str = "", strategy: str = "", instrument: str = "", **figures: Any) -> Limits:
        """Set limits of an account, strategy and instrument (empty: all); what is not named stays as it is.

        Raises:
            InputError: no such limit, or no such value.
        """
        unknown = sorted(figures.keys() - Limits.CONVERT.keys())
        if unknown:
            msg = f"{unknown[0]}: is no limit; there are {', '.join(_FIGURES)}"
            raise InputError(msg, field=unknown[0], value=figures[unknown[0]])
        place = Limits(account=account, strategy=strategy, instrument=instrument)
        held = next((item for item in self._all() if _none(item) == place), place)
        limits = held.replaced(**figures)
        self._asking.ask("POST", "/v1/limits", body=stated(limits))
        return limits

    def clear(self, *, account: str = "", strategy: str = "", instrument: str = "") -> None:
        """Take the limits of exactly this account, strategy and instrument away."""
        empty = Limits(account=account, strategy=strategy, instrument=instrument)
        self._asking.ask("POST", "/v1/limits", body=as_plain({"account": account, **stated(empty)}))


def _numbers(given: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers that are given, as text; a float is refused here, where the line that says it is."""
    return {name: as_plain(positive(name, value)) for name, value in given.items() if value is not None}


def _none(limits: Limits) -> Limits:
    return Limits(account=limits.account, strategy=limits.strategy, instrument=limits.instrument)


def _answer(row: Any, asked: Order) -> Answer:
    """Return what the gate answered."""
    order = record_of(Order, row["order"])
    if row["approved"]:
        return Approved(order=order, sequence=int(row["sequence"]))
    figures = dict(row.get("figures") or {})
    whole = asked if order.client_order_id == asked.client_order_id and not order.strategy else order
    return Refused(
        order=whole, reason=str(row["reason"]), text=str(row["text"]), figures=figures, sequence=int(row["sequence"])
    )


def _exit(row: Any, reason: str) -> Answer:
    """Return the answer on one exit of a flatten."""
    names = ("account", "instrument", "strategy", "side", "quantity", "client_order_id")
    order = Order(**{name: row[name] for name in names}, reduce_only=True, close_reason="kill_switch", note=reason)
    if row["answer"] == "approved":
        return Approved(order=order)
    return Refused(order=order, reason="refused", text=str(row["why"]))
