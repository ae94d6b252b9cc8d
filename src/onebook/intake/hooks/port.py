"""What an alert of each kind looks like, and the facts that it makes."""

from collections.abc import Mapping
from typing import Any

from onebook.domain.facts import AnyFact, Hook
from onebook.errors import InputError
from onebook.intake.hooks import custom, freqtrade, tradingview
from onebook.intake.hooks.messages import read

_READERS = {
    "tradingview": tradingview.facts_from,
    "freqtrade": freqtrade.facts_from,
    "custom": custom.facts_from,
}


def message_for(kind: str) -> str:
    """Return what to paste at the sender: TradingView's message, freqtrade's section, or an example.

    Args:
        kind: of the hook: ``tradingview``, ``freqtrade`` or ``custom``.
    """
    return {"tradingview": tradingview.MESSAGE, "freqtrade": freqtrade.message(), "custom": custom.MESSAGE}[kind]


def check_mapping(kind: str, mapping: Mapping[str, Any]) -> None:
    """Refuse a mapping that could have no effect.

    Args:
        kind: of the hook.
        mapping: field -> name in the message, or ``=`` and the value itself.

    Raises:
        InputError: it names a field that alerts do not have, or its kind takes none.
    """
    if mapping and kind == "freqtrade":
        raise InputError("map: freqtrade's messages need none; take the templates as they are", field="map")
    known = custom.known_fields()
    for name, key in mapping.items():
        if name not in known:
            msg = f"map: {name[:60]} is no field of an alert; there are {', '.join(known)}"
            raise InputError(msg, field="map", value=name)
        if not isinstance(key, str) or not key.strip():
            msg = f"map: {name} has no name; write {name}=NAME, or {name}==VALUE for the value itself"
            raise InputError(msg, field="map", value=name)


def facts_of(kind: str, hook: Hook, payload: bytes, content_type: str, at: int) -> tuple[AnyFact, ...]:
    """Return the facts of an alert, with identities that make a repeat known; none when it tells of nothing.

    Args:
        kind: who calls: ``tradingview``, ``freqtrade`` or ``custom``.
        hook: which was called; facts are of its strategy and account.
        payload: the body as it came.
        content_type: as its sender calls it.
        at: the book's clock, in nanoseconds since 1970 UTC.

    Raises:
        InputError: it is malformed; the sentence says what was wrong.
        NotAllowed: it speaks of another strategy or account than the hook.
    """
    return _READERS[kind](read(payload, content_type), hook, at)
