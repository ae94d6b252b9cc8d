"""Lists over HTTP: page after page, rows as records, and parameters as an address has them."""

from collections.abc import Iterator, Mapping
from datetime import date
from itertools import islice
from typing import Any, TypeVar

from onebook.book import log
from onebook.book.reading import Moment, moment_ns
from onebook.domain import times
from onebook.domain.reports import as_plain
from onebook.errors import BadPayload, InputError
from onebook.remote.asking import Asking
from onebook.remote.wire import record_of

PAGE = 1000
Row = TypeVar("Row")


class Rows:
    """Asks for what the service lists.

    Args:
        asking: the service.
        point: the parameters that name the point of view; empty for now.
    """

    def __init__(self, asking: Asking, point: Mapping[str, str]) -> None:
        self._asking = asking
        self._point = dict(point)

    def _get(self, path: str, query: Mapping[str, Any] | None = None, *, passes: frozenset[int] = frozenset()) -> Any:
        answer = self._asking.ask("GET", path, query={**(query or {}), **self._point}, passes=passes)
        return answer.data if answer.status < 300 else None

    def _rows(self, path: str, query: Mapping[str, Any], limit: int | None = None) -> Iterator[Any]:
        """Yield the rows of all pages, no page further than somebody asks; ``after`` may name where to begin."""
        after: str | None = query.get("after")
        while True:
            size = PAGE if limit is None else min(limit, PAGE)
            page = self._get(path, {**query, "limit": size, "after": after})
            if not isinstance(page, dict) or not isinstance(page.get("items"), list):
                msg = f"{path}: the answer is no list; is this an onebook service?"
                raise BadPayload(msg)
            yield from page["items"]
            after = page.get("next_after")
            if after is None:
                return

    def _listed(
        self, path: str, kind: type[Row], query: Mapping[str, Any], limit: int | None, after: Any = None, key: str = ""
    ) -> list[Row]:
        """Return rows as records, at most so many, those behind a sequence.

        Args:
            path: of the list.
            kind: of the records.
            query: the filters.
            limit: most rows; None for all.
            after: the sequence behind which to begin; None for the beginning.
            key: the field that holds the sequence.

        Raises:
            InputError: no such limit or sequence.
        """
        most = _at_most(limit)
        if most == 0:
            return []
        rows = self._rows(path, query, most if after is None else None)
        if after is not None:
            rows = _behind(rows, key, log.place_after(after)[0])
        return [record_of(kind, row) for row in islice(rows, most)]


def filter_query(**given: Any) -> tuple[log.Filter, dict[str, Any]]:
    """Return a filter of events, and as much of it as an address can say; the rest is looked at here.

    Raises:
        InputError: a filter that cannot be.
    """
    wanted = log.make_filter(**given)
    query: dict[str, Any] = {"min_quantity": wanted.min_quantity, "min_amount": wanted.min_amount}
    for name in ("types", "instruments", "accounts", "strategies"):
        names = sorted(getattr(wanted, name) or ())
        is_plain = all("," not in each and each.strip() == each for each in names)
        if names and is_plain and ("" not in names or names == [""]):
            query[name] = ",".join(names)
    return wanted, {name: as_plain(value) for name, value in query.items()}


def chosen(
    account: str | None, strategy: str | None, instrument: str | None, since: Moment, until: Moment
) -> dict[str, str | None]:
    """Return the filters of a query as an address has them."""
    named = {"account": account, "strategy": strategy, "instrument": instrument}
    return {**named, "since": text_of("since", since), "until": text_of("until", until)}


def text_of(name: str, value: Moment) -> str | None:
    """Return a moment as an address has it."""
    ns = moment_ns(name, value)
    return None if ns is None else times.to_text(ns)


def days_of(since: date | str | None, until: date | str | None) -> dict[str, str | None]:
    """Return a span of days as an address has it."""
    given: list[tuple[str, date | str | None]] = [("since", since), ("until", until)]
    return {name: None if day is None else times.to_date(name, day).isoformat() for name, day in given}


def _at_most(limit: object) -> int | None:
    if limit is None:
        return None
    if isinstance(limit, int) and not isinstance(limit, bool) and limit >= 0:
        return limit
    msg = f"limit: {limit!r} is not a whole number from 0 on; None means all"
    raise InputError(msg, field="limit", value=limit)


def _behind(rows: Iterator[Any], key: str, after: int) -> Iterator[Any]:
    for row in rows:
        if row[key] == after:
            yield from rows
            return
