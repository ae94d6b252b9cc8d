"""Thirteen years of real daily bars, three bots, one book: the product's main job, to look at.

The bots' fills, signals and stops, the stocks' splits and dividends and the euro's rates are recorded as any
program would record them, through the public ``Book``. Nothing here is part of the book itself.
"""

from onebook.demo.main import run

__all__ = ["run"]
