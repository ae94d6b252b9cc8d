"""Entries as bytes: JSON with a type and a version per event, hash-chained.

The bytes are what is hashed and kept; reading brings older versions of an event forward step by step and
refuses one that this release does not know.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec

from onebook.errors import CorruptLog, UnknownEventVersion

RULES = 1
"""The version of the fold that writes outcomes now."""

VERSIONS: dict[str, int] = {}
"""Newest version per event type, where it is not 1."""

UPCASTS: dict[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""(type, version) -> how its data becomes the next version's."""


class EventBody(msgspec.Struct, omit_defaults=True):
    """One event as it stands in an entry; what it leaves out is as the entry says."""

    type: str
    data: dict[str, Any]
    version: int = 1
    account: str | None = None
    instrument: str | None = None
    strategy: str | None = None


class EntryBody(msgspec.Struct, omit_defaults=True):
    """One entry's JSON: times in nanoseconds since 1970 UTC."""

    at: int
    occurred: int
    events: list[EventBody]
    rules: int = RULES
    actor: str = ""
    correlation_id: str = ""
    account: str = ""
    instrument: str = ""
    strategy: str = ""


class RawEvent(msgspec.Struct):
    """One event of an entry for readers that may not want its data: that stays as bytes."""

    type: str
    data: msgspec.Raw
    version: int = 1
    account: str | None = None
    instrument: str | None = None
    strategy: str | None = None


class RawEntry(msgspec.Struct):
    """An entry for readers that may not want its events' data."""

    at: int
    occurred: int
    events: list[RawEvent]
    actor: str = ""
    correlation_id: str = ""
    account: str = ""
    instrument: str = ""
    strategy: str = ""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(EntryBody)
_raw_decoder = msgspec.json.Decoder(RawEntry)
_plain = msgspec.json.Decoder()
encode = _encoder.encode
"""Plain data as JSON bytes."""


def decode(text: str | bytes) -> Any:
    """Return JSON as plain data."""
    return _plain.decode(text)


def encode_text(data: Any) -> str:
    """Return plain data as JSON text."""
    return _encoder.encode(data).decode()


def chained(previous: bytes, body: bytes) -> bytes:
    """Return the hash of an entry: SHA-256 over the previous hash and the stored bytes."""
    return hashlib.sha256(previous + body).digest()


def decode_entry(sequence: int, body: str | bytes) -> EntryBody:
    """Return an entry, its events brought forward to the newest versions.

    Raises:
        UnknownEventVersion: a newer release wrote it.
        CorruptLog: it is not an entry.
    """
    try:
        entry = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise _unreadable(sequence, problem) from None
    if VERSIONS or any(event.version != 1 for event in entry.events):
        for event in entry.events:
            _bring_forward(sequence, event)
    return entry


def _unreadable(sequence: int, problem: Exception) -> CorruptLog:
    return CorruptLog(f"entry {sequence} cannot be read ({problem}); run: onebook verify", sequence=sequence)


def decode_raw(sequence: int, body: str | bytes) -> RawEntry:
    """Return an entry whose events' data is not read yet.

    Raises:
        UnknownEventVersion: a newer release wrote it.
        CorruptLog: it is not an entry.
    """
    try:
        entry = _raw_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise _unreadable(sequence, problem) from None
    if VERSIONS or any(event.version != 1 for event in entry.events):
        for event, whole in zip(entry.events, decode_entry(sequence, body).events, strict=True):
            event.version, event.data = whole.version, msgspec.Raw(encode(whole.data))
    return entry


def _bring_forward(sequence: int, event: EventBody) -> None:
    newest = VERSIONS.get(event.type, 1)
    if event.version > newest:
        msg = (
            f"entry {sequence} holds {event.type} in version {event.version}, this release knows {newest};"
            " upgrade onebook"
        )
        raise UnknownEventVersion(msg, sequence=sequence, type=event.type, version=event.version)
    while event.version < newest:
        event.data = UPCASTS[event.type, event.version](event.data)
        event.version += 1
