"""The ``market`` of a ``bot.yaml``: where prices come from, by the keys of the section ``market`` of ``onebook.yaml``.

What differs: keys of an API stand in the environment, ``key_from`` and ``secret_from`` name its variables; there are no
bars kept in a file; and there are ``instruments``, which are shown to the runner beside those of its strategies.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

from onebook.config import values as take
from onebook.domain.days import Days
from onebook.errors import BadConfig, InputError
from onebook.market.providers.files_terms import FileTerms
from onebook.market.sources import belongs_to, keys_of, stream_rules
from onebook.trading.runner.written import Written, of_fields, stated

_ALPACA = {"key_from": "APCA_API_KEY_ID", "secret_from": "APCA_API_SECRET_KEY"}
"""Where Alpaca's own programs look for the keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketConfig:
    """Where prices come from: ``files``, ``ccxt`` or ``alpaca``, and what that needs.

    ``instruments`` are shown to the runner beside those of its strategies.
    """

    source: str
    files: tuple[FileTerms, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    instruments: tuple[str, ...] = ()


def market(written: Written, folder: Path) -> MarketConfig:
    """Return what is said of the market.

    Args:
        written: it.
        folder: of paths that are not absolute.

    Raises:
        BadConfig: something in it is wrong, with its line.
    """
    source = written.needed("source", take.choice("files", "ccxt", "alpaca"))
    instruments = written.get("instruments", take.names, ())
    files: tuple[FileTerms, ...] = ()
    options: dict[str, Any] = {}
    _check_keys(written, source)
    if source == "files":
        listed = written.needed("files", _listed)
        files = tuple(written.placed("files", partial(_file, item, folder, written)) for item in listed)
    else:
        options = {name: written.get(name, taken) for name, taken in _keys(source).items()}
        options |= {name: written.get(name, take.text) for name in _ALPACA}
        options = stated(options)
        if source == "ccxt":
            written.needed("exchange", take.text)
        else:
            options = _ALPACA | options
        written.placed("stream", partial(stream_rules, options))
    written.end()
    return MarketConfig(source=source, files=files, options=options, instruments=tuple(instruments))


def _keys(source: str) -> dict[str, take.Take]:
    return {name: taken for name, taken in keys_of(source).items() if name not in {"key", "secret", "bars_file"}}


def _check_keys(written: Written, source: str) -> None:
    """Refuse what belongs to another source, and secrets, which do not stand in such a file."""
    for name in ("key", "secret"):
        if name in written:
            msg = f"{written.where_of(name)}: {written.name}.{name}: put it into the environment, and name its variable"
            raise BadConfig(f"{msg} with {name}_from", key=name)
    for name, sources in belongs_to().items():
        if name in written and source not in sources:
            msg = f"{written.where_of(name)}: {written.name}.{name}: goes with source {' or '.join(sources)}"
            raise BadConfig(f"{msg}, not with {source}; take it out", key=name)


def _listed(key: str, value: Any) -> list[Any]:
    found = value if isinstance(value, list) else [value]
    if not found:
        raise take.refused(key, value, "names no file")
    return found


def _file(item: Any, folder: Path, written: Written) -> FileTerms:
    given = {"path": item} if isinstance(item, str) else dict(item) if isinstance(item, Mapping) else {}
    if not given.get("path"):
        raise take.refused("files", item, "is neither a path nor a mapping with one")
    for known in fields(FileTerms):
        value = given.get(known.name, known.default)
        if isinstance(known.default, str) and not isinstance(value, str):
            raise take.refused(f"files: {known.name}", value, "is not text; write it in quotes")
        if known.name in {"columns", "names"} and not isinstance(given.get(known.name, {}), Mapping):
            raise take.refused(f"files: {known.name}", value, "is not a mapping")
    terms: FileTerms = of_fields(FileTerms, given | {"path": folder / str(given["path"])}, written)
    for key in ("zone", "session_zone"):
        _zone(f"files: {key}", getattr(terms, key))
    if not terms.file.exists():
        msg = f"files: there is no file {terms.path}"
        raise BadConfig(msg, path=str(terms.path))
    return terms


def _zone(key: str, zone: str) -> None:
    try:
        Days(zone)
    except InputError as problem:
        msg = f"{key}: {str(problem).removeprefix('zone: ')}"
        raise BadConfig(msg, key="files") from None
