"""Who an entry says recorded it: the actor of the book, or who acts for a while."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import onebook
from onebook import CashMovement, InputError


def move(name: str) -> CashMovement:
    return CashMovement(currency="USD", amount="1", movement_id=name)


def actors(book: onebook.Book) -> dict[str, str]:
    return {event.data["movement_id"]: event.actor for event in book.events(types="cash_moved")}


@pytest.fixture
def owned(tmp_path: Path) -> Iterator[onebook.Book]:
    with onebook.open(str(tmp_path / "book.db"), actor="owner") as book:
        yield book


def test_somebody_else_records_for_a_while(owned: onebook.Book) -> None:
    owned.record(move("1"))
    with owned.acting("maria"):
        assert owned.actor == "maria"
        owned.record(move("2"))
        with owned.acting("jan"):
            owned.record_many([move("3")])
        owned.trading.halt("a test")
    owned.record(move("4"))
    assert actors(owned) == {"1": "owner", "2": "maria", "3": "jan", "4": "owner"}
    (halted,) = owned.events(types="trading_state_changed")
    assert halted.actor == "maria"


def test_an_error_ends_it_too(owned: onebook.Book) -> None:
    with pytest.raises(InputError, match="amount"), owned.acting("maria"):
        owned.record(CashMovement(currency="USD", amount="x"))
    assert owned.actor == "owner"


def test_nobody_is_no_name(owned: onebook.Book) -> None:
    for name in ("", " x", "x" * 201):
        with pytest.raises(InputError, match="actor"), owned.acting(name):
            pass


def test_it_counts_in_its_own_thread_and_book_alone(owned: onebook.Book) -> None:
    with onebook.open(":memory:", actor="other") as other, owned.acting("maria"):
        assert other.actor == "other"
        with other.acting("jan"):
            assert (owned.actor, other.actor) == ("maria", "jan")
        thread = threading.Thread(target=lambda: owned.record(move("1")))
        thread.start()
        thread.join()
    assert actors(owned) == {"1": "owner"}


def test_tasks_that_record_at_once_keep_their_names(owned: onebook.Book) -> None:
    async def record(name: str) -> None:
        with owned.acting(name):
            await owned.aio.record(move(name))
            await asyncio.to_thread(owned.record, move(f"{name}-thread"))

    async def all_of_them() -> None:
        await asyncio.gather(*(record(f"bot{number}") for number in range(40)), owned.aio.record(move("plain")))

    asyncio.run(all_of_them())
    found = actors(owned)
    assert found.pop("plain") == "owner"
    assert len(found) == 80
    assert all(actor == name.removesuffix("-thread") for name, actor in found.items())
    assert owned.verify().ok
