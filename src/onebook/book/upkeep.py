"""What keeps a book sound: checking it, making what is derived anew, and snapshots to begin at."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from onebook.clock import Clock
from onebook.domain.reports import Snapshot, Verification
from onebook.store.port import Store

if TYPE_CHECKING:
    from onebook.book.door import Door


class Upkeep:
    """Part of a book: the calls that no figure comes from.

    Attributes:
        snapshot_folder: where snapshots are; None for a book in memory, until it is given one.
    """

    _store: Store
    _clock: Clock
    snapshot_folder: Path | None

    @property
    def actor(self) -> str:
        """Who asks."""
        raise AssertionError

    @property
    def _door(self) -> "Door":
        raise AssertionError

    def verify(self, *, progress: Callable[[int, int], None] | None = None) -> Verification:
        """Check every hash, fold everything again from zero and compare; it never raises for what it finds.

        Args:
            progress: called with entries done and entries in all.
        """
        from onebook.book.verifying import Verifier

        return Verifier(self._store, progress).run()

    def rebuild(self, *, from_zero: bool = False, progress: Callable[[int, int], None] | None = None) -> Verification:
        """Make every read model anew from the log; nothing else is written meanwhile.

        It begins at the newest snapshot that the read models, brought back to it, agree with; when that mends
        nothing, at zero.

        Args:
            from_zero: use no snapshot.
            progress: called with entries done and entries in all.
        """
        return self._door.rebuild(progress, self.snapshot_folder, from_zero=from_zero)

    def snapshot(self, path: str | os.PathLike[str] | None = None) -> Snapshot:
        """Write what the book holds to a file from which a rebuild can begin, and say so in the log.

        Args:
            path: the file; None: in the book's folder of snapshots, where rebuild looks for it.

        Raises:
            StoreError: nothing is recorded yet, or the book has no folder of its own.
            SourceError: the file cannot be written.
        """
        from onebook.book.snapshots import take, tell

        target = None if path is None else Path(path)
        taken = take(self._store, self._clock(), self.snapshot_folder, target)
        if not self._store.read_only:
            tell(self._door.committer, taken, self.actor)
        return taken

    def snapshots(self) -> list[Snapshot]:
        """Return the whole snapshots of the book's folder, the newest first; damaged ones are warned of."""
        from onebook.book.snapshots import Folder

        return [] if self.snapshot_folder is None else Folder(self.snapshot_folder).listed()
