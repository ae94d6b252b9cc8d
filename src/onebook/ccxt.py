"""Recording a bot that trades through ccxt: ``onebook.ccxt.recording(exchange, book, strategy="grid")``."""

from onebook.intake.adapters.ccxt import recording

__all__ = ["recording"]
