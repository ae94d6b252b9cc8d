"""Waiting for what other threads do, in bounded steps."""

import time
from collections.abc import Callable

STEP_SECONDS = 0.005
STEPS = 4000


def eventually(what: Callable[[], object]) -> None:
    """Return once this is true; fail when it never is."""
    for _ in range(STEPS):
        if what():
            return
        time.sleep(STEP_SECONDS)
    assert what()
