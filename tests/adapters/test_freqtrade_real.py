"""A recorded strategy in freqtrade's own bot: the book's figures are freqtrade's."""

import json
import os
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest

import onebook

pytestmark = pytest.mark.compare

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venvs" / "freqtrade" / "bin" / "python"
CENT = Decimal("0.00000003")
"""freqtrade rounds each exit at 8 places."""


def entry(price: float, amount: float, **more: Any) -> dict[str, Any]:
    return {"kind": "entry", "price": price, "amount": amount} | more


def leave(kind: str, price: float, amount: float, **more: Any) -> dict[str, Any]:
    return {"kind": "exit", "type": kind, "price": price, "amount": amount} | more


def ask(tmp_path: Path, trades: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """Run trades through freqtrade with the book in ``tmp_path/book.db``; return what it says of them."""
    if not PYTHON.exists():
        pytest.skip("NOT COMPARED with freqtrade: it is not installed, run make peers")
    lent = tmp_path / "lent"  # what onebook needs, and nothing else of our environment
    lent.mkdir(exist_ok=True)
    for package in (apsw, msgspec):
        folder = Path(str(package.__file__)).parent
        if not (lent / folder.name).exists():
            (lent / folder.name).symlink_to(folder)
    asked = {"user_data": str(tmp_path), "futures": False, "trades": trades} | more
    done = subprocess.run(
        [str(PYTHON), str(ROOT / "tests" / "adapters" / "freqtrade_bot.py")],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        env=os.environ
        | {"PYTHONPATH": f"{ROOT / 'src'}:{lent}", "ONEBOOK_URL": more.get("url", str(tmp_path / "book.db"))},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said | {"stderr": done.stderr}


SPOT: list[dict[str, Any]] = [
    {"pair": "BTC/USDT", "steps": [entry(60000, 0.1), leave("roi", 61234.5, 0.1, all=True)]},
    {
        "pair": "ETH/USDT",
        "fee": 0.00075,
        "steps": [
            entry(3000.17, 1.3),
            entry(2950.03, 0.7, average=2949.91),
            leave("partial_exit", 3100.1, 0.5),
            leave("partial_exit", 2999.9, 0.25),
            leave("stop_loss", 2811.37, 1.25, all=True),
        ],
    },
    {
        "pair": "SHIB/USDT",
        "steps": [entry(0.00000931, 1234567.0), leave("trailing_stop_loss", 0.00000977, 0, all=True)],
    },
    {"pair": "SOL/USDT", "steps": [entry(150, 10), leave("exit_signal", 149.5, 10, all=True, tag="my own tag")]},
    {"pair": "XRP/USDT", "steps": [entry(0.5, 1000), leave("force_exit", 0.51, 1000, all=True)]},
]
FUTURES: list[dict[str, Any]] = [
    {
        "pair": "BTC/USDT:USDT",
        "short": True,
        "leverage": 3,
        "size": 0.001,
        "fee": 0.0005,
        "steps": [
            entry(60000, 0.5),
            entry(61000.5, 0.3, funding=0.75),
            leave("partial_exit", 59000.1, 0.2, funding=1.25),
            leave("roi", 58000.9, 0.6, all=True, funding=-0.5),
        ],
    },
    {
        "pair": "ETH/USDT:USDT",
        "leverage": 10,
        "size": 0.01,
        "fee": 0.0004,
        "steps": [entry(3000, 2.5), leave("liquidation", 2710.3, 2.5, all=True, funding=-3.21)],
    },
    {
        "pair": "SOL/USDT:USDT",
        "leverage": 2,
        "short": True,
        "steps": [entry(150, 7), leave("emergency_exit", 155, 7, all=True)],
    },
]


ENDS = {
    "BTC/USDT": ("long", "take_profit"),
    "ETH/USDT": ("long", "stop_loss"),
    "SHIB/USDT": ("long", "trailing_stop"),
    "SOL/USDT": ("long", "signal"),
    "XRP/USDT": ("long", "manual"),
    "BTC/USDT:USDT": ("short", "take_profit"),
    "ETH/USDT:USDT": ("long", "liquidation"),
    "SOL/USDT:USDT": ("short", "kill_switch"),
}


@pytest.mark.parametrize(("trades", "futures"), [(SPOT, False), (FUTURES, True)], ids=["spot", "futures"])
def test_every_trade_has_the_profit_that_freqtrade_gives(
    tmp_path: Path,
    trades: list[dict[str, Any]],
    futures: bool,
) -> None:
    said = ask(tmp_path, trades, futures=futures)
    with onebook.open(tmp_path / "book.db") as book:
        trips = {trip.instrument: trip for trip in book.round_trips()}
        assert len(said["figures"]) == len(trips) == len(trades)
        for figures in said["figures"]:
            trip = trips[figures["pair"]]
            assert not figures["is_open"]
            assert abs(trip.net - Decimal(repr(figures["close_profit_abs"]))) <= CENT, figures
            assert trip.funding == Decimal(repr(figures["funding_fees"] or 0))
            assert (trip.direction, trip.close_reason) == ENDS[figures["pair"]]
            assert trip.strategy == "Quiet"
            assert trip.signal_id
        assert {state.status for state in book.orders()} == {"filled"}
        assert {state.status for state in book.signals()} == {"CLOSED"}
        assert not [item.flags for item in book.positions(is_open=None) if "contract_size_assumed" in item.flags]
        assert book.status().conflicts == 0
        assert book.status().breaks == 0
        assert book.verify().ok


def test_a_partly_filled_order_is_booked_as_it_fills(tmp_path: Path) -> None:
    ask(tmp_path, [], partly="PART/USDT")
    with onebook.open(tmp_path / "book.db") as book:
        assert [found.fill.quantity for found in book.fills()] == [Decimal(2), Decimal(3)]
        held = book.position("PART/USDT")
        assert held is not None
        assert abs(held.cost_basis - Decimal("49.9")) < Decimal("1e-15")
        assert held.quantity == 5
        assert book.orders()[0].status == "canceled"


def test_a_strategys_own_callbacks_are_called_whatever_they_do(tmp_path: Path) -> None:
    trades = [SPOT[0], {"pair": "DENIED/USDT", "steps": [entry(1, 5)]}]
    said = ask(tmp_path, trades, strategy="Loud")
    assert said["calls"] == [
        "confirm BTC/USDT long",
        "order_filled BTC/USDT buy",
        "order_filled BTC/USDT sell",
        "confirm DENIED/USDT long",
    ]
    with onebook.open(tmp_path / "book.db") as book:
        assert [trip.strategy for trip in book.round_trips()] == ["Loud"]
        assert [(state.signal.instrument, state.status) for state in book.signals()] == [
            ("BTC/USDT", "CLOSED"),
            ("DENIED/USDT", "EXPIRED"),
        ]


def test_a_dry_run_has_a_paper_account_and_a_backtest_none(tmp_path: Path) -> None:
    ask(tmp_path, SPOT[:1], runmode="dry_run")
    ask(tmp_path, SPOT[:1], runmode="backtest")
    with onebook.open(tmp_path / "book.db") as book:
        assert [(item.name, item.kind, item.venue) for item in book.facts("account")] == [
            ("main-dry-run", "paper", "binance")
        ]
        assert len(book.round_trips()) == 1


def test_a_book_that_cannot_be_opened_stops_nothing_and_gets_all_of_it_later(tmp_path: Path) -> None:
    (tmp_path / "no.db").write_text("this is no book")
    said = ask(tmp_path, SPOT, url=str(tmp_path / "no.db"))
    assert [figures["is_open"] for figures in said["figures"]] == [False] * 5
    assert "facts wait" in said["stderr"]
    (tmp_path / "no.db").unlink()
    ask(tmp_path, [], url=str(tmp_path / "no.db"))
    with onebook.open(tmp_path / "no.db") as book:
        assert len(book.round_trips()) == 5
        found = {trip.instrument: trip.net for trip in book.round_trips()}
    for figures in said["figures"]:
        assert abs(found[figures["pair"]] - Decimal(repr(figures["close_profit_abs"]))) <= CENT
