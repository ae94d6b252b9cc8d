"""One target of notifications: a chat, a mailbox, a phone, behind an address that apprise understands.

The address is a secret: no message, error or ``repr`` of ours shows it. apprise is imported when an outlet is made.
"""

import re
from typing import Any

from onebook.errors import BadConfig, BadPayload, SourceError, SourceTimeout
from onebook.feed.importance import Importance
from onebook.feed.sinks.wording import plain_text

_KINDS = {Importance.INFO: "info", Importance.NOTICE: "info", Importance.WARNING: "warning"}
_CRITICAL = "failure"
_REFUSED = re.compile(r"error=(?:400|413|422)\b")
_PARTS = re.compile(r"[/:@?&=#,;\s]+")
_SHORTEST_SECRET = 4
_LONGEST = 3500
_TRIES = "try it with `onebook notify test`"


class Outlet:
    """A target to which text can be sent.

    Args:
        target: its address for apprise, such as ``tgram://TOKEN/CHAT``.
        timeout_seconds: longest one sending may take.

    Raises:
        BadConfig: apprise is not installed, or does not take the address.
    """

    def __init__(self, target: str, *, timeout_seconds: float) -> None:
        try:
            import apprise
        except ImportError:
            msg = 'apprise is not installed; run: pip install "onebook[notify]"'
            raise BadConfig(msg, key="target") from None
        asset = apprise.AppriseAsset(
            app_id="onebook",
            app_desc="onebook",
            async_mode=False,
            interpret_emojis=False,
            service_timeout=timeout_seconds,
            storage_mode="memory",
        )
        service: Any = apprise.Apprise.instantiate(target, asset=asset)
        if service is None:
            schema = target.partition("://")[0] if "://" in target else ""
            msg = f"target: apprise does not take this address ({schema or 'no'}://…); its documentation lists them all"
            raise BadConfig(msg, key="target")
        if "overflow=" not in target.lower():
            service.overflow_mode = apprise.OverflowMode.TRUNCATE
        self.name = str(service.service_name)
        self.room = min(int(service.body_maxlen or _LONGEST), _LONGEST) * 9 // 10
        self._secrets = _secrets_of(target)
        self._seconds = timeout_seconds
        self._all = apprise.Apprise(asset=asset)
        self._all.add(service)

    def __repr__(self) -> str:
        return f"Outlet({self.name})"

    def send(self, title: str, body: str, importance: Importance) -> None:
        """Send one message, as plain text.

        Args:
            title: its heading.
            body: its text, at most ``room`` characters.
            importance: for targets that colour it.

        Raises:
            SourceTimeout: no answer in time; it may have gone out.
            BadPayload: the target refused this message.
            SourceError: the target could not be reached, or refused us.
        """
        result = self._all.notify(
            body=body,
            title=title,
            notify_type=_KINDS.get(importance, _CRITICAL),
            body_format="text",
        )
        if result:
            return
        why = "; ".join(self._harmless(entry.message) for entry in result.logs())[:300] or "it gave no reason"
        if result.timeout_count:
            msg = f"{self.name}: no answer within {self._seconds:g} s; {_TRIES}"
            raise SourceTimeout(msg, target=self.name)
        kind = BadPayload if _REFUSED.search(why) else SourceError
        msg = f"{self.name}: the message was not taken ({why}); {_TRIES}"
        raise kind(msg, target=self.name)

    def _harmless(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return plain_text(text)


def send_test(target: str, *, title: str = "onebook", timeout_seconds: float = 30) -> str:
    """Send one message that says that messages arrive; return the name of the service that took it.

    Args:
        target: its address for apprise.
        title: its heading.
        timeout_seconds: longest it may take.

    Raises:
        BadConfig: apprise is not installed, or does not take the address.
        SourceError: it did not arrive.
    """
    outlet = Outlet(target, timeout_seconds=timeout_seconds)
    outlet.send(title, "This is a test: messages of onebook arrive here.", Importance.INFO)
    return outlet.name


def _secrets_of(target: str) -> list[str]:
    """Return the parts of an address that may not be shown, longest first: all but the schema and short ones."""
    from urllib.parse import unquote

    rest = target.partition("://")[2]
    parts = {part for whole in (rest, unquote(rest)) for part in _PARTS.split(whole)}
    return sorted((part for part in parts if len(part) >= _SHORTEST_SECRET), key=len, reverse=True)
