"""``book.export``: whole or not at all, in the form that is asked for, with a sentence when it cannot."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import onebook
from onebook import Fill, InputError, StoreFull
from onebook.intake import exporter

Cli = Callable[..., Any]


@pytest.fixture
def book(tmp_path: Path) -> Any:
    with onebook.open(tmp_path / "book.db") as opened:
        for number in range(5):
            opened.record(
                Fill(instrument="A/USD" if number % 2 else "B/USD", side="buy", quantity=1, price=number + 1,
                     client_fill_id=str(number), occurred_ns=1_767_603_600_000_000_000 + number)
            )  # fmt: skip
        yield opened


def names(folder: Path) -> set[str]:
    return {item.name for item in folder.iterdir()} - {"book.db", "book.db-wal", "book.db-shm"}


def test_the_form_is_the_ending_or_what_is_said(book: onebook.Book, tmp_path: Path) -> None:
    assert book.export(tmp_path / "a.jsonl") == book.export(tmp_path / "a.txt", form="jsonl") == 5
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "a.txt").read_bytes()
    assert book.export(tmp_path / "b.CSV") == book.export(str(tmp_path / "b"), form="CSV") == 5
    assert (tmp_path / "b").read_text().startswith("instrument,")
    with onebook.open(":memory:") as other:
        for line in (tmp_path / "a.txt").read_text().splitlines():
            fields = json.loads(line)
            fields.pop("type")
            other.record(Fill(**fields))
        assert [fill.fill for fill in other.fills()] == [fill.fill for fill in book.fills()]


def test_an_export_takes_the_filters_of_a_query(book: onebook.Book, tmp_path: Path) -> None:
    assert book.export(tmp_path / "a.csv", instrument="A/USD") == 2
    assert book.export(tmp_path / "b.csv", since=1_767_603_600_000_000_002, until=1_767_603_600_000_000_004) == 2


@pytest.mark.parametrize(
    ("path", "given", "says"),
    [
        ("a.xlsx", {}, "name a .jsonl file"),
        ("a", {}, "name a .jsonl file"),
        ("a.csv", {"form": "excel"}, "form: 'excel' is none of jsonl, csv, parquet"),
        ("there.csv", {}, "is there already"),
        ("folder", {"form": "csv"}, "is a folder; name a file in it"),
        ("folder.csv", {"replace": True}, "is a folder"),
        ("nowhere/a.csv", {}, "its folder does not exist"),
        ("nowhere/a.parquet", {}, "its folder does not exist"),
        ("there.csv/a.csv", {}, "cannot be written"),
        ("a.csv", {"since": "2026-01-01T00:00"}, "has no zone"),
    ],
)
def test_what_cannot_be_written_says_why(
    book: onebook.Book, tmp_path: Path, path: str, given: dict[str, Any], says: str
) -> None:
    (tmp_path / "there.csv").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.csv").mkdir()
    before = names(tmp_path)
    with pytest.raises(InputError, match=says):
        book.export(tmp_path / path, **given)
    assert names(tmp_path) == before
    assert (tmp_path / "there.csv").read_text() == "mine"


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_an_export_that_breaks_off_leaves_the_file_as_it_was(
    book: onebook.Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    if ending == "parquet":
        pytest.importorskip("polars")
    target = tmp_path / f"a.{ending}"
    target.write_text("before")
    named = exporter.Naming.named
    calls = []

    def failing(self: exporter.Naming, fill: Fill) -> Fill:
        calls.append(fill)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return named(self, fill)

    monkeypatch.setattr(exporter.Naming, "named", failing)
    with pytest.raises(KeyboardInterrupt):
        book.export(target, replace=True)
    assert target.read_text() == "before"
    assert names(tmp_path) == {target.name}


def test_a_full_disk_is_said(book: onebook.Book, tmp_path: Path) -> None:
    for form in ("jsonl", "csv"):
        with pytest.raises(StoreFull, match="the disk is full"):
            book.export("/dev/full", form=form)

    def full(*_given: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreFull, match="the disk is full"):
            book.export(tmp_path / "a.csv")
    assert names(tmp_path) == set()
    assert book.export(tmp_path / "a.csv") == 5


def test_a_pipe_is_written_as_it_comes(filled: Cli, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "onebook", "export", "/dev/stdout", "--form", "jsonl"]
    found = subprocess.run(words, capture_output=True, text=True, check=True)
    assert [json.loads(line)["type"] for line in found.stdout.splitlines()] == ["fill"] * 3
    assert found.stderr == "3 written to /dev/stdout\n"


def test_the_command_line_says_the_same(filled: Cli, tmp_path: Path) -> None:
    assert filled("export", "all.txt", "--form", "jsonl", "--json").json == {"path": "all.txt", "count": 3}
    again = filled("export", "all.txt", "--form", "jsonl")
    assert (again.code, "--replace" in again.err) == (2, True)
    assert filled("export", "/dev/full", "--form", "csv").code == 5


def test_the_log_can_be_read_as_it_is_stored(book: onebook.Book) -> None:
    rows = book.entries()
    assert [row[0] for row in rows] == [1, 2, 3, 4, 5]
    assert rows[-1][2].hex() == book.status().head_hash
    assert book.entries(after=2, limit=2) == rows[2:4]
    assert [row[0] for row in book.as_of(3).entries(after=1)] == [2, 3]
    assert book.as_of(3).entries(after=4) == []
