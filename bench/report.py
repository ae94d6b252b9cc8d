"""The report: a table for people on the terminal, and the same as Markdown and JSON under ``bench/results/``."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.figures import Line, Raw, short
from bench.machine import slug

RESULTS = Path(__file__).resolve().parent / "results"


def numbers(raw: Raw) -> str:
    """Return the raw numbers in one cell."""
    return "; ".join(
        f"{name} {'blank' if value is None else value if isinstance(value, str) else short(value)}"
        for name, value in raw.items()
    )


def table(lines: Sequence[Line]) -> str:
    """Return the lines as a table with a heading."""
    rows = [("figure", "work", "bar", "measured", "")]
    rows += [
        (line.figure, line.work, line.bar_text, "blank" if line.value is None else f"{short(line.value)} {line.unit}",
         line.verdict)
        for line in lines
    ]  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([text[0], "-" * len(text[0]), *text[1:]])


def markdown(about: dict[str, Any], lines: Sequence[Line]) -> str:
    """Return the report as Markdown."""
    machine = ", ".join(f"{name} {value}" for name, value in about.items() if name not in {"peers", "run"})
    peers = ", ".join(f"{name} {value or 'not installed'}" for name, value in about["peers"].items())
    run = ", ".join(f"{name} {value}" for name, value in about["run"].items())
    head = "| figure | work | bar | measured | | raw numbers | includes |\n|---|---|---|---|---|---|---|"
    body = "\n".join(
        f"| {line.figure} | {line.work} | {line.bar_text} | "
        f"{'' if line.value is None else f'{short(line.value)} {line.unit}'} | {line.verdict} | "
        f"{numbers(line.raw)} | {line.includes} |"
        for line in lines
    )
    return f"# Benchmarks\n\nMachine: {machine}.\nPeers: {peers}.\nRun: {run}.\n\n{head}\n{body}\n"


def write(about: dict[str, Any], lines: Sequence[Line]) -> list[Path]:
    """Write both files and return their paths."""
    RESULTS.mkdir(exist_ok=True)
    stem = slug(about)
    content = {
        "about": about,
        "lines": [asdict(line) | {"bar_text": line.bar_text, "verdict": line.verdict} for line in lines],
    }
    files = [(RESULTS / f"{stem}.json", json.dumps(content, indent=2, ensure_ascii=False) + "\n")]
    files.append((RESULTS / f"{stem}.md", markdown(about, lines)))
    for path, text in files:
        path.write_text(text, encoding="utf-8")
    return [path for path, _ in files]
