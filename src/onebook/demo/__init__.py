"""Thirteen years of real daily bars, three bots, one book: the product's main job, to look at.

The runner goes over them with its three example strategies and the paper broker, as ``onebook run`` would with a
``bot.yaml``: signals, brackets, fills, a limit of loss, an end of day. Splits, dividends and the euro's rates come from
the same real data. Nothing here is part of the book itself.
"""

from onebook.demo.main import run

__all__ = ["run"]
