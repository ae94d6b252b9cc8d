"""Single keys from the terminal, without waiting for Enter. Where there is no such terminal, there are no keys."""

import os
import select
import sys
import time
from types import TracebackType
from typing import Any, Self

if sys.platform != "win32":
    import termios
    import tty


class Keys:
    """Reads keys while it is entered; puts the terminal back as it was when it is left."""

    def __init__(self) -> None:
        self._before: list[Any] | None = None

    def __enter__(self) -> Self:
        if sys.platform != "win32" and sys.stdin.isatty():
            self._before = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if sys.platform != "win32" and self._before is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)
            self._before = None

    @property
    def are_there(self) -> bool:
        """Whether a key can be pressed at all."""
        return self._before is not None

    def read(self, wait_seconds: float = 0.0) -> str:
        """Return the key that was pressed, waiting at most so long; empty for none."""
        if self._before is None:
            time.sleep(wait_seconds)
            return ""
        ready, _, _ = select.select([sys.stdin], [], [], wait_seconds)
        return os.read(sys.stdin.fileno(), 1).decode("ascii", "replace") if ready else ""
