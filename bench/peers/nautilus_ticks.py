"""nautilus_trader: quote ticks on one instrument with one open position, unrealized P&L read after each."""

from time import perf_counter
from typing import Any

import nautilus_trader  # type: ignore[import-not-found]
from lines import serve  # type: ignore[import-not-found]
from nautilus_ground import Ground  # type: ignore[import-not-found]
from nautilus_trader.model.data import QuoteTick  # type: ignore[import-not-found]
from nautilus_trader.model.objects import Price, Quantity  # type: ignore[import-not-found]

GROUND = Ground()
GROUND.engine.process(GROUND.filled(buys=True, quantity="1.50", price="100.00"))


def ticks(count: int) -> list[Any]:
    """Return ready ticks."""
    size = Quantity.from_str("1.00")
    prices = [Price.from_str(f"{90 + number % 20}.{number % 100:02d}") for number in range(2_000)]
    return [
        QuoteTick(GROUND.instrument.id, prices[number % 2_000], prices[number % 2_000], size, size, number, number)
        for number in range(count)
    ]


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """Do one round: cache, portfolio, figure."""
    ready = ticks(min(question["count"], 200_000))
    add, update, read = GROUND.cache.add_quote_tick, GROUND.portfolio.update_quote_tick, GROUND.portfolio.unrealized_pnl
    instrument = GROUND.instrument.id
    begun = perf_counter()
    for tick in ready:
        add(tick)
        update(tick)
        read(instrument)
    seconds = perf_counter() - begun
    return {"count": len(ready), "seconds": seconds, "shown": str(read(instrument))}


if __name__ == "__main__":
    serve({"nautilus_trader": nautilus_trader.__version__}, answer)
