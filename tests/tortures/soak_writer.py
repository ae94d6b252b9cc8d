"""Sends facts over HTTP at a steady pace, in lists. Arguments: the address, a token, and for how many seconds.

Each fifth of a second every instrument gets a signal, an order of it, and three fills: one ends the position left by
the fifth before, one fills the order, one closes all of that but the rest for the next. Marks come beside. Prints a
line of JSON: the facts, the seconds, and how long a request took at the middle, in ms, in each quarter of the time.
"""

import json
import sys
import time
from statistics import median
from typing import Any

import httpx

INSTRUMENTS = 20
BATCHES_A_SECOND = 5
STRATEGIES = 4

Rows = list[dict[str, Any]]


def batch_of(number: int) -> dict[str, Rows]:
    """Return the facts of one fifth of a second by their addresses: 100 of them, and 20 marks."""
    sent: dict[str, Rows] = {"marks": [], "signals": [], "orders": [], "fills": []}
    side, rest = ("sell", "2") if number else ("buy", "3")
    for each in range(INSTRUMENTS):
        name, strategy, price = f"COIN{each}/USD", f"s{each % STRATEGIES}", 100 + each + (number * 7 + each) % 41 / 10
        at, own = exact(price), f"{number}-{each}"
        common = {"instrument": name, "strategy": strategy}
        sent["marks"].append({"instrument": name, "price": exact(price + 0.1)})
        sent["signals"].append(common | {"action": "buy", "signal_id": f"g{own}", "price": at})
        sent["orders"].append(
            common | {"side": "buy", "quantity": "3", "client_order_id": f"o{own}", "signal_id": f"g{own}"}
        )
        sent["fills"] += [
            common | {"side": side, "quantity": "1", "price": at, "venue_fill_id": f"a{own}"},
            common
            | {"side": "buy", "quantity": "3", "price": at, "venue_fill_id": f"b{own}", "client_order_id": f"o{own}"},
            common | {"side": "sell", "quantity": rest, "price": at, "venue_fill_id": f"c{own}", "fee": "0.01"},
        ]
    return sent


def exact(price: float) -> str:
    return f"{price:.1f}"


def send(client: httpx.Client, number: int) -> int:
    """Send one batch; return how many facts were taken in."""
    taken = 0
    for path, rows in batch_of(number).items():
        answer = client.post(f"/v1/{path}", json=rows)
        answer.raise_for_status()
        recorded: int = answer.json()["recorded"]
        assert recorded == len(rows), answer.text[:500]
        taken += recorded if path != "marks" else 0
    return taken


def main() -> None:
    url, token, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    facts, took = 0, list[float]()
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as client:
        begun = time.monotonic()
        number = 0
        while (now := time.monotonic() - begun) < seconds:
            if now < number / BATCHES_A_SECOND:
                time.sleep(number / BATCHES_A_SECOND - now)
            sending = time.monotonic()
            facts += send(client, number)
            took.append((time.monotonic() - sending) * 1000 / 4)
            number += 1
        ended = time.monotonic() - begun
    quarter = len(took) // 4
    middles = [round(median(took[part * quarter : (part + 1) * quarter]), 1) for part in range(4)]
    sys.stdout.write(json.dumps({"facts": facts, "seconds": ended, "request_ms": middles}) + "\n")


if __name__ == "__main__":
    main()
