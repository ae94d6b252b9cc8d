"""Writes what snippets print into the pages: `python -m tests.docs.fill docs/tutorial.md …`.

An output that is `?` becomes what the snippet prints now, and golden tables are copied anew. Nothing else is
touched; put `…` where the output differs from run to run, and read what was written before you keep it.
"""

import os
import sys
import tempfile
from pathlib import Path

from tests.docs.pages import ROOT, Block, blocks, name_of
from tests.docs.snippets import Page, commands

UNKNOWN = "?"
WIDTH = 110


def filled(block: Block, run: Page) -> str:
    """The text of a block after running it, its unknown outputs replaced."""
    if block.info.startswith("tests/golden/"):
        return (ROOT / block.info).read_text(encoding="utf-8").rstrip("\n")
    if block.language == "text" and block.follows and block.text.strip() == UNKNOWN:
        return run.printed.rstrip("\n")
    if block.language != "console" or f"\n{UNKNOWN}" not in block.text:
        run.run(block)
        return block.text
    kept: list[str] = []
    said = iter([run.command(command, run.name)[1] for command, _ in commands(block)])
    printed = ""
    for line in block.text.split("\n"):
        if line.startswith("$ "):
            printed = next(said)
        kept += [text.rstrip() for text in printed.rstrip().split("\n")] if line.strip() == UNKNOWN else [line]
    return "\n".join(kept)


def fill(page: Path) -> None:
    """Fill a page."""
    run = Page(name_of(page))
    lines = page.read_text(encoding="utf-8").split("\n")
    texts = [(block, filled(block, run)) for block in blocks(page)]
    for block, text in reversed(texts):
        lines[block.line : block.line + block.text.count("\n") + 1] = text.split("\n")
    page.write_text("\n".join(lines), encoding="utf-8")


def main(names: list[str]) -> None:
    """Fill the named pages, each in a folder of its own; the one with golden tables when none is named."""
    import onebook.cli.tables

    onebook.cli.tables.WIDE = WIDTH
    for name in ("ONEBOOK_URL", "ONEBOOK_CONFIG", "FORCE_COLOR"):
        os.environ.pop(name, None)
    for name in names or ["docs/reference/positions.md"]:
        with tempfile.TemporaryDirectory() as folder:
            os.environ |= {"ONEBOOK_HOME": f"{folder}/home", "XDG_DATA_HOME": f"{folder}/data", "COLUMNS": str(WIDTH)}
            os.chdir(folder)
            fill(ROOT / name)
            os.chdir(ROOT)


if __name__ == "__main__":
    main(sys.argv[1:])
