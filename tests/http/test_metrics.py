"""Figures for those who watch the service: Prometheus, InfluxDB, and whether it is well."""

import json
import math
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.http.conftest import Serve, Served

import onebook
from onebook import Fill
from onebook.book.commit_counts import SIZES, CommitCounts
from onebook.http import measures
from onebook.http.measures import COUNTERS, GAUGES, HISTOGRAMS
from onebook.http.pushing import BATCH, MAX_WAITING, Pushed, Pusher, Refused, lines_of


def asked(served: Served) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every sample of /metrics: (name, values of labels in the order of their names) -> value."""
    answer = served.client().get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    families = list(text_string_to_metric_families(answer.text))
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def bought(served: Served, **given: Any) -> None:
    terms = {"instrument": "BTC/USDT", "side": "buy", "quantity": "2", "price": "100", "strategy": "trend"} | given
    served.book.record(Fill(**terms))


# ---- Prometheus ----


def test_metrics_tell_what_the_book_says(served: Served) -> None:
    served.book.record(onebook.BookSettings(base_currency="USDT"))
    bought(served)
    bought(served, side="sell", quantity="1", price="130", strategy="trend")
    served.book.mark("BTC/USDT", "150")
    found = asked(served)
    status = served.book.status()
    assert found["onebook_facts_total", ()] == status.facts
    assert found["onebook_log_entries_total", ()] == status.entries
    assert found["onebook_commits_total", ()] == served.book.committer.commits
    assert found["onebook_batch_facts_count", ()] == served.book.committer.commits
    assert found["onebook_batch_facts_sum", ()] == 3
    assert found["onebook_sync_seconds_count", ()] == served.book.committer.commits
    assert found["onebook_sync_seconds_sum", ()] > 0
    assert found["onebook_pnl_realized", ("USDT",)] == 30
    assert found["onebook_pnl_today", ("USDT", "trend")] == 30
    assert found["onebook_pnl_unrealized", ("USDT",)] == 50
    assert found["onebook_exposure", ("trend",)] == 150
    assert found["onebook_positions_open", ()] == 1
    assert found["onebook_mark_age_seconds", ("BTC/USDT",)] >= 0
    assert found["onebook_equity", ("USDT",)] == float(served.book.equity().amount)
    assert [found["onebook_trading_state", (name,)] for name in ("ACTIVE", "REDUCING", "HALTED")] == [1, 0, 0]
    served.book.trading.halt("a test")
    assert asked(served)["onebook_trading_state", ("HALTED",)] == 1


def test_metrics_tell_of_subscribers_and_clients(served: Served) -> None:
    done = threading.Event()
    with served.book.subscribe("copy", lambda _: done.set(), start="beginning"):
        bought(served)
        assert done.wait(20)
        with served.client().stream("GET", "/v1/events?after=0") as stream:
            lines = stream.iter_lines()
            assert next(lines)
            found = asked(served)
    assert found["onebook_subscriber_lag", ("copy",)] >= 0
    assert ("onebook_subscriber_errors_total", ("copy",)) in found
    assert found["onebook_stream_clients", ("events",)] == 1
    assert found["onebook_stream_clients", ("socket",)] == 0
    assert found["onebook_requests_open", ()] >= 2
    assert asked(served)["onebook_cache_misses_total", ("answers",)] >= 0


def test_every_name_begins_with_ours_and_stands_in_the_table(served: Served) -> None:
    bought(served)
    known = {f"{name}_total" for name in COUNTERS} | set(GAUGES)
    known |= {f"{name}_{part}" for name in HISTOGRAMS for part in ("bucket", "count", "sum")}
    found = {name for name, _ in asked(served)}
    assert found <= known
    assert all(re.fullmatch(r"onebook_[a-z_]+", name) for name in known)
    assert all(about.endswith(".") for about in HISTOGRAMS.values())
    labelled = [*COUNTERS.values(), *GAUGES.values()]
    assert all(about.endswith(".") for about, _ in labelled)


def test_labels_are_bounded(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "MAX_SERIES", 5)
    for number in range(9):
        bought(served, strategy=f"s{number}", instrument=f"A{number}/USDT")
        served.book.mark(f"A{number}/USDT", "1")
    found = asked(served)
    assert len([1 for name, _ in found if name == "onebook_exposure"]) == 5
    assert found["onebook_left_out", ("onebook_exposure",)] == 4
    assert found["onebook_left_out", ("onebook_mark_age_seconds",)] == 4


def test_openmetrics_is_given_to_who_asks_for_it(served: Served) -> None:
    answer = served.client(Accept="application/openmetrics-text; version=1.0.0").get("/metrics")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_metrics_are_for_those_who_may_read(served: Served) -> None:
    served.token("viewer")
    assert served.client(**{"X-Forwarded-For": "192.0.2.1"}).get("/metrics").status_code == 401


def test_a_service_that_takes_nothing_has_metrics_too(serve: Serve, served: Served) -> None:
    bought(served)
    with onebook.open(served.book.status().url, read_only=True) as book:
        other = serve(book, is_read_only=True)
        found = asked(other)
        assert found["onebook_facts_total", ()] == 1
        assert ("onebook_commits_total", ()) not in found


def test_transactions_are_counted_in_classes() -> None:
    counts = CommitCounts()
    for commands, seconds in ((1, 0.00001), (SIZES[0], 0.0001), (3, 0.2), (10**6, 100.0)):
        counts.add(commands, seconds)
    assert counts.by_size[0] == 2
    assert counts.by_size[-1] == 1
    assert (counts.by_seconds[0], counts.by_seconds[-1]) == (2, 1)
    assert sum(counts.by_size) == sum(counts.by_seconds) == 4
    assert counts.commands == 10**6 + 5


def test_a_transaction_that_fails_is_counted(tmp_path: Any) -> None:
    with onebook.open(str(tmp_path / "b.db")) as book:
        counts = book.committer.counts
        before = counts.commands
        book.record_many([Fill(instrument="A/B", side="buy", quantity=1, price=1) for _ in range(300)])
        assert counts.commands - before == 300
        with pytest.raises(onebook.BookError):
            book.committer.together([], "", _fails)
        assert counts.commands - before == 300


def _fails(_store: Any) -> None:
    msg = "it fails"
    raise onebook.RuleError(msg)


# ---- InfluxDB ----


class Influx:
    """Something that takes writes on loopback."""

    def __init__(self) -> None:
        self.bodies: list[tuple[str, str, str]] = []
        self.status = 204
        self.came = threading.Condition()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                with outer.came:
                    outer.bodies.append((self.path, self.headers.get("Authorization", ""), body))
                    outer.came.notify_all()
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/api/v2/write?org=o&bucket=b"

    def wait(self, count: int) -> None:
        with self.came:
            assert self.came.wait_for(lambda: len(self.bodies) >= count, 20)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def influx() -> Any:
    made = Influx()
    yield made
    made.close()


def test_the_same_figures_are_pushed_to_influxdb(serve: Serve, influx: Influx) -> None:
    served = serve(config={"metrics": {"push": influx.url, "push_seconds": 0.1, "push_token": "t0p"}})
    bought(served)
    influx.wait(3)
    path, authorization, body = influx.bodies[-1]
    assert path.endswith("?org=o&bucket=b")
    assert authorization == "Token t0p"
    lines = [line for line in body.split("\n") if line.startswith("onebook_facts_total ")]
    assert re.fullmatch(r"onebook_facts_total value=1\.0 \d{19}", lines[-1])
    assert any(line.startswith("onebook_trading_state,state=ACTIVE value=1.0 ") for line in body.split("\n"))
    influx.wait(len(influx.bodies) + 2)
    assert asked(served)["onebook_push_points_total", ()] > 0


def test_while_influxdb_refuses_the_service_goes_on(serve: Serve, influx: Influx) -> None:
    influx.status = 503
    served = serve(config={"metrics": {"push": influx.url, "push_seconds": 0.1}})
    influx.wait(2)
    bought(served)
    assert served.client().get("/health/live").status_code == 200
    influx.status = 204
    influx.wait(4)


def pusher(send: Any, pushed: Pushed, samples: int = 1) -> Pusher:
    sample = SimpleNamespace(name="a", labels={"b": "c"}, value=1.0)
    family = SimpleNamespace(samples=[sample] * samples)
    return Pusher(lambda: [family], send, lambda: 7, 10, threading.Event(), pushed)


def test_points_wait_while_influxdb_does_not_answer_and_the_waits_grow() -> None:
    sent: list[bytes] = []
    up = False

    def send(body: bytes) -> None:
        if not up:
            raise OSError("it is down")
        sent.append(body)

    pushed = Pushed()
    made = pusher(send, pushed, 3)
    waits = []
    for _ in range(8):
        made.turn()
        waits.append(made.wait_seconds())
    assert waits == [20, 40, 80, 160, 300, 300, 300, 300]
    up = True
    made.turn()
    assert sent == ["\n".join(["a,b=c value=1.0 7"] * 27).encode()]
    assert (pushed.points, pushed.failures, pushed.dropped) == (27, 8, 0)
    assert made.wait_seconds() == 10


def test_points_are_sent_in_batches_and_do_not_pile_up() -> None:
    sizes: list[int] = []
    down = True

    def send(body: bytes) -> None:
        if down:
            raise OSError("it is down")
        sizes.append(body.count(b"\n") + 1)

    pushed = Pushed()
    made = pusher(send, pushed, MAX_WAITING + 10)
    made.turn()
    assert pushed.dropped == 10
    down = False
    made.turn()
    assert set(sizes) == {BATCH}
    assert pushed.points == MAX_WAITING


def test_points_that_will_never_be_taken_are_given_up() -> None:
    def send(_body: bytes) -> None:
        raise Refused("400 Bad Request")

    pushed = Pushed()
    pusher(send, pushed, 3).turn()
    assert (pushed.points, pushed.failures, pushed.dropped) == (0, 1, 3)


def test_names_and_values_are_escaped_as_the_protocol_wants_it() -> None:
    def sample(value: float, **labels: str) -> SimpleNamespace:
        return SimpleNamespace(name="a b", labels=labels, value=value)

    samples = [sample(1.5, strategy="a,b=c d\n\\e", empty=""), sample(math.nan), sample(math.inf), sample(2, s="x\\")]
    assert lines_of([SimpleNamespace(samples=samples)], 1) == [
        "a\\ b,strategy=a\\,b\\=c\\ d\\ \\\\e value=1.5 1",
        "a\\ b,s=x value=2.0 1",
    ]


# ---- health ----


def test_health_is_what_the_command_line_prints(served: Served, tmp_path: Any, capsys: Any) -> None:
    from onebook.cli import main

    bought(served)
    served.book.mark("BTC/USDT", "150")
    client = served.client()
    url = served.book.status().url
    code = main(["--db", url, "health", "--json"])
    printed, found = json.loads(capsys.readouterr().out), client.get("/health").json()
    assert code == (1 if printed["problems"] else 0)
    for page in (printed, found):
        for row in page["marks"]["held"]:
            row.pop("age_seconds")
    assert found == printed


def test_health_tells_of_a_problem(served: Served) -> None:
    served.book.trading.halt("a test")
    found = served.client().get("/health").json()
    assert found["ok"] is False
    assert any("halted: a test" in text for text in found["problems"])


def test_live_and_ready_are_open_and_say_little(served: Served) -> None:
    served.token("viewer")
    far = served.client(**{"X-Forwarded-For": "192.0.2.1"})
    assert far.get("/health/live").json() == {"status": "live"}
    found = far.get("/health/ready")
    assert found.status_code == 200, found.text
    head = served.book.status().entries
    assert found.json() == {
        "ready": True, "role": "leader", "writable": True, "migrated": True, "head": head, "lag": 0, "problems": [],
    }  # fmt: skip
    assert far.get("/health").status_code == 401


def test_a_service_for_reading_is_a_follower(serve: Serve, served: Served) -> None:
    with onebook.open(served.book.status().url, read_only=True) as book:
        found = serve(book, is_read_only=True).client().get("/health/ready")
    assert found.status_code == 200, found.text
    assert (found.json()["role"], found.json()["writable"]) == ("follower", False)


def test_a_service_whose_store_takes_nothing_is_not_ready(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    from onebook.store.sqlite import store

    monkeypatch.setattr(store, "ASIDE_WAIT_SECONDS", 0.1)
    with onebook.open(served.book.status().url) as other:
        other.store.begin()
        try:
            found = served.client().get("/health/ready")
        finally:
            other.store.rollback()
    assert found.status_code == 503, found.text
    assert found.json()["problems"] == ["the store does not answer: StoreBusy"]


def test_every_figure_is_described() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/metrics.md").read_text(encoding="utf-8")
    rows = {cells[1].strip(" `"): cells[2:4] for line in page.splitlines() if len(cells := line.split("|")) == 5}
    wanted = {f"{name}_total": about for name, about in COUNTERS.items()} | dict(GAUGES)
    wanted |= {name: (f"{about} A histogram.", ()) for name, about in HISTOGRAMS.items()}
    told = {name: cells for name, cells in rows.items() if name.startswith("onebook_")}
    assert set(told) == set(wanted)
    for name, (about, labels) in wanted.items():
        assert told[name][1].strip() == about
        assert told[name][0].split() == [f"`{label}`" for label in labels]
