"""Addresses that handlers of their own answer, for the document: pages, logins, health, figures, streams, alerts."""

from onebook.http.calls import JSON_TYPE, Address, Parameter
from onebook.http.lists import EVENT_FILTERS
from onebook.http.prices import MAX_PER_SECOND

TEXT, HTML = "text/plain", "text/html"
OPENMETRICS = "application/openmetrics-text"
FORM = "application/x-www-form-urlencoded"
SSE = "text/event-stream"

_EVENTS = (
    "A stream without an end: server-sent events with id, event and data, where data is the JSON of an Event. The "
    "header Onebook-Book names the book and epoch. An event named reset says that the place cannot be gone on from; "
    "one without an id is live only. A comment comes where nothing else did for serve.heartbeat_seconds."
)
_SOCKET = (
    "A WebSocket. Messages are JSON objects with op: auth, subscribe, unsubscribe, ack, record, mark, ping; answers "
    "are subscribed, unsubscribed, event, reset, acked, receipt, marked, pong and error. Close codes: 4400 a malformed "
    "message, 4401 no token or a wrong one, 4403 the role may not, 4408 nothing was said, 4413 a message too long, "
    "4429 too much; 1001 and 1012: the service stops. A plain request is answered 426."
)
_HOOK = (
    "A body that begins with { is JSON whatever it is called; else it is a form, or lines of name: value. What says "
    "nothing to record is ignored; what cannot be booked is kept as a break. The secret stands in no log."
)

_NAME = Parameter(name="name", where="path", is_required=True, about="Of the hook.", example="tv")
_SECRET = Parameter(name="secret", where="path", is_required=True, about="As onebook hook create printed it, once.")
_FILE = Parameter(name="path", where="path", is_required=True, about="Of a file of the page.")
_PLACE = Parameter(
    name="after", about="Behind this sequence or event id; what comes from now on when left out.", example="0"
)  # fmt: skip
_LAST = Parameter(name="Last-Event-ID", where="header", about="The same, as browsers send it; it wins.")
_BOOK = Parameter(name="book", about="The book and epoch in which that place is, as Onebook-Book said it.")
_PACE = Parameter(
    name="prices_per_second", kind="sequence", most=MAX_PER_SECOND,
    about=f"How often one instrument's price at most, 0 to {MAX_PER_SECOND}; 0: no prices.",
)  # fmt: skip


def _page(path: str, name: str, about: str, type_: str, *parameters: Parameter, schema: str = "") -> Address:
    missing = () if path == "/" else (404,)
    return Address(
        method="GET", path=path, name=name, about=about, group="Page", parameters=parameters,
        answers={200: schema, 304: ""}, problems=missing, type=type_,
    )  # fmt: skip


DESCRIBED = (
    _page("/", "get_page", "The dashboard; where it was not built, how to build it.", HTML),
    _page("/assets/{path}", "get_asset", "A script or a style of the dashboard.", "*/*", _FILE),
    _page("/icons/{path}", "get_icon", "A picture of the dashboard.", "*/*", _FILE),
    _page("/favicon.ico", "get_favicon", "The picture of a tab.", "image/svg+xml"),
    _page(
        "/manifest.webmanifest", "get_manifest", "What a phone installs.", "application/manifest+json",
        schema="Anything",
    ),
    _page("/sw.js", "get_service_worker", "What works for an installed page.", "text/javascript"),
    Address(
        method="POST", path="/login", name="login", about="Take a token, and give a cookie for it.", group="Session",
        body="Login", answers={200: "Session"}, problems=(413,),
    ),
    Address(
        method="GET", path="/login", name="follow_link", group="Session", answers={200: ""}, type=HTML,
        about="Take the link that onebook serve --phone shows, once, and give a cookie.",
        parameters=(Parameter(name="code", about="Of the link."),),
    ),
    Address(
        method="POST", path="/logout", name="logout", about="Take the cookie back.", group="Session",
        answers={204: ""},
    ),
    Address(
        method="GET", path="/v1/session", name="get_session", group="Session", answers={200: "Session"},
        about="Who sends requests, and what a page must send beside its cookie as X-Onebook-CSRF.",
    ),
    Address(
        method="GET", path="/health/live", name="get_live", about="That the process answers.", group="Health",
        answers={200: "Live"},
    ),
    Address(
        method="GET", path="/health/ready", name="get_ready", about="Whether the service may be sent work.",
        group="Health", answers={200: "Readiness", 503: "Readiness"},
    ),
    Address(
        method="GET", path="/health", name="get_health", about="How everything stands, as onebook health --json says.",
        group="Health", answers={200: "Health"},
    ),
    Address(
        method="GET", path="/metrics", name="get_metrics", about="Every figure as Prometheus reads it.",
        details=f"As {OPENMETRICS} for who accepts it.", group="Health", answers={200: ""}, type=TEXT,
    ),
    Address(
        method="GET", path="/v1/events", name="follow_events", about="What happens, as it happens.", details=_EVENTS,
        group="Streams", parameters=(*EVENT_FILTERS, _PLACE, _LAST, _BOOK, _PACE), answers={200: ""}, type=SSE,
    ),
    Address(
        method="GET", path="/v1/ws", name="open_socket", about="Follow and record over one connection.",
        details=_SOCKET, group="Streams", answers={101: ""}, problems=(426,),
    ),
    Address(
        method="POST", path="/v1/hooks/{name}/{secret}", name="take_alert", group="Recording",
        about="Record what an alert of others says, for the strategy of the hook.", details=_HOOK,
        parameters=(_NAME, _SECRET), body="Anything", body_types=(JSON_TYPE, FORM, TEXT),
        answers={200: "AlertTaken", 201: "Receipt", 409: "Receipt"}, problems=(404, 409, 413),
    ),
)  # fmt: skip
"""Each is answered by a handler that litestar knows by the same path; a test holds both lists to each other."""
