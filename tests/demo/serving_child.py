"""Runs the demo over its first weeks beside its dashboard. Arguments: the book's path, and sessions a second."""

import sys
from datetime import date

from onebook.demo.main import Wanted, perform


def main() -> int:
    path, speed = sys.argv[1], float(sys.argv[2])
    return perform(Wanted(url=path, speed=speed, until=date(2000, 4, 20), port=0))


raise SystemExit(main())
