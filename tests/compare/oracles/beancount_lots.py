"""beancount: buys and sells booked by its own FIFO, LIFO and HIFO.

Reads one sequence a line: ``{"method", "fills": [[side, quantity, price], …]}``, long only, one a day. Writes
one line each: ``{"open": [[quantity, price], …], "closed": [[[quantity, open price, gain], …] per sell]}``.
"""

import json
import sys
from datetime import date, timedelta
from typing import Any

from beancount import loader  # type: ignore[import-not-found]
from beancount.core.data import Transaction  # type: ignore[import-not-found]
from beancount.core.inventory import Inventory  # type: ignore[import-not-found]

FIRST = date(2000, 1, 1)


def ledger(sequences: list[Any]) -> str:
    """Return all sequences as one ledger, an account each."""
    lines = ["1999-01-01 open Income:Gains"]
    for number, sequence in enumerate(sequences):
        lines.append(f'1999-01-01 open Assets:S{number} "{sequence["method"].upper()}"')
        lines.append(f"1999-01-01 open Assets:Cash{number}")
        for day, (side, quantity, price) in enumerate(sequence["fills"]):
            cost = f"{{{price} USD}}" if side == "buy" else f"{{}} @ {price} USD"
            sign = "" if side == "buy" else "-"
            lines.append(f'{FIRST + timedelta(days=day)} * "{number}" "{day}"')
            lines.append(f"  Assets:S{number}  {sign}{quantity} UNIT {cost}")
            if side == "buy":
                lines.append(f"  Assets:Cash{number}")
            else:
                lines += [f"  Assets:Cash{number}  {quantity} CASH @ {price} USD", "  Income:Gains"]
    return "\n".join(lines) + "\n"


def answers(sequences: list[Any]) -> list[dict[str, Any]]:
    """Return what beancount booked."""
    entries, errors, _ = loader.load_string(ledger(sequences))
    if errors:
        raise SystemExit(f"beancount: {len(errors)} errors, the first: {errors[0].message}")
    held = [Inventory() for _ in sequences]
    closed: list[list[tuple[int, list[Any]]]] = [[] for _ in sequences]
    for entry in entries:
        if not isinstance(entry, Transaction):
            continue
        number, reductions = int(entry.payee), []
        for posting in entry.postings:
            if posting.units.currency != "UNIT":
                continue
            held[number].add_position(posting)
            quantity = -posting.units.number
            if quantity > 0:
                gain = quantity * (posting.price.number - posting.cost.number)
                reductions.append([str(quantity), str(posting.cost.number), str(gain)])
        if reductions:
            closed[number].append((int(entry.narration), reductions))
    return [
        {
            "open": [[str(lot.units.number), str(lot.cost.number)] for lot in inventory],
            "closed": [reductions for _, reductions in sorted(sales, key=lambda sale: sale[0])],
        }
        for inventory, sales in zip(held, closed, strict=True)
    ]


if __name__ == "__main__":
    for answer in answers([json.loads(line) for line in sys.stdin]):
        sys.stdout.write(json.dumps(answer) + "\n")
