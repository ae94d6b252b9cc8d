"""Folding a ledger up to a place, for those who must know how things stood there."""

from onebook.domain.holdings import Holding, Key
from onebook.domain.movements import Order
from onebook.domain.positions import fold
from onebook.domain.state import Ledger, State


def holdings_before(state: State, ledger: Ledger, order: Order) -> dict[Key, Holding]:
    """Return a ledger's positions just before a place in it."""
    if ledger.last < order:
        return dict(ledger.holdings)
    point = state.fold_point(ledger.id, order)
    holdings: dict[Key, Holding] = {}
    begin: Order = (-1, 0, "", 0, 0)
    if point is not None:
        begin = point.order
        holdings = {holding.key: holding for holding in point.holdings}
    for movement in state.movements(ledger.id, begin):
        if movement.order >= order:
            break
        for change in fold(ledger.terms, holdings, movement):
            holdings[change.after.key] = change.after
    return holdings


def holding_before(state: State, ledger: Ledger, order: Order, strategy: str) -> Holding:
    """Return one position just before a place; a flat one when there is none."""
    return holdings_before(state, ledger, order).get((strategy, "")) or Holding(strategy, "")
