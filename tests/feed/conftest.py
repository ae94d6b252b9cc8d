"""Receivers on loopback, and a book whose fills are sent to them."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from tests.feed import chats, hooks

import onebook
from onebook.testing.clock import FakeClock


@pytest.fixture
def chat() -> Iterator[chats.Receiver]:
    with contextlib.closing(chats.Receiver()) as started:
        yield started


@pytest.fixture
def hook(clock: FakeClock) -> Iterator[hooks.Receiver]:
    with contextlib.closing(hooks.Receiver(clock)) as started:
        yield started


@pytest.fixture
def ledger(clock: FakeClock) -> Iterator[onebook.Book]:
    with onebook.open(":memory:", clock=clock) as opened:
        for number in range(1, 4):
            opened.record(
                onebook.Fill(
                    instrument="BTC/USDT",
                    side="buy",
                    quantity="0.5",
                    price=str(60000 + number),
                    venue_fill_id=str(number),
                )
            )
        yield opened


@pytest.fixture
def sink(hook: hooks.Receiver, ledger: onebook.Book, clock: FakeClock) -> Iterator[Any]:
    made = hooks.webhook(ledger, clock, f"http://127.0.0.1:{hook.port}/hook?desk=7", allow_private=True)
    with contextlib.closing(made):
        yield made
