"""Whether a process is configured at all, told without reading a configuration: most are not."""

import os
from collections.abc import Mapping
from pathlib import Path

DEFAULT_FILE = "onebook.yaml"
PREFIX = "ONEBOOK_"


def file_of(path: str | None, environ: Mapping[str, str]) -> str:
    """Return the configuration file of the command line; empty for none.

    Args:
        path: as asked for; None asks ``ONEBOOK_CONFIG``, then ``onebook.yaml`` in the current folder.
        environ: the environment.
    """
    return path or environ.get("ONEBOOK_CONFIG") or (DEFAULT_FILE if Path(DEFAULT_FILE).is_file() else "")


def is_configured(path: str | None) -> bool:
    """Say whether the command line has a configuration file, or a setting in the environment."""
    return bool(file_of(path, os.environ)) or any(name.startswith(PREFIX) and "__" in name for name in os.environ)
