"""Outcomes as receipts and reports."""

from dataclasses import dataclass, field

from onebook.book.commit import Outcome, Request
from onebook.book.receipts import Receipt
from onebook.domain.identity import fill_identity
from onebook.domain.reports import BatchReport, Refusal
from onebook.domain.state import Decision, Stamp
from onebook.errors import BookError


def receipt_of(outcome: Outcome) -> Receipt:
    """Return the receipt of an outcome, or raise its error."""
    if outcome.error is not None:
        raise outcome.error
    decision, stamp = outcome.decision, outcome.stamp
    assert decision is not None and stamp is not None  # noqa: S101,PT018  an outcome without error has both
    sequence = stamp.sequence if decision.status == "recorded" else decision.first
    identity = decision.identity
    if decision.named is not None:
        fill, ordinal = decision.named
        identity = fill_identity(fill, f"{sequence}.{ordinal}")
    return Receipt(decision.status, sequence, identity, decision, stamp)


@dataclass(slots=True, eq=False)
class BatchRequest(Request):
    """Commands of a batch: counted as they are decided, their decisions are not kept.

    ``before`` is how many facts of the batch were handed in earlier.
    """

    before: int = 0
    counts: dict[str, int] = field(default_factory=lambda: {"recorded": 0, "exists": 0, "conflict": 0})
    refused: list[Refusal] = field(default_factory=list)
    first: int | None = None
    last: int | None = None

    def take(self, decision: Decision, stamp: Stamp) -> None:
        """Count what became of the next command."""
        self.counts[decision.status] += 1
        if decision.status == "recorded":
            if self.first is None:
                self.first = stamp.sequence
            self.last = stamp.sequence

    def refuse(self, problem: BookError) -> None:
        """Keep why the next command was refused."""
        self.refused.append(Refusal(index=self.before + self.handled, error=problem))


def report_of(requests: list[BatchRequest]) -> BatchReport:
    """Return the report on a batch that went in as several requests."""
    firsts = [request.first for request in requests if request.first is not None]
    lasts = [request.last for request in requests if request.last is not None]
    return BatchReport(
        recorded=sum(request.counts["recorded"] for request in requests),
        exists=sum(request.counts["exists"] for request in requests),
        conflicts=sum(request.counts["conflict"] for request in requests),
        refused=tuple(refusal for request in requests for refusal in request.refused),
        first_sequence=min(firsts, default=None),
        last_sequence=max(lasts, default=None),
    )
