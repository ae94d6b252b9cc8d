"""The clients of P11: so many connections read server-sent events, each frame's age is noted.

Arguments: the port, how many clients, how many frames each is to read. Every frame carries when it was sent, by the
clock that all processes of a machine share. Prints ``ready`` when all are connected, then a line of JSON.

Plain sockets, and bytes that several clients get alike are taken apart once: what is measured is to be the server,
not how long a thousand clients wait for a processor of their own.
"""

import json
import re
import selectors
import socket
import sys
import time
from functools import lru_cache
from statistics import quantiles

MARKER = re.compile(rb'"sent_ns": "(\d+)"')
END = b"\n\n"
TARGET = "/v1/events?types=bench.tick&prices_per_second=0"
SECONDS = 300
LARGEST = 2**18


@lru_cache(64)
def taken(data: bytes) -> tuple[tuple[int, ...], bytes]:
    """Return when the frames in these bytes were sent, and what is left of one that is not whole."""
    whole, _, left = data.rpartition(END)
    return tuple(int(found) for found in MARKER.findall(whole)), left


class Client:
    """One connection; ``heard`` frames came."""

    __slots__ = ("heard", "left", "link")

    def __init__(self, port: int) -> None:
        self.link = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.link.sendall(f"GET {TARGET} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        self.heard = 0
        self.left = b""
        begun = b""
        while b"retry: " not in begun:
            begun += self.link.recv(LARGEST)
        self.link.settimeout(0)


def read(clients: list[Client], wanted: int) -> list[tuple[int, tuple[int, ...]]]:
    """Read so many frames of each client; return the moments at which some came, each with when these were sent."""
    came = []
    waiting = selectors.DefaultSelector()
    for client in clients:
        waiting.register(client.link, selectors.EVENT_READ, client)
    end = time.monotonic() + SECONDS
    left = len(clients)
    while left and time.monotonic() < end:
        for key, _ in waiting.select(1):
            client = key.data
            data = client.link.recv(LARGEST)
            now = time.monotonic_ns()
            sent, client.left = taken(client.left + data)
            came.append((now, sent))
            client.heard += len(sent)
            if not data or client.heard >= wanted:
                waiting.unregister(client.link)
                client.link.close()
                left -= 1
    return came


def main() -> None:
    """Connect, say so, read, report."""
    port, count, wanted = (int(text) for text in sys.argv[1:4])
    clients = [Client(port) for _ in range(count)]
    print("ready", flush=True)
    begun = time.process_time()
    came = read(clients, wanted)
    busy = time.process_time() - begun
    ages = [(now - moment) / 1e6 for now, sent in came for moment in sent]
    cuts = quantiles(ages, n=100) if len(ages) > 1 else [0.0] * 99
    heard = sum(client.heard for client in clients)
    print(json.dumps({"heard": heard, "p50_ms": cuts[49], "p99_ms": cuts[98], "clients_cpu": busy}), flush=True)


main()
