"""What every store must do alike with subscribers' rows: leases, checkpoints, dead letters, signs of life."""

from abc import ABC, abstractmethod
from typing import Any

from onebook.errors import StoreError
from onebook.store.port import Store
from onebook.store.subscribers import DeadLetter, Heartbeat, Observation, Progress, SubscriberRow, SubscriberRows
from onebook.testing.store_rows import append, refused, same

NEW = SubscriberRow("a", 3, 1, "running", 0, 0, 0, 0, "", 0, "me", 150, 100, 0.0, 0.0)
"""What a claim of ``a`` by ``me`` at 100 until 150 makes, from (3, 1) on."""


def progress(name: str = "a", holder: str = "me", generation: int = 0, **changes: Any) -> Progress:
    """Return how far a subscriber got: up to (7, 2), two events handled, no failure."""
    given = Progress(name, holder, generation, 7, 2, "running", 1, 2, 0, "", 0, 250, 200, 1.5, 0.25)
    return given._replace(**changes)


def letter(sequence: int = 4, ordinal: int = 1, name: str = "a", **changes: Any) -> DeadLetter:
    """Return a dead letter."""
    return DeadLetter(name, sequence, ordinal, "trade_executed", "why", 8, 100, 0)._replace(**changes)


def succeeds(holds: object) -> None:
    """Complain unless this holds."""
    if not holds:
        raise AssertionError("it was saved, or was not, and should not, or should")


class SubscribersContract(ABC):
    """Claims, saves, moves, dead letters and heartbeats, beside the records and inside their transactions."""

    @abstractmethod
    def opened(self) -> Any:
        """Return a new store that is closed at the end."""

    @abstractmethod
    def make_reader(self, store: Store) -> Store:
        """Return a second store in the place of the first, opened read_only."""

    def claimed(self, *names: str) -> Any:
        """Return a store with subscribers, each claimed by ``me`` at 100 until 150."""
        store = self.opened()
        for name in names or ("a",):
            store.aside(lambda rows, name=name: rows.claim(name, "me", (3, 1), 100, 150))
        return store

    # ---- leases ----

    def test_a_claim_makes_a_subscriber_and_takes_its_lease(self) -> None:
        """The start counts only for a new one."""
        store = self.opened()
        same((store.subscribers(), store.subscriber("a")), ([], None))
        same(store.aside(lambda rows: rows.claim("a", "me", (3, 1), 100, 150)), NEW)
        same((store.subscriber("a"), store.subscribers()), (NEW, [NEW]))
        again = store.aside(lambda rows: rows.claim("a", "me", (9, 9), 120, 170))
        same(again, NEW._replace(lease_until_ns=170))

    def test_a_lease_is_taken_only_when_it_is_free(self) -> None:
        """Over, given back, or one's own."""
        store = self.claimed()
        same(store.aside(lambda rows: rows.claim("a", "you", (0, 0), 150, 300)).holder, "me")
        same(store.aside(lambda rows: rows.claim("a", "you", (0, 0), 151, 300)).holder, "you")
        same(store.aside(lambda rows: rows.claim("a", "me", (0, 0), 160, 999)).lease_until_ns, 300)
        store.aside(lambda rows: rows.release("a", "me"))
        same(store.subscriber("a").holder, "you")
        store.aside(lambda rows: rows.release("a", "you"))
        same((store.subscriber("a").holder, store.subscriber("a").lease_until_ns), ("", 0))
        same(store.aside(lambda rows: rows.claim("a", "me", (0, 0), 161, 400)).holder, "me")

    def test_subscribers_come_by_name(self) -> None:
        """Whatever the order in which they were made."""
        store = self.claimed("c", "a", "é", "b")
        same([row.name for row in store.subscribers()], ["a", "b", "c", "é"])

    # ---- checkpoints ----

    def test_save_adds_up_and_renews(self) -> None:
        """Handled and errors are added; an error is kept until a newer one."""
        store = self.claimed()
        succeeds(store.aside(lambda rows: rows.save(progress(errors=1, last_error="bad", last_error_ns=190))))
        wanted = NEW._replace(
            sequence=7, ordinal=2, attempts=1, handled=2, errors=1, last_error="bad", last_error_ns=190,
            lease_until_ns=250, updated_ns=200, rate=1.5, mean_seconds=0.25,
        )  # fmt: skip
        same(store.subscriber("a"), wanted)
        later = progress(sequence=9, state="halted", handled=3, lease_until_ns=400, now_ns=300)
        succeeds(store.aside(lambda rows: rows.save(later)))
        same(
            store.subscriber("a"),
            wanted._replace(sequence=9, state="halted", handled=5, lease_until_ns=400, updated_ns=300),
        )

    def test_save_needs_the_lease_and_the_generation(self) -> None:
        """Else nothing is changed."""
        store = self.claimed()
        for wrong in (progress(holder="you"), progress(generation=1), progress(name="b"), progress(holder="")):
            succeeds(not store.aside(lambda rows, wrong=wrong: rows.save(wrong)))
        same(store.subscribers(), [NEW])

    def test_move_and_skip_begin_a_generation(self) -> None:
        """So that who serves it notices."""
        store = self.claimed()
        store.aside(lambda rows: rows.save(progress(state="halted")))
        store.aside(lambda rows: rows.move("a", (1, 5), 300))
        moved = store.subscriber("a")
        same((moved.sequence, moved.ordinal, moved.state, moved.attempts), (1, 5, "running", 0))
        same((moved.generation, moved.updated_ns, moved.handled), (1, 300, 2))
        succeeds(not store.aside(lambda rows: rows.save(progress())))
        store.aside(lambda rows: rows.skip("a"))
        skipped = store.subscriber("a")
        same((skipped.state, skipped.generation, skipped.sequence), ("skipping", 2, 1))
        for act in (lambda rows: rows.move("b", (1, 1), 1), lambda rows: rows.skip("b"), lambda rows: rows.remove("b")):
            store.aside(act)
        same(store.subscriber("b"), None)

    # ---- dead letters ----

    def test_dead_letters_come_in_the_order_of_the_log(self) -> None:
        """In pages, of one subscriber or of all."""
        store = self.claimed("b", "a")
        letters = [letter(4, 1), letter(4, 2), letter(10, 1), letter(2, 1, "b")]

        def put(rows: SubscriberRows) -> None:
            for each in reversed(letters):
                rows.put_dead_letter(each)

        store.aside(put)
        first = ("", 0, 0)
        same((store.dead_letters(None, first, 9), store.dead_letters("a", first, 9)), (letters, letters[:3]))
        same(store.dead_letters(None, first, 2), letters[:2])
        same(store.dead_letters(None, ("a", 4, 2), 9), letters[2:])
        same(store.dead_letters("a", ("a", 10, 1), 9), [])
        same(store.count_dead_letters(), {"a": 3, "b": 1})

    def test_a_dead_letter_is_there_once(self) -> None:
        """Put again, it says the newest; dropped, it is gone."""
        store = self.claimed()
        store.aside(lambda rows: rows.put_dead_letter(letter()))
        store.aside(lambda rows: rows.put_dead_letter(letter(reason="newer", attempts=9)))
        same(store.dead_letters("a", ("", 0, 0), 9), [letter(reason="newer", attempts=9)])
        store.aside(lambda rows: rows.drop_dead_letter("a", (4, 2)))
        same(len(store.dead_letters("a", ("", 0, 0), 9)), 1)
        store.aside(lambda rows: rows.drop_dead_letter("a", (4, 1)))
        same((store.dead_letters("a", ("", 0, 0), 9), store.count_dead_letters()), ([], {}))

    def test_dead_letters_are_tried_again(self) -> None:
        """One or all; who serves it notices by the generation, unless there is nothing to try."""
        store = self.claimed()
        for each in (letter(4), letter(5)):
            store.aside(lambda rows, each=each: rows.put_dead_letter(each))
        same(store.aside(lambda rows: rows.try_dead_letters("a", (6, 1))), 0)
        same(store.subscriber("a").generation, 0)
        same(store.aside(lambda rows: rows.try_dead_letters("a", (5, 1))), 1)
        same([each.again for each in store.dead_letters("a", ("", 0, 0), 9)], [0, 1])
        same(store.aside(lambda rows: rows.try_dead_letters("a", None)), 2)
        same([each.again for each in store.dead_letters("a", ("", 0, 0), 9)], [1, 1])
        same(store.subscriber("a").generation, 2)

    def test_remove_takes_the_dead_letters_along(self) -> None:
        """Those of others stay."""
        store = self.claimed("a", "b")
        for each in (letter(), letter(name="b")):
            store.aside(lambda rows, each=each: rows.put_dead_letter(each))
        store.aside(lambda rows: rows.remove("a"))
        same([row.name for row in store.subscribers()], ["b"])
        same(store.dead_letters(None, ("", 0, 0), 9), [letter(name="b")])

    # ---- signs of life ----

    def test_the_newest_heartbeat_stays(self) -> None:
        """One that comes late changes only how often the next is due."""
        store = self.opened()
        for beat in (Heartbeat("t", 10, 100), Heartbeat("t", 20, 90), Heartbeat("m", 5, 7)):
            store.aside(lambda rows, beat=beat: rows.put_heartbeat(beat))
        same(store.heartbeats(), [Heartbeat("m", 5, 7), Heartbeat("t", 20, 100)])
        store.aside(lambda rows: rows.drop_heartbeat("t"))
        store.aside(lambda rows: rows.drop_heartbeat("t"))
        same(store.heartbeats(), [Heartbeat("m", 5, 7)])

    def test_the_newest_observation_of_a_name_stays(self) -> None:
        """Observations are found by kind."""
        store = self.opened()
        for seen in (("cursor", "b", "1", 1), ("cursor", "a", "2", 1), ("peak", "a", "3", 1), ("cursor", "b", "4", 2)):
            store.aside(lambda rows, seen=seen: rows.put_observation(Observation(*seen)))
        same(store.observations("cursor"), [Observation("cursor", "a", "2", 1), Observation("cursor", "b", "4", 2)])
        store.aside(lambda rows: rows.drop_observation("cursor", "a"))
        same(store.observations("cursor"), [Observation("cursor", "b", "4", 2)])
        same((store.observations("peak"), store.observations("x")), ([Observation("peak", "a", "3", 1)], []))

    # ---- transactions ----

    def test_what_raises_aside_leaves_nothing(self) -> None:
        """Its error comes out as it is, and the next one works."""
        store = self.claimed()

        def work(rows: SubscriberRows) -> None:
            rows.move("a", (9, 9), 9)
            rows.put_dead_letter(letter())
            raise KeyError("x")

        try:
            store.aside(work)
        except KeyError:
            pass
        else:
            raise AssertionError("the error is gone")
        same((store.subscribers(), store.count_dead_letters()), ([NEW], {}))
        same(store.aside(lambda rows: rows.claim("a", "me", (0, 0), 100, 150)), NEW)

    def test_rows_commit_with_the_records(self) -> None:
        """Until then no reader sees them; a rollback forgets them."""
        store = self.claimed()
        store.begin()
        succeeds(store.subscriber_rows().save(progress()))
        with store.reading() as reader:
            same(reader.subscriber("a"), NEW)
        store.rollback()
        same(store.subscriber("a"), NEW)
        store.begin()
        store.subscriber_rows().save(progress())
        store.commit()
        same(store.subscriber("a").sequence, 7)
        append(store, 2)
        same(store.subscriber("a").sequence, 7)

    def test_wiping_the_models_leaves_subscribers(self) -> None:
        """What is derived may be made anew; how far somebody read may not be forgotten."""
        store = self.claimed()
        store.begin()
        store.wipe_models()
        store.commit()
        same(store.subscribers(), [NEW])

    def test_a_read_only_store_shows_and_refuses(self) -> None:
        """Its work is not run."""
        store = self.claimed()
        store.aside(lambda rows: rows.put_dead_letter(letter()))
        reader = self.make_reader(store)
        try:
            same((reader.subscriber("a"), reader.count_dead_letters()), (NEW, {"a": 1}))
            with refused(StoreError):
                reader.aside(lambda rows: rows.skip("a"))
        finally:
            reader.close()
        same(store.subscriber("a"), NEW)
