"""Recording a freqtrade strategy. See ``docs/how-to/join-freqtrade.md``."""

from onebook.app import Book
from onebook.app import open as open_book
from onebook.intake.adapters import freqtrade

__all__ = ["Recording"]


class Recording(freqtrade.Recording):
    """Put it beside ``IStrategy``: ``class MyStrategy(onebook.freqtrade.Recording, IStrategy)``."""

    @staticmethod
    def onebook_open(url: str | None) -> Book:
        """Open the book."""
        return open_book(url, actor="freqtrade")
