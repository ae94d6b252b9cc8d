"""Recording a bot on alpaca-py. See ``docs/how-to/join-alpaca.md``."""

from onebook.intake.adapters.alpaca import catch_up, recording

__all__ = ["catch_up", "recording"]
