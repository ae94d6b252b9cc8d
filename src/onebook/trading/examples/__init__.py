"""Three strategies to begin with: read them, copy one, change it."""

from onebook.trading.examples.breakout import Breakout
from onebook.trading.examples.reversal import Reversal
from onebook.trading.examples.trend import Trend

__all__ = ["Breakout", "Reversal", "Trend"]
