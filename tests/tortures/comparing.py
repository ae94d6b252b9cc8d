"""What two books of one history must agree on when processes were killed on the way to one of them."""

from typing import Any

from tests.trading.running import models_of

OBSERVED = {"highest", "lowest", "mark", "marked_at", "unrealized_pnl", "stale", "best"}
"""After a kill only what is observed may lag."""


def comparable(place: str) -> dict[str, Any]:
    """Return what a book says, without what may lag; it is verified on the way."""
    return {name: [_without(row) for row in rows] for name, rows in models_of(place).items()}


def _without(row: Any) -> Any:
    return {name: value for name, value in row.items() if name not in OBSERVED} if isinstance(row, dict) else row
