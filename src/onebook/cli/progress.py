"""Progress of long work: a bar on stderr, nothing where stderr is no terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(title: str, total: int | None = None, *, quiet: bool = False) -> Iterator[Callable[..., None] | None]:
    """Lend a callable that takes how far the work is, and the total where it is known; None when not shown."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    shown = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with shown as bar:
        task = bar.add_task(title, total=total)

        def move(done: int, whole: int | None = None) -> None:
            bar.update(task, completed=done, total=whole or total)

        yield move
