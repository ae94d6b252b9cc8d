"""The demo's dashboard: there while the demo runs and until Ctrl-C, open to who has the token, never in the way."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import httpx
import pytest

import onebook
from onebook.cli import main
from onebook.demo import dashboard as module
from onebook.demo.dashboard import dashboard, tell_address
from onebook.demo.history import Session, load_sessions
from onebook.demo.main import INTERRUPTED, Wanted, perform
from onebook.demo.replay import Replay
from onebook.errors import BadConfig
from onebook.trading.runner.clock import ReplayClock

CHILD = Path(__file__).with_name("serving_child.py")
SECONDS = 60
UNTIL = date(2000, 4, 20)
LATER = datetime(2100, 1, 1, tzinfo=UTC)


@dataclass
class Running:
    """A demo in a process of its own, and what it said of its dashboard."""

    process: "subprocess.Popen[str]"
    errors: Path
    url: str
    token: str

    def client(self, token: str = "") -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=SECONDS, trust_env=False)

    def entries(self) -> int:
        with self.client() as client:
            found: int = client.get("/v1/status").json()["entries"]
            return found

    def told_until(self, words: str) -> str:
        """Read what it prints up to a line with these words."""
        assert self.process.stdout is not None
        text = ""
        while words not in text:
            line = self.process.stdout.readline()
            assert line, f"it ended after {text!r}: {self.errors.read_text()}"
            text += line
        return text

    def ended_by(self, number: signal.Signals) -> tuple[int, str]:
        self.process.send_signal(number)
        return self.process.wait(SECONDS), self.errors.read_text()


@contextmanager
def running(folder: Path, speed: float) -> Iterator[Running]:
    errors = folder / "errors.txt"
    command = [sys.executable, "-W", "error", str(CHILD), str(folder / "demo.db"), str(speed)]
    with errors.open("w") as log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process:
        try:
            found = Running(process, errors, "", "")
            found.url = found.told_until("the dashboard: ").split()[-1]
            found.token = found.told_until("halt or flatten: ").split()[-1]
            yield found
        finally:
            process.kill()


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def test_it_is_there_while_the_demo_runs_and_stays_until_ctrl_c(tmp_path: Path) -> None:
    with running(tmp_path, speed=10) as demo:
        begun = demo.entries()
        until(lambda: demo.entries() > begun)
        with demo.client() as page:
            assert page.get("/").headers["content-type"].startswith("text/html")
            assert page.get("/v1/session").json()["role"] == "viewer"
            found = page.post("/login", json={"token": demo.token}).json()
            assert (found["name"], found["role"]) == ("demo", "operator")
            assert page.get("/v1/session").json()["role"] == "operator"
        told = demo.told_until("until Ctrl-C")
        assert "verify: ok" in told
        assert f"the dashboard stays at {demo.url}" in told
        with demo.client() as client:
            positions = client.get("/v1/positions").json()["items"]
            assert not [item for item in positions if item["stale"]]
        with onebook.open(tmp_path / "demo.db", read_only=True) as book:
            assert {item["instrument"] for item in positions} == {item.instrument for item in book.positions()}
        assert demo.ended_by(signal.SIGINT) == (0, "")


def test_a_signal_in_the_middle_ends_it_at_once(tmp_path: Path) -> None:
    with running(tmp_path, speed=5) as demo:
        code, said = demo.ended_by(signal.SIGTERM)
    assert code == INTERRUPTED
    assert "what it recorded stays in the book" in said
    assert "Traceback" not in said


def test_a_service_manager_may_end_it_too(tmp_path: Path) -> None:
    with running(tmp_path, speed=1000) as demo:
        demo.told_until("until Ctrl-C")
        assert demo.ended_by(signal.SIGTERM) == (0, "")


@pytest.mark.parametrize("how", ["once", "as_json", "no_serve"])
def test_where_nobody_wants_it_nothing_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    def listens(*_: object, **__: object) -> None:
        pytest.fail("it listens")

    monkeypatch.setattr(socket, "create_server", listens)
    place = str(tmp_path / "demo.db")
    wanted = {"once": how == "once", "as_json": how == "as_json", "no_serve": how == "no_serve"}
    assert perform(Wanted(url=place, until=UNTIL, **wanted)) == 0
    with onebook.open(place, read_only=True) as book:
        assert not book.facts("token")


def test_without_the_package_it_goes_on_and_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "litestar", None)
    assert perform(Wanted(url=str(tmp_path / "demo.db"), until=UNTIL)) == 0
    said = capsys.readouterr()
    assert "verify: ok" in said.out
    assert "the dashboard" not in said.out
    assert said.err == 'demo: no dashboard: litestar is not installed: pip install "onebook[serve]"\n'


def test_without_a_built_page_it_says_how_to_build_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("onebook.http.pages.PAGE", tmp_path)
    with onebook.open(":memory:") as book, dashboard(book, 0, LATER) as found:
        assert found is not None
        tell_address(found)
        said = capsys.readouterr()
        assert said.out.startswith(f"the dashboard: {found.url}\n")
        assert "make web" in said.err
        assert said.err.count("\n") == 1


def test_the_usual_port_gives_way_and_a_wished_one_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, onebook.open(":memory:") as book:
        taken = other.getsockname()[1]
        monkeypatch.setattr(module, "PORTS", (taken, 0))
        with dashboard(book, None, LATER) as found:
            assert found is not None
            assert httpx.get(f"{found.url}health/live", trust_env=False).status_code == 200
        with pytest.raises(BadConfig, match=str(taken)), dashboard(book, taken, LATER):
            pass


def test_a_port_for_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ("--once", "--no-serve", "--json"):
        assert main(["demo", "--port", "0", words]) == 2
        assert "--port: nothing is served" in capsys.readouterr().err


def test_the_token_is_worth_nothing_to_a_later_process(tmp_path: Path) -> None:
    with running(tmp_path, speed=1000) as demo:
        demo.told_until("until Ctrl-C")
        demo.ended_by(signal.SIGINT)
    with onebook.open(tmp_path / "demo.db", read_only=True) as book:
        (token,) = book.facts("token")
        assert token.expires_at is not None
        assert token.expires_at.year == UNTIL.year


def test_what_a_person_does_meanwhile_holds_until_that_person_takes_it_back(tmp_path: Path) -> None:
    clock = ReplayClock()
    deeds = {5: ("halt", ""), 15: ("resume", ""), 20: ("halt", "trend"), 30: ("resume", "trend")}
    with onebook.open(tmp_path / "demo.db", actor="demo", clock=clock, config={"synchronous": "normal"}) as book:

        def ended(session: Session) -> bool:
            if session.number in deeds:
                deed, strategy = deeds[session.number]
                getattr(book.trading, deed)("by hand", account="demo" if strategy else "", strategy=strategy)
            return True

        assert Replay(book, clock, load_sessions(last=UNTIL)).run(ended) == "end of the data"
        changes = list(book.events(types="trading_state_changed"))
        assert [event.data["state"] for event in changes] == ["HALTED", "ACTIVE", "HALTED", "ACTIVE"]
        assert {event.data["reason"] for event in changes} == {"by hand"}
        assert book.verify().ok
