"""P8: verify a whole book: hashes, a fold from zero, outcomes and read models compared."""

import os

from bench.big import big
from bench.figures import Context, Line
from bench.workload import opened, per_second


def run(context: Context) -> list[Line]:
    """Return the fills a second that ``verify`` goes through, in one run over the big book."""
    path, count = big(context)
    context.say(f"verifying {count:,} fills")
    with opened(path) as book:
        if not hasattr(book, "verify"):
            return [Line(figure="P8", work="verify", value=None, unit="fills/s", bar=60_000)]
        before = os.times()
        entries = book.status().entries
        problems: list[object] = []
        speed = per_second(lambda: problems.extend(book.verify().problems), entries)
        after = os.times()
    busy = after.user - before.user + after.children_user - before.children_user
    return [
        Line(
            figure="P8", work=f"verify {entries:,} entries", value=speed, unit="fills/s", bar=60_000,
            raw={"problems": len(problems), "core_seconds": busy, "per_core_second": entries / busy if busy else None},
            includes="rehash, refold, outcomes, every read model",
        )
    ]  # fmt: skip
