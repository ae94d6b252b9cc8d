"""How a peer's script speaks: a line when it is ready, then one answer per question."""

import json
import sys
from collections.abc import Callable
from typing import Any


def serve(about: dict[str, Any], answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Answer questions, a line of JSON each, until the input ends."""
    print(json.dumps({"ready": about}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
