"""House rules that no linter knows, checked on every file of the repository.

Each rule takes one file's path and text and yields complaints: a line, and a sentence that says what to do.
Each comes with planted examples that it must catch and harmless ones that it must let pass: a check that
cannot fail is a defect. Words that the rules look for are put together from parts here, so that this file
does not break them itself.
"""

import ast
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAX_LINES = 500

# Path -> why this module may be longer than MAX_LINES.
LONG_MODULES: dict[str, str] = {
    "src/onebook/domain/facts.py": "the records of the public contract, side by side, one field a line",
    "src/onebook/book/reading.py": "every query of the public contract with its parameters, one face",
}
# Path -> why this module may catch every exception without raising it again.
BLANKET_EXCEPT: dict[str, str] = {
    "src/onebook/book/commit.py": "whatever ends a transaction goes to every caller in it",
    "src/onebook/book/aio.py": "whatever a caller's command raised is set on the caller's future",
    "src/onebook/feed/calling.py": "nothing that a handler or a sink raises may end who calls it",
    "src/onebook/market/streams/outbox.py": "nothing that a consumer raises may end a stream of prices",
    "src/onebook/trading/runner/calling.py": "nothing that a strategy raises may end the others",
}

Complaint = tuple[int, str]
Rule = Callable[[PurePosixPath, str], Iterator[Complaint]]

CODE = {".py", ".sql", ".ts", ".tsx", ".js", ".css"}
SKIPPED_FOLDERS = {".git", ".venv", ".venvs", ".hypothesis", "node_modules", "__pycache__", "build", "dist"}
OPEN_ENDS = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error"]) + r")\b")
MACHINE_PATHS = re.compile(r"/(?:" + "|".join(["wo" + "rk", "fa" + "rm", "ro" + "ot"]) + r")/|file:" + r"///[a-z]")
REGISTRIES = re.compile(
    "|".join(
        re.escape(host)
        for host in (
            "py" + "pi.org",
            "python" + "hosted" + ".org",
            "npm" + "js.org",
            "npm" + "js.com",
            "deb." + "debian.org",
            "crates" + ".io",
            "proxy." + "golang.org",
        )
    )
)
STANDARD_SQLITE = {"sqlite3", "_sqlite3", "aiosqlite", "pysqlite3"}
SQL_ANYWHERE = re.compile(
    r"\bSELECT\b.+\bFROM\b|\bSELECT\s+(?:\*|\d|\w+\()|\bINSERT\s+(?:OR\s+\w+\s+)?INTO\b|\bREPLACE\s+INTO\b"
    r"|\bUPDATE\s+\w+\s+SET\b|\bDELETE\s+FROM\b|\bPRAGMA\s+\w|\bBEGIN\s+(?:IMMEDIATE|EXCLUSIVE)\b|\bORDER\s+BY\b"
    r"|\b(?:CREATE|DROP|ALTER)\s+(?:TEMP\s+|UNIQUE\s+)?(?:TABLE|INDEX|VIEW|TRIGGER|SCHEMA)\b",
    re.DOTALL,
)
SQL_AT_START = re.compile(
    r"\s*(?:select\s.+\sfrom\s|insert\s+into\s|update\s+\w+\s+set\s|delete\s+from\s|pragma\s+\w)", re.DOTALL
)
SQL_HEADER = re.compile(r"^-- name: [a-z][a-z0-9_]*$")
NOT_CODE_IN_SQL = re.compile(r"'(?:''|[^'])*'|--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$", re.DOTALL)
TRIGGER_BODY = re.compile(r"(\bCREATE\s+(?:TEMP\s+)?TRIGGER\b.*?\bBEGIN\b).*\bEND\s*;", re.DOTALL | re.IGNORECASE)


# ---- the files ----


@cache
def repository_files() -> tuple[PurePosixPath, ...]:
    """Every file that git tracks or would track, relative to the root; outside git, every file there is."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        names = [PurePosixPath(name) for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        names = list(walked())
    return tuple(sorted(name for name in set(names) if (ROOT / name).is_file()))


def walked() -> Iterator[PurePosixPath]:
    """Every file below the root, without environments and caches."""
    for folder, below, files in os.walk(ROOT):
        below[:] = [name for name in below if name not in SKIPPED_FOLDERS and not name.endswith("_cache")]
        yield from (PurePosixPath(Path(folder, name).relative_to(ROOT).as_posix()) for name in files)


@cache
def text_of(path: PurePosixPath) -> str | None:
    """The file's text, or None when it is not text."""
    raw = (ROOT / path).read_bytes()
    if b"\0" in raw:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def is_real_input(path: PurePosixPath) -> bool:
    """Whether the file is input kept with its exact bytes."""
    return "data" in path.parts


def in_source(path: PurePosixPath) -> bool:
    """Whether the file is a Python module of the package."""
    return path.suffix == ".py" and path.parts[0] == "src"


def matches(pattern: re.Pattern[str], text: str, advice: str) -> Iterator[Complaint]:
    """One complaint for each line on which the pattern is found."""
    for number, line in enumerate(text.split("\n"), 1):
        if found := pattern.search(line):
            yield number, f"{found.group().strip()!r}: {advice}"


# ---- the rules ----


def modules_are_short(path: PurePosixPath, text: str) -> Iterator[Complaint]:
    lines = len(text.splitlines())
    listed = str(path) in LONG_MODULES
    if path.suffix in CODE and lines > MAX_LINES and not listed:
        yield (
            lines,
            f"{lines} lines, at most {MAX_LINES}: split it, or list it in LONG_MODULES with the reason",
        )
    if listed and lines <= MAX_LINES:
        yield lines, "short enough by now: take it out of LONG_MODULES"


def no_tabs(path: PurePosixPath, text: str) -> Iterator[Complaint]:
    if path.name != "Makefile" and path.suffix != ".tsv" and not is_real_input(path):
        yield from matches(re.compile(r"\t"), text, "a tab; indent with spaces")


def no_trailing_blanks(path: PurePosixPath, text: str) -> Iterator[Complaint]:
    if not is_real_input(path):
        yield from matches(re.compile(r"[ \t\r]+$"), text, "the line ends in blanks or a carriage return; remove them")


def no_open_ends(path: PurePosixPath, text: str) -> Iterator[Complaint]:
    if not is_real_input(path):
        yield from matches(OPEN_ENDS, text, "finish it, or open an issue")


def no_standard_sqlite(path: PurePosixPath, text: str) -> Iterator[Complaint]:
    if not in_source(path):
        return
    advice = "two SQLite copies in one process lose locks; use apsw through onebook.store"
    for node in ast.walk(ast.parse(text)):
        names: list[str] = []
        match node:
            case ast.Import():
                names = [alias.name for alias in node.names]
            case ast.ImportFrom(module=str(module), level=0):
                names = [module]
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                names = [name]
        for name in names:
            if name.split(".")[0] in STANDARD_SQLITE:
                yield getattr(node, "lineno", 0), f"imports {name}: {advice}"


def no_vague_names(path: PurePosixPath, _text: str) -> Iterator[Complaint]:
    if path.suffix not in CODE or "compat" in path.parts or is_real_input(path):
        return
    if re.search(r"(^|_)utils?|manager", path.stem, re.IGNORECASE):
        yield 1, f"{path.name}: name the module after the one noun it holds"


def no_blanket_except(path: PurePosixPath, text: str) -> Iterator[Complaint]:
    if path.suffix != ".py" or str(path) in BLANKET_EXCEPT:
        return
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.ExceptHandler(type=caught, body=[*_, last]):
                raises_again = isinstance(last, ast.Raise) and last.exc is None
                if is_blanket(caught) and not raises_again:
                    yield (
                        node.lineno,
                        "catches everything: name the errors, raise again, or list in BLANKET_EXCEPT",
                    )
            case ast.Call(func=ast.Name(id="suppress") | ast.Attribute(attr="suppress"), args=errors):
                if any(is_blanket(error) for error in errors):
                    yield node.lineno, "suppresses everything: name the errors"


def is_blanket(caught: ast.expr | None) -> bool:
    """Whether this is what an `except` that catches everything names."""
    match caught:
        case None | ast.Name(id="Exception" | "BaseException"):
            return True
        case ast.Tuple(elts=errors):
            return any(is_blanket(error) for error in errors)
        case _:
            return False


def no_machine_paths(_path: PurePosixPath, text: str) -> Iterator[Complaint]:
    yield from matches(MACHINE_PATHS, text, "a path of one machine; make it relative or a parameter")


def no_registry_hosts(_path: PurePosixPath, text: str) -> Iterator[Complaint]:
    yield from matches(REGISTRIES, text, "a registry's host; the environment says where packages come from")


def requirements_are_pinned(path: PurePosixPath, text: str) -> Iterator[Complaint]:
    if path.parts[0] != "requirements" or path.suffix not in {".in", ".txt"}:
        return
    foreign = re.compile(r"^\s*(?:-i\b|-f\b|-e\b|--(?:extra-)?index|--find|--editable|--trusted)|file:|://")
    yield from matches(foreign, text, "no index, link, path or editable install here; run `make pins`")
    if path.suffix == ".txt":
        if not text.strip():
            yield 1, "is empty; run `make pins`"
        joined = text.replace("\\\n", "\0")
        number = 1
        for entry in joined.split("\n"):
            pinned = "==" in entry and "--hash=sha256:" in entry
            if entry.strip() and not entry.lstrip().startswith("#") and not pinned:
                yield number, f"{entry.split(chr(0))[0].strip()!r} lacks version or hash; run `make pins`"
            number += 1 + entry.count("\0")


def sql_is_named(path: PurePosixPath, text: str) -> Iterator[Complaint]:
    if path.suffix != ".sql":
        return
    lines = text.split("\n")
    starts = [number for number, line in enumerate(lines) if line.startswith("-- name:")]
    if statements("\n".join(lines[: starts[0] if starts else None])):
        yield (
            1,
            "a statement without a header; put `-- name: what_it_does` and a line `-- description` above it",
        )
    for start, end in pairwise([*starts, len(lines)]):
        if not SQL_HEADER.match(lines[start]):
            yield start + 1, "a header is `-- name: lower_case_name`, alone on its line"
        described = lines[start + 1] if start + 1 < end else ""
        if not re.match(r"-- \S", described):
            yield start + 2, "the line after `-- name:` is `-- ` and what the statement does"
        if (count := len(statements("\n".join(lines[start:end])))) != 1:
            yield start + 1, f"{count} statements under one name; each has a header of its own"


def statements(sql: str) -> list[str]:
    """The statements of this SQL, without comments, literals and the inside of trigger bodies."""
    bare = TRIGGER_BODY.sub(r"\1 END;", NOT_CODE_IN_SQL.sub(" ", sql))
    return [piece for piece in bare.split(";") if piece.strip()]


def sql_stays_in_the_store(path: PurePosixPath, text: str) -> Iterator[Complaint]:
    if not in_source(path) or path.parts[1:3] == ("onebook", "store"):
        return
    nodes = list(ast.walk(ast.parse(text)))
    docstrings = {node.value for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        match node:
            case ast.JoinedStr(values=parts):
                literal = "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in parts)
            case ast.Constant(value=str(literal)) if node not in docstrings:
                pass
            case _:
                continue
        if SQL_ANYWHERE.search(literal) or SQL_AT_START.match(literal):
            yield (
                node.lineno,
                f"SQL outside the store ({literal[:40]!r}): move it to a named query in onebook/store",
            )


def modules_have_docstrings(path: PurePosixPath, text: str) -> Iterator[Complaint]:
    if in_source(path) and not (ast.get_docstring(ast.parse(text)) or "").strip():
        yield 1, "no docstring: say what the module is and what it never does"


# ---- each rule with what it must catch and what it must let pass ----


class Case(NamedTuple):
    """A rule, files it must complain about once each, and files it must not complain about."""

    rule: Rule
    bad: list[tuple[str, str]]
    good: list[tuple[str, str]]


HASHED = "apsw==1.0 \\\n    --hash=sha256:00\n    # via onebook\n"
QUERY = "-- name: head\n-- The newest sequence, 0 when empty.\n"
TRIGGER = "CREATE TRIGGER t BEFORE DELETE ON e BEGIN SELECT CASE WHEN 1 THEN 2 END; SELECT ';'; END;\n"
CASES = [
    Case(modules_are_short, [("src/a.py", "x\n" * 501), ("web/a.ts", "x\n" * 501)], [("src/a.py", "x\n" * 500)]),
    Case(no_tabs, [("src/a.py", "\tx"), ("a.md", "a\n\tb")], [("Makefile", "\tx"), ("src/a.py", '"\\t"')]),
    Case(
        no_trailing_blanks,
        [("a.md", "a \nb"), ("a.md", "a\r\n")],
        [("a.md", "a\n"), ("tests/data/a.csv", "a \n")],
    ),
    Case(
        no_open_ends,
        [
            ("src/a.py", "# TO" + "DO later"),
            ("a.md", "FIX" + "ME"),
            ("src/a.py", "raise NotImplemented" + "Error"),
        ],
        [("src/a.py", "return NotImplemented")],
    ),
    Case(
        no_standard_sqlite,
        [
            ("src/a.py", "import os, sqlite3"),
            ("src/a.py", "def f():\n    from sqlite3 import connect"),
            ("src/a.py", "importlib.import_module('sqlite3.dbapi2')"),
        ],
        [("src/a.py", "import apsw\nfrom . import sqlite"), ("tests/a.py", "import sqlite3")],
    ),
    Case(
        no_vague_names,
        [("src/utils.py", ""), ("src/book_util.py", ""), ("tests/position_manager.py", "")],
        [("src/onebook/compat/trade_manager.py", ""), ("src/book.py", "")],
    ),
    Case(
        no_blanket_except,
        [
            ("src/a.py", "try:\n    f()\nexcept:\n    pass"),
            ("src/a.py", "try:\n    f()\nexcept Exception as e:\n    raise X from e"),
            ("bench/a.py", "try:\n    f()\nexcept (OSError, BaseException):\n    f()"),
            ("src/a.py", "with contextlib.suppress(Exception):\n    f()"),
        ],
        [
            (
                "src/a.py",
                "try:\n    f()\nexcept OSError:\n    pass\nexcept BaseException:\n    undo()\n    raise",
            )
        ],
    ),
    Case(
        no_machine_paths,
        [
            ("a.md", "see /wo" + "rk/x"),
            ("Makefile", "/fa" + "rm/"),
            ("a.txt", "/ro" + "ot/"),
            ("b", "file:" + "///opt"),
        ],
        [("a.md", "works at the root, see docs/work")],
    ),
    Case(
        no_registry_hosts,
        [("a.txt", "https://py" + "pi.org/simple"), ("package-lock.json", "registry.npm" + "js.org")],
        [("a.md", "publish to PyPI")],
    ),
    Case(
        requirements_are_pinned,
        [
            ("requirements/a.txt", "apsw==1.0\n"),
            ("requirements/a.txt", "apsw>=1.0 \\\n    --hash=sha256:00\n"),
            ("requirements/a.txt", "--index-url elsewhere\n" + HASHED),
            ("requirements/a.txt", ""),
            ("requirements/a.in", "onebook @ file:here"),
        ],
        [("requirements/a.txt", HASHED), ("requirements/a.in", "apsw>=3")],
    ),
    Case(
        sql_is_named,
        [
            ("src/a.sql", "SELECT 1;"),
            ("src/a.sql", "-- name: head\nSELECT 1;"),
            ("src/a.sql", QUERY + "SELECT 1;\nSELECT 2;"),
            ("src/a.sql", QUERY.replace("head", "Head!") + "SELECT 1;"),
            ("src/a.sql", QUERY),
        ],
        [("src/a.sql", f"-- The log.\n\n{QUERY}SELECT ';' -- a; b\n;\n\n{QUERY}{TRIGGER}")],
    ),
    Case(
        sql_stays_in_the_store,
        [
            ("src/onebook/book/a.py", "x = 'SELECT sequence FROM entries'"),
            ("src/onebook/book/a.py", "x = f'DELETE FROM {table}'"),
            ("src/onebook/cli/a.py", "x = 'select a from b'"),
            ("src/onebook/cli/a.py", "run('PRAGMA user_version')"),
        ],
        [
            ("src/onebook/store/a.py", "x = 'SELECT sequence FROM entries'"),
            ("src/onebook/book/a.py", '"""SELECT a FROM b is not for here."""\nx = "select the account"'),
        ],
    ),
    Case(
        modules_have_docstrings,
        [("src/a.py", ""), ("src/a.py", "x = 1")],
        [("src/a.py", '"""A."""'), ("t.py", "")],
    ),
]


def planted(kind: str) -> list[object]:
    """One test parameter for each planted example: rule, path, text."""
    return [
        pytest.param(case.rule, path, text, id=f"{case.rule.__name__}-{number}")
        for case in CASES
        for number, (path, text) in enumerate(case.bad if kind == "bad" else case.good)
    ]


@pytest.mark.parametrize("rule", [pytest.param(case.rule, id=case.rule.__name__) for case in CASES])
def test_repository_keeps(rule: Rule) -> None:
    found = [
        f"{path}:{line}: {sentence}"
        for path in repository_files()
        if (text := text_of(path)) is not None
        for line, sentence in rule(path, text)
    ]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(("rule", "path", "text"), planted("bad"))
def test_rule_catches(rule: Rule, path: str, text: str) -> None:
    assert list(rule(PurePosixPath(path), text))


@pytest.mark.parametrize(("rule", "path", "text"), planted("good"))
def test_rule_lets_pass(rule: Rule, path: str, text: str) -> None:
    assert not list(rule(PurePosixPath(path), text))


def test_files_are_found() -> None:
    assert PurePosixPath("pyproject.toml") in repository_files()
    assert PurePosixPath("src/onebook/__init__.py") in repository_files()
    assert PurePosixPath("src/onebook/__init__.py") in walked()
    assert not any(".venv" in path.parts for path in walked())


def test_exceptions_are_current() -> None:
    gone = [path for path in (*LONG_MODULES, *BLANKET_EXCEPT) if PurePosixPath(path) not in repository_files()]
    assert not gone, f"listed as exceptions, but not in the repository: {gone}"
    assert all(reason.strip() for reason in (*LONG_MODULES.values(), *BLANKET_EXCEPT.values()))
