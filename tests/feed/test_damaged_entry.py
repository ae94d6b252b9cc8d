"""An entry whose bytes somebody changed: whoever reads it says so, and nobody falls silent."""

from pathlib import Path

import apsw
import pytest
from tests.feed.waiting import Heard, ids, record, until

import onebook
from onebook.feed.policy import Policy
from onebook.store.codec import chained
from onebook.store.port import Batch


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Policy, "wait", lambda self, attempts, chance: 0.001)


def test_a_damaged_entry_is_told_and_stops_nobody_silently(tmp_path: Path) -> None:
    path = tmp_path / "book.db"
    with onebook.open(path) as book:
        record(book, 1, 3)
    damage(path, 2)
    heard, live = Heard(), Heard()
    with onebook.open(path) as book:
        subscriber = book.subscribe("audit", heard, start="beginning")
        listener = book.listen(live, after=0)
        until(lambda: "entry 2 cannot be read" in subscriber.last_error)
        until(lambda: "entry 2 cannot be read" in book.subscribers()[0].last_error)
        until(lambda: live.ids == ids(1, 3))
        assert (heard.ids, subscriber.lag, listener.errors) == (ids(1), 2, 1)
        book.subscribers.reset("audit", 2)
        until(lambda: heard.ids == ids(1, 3))


def test_damage_that_arrives_while_everybody_waits(tmp_path: Path) -> None:
    path, heard, live = tmp_path / "book.db", Heard(), Heard()
    with onebook.open(path) as book:
        subscriber = book.subscribe("audit", heard)
        book.listen(live)
        record(book, 1, 1)
        until(lambda: (subscriber.lag, heard.ids, live.ids) == (0, ids(1), ids(1)))
        with onebook.open(path) as other:
            entry(other, '{"at":1,"occurred":1,"events":[{"type":"trade_executed","data":nonsense}]}')
            entry(other, '{"at":1,"occurred":1,"events":[{"type":"annotated","data":{}}]}')
        until(lambda: "entry 2 cannot be read" in subscriber.last_error)
        until(lambda: live.ids == [*ids(1), "3.1"])


def damage(path: Path, sequence: int) -> None:
    """Change an entry's bytes by hand, as no program of ours would."""
    connection = apsw.Connection(str(path))
    for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
        connection.execute(f'DROP TRIGGER "{name}"')
    connection.execute("UPDATE entries SET body = replace(body, '{', '[') WHERE sequence = ?", (sequence,))
    connection.close()


def entry(book: onebook.Book, body: str) -> None:
    """Append bytes that are no entry, under a good hash."""
    sequence, digest = book.store.head()
    book.store.begin()
    book.store.write(Batch(entries=[(sequence + 1, body, chained(digest, body.encode()))]))
    book.store.commit()
