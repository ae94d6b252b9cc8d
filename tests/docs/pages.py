"""The documentation as data: its pages, their fenced blocks, tables and links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"

_FENCE = re.compile(r"^(`{3,})\s*(\S*)\s*(.*)$")
_HEADING = re.compile(r"^#{1,6}\s+(.*)$")
_LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)|!\[[^\]\n]*\]\(([^)\s]+)\)|<img[^>]*src=\"([^\"]+)\"")
_CODE = re.compile(r"`[^`\n]*`")
_NAME = re.compile(r"[A-Za-z_*][A-Za-z0-9_.*-]*")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the rest of the line that opens it, its text, and where it stands."""

    language: str
    info: str
    text: str
    line: int
    follows: bool
    """Whether only blank lines stand between it and the block before."""


def all_pages() -> list[Path]:
    """Every page of the documentation."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in their order."""
    found: list[Block] = []
    lines = page.read_text(encoding="utf-8").split("\n")
    opened: tuple[str, str, str, int, list[str]] | None = None
    follows = False
    for number, line in enumerate(lines, 1):
        match = _FENCE.match(line)
        if opened is None:
            if match is not None:
                opened = (match.group(1), match.group(2), match.group(3), number, [])
            elif line.strip():
                follows = False
        elif match is not None and match.group(1) == opened[0] and not match.group(2):
            found.append(Block(opened[1], opened[2], "\n".join(opened[4]), opened[3], follows))
            opened, follows = None, True
        else:
            opened[4].append(line)
    assert opened is None, f"{name_of(page)}: the last fence has no end"
    return found


def prose(page: Path) -> str:
    """A page's text without its fenced blocks."""
    kept, inside = [], False
    for line in page.read_text(encoding="utf-8").split("\n"):
        if _FENCE.match(line):
            inside = not inside
        elif not inside:
            kept.append(line)
    return "\n".join(kept)


def links(page: Path) -> Iterator[str]:
    """Where a page's links and pictures lead."""
    for match in _LINK.finditer(_CODE.sub("``", prose(page))):
        yield next(group for group in match.groups() if group)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for line in prose(page).split("\n"):
        match = _HEADING.match(line)
        if match is not None:
            text = re.sub(r"[^\w\- ]", "", match.group(1).lower())
            found.add(text.strip().replace(" ", "-"))
    return found


def code_words(text: str) -> set[str]:
    """Every word that stands in backticks."""
    return {word for span in _CODE.findall(text) for word in _NAME.findall(span)}


def section(page: Path, heading: str) -> str:
    """The text below a heading, up to the next one of its level or above."""
    kept: list[str] = []
    level = 0
    for line in page.read_text(encoding="utf-8").split("\n"):
        found = re.match(r"^(#{1,6})\s+(.*)$", line)
        if found is not None:
            if level and len(found.group(1)) <= level:
                break
            if found.group(2).strip("` ") == heading:
                level = len(found.group(1))
        elif level:
            kept.append(line)
    assert level, f"{name_of(page)}: no heading {heading!r}"
    return "\n".join(kept)


def rows(text: str) -> list[list[str]]:
    """The rows of the tables in a text, without headings and rules; a cell is its text."""
    found: list[list[str]] = []
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if not line.startswith("|") or re.fullmatch(r"[|:\- ]+", line):
            continue
        after = lines[number + 1] if number + 1 < len(lines) else ""
        if re.fullmatch(r"\|[|:\- ]+", after):
            continue
        cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
        found.append([cell.strip().replace("\\|", "|") for cell in cells])
    return found
