"""The door stays usable whatever goes wrong behind it: failures planted where the disk would fail, and interrupts."""

import signal
import threading
from pathlib import Path

import pytest

import onebook
from onebook import Fill


def fill(number: int) -> Fill:
    return Fill(instrument="X", side="buy", quantity=1, price=1, client_fill_id=str(number))


def test_a_failure_while_undoing_a_failure_locks_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with onebook.open(tmp_path / "book.db") as book:
        book.record(fill(1))
        with monkeypatch.context() as planted:
            planted.setattr(book._store, "commit", lambda: (_ for _ in ()).throw(onebook.StoreFull("planted")))
            planted.setattr(book._store, "rollback", lambda: (_ for _ in ()).throw(RuntimeError("planted")))
            with pytest.raises(RuntimeError, match="planted"):
                book.record(fill(2))
        book._store.rollback()
        receipt = book.record(fill(3))
        assert (receipt.status, receipt.sequence, receipt.position.quantity) == ("recorded", 2, 2)
        assert book.verify().ok


def test_an_interrupted_caller_is_not_waited_for(tmp_path: Path) -> None:
    """The main thread waits for its turn and gets Ctrl-C; the others go on, and so does the main thread afterwards."""
    with onebook.open(tmp_path / "book.db") as book:
        book.record(fill(0))
        shut, interrupted = threading.Event(), threading.Event()

        def hold() -> None:
            with book._door.committer.exclusively():
                shut.set()
                for _ in range(200):
                    if book._door.committer._waiting:
                        break
                    interrupted.wait(0.01)
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                interrupted.wait(30)

        other = threading.Thread(target=hold)
        other.start()
        shut.wait(30)
        with pytest.raises(KeyboardInterrupt):
            book.record(fill(1))
        interrupted.set()
        other.join(30)
        assert not other.is_alive()
        assert book.record(fill(2)).status == "recorded"
        assert book.verify().ok
