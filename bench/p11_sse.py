"""P11: server-sent events to a thousand clients: all delivered, how late, and what of one core it costs the server.

The service and its writer are one process, the clients another. Cores are CPU seconds of the server's process a second,
so that a busy neighbour does not change them; how late the frames are it does.
"""

import json
import subprocess
import sys
from pathlib import Path

from bench.figures import Context, Line, Raw

CLIENTS = 1_000
PER_SECOND = 100
SECONDS = 20
SERVER = Path(__file__).with_name("p11_server.py")
READERS = Path(__file__).with_name("p11_clients.py")


def run(context: Context) -> list[Line]:
    """Return a line each for what arrived, how late, and the server's cores."""
    seconds = context.size(SECONDS, 2)
    alone = _measured(context, "p11-alone.db", 0, seconds)
    many = _measured(context, "p11-many.db", CLIENTS, seconds)
    wanted = CLIENTS * PER_SECOND * seconds
    numbers: Raw = {
        "p50_ms": many["p50_ms"],
        "handed_p50_ms": many["handed_p50_ms"],
        "handed_p99_ms": many["handed_p99_ms"],
        "clients_cores": many["clients_cpu"] / many["wall"],
        "alone_late_p99_ms": alone["late_p99_ms"],
        "writing_alone_cores": alone["cpu"] / alone["wall"],
        "messages_a_second": many["heard"] / many["wall"],
        "seconds": many["wall"],
    }
    work = f"SSE: {CLIENTS:,} clients × {PER_SECOND} events/s"
    cores = many["cpu"] / many["wall"]
    return [
        Line(figure="P11", work=f"{work}: delivered", value=many["heard"] / wanted, unit="of all", bar=1, raw=numbers),
        Line(
            figure="P11", work=f"{work}: written → read, p99", value=many["p99_ms"], unit="ms", bar=250,
            direction="at_most", includes="the durable write, the fan-out, the clients' own reading; alone_late is how "
            "late the writer itself is without a client, for want of a processor or of the disk",
        ),
        Line(
            figure="P11", work=f"{work}: the server", value=cores * 100, unit="% of a core", bar=70,
            direction="at_most", includes="the writer in the same process, synchronous FULL, and all of the door",
        ),
    ]  # fmt: skip


def _measured(context: Context, name: str, clients: int, seconds: int) -> dict[str, float]:
    """Serve so many clients for a while; return what came, and what it cost."""
    command = [sys.executable, str(SERVER), str(context.folder / name), str(PER_SECOND), str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            port = _line(server)
            readers = _readers(port, clients, PER_SECOND * seconds)
            _say(server)
            cost: dict[str, float] = json.loads(_line(server))
            told = {"heard": 0.0, "p50_ms": 0.0, "p99_ms": 0.0}
            if readers is not None:
                told = json.loads(_line(readers))
                readers.wait(60)
            _say(server)
            server.wait(60)
        finally:
            server.kill()
    return cost | told


def _readers(port: str, clients: int, wanted: int) -> "subprocess.Popen[str] | None":
    if not clients:
        return None
    command = [sys.executable, str(READERS), port.strip(), str(clients), str(wanted)]
    readers = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    _line(readers)
    return readers


def _say(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None  # noqa: S101  it was asked for
    process.stdin.write("\n")
    process.stdin.flush()


def _line(process: "subprocess.Popen[str]") -> str:
    found = process.stdout.readline() if process.stdout is not None else ""
    if not found:
        msg = "the other process ended early"
        raise subprocess.SubprocessError(msg)
    return found
