"""What the figures were measured on, without anything that names the machine."""

import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw

import onebook
from bench.peer import ENVIRONMENTS, interpreter


def describe() -> dict[str, Any]:
    """Return processor, cores, memory and versions."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": _memory(),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "apsw": apsw.apswversion(),
        "sqlite": apsw.sqlitelibversion(),
        "onebook": onebook.__version__,
        "peers": {name: _version(name, package) for name, package in PACKAGES.items()},
    }


PACKAGES = {"nautilus": "nautilus_trader", "freqtrade": "freqtrade", "eventsourcing": "eventsourcing"}


def slug(about: dict[str, Any]) -> str:
    """Return a name for files: the date and what the processor is called."""
    words = re.sub(r"\(r\)|\(tm\)|@.*|\bcpu\b|\bprocessor\b", " ", str(about["processor"]).lower())
    name = "-".join(re.findall(r"[a-z0-9.]+", words)) or "unknown"
    return f"{datetime.now(UTC):%Y-%m-%d}-{name}-{about['cores']}-cores"


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found.group(1).strip() if found else platform.machine()


def _memory() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError):
        return None


def _version(environment: str, package: str) -> str | None:
    if interpreter(environment) is None:
        return None
    found = sorted((ENVIRONMENTS / environment).glob(f"lib/python*/site-packages/{package}-*.dist-info"))
    return found[0].name.removeprefix(f"{package}-").removesuffix(".dist-info") if found else None
