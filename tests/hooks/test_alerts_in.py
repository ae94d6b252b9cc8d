"""Alerts over HTTP: durable before they are answered, known again, and no way to anything else."""

import json
from typing import Any

import httpx
import pytest
from tests.http.conftest import Served
from tests.http.streaming import until

import onebook
from onebook import Hook
from onebook.config.masks import MASK
from onebook.http import hooks, tollgate
from onebook.http.secrets import HOOK_PREFIX, digest_of, new_secret
from onebook.intake.hooks.messages import MAX_BYTES

ALERT = {"id": "a-1", "instrument": "BTC/USDT", "action": "buy", "price": 60000.10}


def hooked(served: Served, kind: str = "custom", name: str = "tv", **given: Any) -> str:
    """Make a hook and return its secret."""
    secret = new_secret(HOOK_PREFIX)
    served.book.record(Hook(name=name, kind=kind, strategy="trend", digest=digest_of(secret), **given))
    return secret


def post(served: Served, secret: str, body: Any = None, name: str = "tv", **given: Any) -> httpx.Response:
    sent = {"json": ALERT if body is None else body} if not isinstance(body, bytes | str) else {"content": body}
    return served.client().post(f"/v1/hooks/{name}/{secret}", **sent, **given)


def test_an_alert_is_in_the_book_when_it_is_answered(served: Served) -> None:
    secret = hooked(served)
    answer = post(served, secret)
    assert answer.status_code == 201, answer.text
    assert answer.json()["status"] == "recorded"
    with onebook.open(served.book.status().url, read_only=True) as other:
        (signal,) = other.signals()
        (event,) = other.events(after=answer.json()["sequence"] - 1)
    assert (signal.strategy, signal.instrument, str(signal.price)) == ("trend", "BTC/USDT", "60000.1")
    assert event.actor == "hook:tv"


def test_an_alert_that_comes_again_is_known(served: Served) -> None:
    secret = hooked(served)
    assert [post(served, secret).status_code for _ in range(3)] == [201, 200, 200]
    other = post(served, secret, ALERT | {"price": 1})
    assert (other.status_code, other.json()["status"]) == (409, "conflict")
    assert len(served.book.signals()) == 1


def test_a_form_and_text_are_taken_too(served: Served) -> None:
    secret = hooked(served, kind="tradingview")
    client = served.client()
    given = {name: str(value) for name, value in ALERT.items()}
    assert client.post(f"/v1/hooks/tv/{secret}", data=given).status_code == 201
    lines = "\n".join(f"{name}: {value}" for name, value in (given | {"id": "a-2"}).items())
    assert post(served, secret, lines, headers={"Content-Type": "text/plain"}).status_code == 201


def test_freqtrades_status_is_answered_and_makes_no_entry(served: Served) -> None:
    secret = hooked(served, kind="freqtrade")
    before = served.book.status().entries
    answer = post(served, secret, {"type": "status", "status": "running"})
    assert (answer.status_code, answer.json()) == (200, {"status": "ignored"})
    assert served.book.status().entries == before


def test_what_cannot_be_booked_is_told_and_kept_once_as_a_break(served: Served) -> None:
    secret = hooked(served)
    for _ in range(2):
        answer = post(served, secret, ALERT | {"action": "hold"})
        assert answer.status_code == 400, answer.text
        assert "action: 'hold' is none of buy, sell" in answer.json()["detail"]
    (found,) = served.book.breaks()
    assert (found.kind, found.account, found.state) == ("unbooked_fact", "main", "open")
    (event,) = served.book.events(types=("break_found",))
    assert json.loads(event.data["raw"]["body"])["action"] == "hold"
    assert event.actor == "hook:tv"
    assert post(served, secret, ALERT).status_code == 201, "what is right goes on"


@pytest.mark.parametrize("body", [b"\xff\xfe\x00", b'{"a": "\x00"}', b"[" * 10_000, b'{"id": "\\ud800"}', b"\x00"])
def test_any_bytes_can_be_kept_as_a_break(served: Served, body: bytes) -> None:
    answer = post(served, hooked(served), body)
    assert answer.status_code == 400, answer.text
    assert [item.kind for item in served.book.breaks()] == ["unbooked_fact"]


def test_a_hook_records_for_its_own_strategy_only(served: Served) -> None:
    secret = hooked(served)
    for given in ({"strategy": "grid"}, {"account": "other"}):
        assert post(served, secret, ALERT | given).status_code == 403
    assert served.book.signals() == []
    served.token("viewer")
    for method, path in (("GET", "/v1/status"), ("POST", "/v1/fills"), ("POST", "/v1/trading/halt")):
        answer = served.client(secret).request(method, path, json={})
        assert answer.status_code == 401, "a hook's secret opens nothing else"


@pytest.mark.parametrize("how", ["wrong", "revoked", "other name", "long"])
def test_no_other_address_takes_anything(served: Served, how: str) -> None:
    secret = hooked(served)
    if how == "revoked":
        (made,) = served.book.facts("hook")
        served.book.record(made.replaced(is_revoked=True))
    before = served.book.status().entries
    given = {"wrong": "obh_wrong", "long": "x" * 5000}.get(how, secret)
    answer = post(served, given, name="other" if how == "other name" else "tv")
    assert answer.status_code == 404, answer.text
    assert served.book.status().entries == before


def test_the_secret_stands_in_no_log_no_answer_and_no_entry(served: Served) -> None:
    secret = hooked(served)
    path = f"/v1/hooks/tv/{secret}"
    client = served.client()
    answers = [
        post(served, secret, ALERT | {"note": f"sent to {path}"}),
        post(served, secret, ALERT | {"action": secret}),
        post(served, secret, f"price {secret}"),
        post(served, secret, b"x" * (MAX_BYTES + 1)),
        post(served, secret, name="other"),
        client.get(path),
        client.put(path),
        client.post(f"{path}/more"),
        client.post(f"{path}?token={secret}", json=ALERT),
    ]
    assert [item.status_code for item in answers] == [201, 400, 400, 413, 404, 405, 405, 404, 200]
    for item in answers:
        assert secret not in item.text
    log = served.logged(len(answers))
    assert secret not in log
    assert f"/v1/hooks/tv/{MASK}" in log
    with served.book.store.reading() as reader:
        bodies = "".join(map(str, reader.entries(0, 100)))
    assert "sent to" in bodies
    assert secret not in bodies


def test_an_alert_that_is_too_large_is_refused(served: Served) -> None:
    assert post(served, hooked(served), b"x" * (MAX_BYTES + 1)).status_code == 413
    assert served.book.breaks() == []


def test_as_many_alerts_as_a_minute_may_have_may_come_at_once(served: Served) -> None:
    secret = hooked(served, kind="tradingview")
    client = served.client()
    statuses = [
        client.post(f"/v1/hooks/tv/{secret}", json=ALERT | {"id": f"a-{number}"}).status_code for number in range(110)
    ]
    assert set(statuses) == {201}, "many charts speak at the close of one bar"


def test_more_alerts_than_the_limit_wait_and_are_counted(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tollgate, "ALERTS_A_MINUTE", 6)
    monkeypatch.setattr(tollgate, "COUNT_SECONDS", 0.2)
    secret = hooked(served)
    answers = [post(served, secret) for _ in range(20)]
    refused = [item for item in answers if item.status_code == 429]
    assert int(refused[0].headers["retry-after"]) >= 1
    assert refused[0].json()["retryable"] is True
    assert post(served, hooked(served, name="b"), name="b").status_code in {200, 201}, "another hook has its own"
    until(lambda: dropped(served, "refused") == len(refused))


def dropped(served: Served, what: str) -> int:
    """Return how many alerts the breaks count as dropped."""
    return sum(event.data["raw"].get(what, 0) for event in served.book.events(types=("break_found",)))


def test_breaks_do_not_grow_without_limit_and_what_is_not_kept_is_counted(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tollgate, "BREAKS_A_MINUTE", 6)
    secret = hooked(served)
    answers = [post(served, secret, ALERT | {"action": f"hold {number}"}) for number in range(20)]
    assert {(item.status_code, item.json()["retryable"]) for item in answers} == {(400, False)}
    kept = len(served.book.breaks())
    assert 6 <= kept < 20
    served.serving.stop()
    served.ended()
    assert len(served.book.breaks()) == kept + 1, "one stands for all others, at the end of the service too"
    assert dropped(served, "not_kept") == 20 - kept


@pytest.mark.parametrize(
    "body",
    [
        '{"id": "1", "instrument": "A", "side": "buy", "side": "sell"}',
        '{"id": "1", "instrument": "A", "side": "buy", "action": "sell"}',
    ],
)
def test_an_alert_that_contradicts_itself_is_not_booked(served: Served, body: str) -> None:
    answer = post(served, hooked(served), body)
    assert answer.status_code == 400, answer.text
    assert "side" in answer.json()["detail"]
    assert served.book.signals() == []
    assert [item.kind for item in served.book.breaks()] == ["unbooked_fact"]


def test_an_alert_that_the_book_cannot_take_in_time_may_be_sent_again(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "ANSWER_SECONDS", 0.2)
    secret = hooked(served)
    with onebook.open(served.book.status().url) as other:
        other.store.begin()
        try:
            answer = post(served, secret)
        finally:
            other.store.rollback()
    assert answer.status_code == 503, answer.text
    assert answer.json()["retryable"] is True
    assert "retry-after" in answer.headers
    again = post(served, secret)
    assert again.status_code in {200, 201}
    assert len(served.book.signals()) == 1


def test_a_service_that_takes_nothing_takes_no_alert(serve: Any, served: Served) -> None:
    secret = hooked(served)
    other = serve(served.book, is_read_only=True)
    assert post(other, secret).status_code == 403
