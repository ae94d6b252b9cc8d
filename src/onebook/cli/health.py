"""``onebook health``: how everything stands just now, on one page; it asks nobody outside."""

from typing import TYPE_CHECKING, Any

import typer

from onebook.cli.asking import reading
from onebook.cli.keeping import FOUND_PROBLEMS
from onebook.cli.market import age
from onebook.cli.session import session
from onebook.cli.tables import cell, print_object

if TYPE_CHECKING:
    from onebook.health import Health


def health(ctx: typer.Context) -> int:
    """How everything stands: book, trading, bots, subscribers, marks, prices, bars. Exit 1: something is wrong."""
    from onebook.health import health_of

    here = session(ctx)
    with reading(ctx) as book:
        page = health_of(book, here.config)
    if here.as_json:
        print_object({name: getattr(page, name) for name in type(page).__dataclass_fields__})
    else:
        _show(page, page.problems)
    return FOUND_PROBLEMS if page.problems else 0


def _show(page: "Health", problems: list[str]) -> None:
    from onebook.health import whose

    rows = [
        ("book", f"{page.book['url']}: {page.book['entries']} entries; not verified here, see onebook verify"),
        ("trading", ", ".join(f"{whose(row)} {row['state']}" for row in page.trading)),
        (
            "bots",
            ", ".join(f"{bot.strategy} {age(bot.age_seconds)} ago" for bot in page.bots) or "none sends heartbeats",
        ),
        ("subscribers", ", ".join(map(_subscriber, page.subscribers)) or "none"),
        ("marks", _marks(page.marks)),
        ("market source", _source(page.market)),
        ("breakers", ", ".join(f"{name} {one['state']}" for name, one in page.circuit_breakers.items()) or "none"),
        ("caches", ", ".join(f"{name} {one['size']}" for name, one in page.cache_stats.items()) or "none"),
        ("bars", _stored(page.database_stats)),
        ("spools", ", ".join(f"{row['path']} ({row['bytes']} bytes)" for row in page.spools) or "none"),
    ]
    for name, text in rows:
        print(f"{name:<13}  {cell(text)}")
    for text in problems:
        print(f"problem: {cell(text)}")
    count = len(problems)
    print(f"{count} problem{'' if count == 1 else 's'}" if count else "all is well")


def _subscriber(row: Any) -> str:
    letters = f", {row['dead_letters']} dead letters" if row["dead_letters"] else ""
    return f"{row['name']} {row['state']} (lag {row['lag']}{letters})"


def _marks(marks: dict[str, Any]) -> str:
    held = [
        f"{row.instrument} {'no mark' if row.age_seconds is None else age(row.age_seconds)}" for row in marks["held"]
    ]
    return f"{marks['count']}; of what is held: {', '.join(held) or 'nothing is held'}"


def _source(market: dict[str, Any]) -> str:
    if market["source"] is None:
        return "none configured"
    return " ".join(str(market[name]) for name in ("source", "exchange", "base_url") if name in market)


def _stored(stats: dict[str, Any]) -> str:
    if not stats:
        return "none kept"
    return f"{stats['bars']} of {len(stats['series'])} series, {stats['file_bytes'] / 1e6:.1f} MB in {stats['path']}"
