"""Live market data: connections that come back, and nothing lost unseen."""

from onebook.market.streams.connection import Connection, History, Receiver
from onebook.market.streams.rules import PRINTS, QUOTES, OnTrouble, StreamRules
from onebook.market.streams.stream import Stream, StreamSource, StreamStatus

__all__ = [
    "PRINTS",
    "QUOTES",
    "Connection",
    "History",
    "OnTrouble",
    "Receiver",
    "Stream",
    "StreamRules",
    "StreamSource",
    "StreamStatus",
]
