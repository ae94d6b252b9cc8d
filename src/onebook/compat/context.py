"""Document D's three lists of positions as what they were meant to be: one, asked of the book each time.

``BotContext.positions`` and ``PaperWallet.positions`` are views. Nothing is copied, so there is nothing to bring in
line; the calls that did so look and say what they found.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from decimal import Decimal
from typing import Any, NoReturn

from onebook.compat.managers import TradeManager, get_trade_manager
from onebook.compat.positions import Position
from onebook.compat.totals import totals_of
from onebook.compat.values import decimal_of, optional_decimal
from onebook.domain.numbers import ZERO, add
from onebook.errors import InputError, NotAllowed

_log = logging.getLogger("onebook.compat")
_FIELDS = {
    "amount": "total_amount",
    "entry_price": "average_price",
    "entry_time": "entry_time",
    "realized_pnl": "realized_pnl",
    "fees": "fees_paid",
    "highest_price": "highest_price",
    "lowest_price": "lowest_price",
    "stop_loss": "stop_loss_price",
    "take_profit": "take_profit_price",
    "trailing_stop_pct": "trailing_stop_pct",
}
_COMPARED = ("side", "amount")

Legacy = dict[str, Any]
"""A position as the older context held it."""


def legacy(position: Position, price: Decimal | None = None) -> Legacy:
    """Return a position as the older context held it.

    Args:
        position: which.
        price: its newest price, for ``current_price`` and ``pnl``; None leaves both None.

    Returns:
        ``symbol side amount entry_price entry_time current_price pnl realized_pnl fees highest_price lowest_price
        stop_loss take_profit trailing_stop_pct``: exact numbers; ``side`` is ``long`` or ``short``, ``amount``
        unsigned, ``pnl`` what is gained at the newest price, in the settlement currency.
    """
    gain = None if price is None else position.calculate_unrealized_pnl(price)[0]
    shown = {"symbol": position.symbol, "side": position.side, "current_price": price, "pnl": gain}
    return shown | {name: getattr(position, attribute) for name, attribute in _FIELDS.items()}


class HeldPositions(Mapping[str, Legacy]):
    """The open positions by symbol, asked of the book each time; changing what it hands out changes nothing.

    Args:
        manager: returns the manager over the book.
    """

    __slots__ = ("_manager",)

    def __init__(self, manager: Callable[[], TradeManager]) -> None:
        self._manager = manager

    def __getitem__(self, symbol: str) -> Legacy:
        manager = self._manager()
        found = manager.get_position(symbol)
        if found is None:
            raise KeyError(symbol)
        return legacy(found, manager.price_cache.get(found.symbol))

    def __iter__(self) -> Iterator[str]:
        return iter(self._manager().positions)

    def __len__(self) -> int:
        return len(self._manager().positions)

    def __repr__(self) -> str:
        return f"HeldPositions({list(self)})"

    def _refuse(self, *_given: Any, **_more: Any) -> NoReturn:
        msg = "positions are computed from the trades and cannot be written; record a trade: trade_manager.record_trade"
        raise NotAllowed(msg)

    __setitem__ = __delitem__ = pop = popitem = clear = update = setdefault = _refuse


class PositionSyncManager:
    """Brings a program's own dictionary of positions in line with the book. Views of the book need no such thing.

    Args:
        trade_manager: None for the one of the process.
    """

    def __init__(self, trade_manager: TradeManager | None = None) -> None:
        self._given = trade_manager

    @property
    def trade_manager(self) -> TradeManager:
        """The manager over the book."""
        return self._given or get_trade_manager()

    @property
    def positions(self) -> HeldPositions:
        """The open positions by symbol."""
        return HeldPositions(lambda: self.trade_manager)

    def sync_positions(self, into: MutableMapping[str, Legacy] | HeldPositions | None = None) -> dict[str, Legacy]:
        """Return the open positions by symbol.

        Args:
            into: a dictionary of the program, which is made equal to them. A view of the book is equal already.
        """
        found = dict(self.positions)
        if into is not None and not isinstance(into, HeldPositions):
            for gone in [symbol for symbol in into if symbol not in found]:
                del into[gone]
            into.update(found)
        return found

    def validate_consistency(self, *others: Mapping[str, Any]) -> bool:
        """Check the whole book, and that each dictionary holds its symbols with their ``side`` and ``amount``.

        What differs is in the log ``onebook.compat``.

        Raises:
            InputError: a dictionary holds something else than positions.
        """
        checked = self.trade_manager.validate_position_consistency()
        problems = list(checked["issues"])
        held = dict(self.positions)
        for other in others:
            if not isinstance(other, HeldPositions):
                problems += list(_differences(held, other))
        for problem in problems:
            _log.warning("%s", problem)
        return not problems


def _differences(held: Mapping[str, Legacy], other: Mapping[str, Any]) -> Iterator[str]:
    for symbol in sorted({*held, *other}):
        if symbol not in other or symbol not in held:
            yield f"{symbol}: only {'in the book' if symbol in held else 'outside of the book'}"
            continue
        said = other[symbol]
        if not isinstance(said, Mapping) or any(name not in said for name in _COMPARED):
            msg = f"{symbol}: {said!r:.60} is no position; it has {' and '.join(_COMPARED)}"
            raise InputError(msg, field="positions", value=said)
        mine = held[symbol]
        if (str(said["side"]), decimal_of("amount", said["amount"])) != (mine["side"], mine["amount"]):
            yield f"{symbol}: {said['side']} {said['amount']}, in the book {mine['side']} {mine['amount']}"


class PaperWallet:
    """The money and positions of an account on paper, as the book has them.

    Args:
        balance: what it began with, in the account's currency; None: 0, or what was deposited as the book knows it.
        max_open_trades: of the older program; kept for it to read.
        allow_short: the same.
        trade_manager: None for the one of the process.
    """

    def __init__(
        self,
        balance: Any = None,
        max_open_trades: int | None = None,
        allow_short: bool = True,
        *,
        trade_manager: TradeManager | None = None,
    ) -> None:
        self.initial_balance = optional_decimal("balance", balance)
        self.max_open_trades = max_open_trades
        self.allow_short = allow_short
        self._sync = PositionSyncManager(trade_manager)

    @property
    def positions(self) -> HeldPositions:
        """The open positions by symbol."""
        return self._sync.positions

    @property
    def realized_pnl(self) -> Decimal:
        """What was realized, after fees."""
        return self._sync.trade_manager.total_realized_pnl

    @property
    def balance(self) -> Decimal:
        """What it began with and what was realized since, after fees; what is held is not taken off."""
        if self.initial_balance is not None:
            return add(self.initial_balance, self.realized_pnl)
        manager = self._sync.trade_manager
        currency = totals_of(manager.book, manager.account).currency
        held = [item.amount for item in manager.book.balances(account=manager.account) if item.asset == currency]
        return held[0] if held else ZERO

    @property
    def total_value(self) -> Decimal:
        """What it began with, and what was gained since, on paper too; without a beginning the account's equity."""
        manager = self._sync.trade_manager
        if self.initial_balance is not None:
            return add(self.balance, manager.get_total_unrealized_pnl()[0])
        currency = totals_of(manager.book, manager.account).currency
        return manager.book.equity(account=manager.account, currency=currency).amount

    def unrealized(self, symbol: str, price: Any) -> Decimal:
        """Return what a position gains at a price, in the settlement currency; 0 without one."""
        found = self._sync.trade_manager.get_position(symbol)
        return ZERO if found is None else found.calculate_unrealized_pnl(price)[0]

    def sync_from_trade_manager(self, trade_manager: TradeManager | None = None) -> int:
        """Return how many positions there are: they are the manager's, and need no copying.

        Args:
            trade_manager: look at this one from now on.
        """
        if trade_manager is not None:
            self._sync = PositionSyncManager(trade_manager)
        return len(self.positions)


class BotContext:
    """What the older bot hands around: its own things as it sets them, and the book's positions.

    Args:
        positions: of the older program; what it holds is not taken for true, and the log says so.
        df_cache: kept as it is.
        regime_cache: kept as it is.
        config: kept as it is.
        trade_manager: None for the one of the process.
        paper_wallet: None for one over the same manager.
        others: kept as attributes, as they are.
    """

    def __init__(
        self,
        positions: Mapping[str, Any] | None = None,
        df_cache: Any = None,
        regime_cache: Any = None,
        config: Any = None,
        *,
        trade_manager: TradeManager | None = None,
        paper_wallet: Any = None,
        **others: Any,
    ) -> None:
        if positions and not isinstance(positions, HeldPositions):
            named = ", ".join(sorted(map(str, positions))[:5])
            _log.warning("positions handed to BotContext do not count (%s): the book computes them from trades", named)
        self.df_cache = {} if df_cache is None else df_cache
        self.regime_cache = {} if regime_cache is None else regime_cache
        self.config = {} if config is None else config
        self._sync = PositionSyncManager(trade_manager)
        self.paper_wallet = paper_wallet or PaperWallet(trade_manager=trade_manager)
        for name, value in others.items():
            setattr(self, name, value)

    @property
    def trade_manager(self) -> TradeManager:
        """The manager over the book."""
        return self._sync.trade_manager

    @property
    def positions(self) -> HeldPositions:
        """The open positions by symbol."""
        return self._sync.positions

    @property
    def use_trade_manager_as_source(self) -> bool:
        """True: there is no other source."""
        return True

    @use_trade_manager_as_source.setter
    def use_trade_manager_as_source(self, wanted: bool) -> None:
        if not wanted:
            _log.warning("use_trade_manager_as_source stays on: positions are computed from the book, nothing else is")

    def sync_positions_from_trade_manager(self) -> int:
        """Bring a wallet of the program's own in line with the book, where its ``positions`` are a dictionary.

        Returns:
            How many positions are open.
        """
        theirs = getattr(self.paper_wallet, "positions", None)
        return len(self._sync.sync_positions(theirs if isinstance(theirs, MutableMapping) else None))

    def validate_position_consistency(self) -> bool:
        """Check the whole book, and a wallet of the program's own against it; what differs is in the log."""
        theirs = getattr(self.paper_wallet, "positions", None)
        return self._sync.validate_consistency(*([theirs] if isinstance(theirs, Mapping) else []))
