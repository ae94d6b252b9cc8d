"""freqtrade: trades with one entry order each, through its own persistence classes and SQLAlchemy session.

Arguments: the file, and the kind of sync.
"""

import os
import sys
from datetime import datetime, timezone
from importlib.metadata import version
from time import perf_counter
from typing import Any

from freqtrade.persistence import Order, Trade, init_db  # type: ignore[import-not-found]
from lines import serve  # type: ignore[import-not-found]
from sqlalchemy import text  # type: ignore[import-not-found]

PATH, SYNCHRONOUS = sys.argv[1], sys.argv[2]
init_db(f"sqlite:///{PATH}")
Trade.session.execute(text("PRAGMA journal_mode=WAL"))
Trade.session.execute(text(f"PRAGMA synchronous={SYNCHRONOUS}"))
Trade.commit()
_MADE = [0]


def trade(number: int) -> Any:
    """Return a trade whose entry order is filled."""
    now = datetime.now(timezone.utc)  # noqa: UP017  the peer's interpreter may be older
    order = Order.parse_from_ccxt_object(
        {
            "id": f"order-{number}", "symbol": f"COIN{number % 100}/USDT", "side": "buy", "type": "limit",
            "status": "closed", "price": 100.25, "average": 100.25, "amount": 1.5, "filled": 1.5, "remaining": 0.0,
            "cost": 150.375, "timestamp": int(now.timestamp() * 1000),
        },
        f"COIN{number % 100}/USDT", "buy", 1.5, 100.25,
    )  # fmt: skip
    made = Trade(
        pair=f"COIN{number % 100}/USDT", exchange="bench", stake_amount=150.375, amount=1.5, amount_requested=1.5,
        open_rate=100.25, open_date=now, fee_open=0.0005, fee_close=0.0005, is_open=True, strategy="strategy-1",
        stake_currency="USDT", base_currency=f"COIN{number % 100}", orders=[order],
    )  # fmt: skip
    made.recalc_trade_from_orders()
    return made


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """Do one round: a commit per trade, or one for all, or say how large the file is."""
    count = question["count"]
    if question["work"] == "bytes":
        Trade.session.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        Trade.commit()
        return {"bytes": os.path.getsize(PATH)}  # noqa: PTH202  the peer's own environment, plain tools
    first = _MADE[0]
    _MADE[0] += count
    begun = perf_counter()
    for number in range(first, first + count):
        Trade.session.add(trade(number))
        if question["work"] == "single":
            Trade.commit()
    Trade.commit()
    Trade.session.expunge_all()
    return {"count": count, "seconds": perf_counter() - begun}


if __name__ == "__main__":
    serve({"freqtrade": version("freqtrade")}, answer)
