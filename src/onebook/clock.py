"""Where the moment comes from: the only reader of the system's clock.

A clock is any callable without arguments that returns nanoseconds since 1970-01-01 UTC. Tests and
replays hand in their own.
"""

import time
from collections.abc import Callable

Clock = Callable[[], int]


system_clock: Clock = time.time_ns
"""The machine's time, nanoseconds since 1970-01-01 UTC."""
