"""``onebook.testing`` works without hypothesis, except where it says which extra brings it."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

WITHOUT = """
import sys
sys.modules["hypothesis"] = None
sys.modules["pytest"] = None
import onebook
from onebook.testing import FakeClock, FaultVFS, StoreContract, facts
FakeClock().advance(1)
FaultVFS().heal()
try:
    facts()
except onebook.InputError as problem:
    print(problem)
assert not {name for name, module in sys.modules.items() if module and name in ("hypothesis", "pytest")}
"""

SAID = {"hypothesis": "testing", "polars": "analytics", "pandas": "analytics"}


def test_only_facts_need_hypothesis_and_say_where_it_comes_from() -> None:
    found = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False)
    assert (found.stdout, found.stderr) == ("hypothesis is not installed; run: pip install 'onebook[testing]'\n", "")


@pytest.mark.parametrize(("library", "extra"), SAID.items())
def test_every_extra_that_a_message_names_brings_the_library(library: str, extra: str) -> None:
    path = Path(__file__).resolve().parents[2] / "pyproject.toml"
    extras = tomllib.loads(path.read_text())["project"]["optional-dependencies"]
    assert any(item.startswith(library) for item in extras[extra])


def test_no_extra_is_empty_or_has_no_code_behind_it() -> None:
    root = Path(__file__).resolve().parents[2]
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    source = "\n".join(file.read_text() for file in (root / "src").rglob("*.py"))
    unnamed = [name for name in extras if f"onebook[{name}]" not in source]
    assert not unnamed
