"""Calling what users wrote: whatever it raises is theirs, and ends nothing but their own strategy."""

from collections.abc import Callable
from typing import Any

from onebook.errors import StoreError

MAX_SAID = 500
"""Most characters of what a strategy raised that are kept."""


def call(what: Callable[..., Any], *given: Any) -> BaseException | None:
    """Call a strategy, and return what it raised, ``SystemExit`` too.

    Raises:
        StoreError: the book could not answer it; that is no fault of the strategy.
        KeyboardInterrupt: a person ends the process.
    """
    try:
        what(*given)
    except (StoreError, KeyboardInterrupt):
        raise
    except BaseException as problem:  # noqa: BLE001  a strategy may raise anything
        return problem
    return None


def said_by(problem: BaseException, most: int = MAX_SAID) -> str:
    """Return what was raised as one line that can be shown, whatever its text is; even one that cannot be told."""
    found: list[str] = []
    if call(lambda: found.append(str(problem))) is not None:
        found.append("what it says cannot be told")
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in found[0]).split())
    name = type(problem).__name__
    return (f"{name}: {line}" if line else name)[:most].strip()
