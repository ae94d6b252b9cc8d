"""Addresses of the state: values under paths, changed only by who knows the version that stands."""

from typing import Any

from onebook.domain.state_values import MISSING, given, kept
from onebook.errors import ConflictError, InputError
from onebook.http import wire
from onebook.http.asof import AS_OF, view_of
from onebook.http.calls import Call, Endpoint, Parameter, Reply
from onebook.http.problems import plain_problem
from onebook.http.writes import acting

PATH = Parameter(
    name="path", where="path", is_required=True, about="Dotted text: bots.trend.level.", example="bots.trend.level"
)
IF_MATCH = Parameter(name="If-Match", where="header", about="The ETag that you know; * for any.")
IF_NONE_MATCH = Parameter(name="If-None-Match", where="header", about="* to change it only where nothing is yet.")
TYPED = Parameter(
    name="typed", kind="flag",
    about='true: exact numbers and times as {"$decimal": "1.5"}, {"$time": …}, {"$date": …}; else as plain text.',
)  # fmt: skip
_NOTHING: Any = MISSING


def _snapshot(call: Call) -> Reply:
    return wire.reply(_shown(call, view_of(call).state.snapshot()))


def _get(call: Call) -> Reply:
    state, path = view_of(call).state, call.given["path"]
    version = state.version(path)
    value = state.get(path, _NOTHING)
    if value is _NOTHING:
        return plain_problem(404, f"nothing is at {path:.80}", details={"path": path, "version": version})
    about = state.about(path)
    named = {"updated_at": None, "actor": "", "sequence": None, "source": ""}
    if about is not None:
        named = {name: getattr(about, name) for name in named}
    headers = {"etag": etag(version)} if version else {}
    return wire.reply({"path": path, "value": _shown(call, value), "version": version, **named}, 200, **headers)


def _shown(call: Call, value: Any) -> Any:
    """Return a value as it was asked for."""
    return kept("value", value) if call.given.get("typed") else value


def _stated(call: Call, value: Any) -> Any:
    """Return the value that is to be kept.

    Raises:
        InputError: a typed number or time that is none.
    """
    if not call.given.get("typed"):
        return value
    try:
        _check_texts(value)
        return given(value)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        msg = 'value: holds a key with $ that is none of {"$decimal": "1.5"}, {"$time": "…Z"}, {"$date": "2026-01-31"}'
        raise InputError(msg, field="value") from None


def etag(version: int) -> str:
    """Return the tag of a version."""
    return f'"{version}"'


def _expected(call: Call) -> int | Reply:
    """Return the version that a change counts on, or why it is not made."""
    path, state = call.given["path"], call.book.state
    match, none = call.given.get("If-Match"), call.given.get("If-None-Match")
    version = state.version(path)
    stands = state.about(path) is not None
    if none is not None:
        if none.strip() != "*":
            msg = f"If-None-Match: {none:.60} is not *; give the ETag that you know as If-Match"
            raise InputError(msg, field="If-None-Match", value=none)
        return _changed(path, version) if stands else version
    if match is None:
        if stands:
            detail = f"{path:.80} has version {version}; read it, and send its ETag as If-Match"
            return plain_problem(428, detail, details={"path": path, "version": version})
        return version
    if match.strip() == "*":
        return version if stands else _changed(path, version)
    tags = {part.strip() for part in match.split(",")}
    return version if etag(version) in tags else _changed(path, version)


def _changed(path: str, version: int) -> Reply:
    detail = f"{path:.80} is at version {version} now; read it again"
    details = {"path": path, "version": version}
    return plain_problem(412, detail, headers={"etag": etag(version)}, retryable=True, details=details)


def _check_texts(value: Any) -> None:
    """Refuse a typed value that is not stated as text: a number of JSON is not exact.

    Raises:
        TypeError: it is not.
    """
    if isinstance(value, dict):
        for name, item in value.items():
            if name[:1] == "$" and not isinstance(item, str):
                raise TypeError(name)
            _check_texts(item)
    elif isinstance(value, list):
        for item in value:
            _check_texts(item)


def _put(call: Call) -> Reply:
    stated = wire.an_object(call.body, "a value")
    if set(stated) - {"value", "source"} or "value" not in stated:
        msg = 'body: write {"value": …}, and "source" where there is one to name'
        raise InputError(msg, field="body")
    value, source = _stated(call, stated["value"]), stated.get("source", "")
    expected = _expected(call)
    if isinstance(expected, Reply):
        return expected
    path, state = call.given["path"], call.book.state
    try:
        with acting(call):
            version = state.set(path, value, expected_version=expected, source=source)
    except ConflictError:
        return _changed(path, state.version(path))
    shown = {"path": path, "value": _shown(call, state.get(path)), "version": version}
    return wire.reply(shown, 201 if not expected else 200, etag=etag(version))


def _delete(call: Call) -> Reply:
    path, state = call.given["path"], call.book.state
    expected = _expected(call)
    if isinstance(expected, Reply):
        return expected
    try:
        with acting(call):
            is_gone = state.delete(path, expected_version=expected)
    except ConflictError:
        return _changed(path, state.version(path))
    if not is_gone:
        return plain_problem(404, f"nothing of yours is at {path:.80}", details={"path": path})
    return Reply(body=b"", status=204)


_CHANGES = (403, 404, 409, 412, 422, 428)

ENDPOINTS = (
    Endpoint(
        method="GET", path="/v1/state", name="get_state_snapshot", about="Everything that users keep.", run=_snapshot,
        group="State", parameters=(TYPED, *AS_OF), answers={200: "Anything"},
    ),
    Endpoint(
        method="GET", path="/v1/state/{path}", name="get_state", about="The value at a path, with its version as ETag.",
        run=_get, group="State", parameters=(PATH, TYPED, *AS_OF), answers={200: "StateValue"}, problems=(404,),
    ),
    Endpoint(
        method="PUT", path="/v1/state/{path}", name="put_state",
        about="Keep a value at a path; where one stands already, If-Match says which.", run=_put, group="State",
        parameters=(PATH, TYPED, IF_MATCH, IF_NONE_MATCH), body="NewStateValue",
        answers={200: "StateValue", 201: "StateValue"}, problems=_CHANGES,
    ),
    Endpoint(
        method="DELETE", path="/v1/state/{path}", name="delete_state", about="Take away what is at a path.",
        run=_delete, group="State", parameters=(PATH, IF_MATCH), answers={204: ""}, problems=_CHANGES,
    ),
)  # fmt: skip
