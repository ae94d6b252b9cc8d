"""The guide's programs run against a service, and print what it says they print."""

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

from tests.docs.pages import ROOT, blocks
from tests.docs.snippets import compare
from tests.http.conftest import Served

GUIDE = ROOT / "docs" / "how-to" / "connect-a-bot.md"
ADDRESS = "http://127.0.0.1:8321"


def test_the_programs_of_the_guide_run(served: Served, tmp_path: Path) -> None:
    token = served.token("bot", name="grid-bot", strategy="grid")
    found = blocks(GUIDE)
    programs = [(one, other) for one, other in pairwise(found) if one.language == "python"]
    assert [program.info for program, _ in programs] == ["bot.py", "outage.py"]
    for program, wanted in programs:
        assert ADDRESS in program.text
        place = tmp_path / program.info
        place.write_text(program.text.replace(ADDRESS, served.url), encoding="utf-8")
        ran = subprocess.run(
            [sys.executable, str(place)], capture_output=True, text=True, check=False, cwd=tmp_path,
            env=os.environ | {"ONEBOOK_TOKEN": token},
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        compare(wanted.text, ran.stdout, program.info)
