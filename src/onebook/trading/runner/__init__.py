"""Runs strategies: the same code over history and live, and a restart goes on where it was.

A strategy needs two names from here: :class:`Strategy` and :func:`parameter`.
"""

from onebook.trading.runner.strategy import Strategy, parameter

__all__ = ["Strategy", "parameter"]
