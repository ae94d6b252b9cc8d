"""What holds for the pages: the bots of the how-tos wait for a slow disk."""

from tests.adapters.conftest import patient

__all__ = ["patient"]
