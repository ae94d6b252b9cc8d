"""Other programs, each in an environment of its own, driven by one line of JSON per round.

A peer is a small script under ``bench/peers/`` that prints one line when it is ready, then answers each line
on its input with one line: ``{"seconds": …, "count": …}``. So its rounds can stand between ours.
"""

import json
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = ROOT / ".venvs"
SCRIPTS = Path(__file__).resolve().parent / "peers"


def interpreter(environment: str) -> Path | None:
    """Return the interpreter of a peer's environment, None when it is not there."""
    path = ENVIRONMENTS / environment / "bin" / "python"
    return path if path.exists() else None


class Peer:
    """A running peer, or nothing at all when its environment is missing.

    Args:
        environment: the name below ``.venvs``.
        script: the file's name below ``bench/peers``, without ``.py``.
        arguments: given to the script as they are.
    """

    missing: set[str] = set()  # noqa: RUF012  told once per run, whoever asks first

    def __init__(self, environment: str, script: str, *arguments: str) -> None:
        self.name = environment
        self._process: subprocess.Popen[str] | None = None
        self.ready: dict[str, Any] = {}
        python = interpreter(environment)
        if python is None:
            if environment not in Peer.missing:
                print(f"!! peer {environment}: not installed, run make peers; its ratios stay blank", flush=True)
            Peer.missing.add(environment)
            return
        self._process = subprocess.Popen(
            [str(python), str(SCRIPTS / f"{script}.py"), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.ready = self._read()

    def _read(self) -> dict[str, Any]:
        process = self._process
        if process is None or process.stdout is None:
            return {}
        for line in process.stdout:
            if line.startswith("{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
        reason = process.stderr.read().strip().splitlines() if process.stderr else []
        print(f"!! peer {self.name}: it ended ({reason[-1] if reason else 'no reason given'})", flush=True)
        self.close()
        return {}

    def ask(self, **question: Any) -> dict[str, Any]:
        """Return the peer's answer to one question, empty when there is no peer."""
        process = self._process
        if process is None or process.stdin is None:
            return {}
        process.stdin.write(json.dumps(question) + "\n")
        process.stdin.flush()
        return self._read()

    def rate(self, **question: Any) -> float | None:
        """Return how many a second one round did, None without a peer."""
        answer = self.ask(**question)
        return answer["count"] / answer["seconds"] if answer else None

    def close(self) -> None:
        """End the peer."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
