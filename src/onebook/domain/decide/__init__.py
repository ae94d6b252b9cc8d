"""From a command to what shall stand in the log: ``decide(state, command, stamp) → Decision``.

One module per family of commands. A command that is malformed or that a rule refuses raises, and nothing has
changed; a fact is never refused for being odd, it is recorded and flagged.
"""

from onebook.domain.decide.dispatch import decide

__all__ = ["decide"]
