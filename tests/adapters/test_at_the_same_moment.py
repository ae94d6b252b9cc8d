"""Two readers of one order: what the other books between the look and the deed is never booked a second time."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

import onebook
from onebook.errors import ConflictError
from onebook.intake.adapters.recorder import Item, OrderSeen
from onebook.intake.adapters.recorder_booking import TRIES, Bookings

WHOSE = ("main", "okx", "grid")
TERMS: dict[str, Any] = {"instrument": "BTC/USDT", "side": "buy", "venue_order_id": "7"}


@pytest.fixture
def meanwhile(bot_book: onebook.Book, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let others book something just before each of the next commands is decided."""

    def arrange(*deeds: Callable[[], object]) -> None:
        waiting, submit = list(deeds), bot_book.submit

        def submit_later(*wanted: Any, **options: Any) -> Any:
            if waiting:
                waiting.pop(0)()
            return submit(*wanted, **options)

        monkeypatch.setattr(bot_book, "submit", submit_later)

    return arrange


def at(second: int) -> int:
    return 1_717_416_000_000_000_000 + second * 1_000_000_000


def seen(filled: str, average: str, *, heard: bool = False) -> OrderSeen:
    terms = TERMS | {"filled": filled, "average": average, "quantity": "10", "heard": heard}
    terms |= {} if heard else {"client_order_id": "c1"}
    return OrderSeen(**terms, status="partially_filled", created_ns=at(0), occurred_ns=at(9))


def execution(number: int, quantity: str, price: str, **more: Any) -> onebook.Fill:
    terms = TERMS | {"venue": "okx", "venue_fill_id": f"t{number}", "occurred_ns": at(number)} | more
    return onebook.Fill(**terms, quantity=quantity, price=price)


def order(status: str = "new") -> list[Item]:
    terms: dict[str, Any] = {"instrument": "BTC/USDT", "side": "buy", "strategy": "grid", "venue": "okx"}
    return [
        onebook.Order(**terms, quantity="10", kind="market", client_order_id="c1", occurred_ns=at(0)),
        OrderSeen(**TERMS, client_order_id="c1", status=status),
    ]


def told(book: onebook.Book, *items: Item) -> None:
    Bookings(book).book(WHOSE, items)


def held(book: onebook.Book, strategy: str = "grid") -> tuple[Decimal, Decimal]:
    position = book.position("BTC/USDT", strategy=strategy)
    assert position is not None
    assert position.average_price is not None
    return position.quantity, position.average_price


@pytest.mark.parametrize(
    "other",
    [
        [execution(2, "6", "110")],
        [execution(2, "5", "110"), execution(3, "1", "110")],
        [execution(2, "1", "110")],
        [seen("10", "106")],
        [seen("5", "102")],
    ],
    ids=["the rest", "the rest in two", "a part", "the same", "an older word"],
)
def test_what_another_books_meanwhile_is_not_booked_again(
    bot_book: onebook.Book, meanwhile: Callable[..., None], other: list[Item]
) -> None:
    told(bot_book, *order(), execution(1, "4", "100"))
    meanwhile(lambda: told(bot_book, *other))
    told(bot_book, seen("10", "106"))
    assert held(bot_book) == (Decimal(10), Decimal(106))
    assert bot_book.orders()[0].filled_quantity == 10


@pytest.mark.parametrize("quantity", ["6", "1"], ids=["the rest", "a part"])
def test_nor_of_an_order_that_nobody_recorded(
    bot_book: onebook.Book, meanwhile: Callable[..., None], quantity: str
) -> None:
    told(bot_book, execution(1, "4", "100"))
    meanwhile(lambda: told(bot_book, execution(2, quantity, "110")))
    told(bot_book, seen("10", "106", heard=True))
    assert held(bot_book, onebook.EXTERNAL) == (Decimal(10), Decimal(106))


def test_other_orders_are_not_waited_for(bot_book: onebook.Book, meanwhile: Callable[..., None]) -> None:
    told(bot_book, execution(1, "4", "100"))
    meanwhile(*[lambda: told(bot_book, execution(5, "1", "1", venue_order_id="8"))] * 2)
    told(bot_book, seen("10", "106", heard=True))
    assert [found.quantity for found in bot_book.fills()] == [4, 1, 6]


def test_the_order_may_get_its_bot_meanwhile(bot_book: onebook.Book, meanwhile: Callable[..., None]) -> None:
    told(bot_book, execution(1, "4", "100"))
    meanwhile(lambda: told(bot_book, *order(), execution(2, "6", "110")))
    told(bot_book, seen("10", "106", heard=True))
    assert held(bot_book) == (Decimal(10), Decimal(106))
    assert {found.strategy for found in bot_book.fills()} == {"grid"}


def test_one_who_is_never_left_alone_tries_again_later(bot_book: onebook.Book, meanwhile: Callable[..., None]) -> None:
    told(bot_book, *order())
    names = {"client_order_id": "c1", "strategy": "grid"}
    numbers = iter(range(TRIES))
    meanwhile(*[lambda: bot_book.record(execution(next(numbers), "0.01", "100", **names))] * TRIES)
    with pytest.raises(ConflictError, match="order 7: more of it was booked meanwhile; compare again"):
        told(bot_book, seen("10", "100"))
    assert bot_book.orders()[0].filled_quantity == Decimal("0.01") * TRIES
    told(bot_book, seen("10", "100"))
    assert held(bot_book) == (Decimal(10), Decimal(100))
