"""The JSON state of the older program: written for others to read, never read as truth.

It is replaced as a whole, durably. A note beside it keeps the digests of what was written here, so that a change
by somebody else is noticed; its trades can then be imported, and the file is kept as a backup before it is
written again.
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from onebook.compat.rows import Rows
from onebook.compat.trades import Trade
from onebook.compat.values import as_written
from onebook.domain.reports import BatchReport
from onebook.errors import BookError, InputError, StoreError
from onebook.store.disk import replace

_log = logging.getLogger("onebook.compat")

DEFAULT_STATE = "crypto_bot/logs/trade_manager_state.json"
BACKUP_FOLDER = "migration_backup"
MAX_BYTES = 1_000_000_000

_encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class StateOffer:
    """A state file that somebody else changed; ``trades`` are those of its trades that the book does not have."""

    path: str
    trades: tuple[Trade, ...]
    refused: int


class StateFile:
    """One state file.

    Args:
        path: where it lies; its folder is made when it is written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._note = self.path.with_name(f"{self.path.name}.written")

    def changed_outside(self) -> bool:
        """Say whether there is a file that was not written here."""
        if not self.path.is_file():
            return False
        with self.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return digest not in self._digests()

    def _digests(self) -> list[str]:
        return self._note.read_text("ascii").split() if self._note.is_file() else []

    def write(self, shape: dict[str, Any]) -> None:
        """Replace the file by this shape; it is on the disk when this returns.

        Raises:
            StoreError: it cannot be written; the old file is as it was.
        """
        body = msgspec.json.format(_encoder.encode(as_written(shape)), indent=2)
        digests = [hashlib.sha256(body).hexdigest(), *self._digests()][:2]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            replace(self._note, "\n".join(digests).encode())
            replace(self.path, body)
        except OSError as problem:
            msg = f"{self.path}: cannot be written ({problem.strerror}); the book itself is not affected"
            raise StoreError(msg, path=str(self.path)) from None

    def backup(self, at: datetime) -> Path:
        """Copy the file into the backup folder beside it and return where.

        Raises:
            StoreError: it cannot be copied.
        """
        name = f"trade_manager_backup_{at:%Y%m%d_%H%M%S_%f}.json"
        target = self.path.parent / BACKUP_FOLDER / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            replace(target, self.path.read_bytes())
        except OSError as problem:
            msg = f"{target}: the changed state file cannot be kept there ({problem.strerror})"
            raise StoreError(msg, path=str(target)) from None
        return target

    def rows(self) -> Rows[Trade]:
        """Return the trades in the file, and what of it is no trade.

        Raises:
            InputError: it is no state file.
        """
        listed = self._read().get("trades", [])
        if not isinstance(listed, list):
            msg = f"{self.path}: trades is not a list"
            raise InputError(msg, path=str(self.path))
        rows: Rows[Trade] = Rows()
        for index, item in enumerate(listed):
            rows.add(index, _trade, item)
        return rows

    def _read(self) -> dict[str, Any]:
        try:
            if self.path.stat().st_size > MAX_BYTES:
                msg = f"{self.path}: larger than {MAX_BYTES} bytes"
                raise InputError(msg, path=str(self.path))
            found = json.loads(self.path.read_text("utf-8"), parse_float=Decimal)
        except (OSError, ValueError) as problem:
            msg = f"{self.path}: cannot be read as a state file ({problem})"
            raise InputError(msg, path=str(self.path)) from None
        if not isinstance(found, dict):
            msg = f"{self.path}: holds {type(found).__name__}, not a state"
            raise InputError(msg, path=str(self.path))
        return found

    def offer(self, known: set[str]) -> StateOffer:
        """Return what could be imported.

        Args:
            known: the ids of the trades that the book has.
        """
        rows = self.rows()
        new = tuple(trade for _, trade in rows.made if trade.id not in known)
        return StateOffer(path=str(self.path), trades=new, refused=len(rows.refused))

    def notice(self, known: Callable[[], set[str]]) -> None:
        """Say in the log that somebody else changed the file, and what of it the book does not have.

        Args:
            known: returns the ids of the trades that the book has.
        """
        if not self.changed_outside():
            return
        try:
            found = self.offer(known())
        except BookError as problem:
            _log.warning("%s", problem)
            return
        _log.warning(
            "%s was written by another program and holds %d trades that the book does not have (%d more are"
            " malformed); it is not read as truth: import_state() of the manager records them",
            *(found.path, len(found.trades), found.refused),
        )

    def take_in(self, book: Any, known: set[str]) -> BatchReport:
        """Record the trades that the book does not have; refusals name their place in ``trades``."""
        rows = self.rows()
        fills = [(index, trade.fill) for index, trade in rows.made if trade.id not in known]
        return rows.recorded(book, fills, already=len(rows.made) - len(fills))


def _trade(item: Any) -> Trade:
    if not isinstance(item, dict):
        msg = f"{item!r:.60} is not a trade"
        raise InputError(msg, value=item)
    trade = Trade.from_dict(item)
    check_filled(trade)
    return trade


def check_filled(trade: Trade) -> None:
    """Refuse a trade that has not happened.

    Raises:
        InputError: its status is not ``filled``.
    """
    if trade.status not in {"filled", "closed"}:
        msg = f"trade {trade.id}: its status is {trade.status!r}; only a filled trade is an execution"
        raise InputError(msg, trade=trade)
