"""Finding a strategy's class: by the name it is installed under, by module, or by file."""

import difflib
import importlib
import importlib.util
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from onebook.errors import BadConfig
from onebook.trading.runner.calling import call
from onebook.trading.runner.strategy import Strategy

GROUP = "onebook.strategies"
"""Packages name their strategies in this group of entry points."""

OWN = {
    "breakout": "onebook.trading.examples.breakout:Breakout",
    "reversal": "onebook.trading.examples.reversal:Reversal",
    "trend": "onebook.trading.examples.trend:Trend",
}
"""Ours, found in a source tree that is not installed too."""


def find_strategy(use: str, *, where: str = "", folder: str | Path = ".") -> type[Strategy]:
    """Return the class of a strategy.

    Args:
        use: the name of an entry point, ``module:Class``, or ``path/to/file.py:Class``.
        where: where it was written, for messages: ``bot.yaml:12``.
        folder: that paths are relative to.

    Raises:
        BadConfig: there is none such, or it is no strategy.
    """
    place = f"{where}: use: " if where else "use: "
    source, colon, name = use.rpartition(":")
    if not colon:
        return _strategy(_installed(use, place), use, place)
    module = _from_file(Path(folder, source), place) if source.endswith(".py") else _module(source, place)
    if not hasattr(module, name):
        known = [key for key, item in vars(module).items() if _is_strategy(item)]
        raise _none(f"{place}{source} has no class {name!r}", name, known)
    return _strategy(getattr(module, name), use, place)


def _installed(use: str, place: str) -> Any:
    found = {name: EntryPoint(name, value, GROUP) for name, value in OWN.items()}
    found |= {item.name: item for item in entry_points(group=GROUP)}
    if use not in found:
        msg = f"{place}no strategy is installed as {use!r}"
        raise _none(msg, use, sorted(found), more="; or write module:Class, or path/to/file.py:Class")
    return _loaded(found[use].load, f"{place}{use}")


def _module(name: str, place: str) -> Any:
    return _loaded(lambda: importlib.import_module(name), f"{place}{name}")


def _from_file(path: Path, place: str) -> Any:
    if not path.is_file():
        near = [str(item) for item in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise _none(f"{place}there is no file {path}", str(path), sorted(near))
    spec = importlib.util.spec_from_file_location(f"onebook_strategy_{path.stem}", path)
    if spec is None or spec.loader is None:
        msg = f"{place}{path} is no Python module"
        raise BadConfig(msg, path=str(path))
    module = importlib.util.module_from_spec(spec)
    loader = spec.loader
    _loaded(lambda: loader.exec_module(module), f"{place}{path}")
    return module


def _loaded(load: Callable[[], Any], what: str) -> Any:
    """Return what loading gives; what somebody's module raises becomes a sentence."""
    found: list[Any] = []
    problem = call(lambda: found.append(load()))
    if problem is not None:
        msg = f"{what}: cannot be loaded: {type(problem).__name__}: {problem}"
        raise BadConfig(msg) from problem
    return found[0]


def _is_strategy(item: object) -> bool:
    return isinstance(item, type) and issubclass(item, Strategy) and item is not Strategy


def _strategy(found: Any, use: str, place: str) -> type[Strategy]:
    if not _is_strategy(found):
        msg = f"{place}{use} is no strategy; let it be a class that comes from onebook.trading.runner.Strategy"
        raise BadConfig(msg, use=use)
    kind: type[Strategy] = found
    return kind


def _none(what: str, name: str, known: list[str], *, more: str = "") -> BadConfig:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known) or 'none'}"
    return BadConfig(f"{what}; {hint}{more}", use=name)
