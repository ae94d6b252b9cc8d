"""A service with a book, and remote books on it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.http.conftest import Serve, Served, serve, served  # noqa: F401  fixtures of this folder too

import onebook
from onebook.remote.book import RemoteBook

Connect = Callable[..., RemoteBook]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connect to services; every connection is closed at the end."""
    made: list[RemoteBook] = []

    def to(url: str, token: str | None = None, **given: Any) -> RemoteBook:
        book = onebook.connect(url, token, **given)
        made.append(book)
        return book

    yield to
    for book in made:
        book.close(timeout=1)
