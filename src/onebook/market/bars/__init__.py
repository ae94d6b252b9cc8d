"""Bars: kept in a database beside the book, fetched only where they are missing, joined to longer ones."""

from onebook.market.bars.resampling import resample
from onebook.market.bars.store import BarStore

__all__ = ["BarStore", "resample"]
