"""OpenTelemetry traces of requests and of what they record, with the extra ``tracing``; off unless configured.

A span is named by the method and the first words of a path, so that there are few names, and no instrument or secret
is among them. What a request records is committed together with what others record: each transaction is a span of its
own, ``onebook.commit``.
"""

import time
from typing import TYPE_CHECKING, Any

from onebook.errors import BadConfig
from onebook.http.auth import Scope
from onebook.http.ready import READY
from onebook.http.roles import allowed

if TYPE_CHECKING:
    from onebook.http.door import App, Receive, Send
    from onebook.http.service import Service

WORDS = 2
"""Parts of a path that name a span: ``/v1/fills``."""
END_SECONDS = 1
_FAULT = 500


class Tracing:
    """Makes the spans of one service.

    Args:
        tracer: of OpenTelemetry.
        close: sends what is left.
    """

    def __init__(self, tracer: Any, close: Any) -> None:
        self._tracer = tracer
        self.close = close

    def around(self, app: "App") -> "App":
        """Return the application with a span around each request."""
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        propagator = TraceContextTextMapPropagator()

        async def traced(scope: Scope, receive: "Receive", send: "Send") -> None:
            if scope["type"] == "lifespan":
                await app(scope, receive, send)
                return
            (scope.get("extensions") or {}).pop(READY, None)  # every answer is to be seen here
            method = scope.get("method", "WS")
            name = span_name(method, scope["path"])
            parent = propagator.extract(_headers(scope))
            with self._tracer.start_as_current_span(name, context=parent, kind=SpanKind.SERVER) as span:
                span.set_attribute("http.request.method", method)

                async def sent(message: Any) -> None:
                    if message["type"] == "http.response.start":
                        span.set_attribute("http.response.status_code", message["status"])
                        if message["status"] >= _FAULT:
                            span.set_status(Status(StatusCode.ERROR))
                    await send(message)

                await app(scope, receive, sent)
                state = scope.get("state") or {}
                span.set_attribute("onebook.request_id", str(state.get("request_id", "")))
                caller = state.get("caller")
                if caller is not None:
                    span.set_attribute("onebook.role", caller.role)

        return traced

    def committed(self, commands: int, seconds: float) -> None:
        """Make the span of a transaction that is durable now.

        Args:
            commands: that it held.
            seconds: that making it durable took.
        """
        end = time.time_ns()
        span = self._tracer.start_span("onebook.commit", start_time=end - int(seconds * 1e9))
        span.set_attribute("onebook.commands", commands)
        span.end(end)


def span_name(method: str, path: str) -> str:
    """Return the name of a request's span; what is no address of the service has none of its own."""
    if allowed(method, path) is None:
        return f"{method} other"
    words = path.strip("/").split("/")
    return f"{method} /{'/'.join(words[: WORDS if words[0] in {'v1', 'health'} else 1])}"


def _headers(scope: Scope) -> dict[str, str]:
    """Return the headers that say to which trace a request belongs."""
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in scope["headers"]
        if name in {b"traceparent", b"tracestate"}
    }


def traced(app: "App", service: "Service", exporter: Any = None) -> "App":
    """Return the application with traces where the configuration wants them, else as it is.

    Args:
        app: what answers.
        service: whose configuration counts.
        exporter: takes the spans; None: they are sent to ``tracing.endpoint``.

    Raises:
        BadConfig: they are wanted, and the extra is not installed.
    """
    endpoint = service.config.get("tracing.endpoint")
    if endpoint is None:
        return app
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
    except ModuleNotFoundError as missing:
        msg = f'{missing.name} is not installed: pip install "onebook[tracing]"'
        raise BadConfig(msg, package=missing.name) from None
    provider = TracerProvider(
        resource=Resource.create({"service.name": "onebook"}),
        sampler=ParentBased(TraceIdRatioBased(service.config.get("tracing.ratio"))),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(
        BatchSpanProcessor(exporter or OTLPSpanExporter(endpoint=endpoint, timeout=END_SECONDS))
    )
    tracing = Tracing(provider.get_tracer("onebook"), provider.shutdown)
    if not service.is_read_only:
        service.book.committer.counts.told = tracing.committed

    async def end() -> None:
        from anyio import move_on_after, to_thread

        if not service.is_read_only:
            service.book.committer.counts.told = None
        with move_on_after(END_SECONDS):  # who takes no spans does not keep the service from ending
            await to_thread.run_sync(tracing.close, abandon_on_cancel=True)

    service.at_end(end)
    return tracing.around(app)
