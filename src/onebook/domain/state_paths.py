r"""Where in the state something stands: paths of parts, and their text.

A path is dotted text, ``bots.trend.level``, or a tuple of its parts. A dot inside a part is written ``\.`` and a
backslash ``\\``, so that ``positions.main.BRK\.B`` has three parts.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from onebook.domain.reports import Event
from onebook.errors import InputError, NotAllowed

Path = tuple[str, ...]

ROOT: Path = ()
MAX_PATH = 512
"""Characters of a path's text."""

MAX_PARTS = 32
SCHEMA: Path = ("$schema",)
"""Where the version of the state's shape is kept; no user's path can name it."""

VIEW_ROOTS: tuple[Path, ...] = (("positions",), ("pnl",), ("runners",), ("trading", "positions"))
"""What lies at these paths is shown from the read models."""


def path_of(value: object) -> Path:
    r"""Take a path.

    Args:
        value: dotted text, or a tuple or list of parts.

    Raises:
        InputError: it has no part, an empty one, one that begins with ``$``, cannot be shown or is ``*``, or is longer
            than 512 characters or 32 parts.
    """
    parts = _split(value) if isinstance(value, str) else value
    if not isinstance(parts, tuple | list) or not parts:
        msg = f"path: {value!r:.80} is not a path; write dotted text such as bots.trend.level, or a tuple of parts"
        raise InputError(msg, field="path", value=value)
    path = tuple(_part(part, value) for part in parts)
    if len(path) > MAX_PARTS or len(path_text(path)) > MAX_PATH:
        msg = f"path: {value!r:.60}… is longer than {MAX_PARTS} parts or {MAX_PATH} characters"
        raise InputError(msg, field="path", value=value)
    return path


def _part(part: object, whole: object) -> str:
    if isinstance(part, str) and is_part(part):
        return str.__str__(part)
    why = "is not text" if not isinstance(part, str) else "is empty" if not part else "cannot be shown"
    if isinstance(part, str) and part[:1] in {"$", "*"}:
        why = "begins with $, which is kept for the book" if part[0] == "$" else "stands for every path"
    msg = f"path: the part {part!r:.60} of {whole!r:.80} {why}; a part is text such as trend"
    raise InputError(msg, field="path", value=whole)


def is_part(text: str) -> bool:
    """Say whether a text can be a part of a path."""
    return bool(text) and text[0] != "$" and text != "*" and text.isprintable()


def _split(text: str) -> tuple[str, ...]:
    r"""Return the parts of dotted text, where ``\.`` is a dot and ``\\`` a backslash."""
    if "\\" not in text:
        return tuple(text.split("."))
    parts, part = [], ""
    letters = iter(text)
    for letter in letters:
        if letter == "\\":
            following = next(letters, "")
            part += following if following in {".", "\\"} else letter + following
        elif letter == ".":
            parts.append(part)
            part = ""
        else:
            part += letter
    return (*parts, part)


def path_from(text: str) -> Path:
    """Return the path of its own text, as the book wrote it; nothing is checked again."""
    return _split(text) if text else ROOT


def path_text(path: Path) -> str:
    """Return a path as text, of which there is one way only."""
    if any("." in part or "\\" in part for part in path):
        return ".".join(part.replace("\\", "\\\\").replace(".", "\\.") for part in path)
    return ".".join(path)


def below(path: Path) -> str:
    """Return how the texts of all paths below a path begin."""
    return path_text(path) + "." if path else ""


def above(path: Path) -> Iterator[Path]:
    """Return the paths above a path, the topmost first."""
    return (path[:size] for size in range(1, len(path)))


# ---- watching ----


def watched_path(value: object) -> Path:
    """Take a path to watch; ``*`` is every path, and ``bots.*`` the same as ``bots``.

    Raises:
        InputError: not a path.
    """
    if isinstance(value, str) and (value == "*" or value.endswith(".*")):
        value = value[:-2]
        return path_of(value) if value else ROOT
    return path_of(value)


def concerns(changed: Path, watched: Path) -> bool:
    """Say whether a change at one path can change what another shows: it is the same, below or above.

    Args:
        changed: where something changed.
        watched: where somebody looks; empty for everywhere.
    """
    return all(one == other for one, other in zip(changed, watched, strict=False))


_POSITIONS = frozenset({"position_updated", "position_closed", "position_restated"})
_RUNNERS = frozenset({"runner_started", "runner_stopped", "bot_silent"})


def _its_own(_account: str, instrument: str) -> Iterable[str]:
    return (instrument,)


def touched_paths(event: Event, names: Callable[[str, str], Iterable[str]] = _its_own) -> list[Path]:
    """Return the paths whose values an event may have changed: the user's own, and those that read models show.

    Args:
        event: of the log.
        names: returns every name of an instrument in an account, since a fact may come under an older one.
    """
    if event.type == "state_changed":
        return [path_from(event.data["path"])]
    if event.type in _POSITIONS:
        held: list[Path] = [("positions", event.account, name) for name in names(event.account, event.instrument)]
        return [*held, ("pnl",), ("trading", "positions")]
    if event.type == "corporate_action_applied":
        return [("positions", event.account), ("trading", "positions")]
    if event.type == "annotated" or event.type.startswith("signal_"):
        return [("trading", "positions")]
    if event.type == "settings_defined":
        return [("pnl",)]
    if event.type in _RUNNERS:
        return [("runners", event.strategy)] if event.strategy else [("runners",)]
    return []


# ---- what read models show ----


def is_shown(path: Path) -> bool:
    """Say whether a path lies at or below one that the read models show."""
    return any(path[: len(root)] == root for root in VIEW_ROOTS)


def leads_to_view(path: Path) -> bool:
    """Say whether a path is one that the read models show, or lies above one."""
    return any(root[: len(path)] == path for root in VIEW_ROOTS)


def refuse_views(path: Path, value: Any, *, deleted: bool = False) -> None:
    """Refuse a change at a path that read models always show, whatever the book holds.

    Args:
        path: where.
        value: what, as it is kept.
        deleted: whether it is taken away instead.

    Raises:
        NotAllowed: the path is one of them, or lies above one and its value would hide that.
    """
    for root in VIEW_ROOTS:
        if path == root:
            held = root
        elif root[: len(path)] == path and not deleted:
            held = path if not isinstance(value, dict) else _found(value, root[len(path) :], root)
        else:
            continue
        if held:
            raise NotAllowed(held_message(root), path=path_text(root))


def _found(value: dict[str, Any], rest: Sequence[str], root: Path) -> Path:
    """Return the root when a value has something where it lies."""
    for name in rest[:-1]:
        inner = value.get(name)
        if not isinstance(inner, dict):
            return root if name in value else ()
        value = inner
    return root if rest[-1] in value else ()


def held_message(path: Path) -> str:
    """Return why a path cannot be written."""
    text = path_text(path)
    return f"{text} is shown from the book itself, which computes it; choose a path of your own, such as my.{text}"
