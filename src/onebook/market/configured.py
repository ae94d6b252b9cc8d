"""The source of market data that a configuration names, or a word in its place."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from onebook.config import Config
from onebook.config.keys import KEYS, MARKET
from onebook.errors import BadConfig
from onebook.market import sources

NAMED = frozenset({"market.source", "market.exchange", "market.files"})
"""Keys that a word such as ``ccxt:kraken`` stands for."""


def terms_of(config: Config, named: str | None = None) -> dict[str, Any]:
    """Return the terms of the source that is asked for; empty for none.

    Args:
        config: the settings in force.
        named: a word that stands for a source; None: the one of the configuration.
    """
    given = {name.partition(".")[2]: config.get(name) for name in MARKET if config.is_given(name)}
    if named is not None:
        return sources.over(given, sources.named(named))
    return given if "source" in given else {}


@contextmanager
def placed(config: Config, named: str | None = None) -> Iterator[None]:
    """Name file and line of the key in whatever the configuration gets wrong; not of what was named in a word."""
    try:
        yield
    except BadConfig as problem:
        key = ".".join(str(problem.details.get("key", "")).split(".")[:2])
        is_ours = key.startswith("market.") and not (named and key in NAMED)
        known = [name for name in (key, "market.source") if is_ours and name in KEYS and config.is_given(name)]
        place = config.setting(known[0]).source if known else ""
        if not place or str(problem).startswith(place):
            raise
        raise BadConfig(f"{place}: {problem}", **problem.details) from None


def bars_place(config: Config, book_url: str) -> str:
    """Return where the bars of a book are.

    Args:
        config: the settings in force.
        book_url: where the book is.
    """
    given = config.get("market.bars_file")
    return str(Path(given).absolute()) if given else f"{Path(book_url).absolute()}.bars.db"
