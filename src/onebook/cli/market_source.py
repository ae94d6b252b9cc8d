"""The source of market data that a command asks: of the configuration, or named in a word."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import TYPE_CHECKING, Any

from onebook.cli.session import Session
from onebook.errors import BadConfig

if TYPE_CHECKING:
    from onebook.market.port import MarketData


def configured(here: Session, named: str | None = None) -> dict[str, Any]:
    """Return the terms of the source that is asked for, of the configuration or in a word; empty for none."""
    from onebook.market.configured import terms_of

    return terms_of(here.config, named)


def placed(here: Session, named: str | None = None) -> AbstractContextManager[None]:
    """Name file and line of the key in whatever the configuration gets wrong; not of what was named in a word."""
    from onebook.market import configured

    return configured.placed(here.config, named)


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
