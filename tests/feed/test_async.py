"""Handlers and iterators for event loops."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.feed.waiting import LIMIT_SECONDS, Heard, fill, ids, record, until

import onebook


async def holds(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_SECONDS):
        while not condition():  # noqa: ASYNC110  other threads bring it about, and set nothing
            await asyncio.sleep(0.002)


def test_a_coroutine_runs_on_the_loop_where_it_was_handed_over(book: onebook.Book) -> None:
    threads: set[int] = set()
    told: list[str] = []

    async def handler(event: onebook.Event) -> None:
        threads.add(threading.get_ident())
        await asyncio.sleep(0)
        told.append(event.id)

    async def main() -> None:
        book.listen(handler)
        subscriber = book.subscribe("audit", handler)
        for number in range(1, 4):
            await book.aio.record(fill(number))
        await holds(lambda: len(told) == 12)
        await holds(lambda: subscriber.lag == 0)

    asyncio.run(main())
    assert threads == {threading.get_ident()}
    assert sorted(told) == sorted(ids(1, 2, 3) * 2)


def test_a_coroutine_without_a_loop_gets_one_of_its_own(book: onebook.Book) -> None:
    loops: set[int] = set()
    told: list[str] = []

    async def handler(event: onebook.Event) -> None:
        loops.add(id(asyncio.get_running_loop()))
        await asyncio.sleep(0)
        told.append(event.id)

    book.listen(handler)
    record(book, 1, 3)
    until(lambda: told == ids(1, 2, 3))
    assert len(loops) == 1


def test_a_coroutine_that_raises_or_is_cancelled_is_counted_and_stays(book: onebook.Book) -> None:
    told: list[str] = []

    async def handler(event: onebook.Event) -> None:
        await asyncio.sleep(0)
        if event.id == "1.1":
            raise TimeoutError
        if event.id == "1.2":
            raise asyncio.CancelledError
        told.append(event.id)

    async def main() -> int:
        listener = book.listen(handler)
        await book.aio.record(fill(1))
        await book.aio.record(fill(2))
        await holds(lambda: told == ids(2))
        return listener.errors

    assert asyncio.run(main()) == 2


def test_the_book_is_closed_in_the_loop_while_its_handlers_work(tmp_path: Path) -> None:
    """The loop cannot serve them while it closes: they are given up, and what was not done comes again."""
    path, heard = tmp_path / "book.db", Heard()

    async def never(_: onebook.Event) -> None:
        await asyncio.sleep(3600)

    async def main() -> None:
        with onebook.open(path) as book:
            book.listen(never)
            subscriber = book.subscribe("audit", never)
            await book.aio.record(fill(1))
            await holds(lambda: subscriber.lag == 1)
            await asyncio.sleep(0.05)
        assert not [each for each in threading.enumerate() if each.name in {"onebook-audit", "onebook-listener-1"}]

    asyncio.run(main())
    with onebook.open(path) as book:
        assert [row.state for row in book.subscribers()] == ["stopped"]
        book.subscribe("audit", heard)
        until(lambda: heard.ids == ids(1))


def test_a_loop_that_ended_does_not_end_its_handlers(book: onebook.Book) -> None:
    told: list[str] = []

    async def handler(event: onebook.Event) -> None:
        told.append(event.id)

    async def main() -> None:
        book.subscribe("audit", handler, start="beginning")

    asyncio.run(main())
    record(book, 1, 2)
    until(lambda: told == ids(1, 2))


# ---- iterators ----


async def taken(stream: AsyncIterator[onebook.Event], count: int) -> list[str]:
    found: list[str] = []
    async with asyncio.timeout(LIMIT_SECONDS):
        async for event in stream:
            found.append(event.id)
            if len(found) == count:
                break
    return found


def test_events_from_now_on(book: onebook.Book) -> None:
    record(book, 1, 2)

    async def main() -> list[str]:
        stream = book.aio.events()
        await book.aio.record(fill(3))
        waiting = asyncio.create_task(taken(stream, 4))
        await asyncio.sleep(0.01)
        await book.aio.record(fill(4))
        return await waiting

    assert asyncio.run(main()) == ids(3, 4)


def test_events_that_are_there(book: onebook.Book) -> None:
    async def main() -> list[list[str]]:
        found = []
        for number in range(1, 4):
            await book.aio.record(fill(number))
            found.append([event.id async for event in book.aio.events(after=0, follow=False)])
        assert [event async for event in book.aio.events(follow=False)] == []
        return found

    assert asyncio.run(main()) == [ids(1), ids(1, 2), ids(1, 2, 3)]


def test_events_after_a_place_with_a_filter(book: onebook.Book) -> None:
    record(book, 1, 3000)

    async def main() -> list[str]:
        stream = book.aio.events(after="1.1", types="trade_*", min_quantity=1)
        waiting = asyncio.create_task(taken(stream, 3000))
        await asyncio.sleep(0)
        await book.aio.record(fill(3001))
        return await waiting

    assert asyncio.run(main()) == [f"{number}.1" for number in range(2, 3002)]


def test_what_cannot_be_is_refused_at_the_call(book: onebook.Book) -> None:
    with pytest.raises(onebook.InputError, match="after"):
        book.aio.events(after="yesterday")
    with pytest.raises(onebook.PrecisionLost):
        book.aio.events(min_quantity=0.1)


def test_an_iterator_ends_with_the_book(place: str) -> None:
    async def main() -> list[str]:
        book = onebook.open(place)
        waiting = asyncio.create_task(taken(book.aio.events(), 99))
        await asyncio.sleep(0.01)
        await book.aio.record(fill(1))
        await asyncio.sleep(0.05)
        await asyncio.to_thread(book.close)
        return await waiting

    assert asyncio.run(main()) == ids(1)


def test_many_iterators_at_once_and_one_that_leaves(book: onebook.Book) -> None:
    async def main() -> list[list[str]]:
        streams = [asyncio.create_task(taken(book.aio.events(), count)) for count in (1, 40, 40, 40)]
        await asyncio.sleep(0.01)
        await asyncio.gather(*(book.aio.record(fill(number)) for number in range(1, 21)))
        return [await each for each in streams]

    first, *others = asyncio.run(main())
    assert first == ["1.1"]
    assert others == [ids(*range(1, 21))] * 3
