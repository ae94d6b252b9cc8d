"""For tests of programs that keep a book: a clock, facts, a faulty disk, and the contract of a store.

Only :func:`facts` needs more than onebook: hypothesis, which the extra ``testing`` brings. Nothing needs pytest.
"""

from onebook.testing.clock import FakeClock
from onebook.testing.facts import facts
from onebook.testing.store_contract import StoreContract
from onebook.testing.vfs import FaultVFS

__all__ = ["FakeClock", "FaultVFS", "StoreContract", "facts"]
