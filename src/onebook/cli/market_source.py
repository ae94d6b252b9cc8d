"""The source of market data that a command asks: of the configuration, or named in a word."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from onebook.cli.session import Session
from onebook.errors import BadConfig

if TYPE_CHECKING:
    from onebook.market.port import MarketData

NAMED = frozenset({"market.source", "market.exchange", "market.files"})
"""Keys that ``--source`` stands for."""


def configured(here: Session, named: str | None = None) -> dict[str, Any]:
    """Return the terms of the source that is asked for, of the configuration or in a word; empty for none."""
    from onebook.config.keys import MARKET
    from onebook.market import sources

    config = here.config
    given = {name.partition(".")[2]: config.get(name) for name in MARKET if config.is_given(name)}
    if named is not None:
        return sources.over(given, sources.named(named))
    return given if "source" in given else {}


@contextmanager
def placed(here: Session, named: str | None = None) -> Iterator[None]:
    """Name file and line of the key in whatever the configuration gets wrong; not of what was named in a word."""
    from onebook.config.keys import KEYS

    try:
        yield
    except BadConfig as problem:
        key = ".".join(str(problem.details.get("key", "")).split(".")[:2])
        is_ours = key.startswith("market.") and not (named and key in NAMED)
        known = [name for name in (key, "market.source") if is_ours and name in KEYS and here.config.is_given(name)]
        place = here.config.setting(known[0]).source if known else ""
        if not place or str(problem).startswith(place):
            raise
        raise BadConfig(f"{place}: {problem}", **problem.details) from None


@contextmanager
def asking(here: Session, named: str | None = None) -> Iterator["MarketData"]:
    """Open the source that is asked for, and close it at the end."""
    from onebook.market.sources import source_from

    terms = configured(here, named)
    if not terms:
        msg = "no source of market data is configured; write market: source: in onebook.yaml, or give --source"
        raise BadConfig(msg, key="market.source")
    with placed(here, named):
        opened = source_from(terms)
    with closing(opened) as source:
        yield source
