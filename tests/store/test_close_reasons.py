"""What ``paper_trades.status`` says of a round trip: OPEN, or why it ended, each reason spelt out."""

from pathlib import Path

import pytest

import onebook
from onebook import Fill
from onebook.domain.facts import CLOSE_REASONS

STATUS = {
    "": "CLOSED",
    "stop_loss": "STOP_LOSS",
    "take_profit": "TAKE_PROFIT",
    "trailing_stop": "TRAILING_STOP",
    "end_of_day": "EOD_CLOSE",
    "signal": "SIGNAL",
    "manual": "MANUAL",
    "kill_switch": "KILL_SWITCH",
    "liquidation": "LIQUIDATION",
    "adl": "ADL",
    "expiry": "EXPIRY",
}


def test_every_reason_has_its_status() -> None:
    assert {*CLOSE_REASONS} | {""} == {*STATUS}


@pytest.mark.parametrize("view", ["paper_trades", "paper_trades_exact"])
def test_the_status_of_a_round_trip_is_open_and_then_the_reason_for_its_end(tmp_path: Path, view: str) -> None:
    with onebook.open(tmp_path / "trading.db") as book:

        def statuses() -> dict[str, str]:
            return {row["symbol"]: row["status"] for row in book.sql(f"SELECT symbol, status FROM {view}")}  # noqa: S608

        symbols = {reason: f"A{number}/USD" for number, reason in enumerate(STATUS)}
        for symbol in symbols.values():
            book.record(Fill(instrument=symbol, side="buy", quantity=1, price=10, client_fill_id=f"in {symbol}"))
        assert set(statuses().values()) == {"OPEN"}
        for reason, symbol in symbols.items():
            exit_ = Fill(instrument=symbol, side="sell", quantity=1, price=9, client_fill_id=f"out {symbol}")
            book.record(exit_.replaced(close_reason=reason))
        assert statuses() == {symbol: STATUS[reason] for reason, symbol in symbols.items()}
