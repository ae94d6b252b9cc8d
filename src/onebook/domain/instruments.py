"""What a symbol means: the instrument it defines itself, and the terms under which a position in it folds.

Symbols are ccxt's: ``BASE/QUOTE`` is spot, ``BASE/QUOTE:SETTLE`` a contract (SETTLE = BASE is inverse), any
other text an equity in its account's currency. A definition recorded for the symbol wins.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from onebook.domain.facts import Account, Instrument
from onebook.domain.numbers import ONE

_PAIR = re.compile(r"([^/:\s]+)/([^/:\s]+)(?::([^/:\s-]+)((?:-[^/:\s]+)*))?")
_CONTRACTS = frozenset({"future", "perpetual", "option"})
_PAYS_NOTIONAL = frozenset({"spot", "equity", "fx", "option"})


@dataclass(frozen=True, slots=True)
class Terms:
    """What the fold must know of an instrument in an account.

    ``pays_notional``: buying moves the whole price out of the settlement balance (spot, shares, premiums);
    else only P&L moves it. ``assumed``: a contract whose size nobody defined, taken as 1.
    """

    instrument: str
    kind: str
    base: str
    settle: str
    contract_size: Decimal = ONE
    inverse: bool = False
    pays_notional: bool = True
    moves_base: bool = False
    lot_size: Decimal | None = None
    assumed: bool = False
    hedging: bool = False


def self_defined(symbol: str) -> Instrument:
    """Return the instrument that a symbol defines by its own shape; an equity has no quote currency."""
    match = _PAIR.fullmatch(symbol)
    if match is None:
        return Instrument(symbol=symbol, kind="equity", base=symbol)
    base, quote, settle, rest = match.groups()
    if settle is None:
        return Instrument(symbol=symbol, kind="spot", base=base, quote=quote, settle=quote)
    parts = [part for part in rest.split("-") if part]
    kind = "perpetual" if not parts else "option" if len(parts) > 1 else "future"
    return Instrument(symbol=symbol, kind=kind, base=base, quote=quote, settle=settle)


def terms_of(definition: Instrument | None, symbol: str, account: Account) -> Terms:
    """Return the terms of a symbol in an account, from its definition or from its own shape."""
    found = definition or self_defined(symbol)
    shape = self_defined(symbol)
    kind = found.kind or shape.kind
    quote = found.quote or shape.quote or account.currency
    base = found.base or shape.base or symbol
    settle = found.settle or (shape.settle if shape.kind in _CONTRACTS else "") or quote
    contract = kind in _CONTRACTS
    return Terms(
        instrument=symbol,
        kind=kind,
        base=base,
        settle=settle,
        contract_size=found.contract_size,
        inverse=contract and settle == base and quote != base,
        pays_notional=kind in _PAYS_NOTIONAL,
        moves_base=kind in {"spot", "fx"} and base != settle,
        lot_size=found.lot_size,
        assumed=contract and definition is None,
        hedging=account.mode == "hedging",
    )
