"""Who records: the actor of the book, or who is named for a while.

A name counts in the task or thread that gave it, and in the threads to which a task hands its work.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from onebook.domain.fields import required


class Acting:
    """The actor of one book's entries.

    Args:
        actor: who records where nobody else is named; may be empty.
    """

    __slots__ = ("actor",)

    def __init__(self, actor: str) -> None:
        self.actor = actor

    def name(self) -> str:
        """Return who records here and now."""
        for acting, name in _NAMED.get():
            if acting is self:
                return name
        return self.actor

    @contextmanager
    def named(self, name: str) -> Iterator[None]:
        """Let somebody else record, until the block ends.

        Raises:
            InputError: no name.
        """
        kept = required("actor", name)
        token = _NAMED.set(((self, kept), *_NAMED.get()))
        try:
            yield
        finally:
            _NAMED.reset(token)


_NAMED: ContextVar[tuple[tuple[Acting, str], ...]] = ContextVar("onebook_acting", default=())
