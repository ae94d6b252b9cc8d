"""Watches the limits of loss: what reaches one puts trading to REDUCING, once, and flattens where that is wanted.

A program that ends between the two flattens when it looks again: the exits have names of their own.
"""

from collections.abc import Callable
from typing import Any

from onebook.book.core import Core
from onebook.domain.commands import SetTrading
from onebook.domain.facts import Limits
from onebook.domain.identity import identity_text
from onebook.domain.numbers import plain
from onebook.trading.gate import Gate
from onebook.trading.results import PEAK, Results, Standing
from onebook.trading.unchanged import Unchanged


class Guard:
    """Compares how accounts and strategies stand with their limits of loss.

    Args:
        book: whose.
        gate: knows the limits.
        results: knows how things stand.
        flatten: closes what limits cover; takes a reason, the limits, and a key that makes doing it again harmless.
    """

    def __init__(self, book: Core, gate: Gate, results: Results, flatten: Callable[[str, Limits, str], None]) -> None:
        self._book = book
        self._gate = gate
        self._results = results
        self._flatten = flatten
        self._flattened: set[int] = set()
        self._told: dict[tuple[str, str], str] = {}
        self._unchanged = Unchanged(book, PEAK)
        self._stood: list[Standing] = []

    def look(self) -> list[Standing]:
        """Act on every limit of loss that is reached; return how those that have one stand.

        Where nothing that they are compared with has changed since the last look, nothing can have been reached.
        """
        if self._unchanged:
            return list(self._stood)
        self._unchanged.forget()
        limits = [
            item for item in self._gate.limits() if item.max_daily_loss is not None or item.max_drawdown is not None
        ]
        standings = self._results.standings({(item.account, item.strategy) for item in limits})
        for item in limits:
            self._compare(item, standings[item.account, item.strategy])
        self._stood = list(standings.values())
        if not any(standing.unvalued for standing in self._stood):
            self._unchanged.keep(standings)
        return list(self._stood)

    def _compare(self, limits: Limits, standing: Standing) -> None:
        """Act on what is reached. What cannot be valued is left out on both sides, so it hides no loss of the rest.

        Left out of the day's beginning only, it makes the day's loss a guess: nothing is done on one.
        """
        if standing.unvalued:
            self._unknown(limits, standing)
        result = standing.result
        for cause, value, limit in (
            ("daily_loss", result.loss, limits.max_daily_loss),
            ("drawdown", result.drawdown, limits.max_drawdown),
        ):
            if cause == "daily_loss" and standing.one_sided:
                continue
            if limit is not None and value >= limit and value > 0:
                self._breached(limits, standing, cause, {"limit": plain(limit)})

    def _unknown(self, limits: Limits, standing: Standing) -> None:
        """Say once a day that a loss is not known as a whole: until it is, the gate lets nothing open."""
        key = identity_text("loss_unknown", limits.account, limits.strategy, standing.day, *standing.unvalued)
        if self._book.store.read_only or self._told.get((limits.account, limits.strategy)) == key:
            return
        names = ", ".join(standing.unvalued)
        whose = " of ".join(filter(None, (limits.strategy, limits.account))) or "the book"
        data = {
            "kind": "loss_unknown",
            "subject": whose,
            "text": f"the loss of {whose} is not known as a whole, and nothing may be opened: no price or rate values "
            f"{names}; give one with onebook mark or onebook record rate",
            "account": limits.account,
            "day": standing.day,
            "unvalued": list(standing.unvalued),
            "key": key,
        }
        self._book.note("alert_raised", data, strategy=limits.strategy)
        self._told[limits.account, limits.strategy] = key

    def _breached(self, limits: Limits, standing: Standing, cause: str, more: dict[str, Any]) -> None:
        words = {"daily_loss": "the day's loss reached its limit", "drawdown": "the drawdown reached its limit"}
        command = SetTrading(
            state="REDUCING",
            reason=words[cause],
            account=limits.account,
            strategy=limits.strategy,
            cause=cause,
            figures=standing.figures() | more,
        )
        decision, stamp = self._book.submit(command)[0]
        breach = stamp.sequence if decision.status == "recorded" else decision.first
        if limits.flatten and breach not in self._flattened:
            self._flatten(words[cause], limits, f"loss-{breach}")
            self._flattened.add(breach)
