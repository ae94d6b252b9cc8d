"""Entries as bytes and back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebook.errors import CorruptLog, UnknownEventVersion
from onebook.store import codec
from onebook.store.codec import EntryBody, EventBody, chained, decode, decode_entry, encode, encode_text

texts = st.text(max_size=20)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=5,
)
events = st.builds(
    EventBody,
    type=texts,
    data=st.dictionaries(texts, plain, max_size=4),
    account=st.none() | texts,
    instrument=st.none() | texts,
    strategy=st.none() | texts,
)
entries = st.builds(
    EntryBody,
    at=st.integers(0, 2**62),
    occurred=st.integers(0, 2**62),
    events=st.lists(events, max_size=4),
    rules=st.integers(1, 9),
    actor=texts,
    correlation_id=texts,
    account=texts,
    instrument=texts,
    strategy=texts,
)


def entry_with(**event: Any) -> bytes:
    return encode(EntryBody(1, 1, [EventBody(**event)]))


@given(entries)
def test_an_entry_comes_back_as_it_went_in(entry: EntryBody) -> None:
    body = encode(entry)
    assert decode_entry(1, body) == entry
    assert decode_entry(1, body.decode()) == entry
    assert encode(decode_entry(1, body)) == body


@given(plain)
def test_plain_data_comes_back_as_it_went_in(data: Any) -> None:
    assert decode(encode_text(data)) == data


@given(st.binary(max_size=60) | texts.map(str.encode))
def test_other_bytes_are_corrupt_or_unknown(body: bytes) -> None:
    with pytest.raises(CorruptLog) as caught:
        decode_entry(7, body)
    assert caught.value.sequence == 7
    assert "onebook verify" in str(caught.value)


@pytest.mark.parametrize(
    "body",
    ["{}", "[]", '{"at":1,"occurred":1}', '{"at":"x","occurred":1,"events":[]}', '{"at":1,"occurred":1,"events":[{}]}'],
)
def test_other_json_is_corrupt(body: str) -> None:
    with pytest.raises(CorruptLog):
        decode_entry(1, body)


def test_a_newer_version_is_refused() -> None:
    with pytest.raises(UnknownEventVersion) as caught:
        decode_entry(3, entry_with(type="trade_executed", data={}, version=2))
    assert (caught.value.type, caught.value.version, caught.value.sequence) == ("trade_executed", 2, 3)


def test_older_versions_are_brought_forward_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    body = entry_with(type="shout", data={"text": "a"})
    monkeypatch.setitem(codec.VERSIONS, "shout", 3)
    monkeypatch.setitem(codec.UPCASTS, ("shout", 1), lambda data: {"words": [data["text"]]})
    monkeypatch.setitem(codec.UPCASTS, ("shout", 2), lambda data: data | {"loud": True})
    event = decode_entry(1, body).events[0]
    assert (event.version, event.data) == (3, {"words": ["a"], "loud": True})
    second = decode_entry(1, entry_with(type="shout", data={"words": []}, version=2)).events[0]
    assert (second.version, second.data) == (3, {"words": [], "loud": True})
    newest = decode_entry(1, entry_with(type="shout", data={"words": []}, version=3)).events[0]
    assert newest.data == {"words": []}
    with pytest.raises(UnknownEventVersion):
        decode_entry(1, entry_with(type="shout", data={}, version=4))
    other = decode_entry(1, entry_with(type="whisper", data={"text": "a"})).events[0]
    assert (other.version, other.data) == (1, {"text": "a"})


def test_a_hash_covers_the_one_before_and_every_byte() -> None:
    first = chained(bytes(32), b"a")
    assert len(first) == 32
    assert len({first, chained(bytes(32), b"b"), chained(first, b"a"), chained(first, b"b")}) == 4
