"""The live view: a scene as panels for the terminal. It draws what it is given and asks the book nothing."""

from collections.abc import Iterator
from decimal import Decimal

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from onebook.demo import chart, words
from onebook.demo.replay import OPENING
from onebook.demo.scene import Exits, Scene
from onebook.domain.reports import Position

_LABEL_WIDTH = 6
_LABEL_EVERY = 3
_ROOM_FOR_MORE = 60
"""Least width of the positions panel at which average prices and targets are shown too."""


def draw(scene: Scene, state: str) -> Layout:
    """Return the whole screen; ``state`` is what stands at its foot, one line or more."""
    screen = Layout()
    screen.split_column(
        Layout(_header(scene), size=4), Layout(name="body"), Layout(_foot(state), size=state.count("\n") + 1)
    )
    screen["body"].split_row(Layout(name="left"), Layout(name="right"))
    rows = max(len(scene.positions), 7) + 4
    screen["left"].split_column(
        Layout(Panel(EquityChart(scene), title=_worth(scene), title_align="left", border_style="blue")),
        Layout(Panel(Positions(scene), title="positions", title_align="left", border_style="blue"), size=rows),
    )
    screen["right"].split_column(
        Layout(Panel(_money(scene), title="realized P&L", title_align="left", border_style="blue"), size=7),
        Layout(Panel(Euro(scene), title=_rate(scene), title_align="left", border_style="blue"), size=3),
        Layout(Panel(Events(scene), title="events", title_align="left", border_style="blue")),
    )
    return screen


def _foot(state: str) -> Text:
    return Text("\n".join(f" {line}" for line in state.split("\n")), words.QUIET)


def _header(scene: Scene) -> Panel:
    line = Table.grid(expand=True)
    line.add_column(justify="left", no_wrap=True, overflow="ellipsis", ratio=1)
    line.add_column(justify="right", no_wrap=True)
    line.add_row(
        Text.assemble(("onebook ", "bold"), ("three bots, five stocks, one book", words.QUIET)),
        Text.assemble(
            (f"{scene.head:,}", "bold"),
            (" entries  ", words.QUIET),
            (f"{scene.entries_per_second:,.0f}", "bold"),
            ("/s  ", words.QUIET),
            *_trading(scene),
        ),
    )
    return Panel(Group(line, Progress(scene)), border_style="blue")


def _trading(scene: Scene) -> Iterator[tuple[str, str]]:
    """Return whether orders pass: of the whole book, or of the bots that are held back."""
    yield "trading ", words.QUIET
    if not scene.states:
        yield "ACTIVE", "bold green"
        return
    yield ", ".join(f"{name} {state}" for name, state in scene.states.items()), words.WARNING


def _worth(scene: Scene) -> Text:
    change = (scene.worth / OPENING - 1) * 100
    return Text.assemble(
        "equity ",
        (f"{words.amount(scene.worth, 0)} USD", "bold"),
        "  ",
        f"{words.amount(scene.worth / scene.rate, 0)} EUR  ",
        words.signed(change, 1).append(" %"),
    )


def _rate(scene: Scene) -> Text:
    return Text.assemble("EUR/USD ", (f"{scene.rate:.4f}", "bold"), ("  ECB", words.QUIET))


def _money(scene: Scene) -> Table:
    table = _table()
    table.add_column("bot")
    for title in ("fills", "trips", "USD", "EUR"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in scene.money:
        table.add_row(
            words.bot(row.strategy),
            f"{row.fills:,}",
            f"{row.round_trips:,}",
            words.signed(row.usd, 0),
            words.signed(row.eur, 0),
        )
    table.add_row(
        Text("total", "bold"),
        f"{sum(row.fills for row in scene.money):,}",
        f"{sum(row.round_trips for row in scene.money):,}",
        words.signed(sum((row.usd for row in scene.money), Decimal()), 0),
        words.signed(sum((row.eur for row in scene.money), Decimal()), 0),
        style="bold",
    )
    return table


def _table() -> Table:
    return Table(box=None, expand=True, padding=(0, 1, 0, 0), header_style=words.QUIET)


class Progress:
    """The day being replayed, and how far it is."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw a bar over the width that is left beside the day."""
        scene = self._scene
        day = f"{scene.day:%a %d %b %Y} "
        share = f" {scene.done * 100:3.0f} %"
        drawn = chart.bar(scene.done, max(4, options.max_width - len(day) - len(share)))
        yield Text.assemble((day, "bold"), (drawn, "blue on grey15"), share, no_wrap=True)


class EquityChart:
    """The equity since the start as a curve, shaded against the opening balance."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the curve to the size of its panel, with amounts beside it and years below."""
        scene, height = self._scene, max(3, (options.height or 12) - 1)
        width = max(8, options.max_width - _LABEL_WIDTH - 1)
        over = chart.scale(scene.equity, float(OPENING))
        frame = chart.Frame(width=width, height=height, scale=over, base=float(OPENING), filled=scene.done)
        rows = chart.curve(scene.equity, frame) if scene.equity else [""] * height
        for number, row in enumerate(rows):
            value = over.label(number, height)
            label = f"{value / 1000:.0f}k" if number % _LABEL_EVERY == _LABEL_EVERY // 2 else ""
            style = words.GAIN if value >= float(OPENING) else words.LOSS
            yield Text.assemble((f"{label:>{_LABEL_WIDTH}} ", words.QUIET), (row, style), no_wrap=True)
        yield Text(_years(scene, width), style=words.QUIET, no_wrap=True)


def _years(scene: Scene, width: int) -> str:
    """Return the axis below the chart: years where they begin, as many as fit."""
    axis = [" "] * (_LABEL_WIDTH + 1 + width + 4)
    span = (scene.last - scene.first).days or 1
    free = 0
    for year in range(scene.first.year + 1, scene.last.year + 1):
        at = (
            _LABEL_WIDTH + 1 + round((scene.first.replace(year=year, month=1, day=1) - scene.first).days / span * width)
        )
        if at >= free and at + 4 <= _LABEL_WIDTH + 1 + width:
            axis[at : at + 4] = str(year)
            free = at + 5
    return "".join(axis).rstrip()


class Positions:
    """What is held, what it is worth at the last mark, and the prices at which the venue will leave it."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw one row per bot and stock, and the sum."""
        wide = options.max_width >= _ROOM_FOR_MORE
        titles = ["shares", "average", "mark", "stop", "target"] if wide else ["shares", "mark", "stop"]
        table = _table()
        table.add_column("stock", no_wrap=True, min_width=5)
        table.add_column("bot", no_wrap=True, min_width=8)
        for title in (*titles, "open USD"):
            table.add_column(title, justify="right", no_wrap=True)
        for held in self._scene.positions:
            figures = self._figures(held)
            table.add_row(
                Text(held.instrument, "bold"),
                words.bot(held.strategy or ""),
                *(figures[title] for title in titles),
                words.signed(held.unrealized_pnl or Decimal(), 0),
            )
        total = sum((held.unrealized_pnl or Decimal() for held in self._scene.positions), Decimal())
        table.add_row(Text("total", "bold"), *[""] * (len(titles) + 1), words.signed(total, 0))
        yield table

    def _figures(self, held: Position) -> dict[str, Text]:
        exits = self._scene.exits.get((held.strategy or "", held.instrument), Exits())
        return {
            "shares": Text(words.units(held.quantity), "" if held.quantity > 0 else words.LOSS),
            "average": _price(held.average_price),
            "mark": _price(held.mark),
            "stop": _price(exits.stop),
            "target": _price(exits.target),
        }


def _price(value: Decimal | None) -> Text:
    return Text("–", words.QUIET) if value is None else Text(words.amount(value))


class Euro:
    """The euro's rate since the start, in one line."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the line over the part of the width that has passed."""
        rates = self._scene.rates
        width = max(1, round(options.max_width * self._scene.done))
        yield Text(chart.sparkline(rates, width) if rates else "", style="cyan", no_wrap=True)


class Events:
    """The last events of the log, the newest at the foot."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw as many as fit."""
        room = options.height or 10
        for happening in self._scene.happenings[-room:]:
            line = words.event_line(happening)
            line.truncate(options.max_width, overflow="ellipsis")
            yield line
