"""Facts over HTTP: one at a time, or lists of one kind."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from onebook.domain.reports import BatchReport, Refusal
from onebook.errors import BookError, ConflictError, InputError, NotAllowed, SourceError, StoreError
from onebook.remote.asking import Answer, Asking
from onebook.remote.naming import ADDRESSES
from onebook.remote.problems import error_in
from onebook.remote.receipts import RemoteReceipt, receipt_of
from onebook.remote.wire import record_of, stated

Row = dict[str, Any]
"""A fact that waits: ``id``, ``kind`` and ``fact`` as JSON data."""

MOST = 500
"""Facts of one request."""

_CONFLICT = frozenset({409})
_TOO_LARGE = frozenset({413})
_REFUSED = frozenset({400, 403, 409, 413, 422})
"""Statuses that stay what they are however often a fact is sent."""


def row_of(name: str, kind: str, fact: Mapping[str, Any]) -> Row:
    """Return a fact as it waits."""
    return {"id": name, "kind": kind, "fact": dict(fact)}


class Sending:
    """Sends facts.

    Args:
        asking: the service.
    """

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def one(self, fact: Any) -> RemoteReceipt:
        """Record a fact.

        Raises:
            BookError: it is refused, or nobody answers.
        """
        answer = self._post(fact.KIND, stated(fact), _CONFLICT)
        return receipt_of(self._receipt(answer), fact)

    def _post(self, kind: str, body: Any, passes: frozenset[int], **how: Any) -> Answer:
        return self._asking.ask("POST", f"/v1/{ADDRESSES[kind]}", body=body, passes=passes, **how)

    def _receipt(self, answer: Answer) -> Any:
        """Return the receipt in an answer; a conflict has one too, a refusal has none."""
        if answer.status < 300 or "problem" not in answer.headers.get("content-type", ""):
            return answer.data
        raise error_in(answer.status, answer.body, self._asking.url)

    # ---- many, for callers ----

    def many(self, facts: Iterable[Any], take: Callable[[Any], Any], progress: Callable[[int], None] | None) -> "Tally":
        """Record facts in order, in lists of one kind; bad ones are refused alone.

        Args:
            facts: which.
            take: makes of each what is sent; may refuse it.
            progress: called with how many were handled so far.
        """
        tally = Tally()
        for chunk in chunks_of(facts):
            for batch in batches_of(chunk, take, tally):
                self._batch(batch, tally)
            tally.handled += len(chunk)
            if progress is not None:
                progress(tally.handled)
        return tally

    def _batch(self, batch: Sequence[tuple[int, Any]], tally: "Tally") -> None:
        passes = _TOO_LARGE if len(batch) > 1 else frozenset()
        answer = self._post(batch[0][1].KIND, [stated(fact) for _, fact in batch], passes)
        if answer.status in _TOO_LARGE:
            half = len(batch) // 2
            self._batch(batch[:half], tally)
            self._batch(batch[half:], tally)
            return
        report = record_of(BatchReport, answer.data)
        tally.add(report, [place for place, _ in batch])

    # ---- rows of a queue ----

    def rows(self, rows: Sequence[Row]) -> list[tuple[Row, BookError]]:
        """Send rows of one kind; return those that are refused for good, and why.

        Raises:
            BookError: the service cannot take them now.
        """
        if len(rows) == 1:
            problem = self._row(rows[0])
            return [] if problem is None else [(rows[0], problem)]
        how = {"patience": self._asking.terms.timeout_seconds}
        answer = self._post(rows[0]["kind"], [row["fact"] for row in rows], _REFUSED, **how)
        if answer.status in _TOO_LARGE:
            half = len(rows) // 2
            return self.rows(rows[:half]) + self.rows(rows[half:])
        if answer.status >= 300:
            return self._singly(rows)
        report = record_of(BatchReport, answer.data)
        for refusal in report.refused:
            if not _is_final(refusal.error):
                raise refusal.error
        found = [(rows[item.index], item.error) for item in report.refused if isinstance(item.error, BookError)]
        if not report.conflicts:
            return found
        left = {item.index for item in report.refused}
        return found + self._singly([row for index, row in enumerate(rows) if index not in left])

    def _singly(self, rows: Sequence[Row]) -> list[tuple[Row, BookError]]:
        found = [(row, self._row(row)) for row in rows]
        return [(row, problem) for row, problem in found if problem is not None]

    def _row(self, row: Row) -> BookError | None:
        """Send one row; return why it is refused, None where it is taken."""
        how = {"patience": self._asking.terms.timeout_seconds}
        answer = self._post(row["kind"], row["fact"], _REFUSED, **how)
        if answer.status < 300:
            return None
        try:
            told = self._receipt(answer)
        except BookError as problem:
            if not _is_final(problem):
                raise
            return problem
        sequence = told.get("sequence") if isinstance(told, dict) else None
        msg = f"it contradicts what was recorded under the same identity at {sequence}; see: onebook breaks"
        return ConflictError(msg, sequence=sequence)


def _is_final(problem: Exception) -> bool:
    """Say whether a fact stays refused however often it is sent."""
    return not isinstance(problem, StoreError | SourceError) and not getattr(problem, "retryable", False)


# ---- many ----


class Tally:
    """Counts what became of many facts."""

    def __init__(self) -> None:
        self.handled = self.queued = 0
        self._counts = {"recorded": 0, "exists": 0, "conflicts": 0}
        self._refused: list[Refusal] = []
        self._first: int | None = None
        self._last: int | None = None

    def add(self, report: BatchReport, places: Sequence[int]) -> None:
        """Add the report on a list of facts.

        Args:
            report: of the service.
            places: of these facts among all.
        """
        for name in self._counts:
            self._counts[name] += getattr(report, name)
        self._refused += [Refusal(index=places[item.index], error=item.error) for item in report.refused]
        self._first = report.first_sequence if self._first is None else self._first
        self._last = report.last_sequence if report.last_sequence is not None else self._last

    def refuse(self, place: int, problem: BookError) -> None:
        """Add a fact that is not sent."""
        self._refused.append(Refusal(index=place, error=problem))

    def report(self) -> BatchReport:
        """Return the whole."""
        return BatchReport(**self._parts)

    @property
    def _parts(self) -> dict[str, Any]:
        refused = tuple(sorted(self._refused, key=lambda item: item.index))
        return {**self._counts, "refused": refused, "first_sequence": self._first, "last_sequence": self._last}

    def queued_report(self) -> BatchReport:
        """Return the whole, with how many wait to be sent."""
        from onebook.remote.receipts import QueuedReport

        return QueuedReport(**self._parts, queued=self.queued)


def chunks_of(facts: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield facts in pieces."""
    given: object = facts
    if not isinstance(given, Iterable):
        msg = f"facts: {facts!r} is not an iterable of facts; write [fact, …]"
        raise InputError(msg, field="facts", value=facts)
    source = iter(facts)
    while chunk := list(islice(source, MOST)):
        yield chunk


def batches_of(chunk: Sequence[Any], take: Callable[[Any], Any], tally: Tally) -> Iterator[list[tuple[int, Any]]]:
    """Yield facts as they are sent, in order, in lists of one kind, each fact with its place among all."""
    batch: list[tuple[int, Any]] = []
    for place, given in enumerate(chunk, tally.handled):
        try:
            fact = take(given)
        except (InputError, NotAllowed) as problem:
            tally.refuse(place, problem)
            continue
        if batch and batch[0][1].KIND != fact.KIND:
            yield batch
            batch = []
        batch.append((place, fact))
    if batch:
        yield batch
