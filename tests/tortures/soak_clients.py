"""Ten clients of a service. Arguments: the address, and a token. For each line of its input it prints what they saw.

Five read server-sent events, each with filters of its own; two hold a socket; two ask for figures every second, with
the tag that they got; one is a remote book that follows. They begin at the start of the log. What a client saw is the
count of events and a checksum over their ids in order, so that two of them, or a client and the log, can be compared.
"""

import json
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
from websockets.sync.client import connect

import onebook

STREAMS: dict[str, dict[str, str]] = {
    "events, all": {},
    "events, trades": {"types": "trade_executed,position_closed"},
    "events, three instruments": {"instruments": "COIN0/USD,COIN1/USD,COIN2/USD"},
    "events, one strategy": {"strategies": "s1"},
    "events, prices and orders": {"types": "price_updated,order_*,signal_*"},
    "socket, all": {},
    "socket, closings": {"types": "position_closed"},
    "remote book": {},
}
"""The filters of those who follow; who begins with ``events``, ``socket`` or ``remote`` follows that way."""

POLLERS = ("asking 1", "asking 2")
ACKNOWLEDGED_EACH = 500
MOST_WRONG = 20
CURVE_SECONDS, CURVE_EACH = 600, 10


class Seen:
    """What one client saw. ``others`` counts what is not in the log: prices, or answers that said nothing new."""

    def __init__(self) -> None:
        self.count = 0
        self.checksum = 0
        self.others = 0
        self.wrong: list[str] = []
        self._last = (0, 0)

    def take(self, event_id: str) -> None:
        sequence, _, ordinal = event_id.partition(".")
        place = (int(sequence), int(ordinal))
        if place <= self._last:
            self.blame(f"{event_id} came after {self._last}")
        self._last = place
        self.checksum = zlib.crc32(event_id.encode(), self.checksum)
        self.count += 1

    def blame(self, what: str) -> None:
        if len(self.wrong) < MOST_WRONG:
            self.wrong.append(what[:300])

    def told(self) -> dict[str, Any]:
        return {"count": self.count, "checksum": self.checksum, "others": self.others, "wrong": self.wrong}


def frames_of(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n\n")
        yield from whole


def read_events(url: str, token: str, filters: dict[str, str], seen: Seen) -> None:
    with (
        httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False) as client,
        client.stream("GET", f"{url}/v1/events", params=filters | {"after": "0"}) as answer,
    ):
        answer.raise_for_status()
        for frame in frames_of(answer.iter_raw()):
            if frame.startswith(b"id: "):
                seen.take(frame[4 : frame.index(b"\n")].decode())
            else:
                seen.others += 1


def hold_socket(url: str, token: str, filters: dict[str, str], seen: Seen) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    with connect(f"ws{url.removeprefix('http')}/v1/ws", additional_headers=headers, proxy=None) as socket:
        wish = {"op": "subscribe", "id": "soak", "after": "0", "name": "/".join(["soak", *filters])} | filters
        socket.send(json.dumps(wish))
        for text in socket:
            message = json.loads(text)
            if message["op"] != "event":
                if message["op"] not in {"subscribed", "acked"}:
                    seen.blame(str(text))
                continue
            event_id = message["event"].get("id")
            if not event_id:
                seen.others += 1
                continue
            seen.take(event_id)
            if seen.count % ACKNOWLEDGED_EACH == 0:
                socket.send(json.dumps({"op": "ack", "id": "soak", "event": event_id}))


def follow(url: str, token: str, filters: dict[str, Any], seen: Seen) -> None:
    with onebook.connect(url, token) as book:
        for event in book.events(after=0, follow=True, **filters):
            if event.id:
                seen.take(event.id)
            else:
                seen.others += 1


def poll(url: str, token: str, seen: Seen) -> None:
    """Ask for figures every second; ``count`` is of answers, ``others`` of those that were not new."""
    tags: dict[str, str] = {}
    with httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False
    ) as client:
        while True:
            end = int(time.time()) // CURVE_EACH * CURVE_EACH
            curve = f"since={moment(end - CURVE_SECONDS)}&until={moment(end)}&every={CURVE_EACH}"
            for path in ("/v1/overview", "/v1/positions", f"/v1/equity/curve?{curve}"):
                known = {"If-None-Match": tags[path]} if path in tags else {}
                answer = client.get(path, headers=known)
                if answer.status_code not in {200, 304}:
                    seen.blame(f"{path}: {answer.status_code} {answer.text}")
                seen.count += 1
                seen.others += answer.status_code == 304
                tags[path] = answer.headers.get("ETag", "")
            tags = {path: tag for path, tag in tags.items() if "curve" not in path or curve in path}
            time.sleep(1)


def moment(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


WAYS: dict[str, Callable[[str, str, dict[str, str], Seen], None]] = {
    "events": read_events,
    "socket": hold_socket,
    "remote": follow,
}


def start(seen: Seen, work: Callable[..., None], *given: Any) -> None:
    def run() -> None:
        try:
            work(*given, seen)
        finally:  # it is not to end, whatever the reason
            seen.blame(f"it ended: {sys.exc_info()[1]!r}")

    threading.Thread(target=run, daemon=True).start()


def main() -> None:
    url, token = sys.argv[1:3]
    seen = {name: Seen() for name in (*STREAMS, *POLLERS)}
    for name, filters in STREAMS.items():
        start(seen[name], WAYS[name.split()[0].rstrip(",")], url, token, filters)
    for name in POLLERS:
        start(seen[name], poll, url, token)
    for _ in sys.stdin:
        sys.stdout.write(json.dumps({name: each.told() for name, each in seen.items()}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
