"""Other programs as oracles: each answers in an environment of its own, a line of JSON for a line of JSON."""

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
ORACLES = Path(__file__).resolve().parent / "oracles"

Oracle = Callable[[str, str, Sequence[Any]], list[Any]]


@pytest.fixture(scope="session")
def oracle() -> Oracle:
    """Ask a program: its environment below .venvs, a script below oracles/, the questions; its answers."""
    return _ask


def _ask(environment: str, script: str, questions: Sequence[Any]) -> list[Any]:
    python = ROOT / ".venvs" / environment / "bin" / "python"
    if not python.exists():
        pytest.skip(f"NOT COMPARED with {environment}: it is not installed, run make peers")
    done = subprocess.run(
        [str(python), str(ORACLES / f"{script}.py")],
        input="".join(json.dumps(question) + "\n" for question in questions),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(("{", "["))]
    assert len(answers) == len(questions)
    return answers
