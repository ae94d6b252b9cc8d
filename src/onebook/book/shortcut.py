"""Positions of an earlier entry, read from a snapshot where nothing touched them between the two.

It spares folding what stood still. What may have been touched is folded as ever; where that cannot be told from the
entries alone (definitions, transfers, corporate actions and the like), nothing is taken from the snapshot.
"""

from pathlib import Path

from onebook.book import rows
from onebook.book.lens import LedgerInfo, Lens
from onebook.book.log import PAGE
from onebook.book.snapshot_files import Content, Header
from onebook.book.snapshots import Folder
from onebook.domain.event_types import PUBLISHED, STATE_CHANGED, is_users
from onebook.domain.holdings import Holding, Key
from onebook.store.codec import RULES, RawEntry, RawEvent, decode, decode_raw
from onebook.store.port import Reader, Row

MAX_ENTRIES = 5_000
"""After a snapshot that lies further back, most has been touched."""

_CHANGED, _LAST = 5, 10
"""Where a position row says by which entry it changed, and of which its newest movement is: after a late fill, a bust
or a correction these differ, and a fold may say another."""

_RATE = "rate_recorded"
_CORRECTED = "trade_corrected"
_NAMING = frozenset(
    {
        *("trade_executed", "trade_busted", _CORRECTED, "trade_conflicted", "position_updated", "position_closed"),
        *("position_restated", "order_updated", "signal_detected", "signal_executed", "signal_expired"),
        *("signal_closed", "annotated", "funding_paid", "cash_moved", _RATE, "snapshot_taken"),
        *(PUBLISHED, STATE_CHANGED, "alert_raised", "alert_cleared", "bot_silent", "day_ended"),
        *("limits_defined", "trading_state_changed", "daily_loss_breached", "drawdown_breached", "end_of_day_done"),
        *("token_defined", "hook_defined"),
        *("stop_set", "stop_moved", "stop_removed", "stop_triggered", "runner_started", "runner_stopped"),
        *("break_found", "break_resolved"),
    }
)
"""Events that touch only positions of the account and instrument they name; a rate touches what waits for it."""


class SnapshotShortcut:
    """What a snapshot says of the positions at an entry.

    Args:
        folder: of snapshots.
        known: the entry's sequence.
    """

    def __init__(self, folder: Path, known: int) -> None:
        self._folder = Folder(folder)
        self._known = known
        self._found: dict[tuple[str, str], list[Row]] | None = None

    def holdings(self, lens: Lens, info: LedgerInfo) -> dict[Key, Holding] | None:
        """Return a ledger's positions; None when they are to be folded."""
        if self._found is None:
            self._found = self._look(lens)
        found = self._found.get((info.account, info.instrument))
        if found is None:
            return None
        held = (rows.holding_of(row) for row in found)
        return {holding.key: holding for holding in held if not holding.untouched}

    def _look(self, lens: Lens) -> dict[tuple[str, str], list[Row]]:
        reader = lens.reader

        def fits(header: Header) -> bool:
            row = reader.entry(header.sequence)
            return (
                self._known - MAX_ENTRIES <= header.sequence <= self._known
                and header.rules == RULES
                and row is not None
                and bytes(row[2]).hex() == header.hash
            )

        for _, content in self._folder.whole(fits, upto=self._known):
            touched = _touched(reader, content, self._known)
            return {} if touched is None else _untouched(lens, content, touched)
        return {}


def _untouched(lens: Lens, content: Content, touched: set[tuple[str, str]]) -> dict[tuple[str, str], list[Row]]:
    """Return the position rows by account and instrument, without those that were touched under any name."""
    named = {row[0]: (row[1], row[2]) for row in content.standing.ledgers if row[3] == "position"}
    found: dict[tuple[str, str], list[Row]] = {}
    for account, instrument in named.values():
        if not any((account, name) in touched for name in lens.names(account, instrument)):
            found[account, instrument] = []
    for row in content.standing.positions:
        place = named.get(row[0])
        if place not in found:
            continue
        if row[_CHANGED] == row[_LAST]:
            found[place].append(row)
        else:
            del found[place]
    return found


def _touched(reader: Reader, content: Content, known: int) -> set[tuple[str, str]] | None:
    """Return the accounts and instruments of all entries after a snapshot; None when they do not say it all."""
    named = {row[0]: (row[1], row[2]) for row in content.standing.ledgers}
    waiting = {named[row[0]] for row in content.standing.positions if row[4]}
    found: set[tuple[str, str]] = set()
    position = content.header.sequence
    while position < known:
        for sequence, body, _ in reader.entries(position, min(PAGE, known - position)):
            position = sequence
            entry = decode_raw(sequence, body)
            for event in entry.events:
                if event.type not in _NAMING and not is_users(event.type):
                    return None
                found |= waiting if event.type == _RATE else _named(entry, event)
    return found


def _named(entry: RawEntry, event: RawEvent) -> set[tuple[str, str]]:
    account = entry.account if event.account is None else event.account
    instrument = entry.instrument if event.instrument is None else event.instrument
    found = {(account, instrument)}
    if event.type == _CORRECTED:
        data = decode(bytes(event.data))
        found.add((data.get("from_account", account), data.get("from_instrument", instrument)))
    return found
