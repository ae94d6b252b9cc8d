"""Outcomes as receipts and reports."""

from onebook.book.commit import Outcome
from onebook.book.receipts import Receipt
from onebook.domain.reports import BatchReport, Refusal


def receipt_of(outcome: Outcome) -> Receipt:
    """Return the receipt of an outcome, or raise its error."""
    if outcome.error is not None:
        raise outcome.error
    decision, stamp = outcome.decision, outcome.stamp
    assert decision is not None and stamp is not None  # noqa: S101,PT018  an outcome without error has both
    sequence = stamp.sequence if decision.status == "recorded" else decision.first
    return Receipt(decision.status, sequence, decision.identity, decision, stamp)


class BatchTally:
    """Counts outcomes into a report."""

    def __init__(self) -> None:
        self.handled = 0
        self._counts = {"recorded": 0, "exists": 0, "conflict": 0}
        self._refused: list[Refusal] = []
        self._first: int | None = None
        self._last: int | None = None

    def add(self, outcomes: list[Outcome]) -> None:
        """Count more outcomes, in the order of their facts."""
        for outcome in outcomes:
            if outcome.error is not None:
                self._refused.append(Refusal(index=self.handled, error=outcome.error))  # type: ignore[arg-type]
            else:
                decision, stamp = outcome.decision, outcome.stamp
                assert decision is not None and stamp is not None  # noqa: S101,PT018  as above
                self._counts[decision.status] += 1
                if decision.status == "recorded":
                    if self._first is None:
                        self._first = stamp.sequence
                    self._last = stamp.sequence
            self.handled += 1

    def report(self) -> BatchReport:
        """Return the counts."""
        return BatchReport(
            recorded=self._counts["recorded"],
            exists=self._counts["exists"],
            conflicts=self._counts["conflict"],
            refused=tuple(self._refused),
            first_sequence=self._first,
            last_sequence=self._last,
        )
