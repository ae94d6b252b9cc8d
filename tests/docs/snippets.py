"""Runs the snippets of one page, in order, in one folder: what a reader would type.

========================  ==========================================================================================
fence                     what happens
========================  ==========================================================================================
``python``                runs; all such blocks of a page share their names
``text`` after another    is what the block before it printed
``console``               each ``$`` line runs; the lines below it are what it prints, when there are any
``sh``, ``bash``          each line runs
``csv a.csv`` and alike   any language and a file name: the text is written to that file
========================  ==========================================================================================

In expected output `…` stands for anything within a line, and a line of `…` for any number of lines. A console
block that expects failures says so: ``exit 2`` in the line that opens it is the exit code of its commands.
Commands that would install or download are not run, but what they name must exist.
"""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from tests.docs.pages import ROOT, Block

from onebook import Book
from onebook.errors import StoreError

SHELLS = {"console", "sh", "bash"}
ANY = "\N{HORIZONTAL ELLIPSIS}"
_INSTALLS = re.compile(r"(?:python3? -m venv|(?:\S*/)?pip install|git clone|cd|source|\.) ")


class Page:
    """One run of a page's blocks."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.names: dict[str, Any] = {"__name__": "__docs__"}
        self.printed = ""

    def run(self, block: Block) -> None:
        where = f"{self.name}:{block.line}"
        if block.info and block.language not in {"console", "text"} and "." in block.info:
            Path(block.info).parent.mkdir(parents=True, exist_ok=True)
            Path(block.info).write_text(block.text + "\n", encoding="utf-8")
        elif block.language == "python":
            self.printed = self._python(block, where)
        elif block.language == "text" and block.follows and not block.info:
            compare(block.text, self.printed, where)
        elif block.language in SHELLS:
            self._shell(block, where)

    def _python(self, block: Block, where: str) -> str:
        code = compile("\n" * block.line + block.text, where.rpartition(":")[0], "exec")
        with contextlib.redirect_stdout(io.StringIO()) as said:
            exec(code, self.names)  # noqa: S102  the snippet is ours
        return said.getvalue()

    def _shell(self, block: Block, where: str) -> None:
        wanted = int(block.info.removeprefix("exit ")) if block.info.startswith("exit ") else 0
        found = commands(block)
        self.printed = ""
        for book in self.names.values():
            if isinstance(book, Book):  # a reader types more slowly than marks are shared, the tests do not
                with contextlib.suppress(StoreError):
                    book.share_marks()
        for command, expected in found:
            code, said = self.command(command, where)
            assert code == wanted, f"{where}: {command}: exit {code}\n{said}"
            if expected:
                compare("\n".join(expected), said, f"{where}: {command}")
            self.printed = said

    def command(self, command: str, where: str) -> tuple[int, str]:
        words = shlex.split(re.sub(r"\s#\s.*$", "", command))
        if words[0] == "onebook":
            return onebook(words[1:])
        if words[0] == "make":
            makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
            assert all(re.search(rf"(?m)^{word}:", makefile) for word in words[1:] if "=" not in word), where
            return 0, ""
        if words[:4] == ["python", "-m", "pytest", "-q"]:
            ran = subprocess.run(
                [sys.executable, *words[1:], "-p", "no:cacheprovider"],
                capture_output=True,
                text=True,
                check=False,
                env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
            )
            return ran.returncode, ran.stdout + ran.stderr
        assert _INSTALLS.match(command), f"{where}: the tests do not know how to run {command!r}"
        assert extras(command) <= known_extras(), f"{where}: {command!r} names an extra that is not there"
        return 0, ""


def onebook(words: list[str]) -> tuple[int, str]:
    """Run the command line in this process; return its exit code and what it said, stderr first."""
    from onebook.cli import main

    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = main(words)
    return code, err.getvalue() + out.getvalue()


def commands(block: Block) -> list[tuple[str, list[str]]]:
    """The commands of a shell block, each with the lines that it is expected to print."""
    found: list[tuple[str, list[str]]] = []
    joined = block.text.replace("\\\n", " ")
    for line in joined.split("\n"):
        if block.language != "console":
            if line.strip() and not line.lstrip().startswith("#"):
                found.append((line, []))
        elif line.startswith("$ "):
            found.append((line[2:], []))
        else:
            assert found or not line, f"line {block.line}: output before the first command"
            if found:
                found[-1][1].append(line)
    for _, expected in found:
        while expected and not expected[-1].strip():
            expected.pop()
    return found


def compare(expected: str, printed: str, where: str) -> None:
    """Compare what a page shows with what was printed."""
    lines = [pattern(line) for line in expected.rstrip().split("\n")]
    said = "\n".join(line.rstrip() for line in printed.rstrip().split("\n")) + "\n"
    shown = "".join(lines)
    assert re.fullmatch(shown, said), f"{where}: shown\n{expected}\nprinted\n{printed}"


def pattern(line: str) -> str:
    """The line as a pattern."""
    if line.strip() == ANY:
        return r"(?:.*\n)*?"
    return r"[^\n]*?".join(re.escape(part) for part in line.rstrip().split(ANY)) + r"\n"


def extras(command: str) -> set[str]:
    found = re.search(r"\[([a-z,]+)\]", command)
    return set(found.group(1).split(",")) if found and "pip install" in command else set()


def known_extras() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return set(project["project"]["optional-dependencies"])
