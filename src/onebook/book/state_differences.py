"""What to change so that the state becomes another one, document by document."""

from collections.abc import Iterable, Iterator
from typing import Any

from onebook.domain.commands import StateChange
from onebook.domain.state_documents import Document
from onebook.domain.state_paths import (
    MAX_PARTS,
    MAX_PATH,
    ROOT,
    VIEW_ROOTS,
    Path,
    held_message,
    is_part,
    leads_to_view,
    path_text,
)
from onebook.domain.state_values import MAX_VALUE, MISSING, is_object, same, size_of
from onebook.errors import InputError, NotAllowed


def differences(standing: Iterable[Document], wanted: dict[str, Any]) -> list[StateChange]:
    """Return the changes that make documents show what is wanted, each as far down as documents reach.

    Args:
        standing: all documents that stand.
        wanted: everything that shall be there, as it is kept.

    Raises:
        InputError: a name at the top cannot be part of a path.
        NotAllowed: a value would hide what the book itself shows.
    """
    for name in wanted:
        if not is_part(name):
            msg = f"{name!r:.60} cannot be the first part of a path"
            raise InputError(msg, name=name)
    tree: dict[str, Any] = {}
    for document in standing:
        level = tree
        for part in document.path[:-1]:
            level = level.setdefault(part, {})
        level[document.path[-1]] = _Held(document.value)
    return list(_walk(ROOT, tree, wanted))


class _Held:
    """A value that stands at a place; a dict in its stead is a place with documents below it."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def _walk(path: Path, node: dict[str, Any] | _Held | None, wanted: Any) -> Iterator[StateChange]:
    """Yield what to change at a place and below."""
    if leads_to_view(path) and wanted is not MISSING and not is_object(wanted):
        raise NotAllowed(held_message(path), path=path_text(path))
    only_parts = path == ROOT or path in VIEW_ROOTS
    if isinstance(node, _Held) and wanted is not MISSING and same(node.value, wanted):
        return
    if wanted is MISSING and not (only_parts and isinstance(node, dict)):
        if node is not None:
            yield StateChange(path, deleted=True)
        return
    if wanted is MISSING or (is_object(wanted) and _divided(path, node, wanted, only_parts=only_parts)):
        inner = {} if wanted is MISSING else wanted
        parts = _parts(node)
        for name in {**parts, **inner}:
            yield from _walk((*path, name), parts.get(name), inner.get(name, MISSING))
    else:
        yield StateChange(path, wanted)


def _parts(node: dict[str, Any] | _Held | None) -> dict[str, Any]:
    if isinstance(node, _Held):
        return {name: _Held(value) for name, value in node.value.items()} if is_object(node.value) else {}
    return node or {}


def _divided(path: Path, node: dict[str, Any] | _Held | None, wanted: dict[str, Any], *, only_parts: bool) -> bool:
    """Say whether an object is kept part by part."""
    if only_parts:
        return True
    whole = isinstance(node, _Held) or node is None
    if not wanted or (whole and not leads_to_view(path) and (node is not None or size_of(wanted) <= MAX_VALUE)):
        return False
    longest = max(len(path_text((*path, name))) for name in wanted)
    return len(path) < MAX_PARTS and longest <= MAX_PATH and all(is_part(name) for name in wanted)
