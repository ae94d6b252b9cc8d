"""Maps kept under a name, in the user's configuration folder."""

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from onebook.errors import InputError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def home(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder of the user's own configuration; ``ONEBOOK_HOME`` names another."""
    env = os.environ if environ is None else environ
    if env.get("ONEBOOK_HOME"):
        return Path(env["ONEBOOK_HOME"])
    if sys.platform == "win32":
        return Path(env.get("APPDATA") or Path.home() / "AppData" / "Roaming") / "onebook"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "onebook"
    return Path(env.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "onebook"


def save_map(name: str, texts: list[str]) -> Path:
    """Keep the texts of a map under a name, and return where."""
    path = _path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"map": texts}, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)
    return path


def saved_map(name: str) -> list[str]:
    """Return the texts of a map kept under a name.

    Raises:
        InputError: there is none, or the file is not one.
    """
    path = _path(name)
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))["map"]
    except FileNotFoundError:
        others = sorted(item.stem for item in path.parent.glob("*.json"))
        hint = f"there are: {', '.join(others)}" if others else "keep one with --save-map NAME"
        msg = f"no map is kept under {name!r}; {hint}"
        raise InputError(msg, field="map", value=name) from None
    except (OSError, ValueError, KeyError, TypeError):
        msg = f"{path}: is not a kept map; write it anew with --save-map {name}"
        raise InputError(msg, field="map", value=name) from None
    if not isinstance(kept, list) or not all(isinstance(text, str) for text in kept):
        msg = f"{path}: is not a kept map; write it anew with --save-map {name}"
        raise InputError(msg, field="map", value=name)
    return kept


def _path(name: str) -> Path:
    if not _NAME.fullmatch(name):
        msg = f"map name {name!r}: use letters, digits, - and _"
        raise InputError(msg, field="map", value=name)
    return home() / "maps" / f"{name}.json"
