"""Traces: a span for each request and each transaction, and no secret in any of them."""

import time
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.http.conftest import Serve

from onebook import Hook
from onebook.http import tracing
from onebook.http.secrets import HOOK_PREFIX, digest_of, new_secret

TRACE = "0af7651916cd43dd8448eb211c80319c"
FILL = {"instrument": "BTC/USDT", "side": "buy", "quantity": "1", "price": "100", "client_fill_id": "f-1"}


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What would be sent."""
    exporter = InMemorySpanExporter()
    plain = tracing.traced
    monkeypatch.setattr(tracing, "traced", lambda app, service: plain(app, service, exporter))
    return exporter


def ended(served: Any, spans: InMemorySpanExporter) -> list[Any]:
    """Every span, once the service has ended and sent them."""
    served.serving.stop()
    for _ in range(200):
        found = list(spans.get_finished_spans())
        if found and spans._stopped:
            return found
        time.sleep(0.05)
    raise AssertionError("the spans were not sent")


def test_requests_and_transactions_have_spans(serve: Serve, spans: InMemorySpanExporter) -> None:
    served = serve(config={"tracing": {"endpoint": "http://127.0.0.1:4318/v1/traces"}})
    client = served.client(traceparent=f"00-{TRACE}-b7ad6b7169203331-01")
    assert client.post("/v1/fills", json=FILL).status_code == 201
    assert client.get("/v1/lots/BTC/USDT").status_code == 200
    assert client.get("/nothing/here").status_code == 404
    found = ended(served, spans)
    by_name = {span.name: span for span in found}
    assert set(by_name) == {"POST /v1/fills", "GET /v1/lots", "GET other", "onebook.commit"}
    posted = by_name["POST /v1/fills"]
    assert format(posted.context.trace_id, "032x") == TRACE
    assert posted.attributes["http.response.status_code"] == 201
    assert posted.attributes["onebook.role"] == "operator"
    assert by_name["onebook.commit"].attributes["onebook.commands"] == 1


def test_no_secret_is_traced(serve: Serve, spans: InMemorySpanExporter) -> None:
    served = serve(config={"tracing": {"endpoint": "http://127.0.0.1:4318/v1/traces"}})
    secret = new_secret(HOOK_PREFIX)
    served.book.record(Hook(name="tv", kind="custom", strategy="trend", digest=digest_of(secret)))
    client = served.client()
    client.post(f"/v1/hooks/tv/{secret}", json={"id": 1, "instrument": "AAPL", "action": "buy"})
    client.post(f"/v1/hooks/tv/{secret}", content=b"x")
    told = "".join(span.to_json() for span in ended(served, spans))
    assert "POST /v1/hooks" in told
    assert secret not in told


def test_nothing_is_traced_unless_it_is_configured(serve: Serve, spans: InMemorySpanExporter) -> None:
    served = serve()
    assert served.client().post("/v1/fills", json=FILL).status_code == 201
    assert served.book.committer.counts.told is None
    assert spans.get_finished_spans() == ()
