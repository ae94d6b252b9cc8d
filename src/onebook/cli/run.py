"""``onebook run bot.yaml``: strategies at work, until their history ends or somebody stops them."""

import sys
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onebook.cli.asking import moment
from onebook.cli.session import session
from onebook.cli.tables import pairs, print_object
from onebook.domain import fields, times
from onebook.errors import InputError

if TYPE_CHECKING:
    from onebook.trading.runner.config import BotConfig

SHOW_SECONDS = 0.5


class _Progress:
    """Says on stderr how far a run is, where somebody watches."""

    def __init__(self) -> None:
        self._shown = 0.0
        self.events = 0
        self.at_ns = 0
        self._watched = sys.stderr.isatty()

    def __call__(self, events: int, at_ns: int) -> None:
        """Take the number of events done and the time of the last one."""
        self.events, self.at_ns = events, at_ns
        if self._watched and monotonic() - self._shown > SHOW_SECONDS:
            self._shown = monotonic()
            sys.stderr.write(f"\r{events:,} events, {times.to_text(at_ns)[:19].replace('T', ' ')} UTC ")
            sys.stderr.flush()

    def end(self) -> None:
        """Leave the line."""
        if self._watched and self._shown:
            sys.stderr.write("\r\033[K")


def run(
    ctx: typer.Context,
    path: Annotated[str, typer.Argument(metavar="BOT.yaml", help="The bot: accounts, market, strategies, limits.")],
    since: Annotated[str | None, typer.Option("--since", help="Replay from this moment on: 2026-01-31T09:30Z.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Replay up to before this moment.")] = None,
    speed: Annotated[
        str | None, typer.Option("--speed", help="Seconds of history in a second; 0: as fast as it goes.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only read the file, and say what would run.")] = False,
) -> int:
    """Run a bot on paper: over history, or live. Ctrl-C ends it after the event at hand; it goes on from there."""
    import onebook
    from onebook.trading.runner.bot import run_bot
    from onebook.trading.runner.config import load_bot

    here = session(ctx)
    config = load_bot(path)
    if check:
        said = _said(config, here.url)
        print_object(said) if here.as_json else pairs(here, None, list(said.items()))
        return 0
    progress = _Progress()
    given: dict[str, Any] = {
        "since": None if since is None else times.from_datetime("--since", moment("since", since)),
        "until": None if until is None else times.from_datetime("--until", moment("until", until)),
        "speed": None if speed is None else _speed(speed),
    }
    settings: dict[str, Any] = {"config": here.config} if here.is_configured else {}
    code = run_bot(path, partial(onebook.open, **settings), book_url=here.target, progress=progress, **given)
    progress.end()
    if here.as_json:
        last = times.to_text(progress.at_ns) if progress.events else None
        print_object({"bot": config.name, "events": progress.events, "last": last, "failed": bool(code)})
    else:
        print(f"{config.name}: {progress.events:,} events" + (", all strategies failed" if code else ""))
    return code


def _said(config: "BotConfig", url: str | None) -> dict[str, str]:
    """Return what would run, for people."""
    strategies = [
        f"{item.strategy.name} ({type(item.strategy).__name__}): {', '.join(item.strategy.instruments)}"
        f" at {item.strategy.timeframe}, account {item.strategy.account}"
        for item in config.strategies
    ]
    return {
        "bot": config.name,
        "book": url or config.book_url or "the default one",
        "accounts": ", ".join(f"{name} ({item.broker}, {item.currency})" for name, item in config.accounts.items()),
        "market": f"{config.market.source}, {'live' if config.replay is None else 'history'}",
        "strategies": "; ".join(strategies),
        "limits": str(len(config.limits)),
        "end of day": ", ".join(item.name for item in config.end_of_day) or "none",
    }


def _speed(text: str) -> float:
    value = float(fields.not_negative("--speed", text))
    if value > 1e9:
        msg = f"--speed: {text} is too fast; 0 is as fast as it goes"
        raise InputError(msg, field="speed", value=text)
    return value
