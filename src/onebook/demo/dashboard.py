"""The dashboard beside the demo: its book over HTTP, on this machine only, while the replay runs and after it."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING

from onebook.app import Book
from onebook.config import config_for
from onebook.domain.facts import Token
from onebook.errors import BadConfig

if TYPE_CHECKING:
    from onebook.http.serving import Serving

HOST = "127.0.0.1"
PORTS = (8321, 0)
"""Where it is when nobody says where: the service's own port, or else any that is free."""

NAME = "demo"
"""Of the token, and so the actor of what is done with it."""

START_SECONDS = 60.0
END_SECONDS = 5.0
_LOOK_SECONDS = 0.5


class Dashboard:
    """A service on a thread of this process.

    Args:
        serving: of the demo's book.
        token: the secret of an operator's token.
    """

    def __init__(self, serving: "Serving", token: str) -> None:
        self.url = f"{serving.url}/"
        self.token = token
        self._serving = serving
        self._thread = threading.Thread(target=serving.run, name="onebook-demo-dashboard", daemon=True)

    def start(self) -> None:
        """Return once requests are answered.

        Raises:
            BadConfig: it does not come to that.
        """
        self._thread.start()
        end = monotonic() + START_SECONDS
        while not self._serving.started.wait(_LOOK_SECONDS):
            if not self._thread.is_alive() or monotonic() > end:
                raise BadConfig(f"the dashboard at {self.url} did not start; use --no-serve to go without it")

    def stay(self) -> None:
        """Say where it is, and go on until Ctrl-C or SIGTERM."""
        asked = threading.Event()
        before = {number: signal.signal(number, lambda *_: asked.set()) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            sys.stdout.write(f"\nthe dashboard stays at {self.url} until Ctrl-C\n")
            sys.stdout.flush()
            while self._thread.is_alive() and not asked.wait(_LOOK_SECONDS):
                pass
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def stop(self) -> None:
        """End it; streams are told."""
        self._serving.stop()
        self._thread.join(END_SECONDS)


@contextmanager
def dashboard(book: Book, port: int | None, expires_at: datetime) -> Iterator[Dashboard | None]:
    """Serve a book on this machine for a while; None where the package for it is not installed, which is said.

    Args:
        book: which; an operator's token is recorded in it.
        port: 0: any that is free; None: the usual one, or else any.
        expires_at: when the token ends, by the book's clock.

    Raises:
        BadConfig: somebody else has the port.
    """
    serving = _serving(book, port)
    if serving is None:
        yield None
        return
    made = Dashboard(serving, _token(book, expires_at))
    made.start()
    try:
        yield made
    finally:
        made.stop()


def _serving(book: Book, port: int | None) -> "Serving | None":
    from onebook.http.service import make_service
    from onebook.http.serving import Serving

    ports = PORTS if port is None else (port,)
    for at in ports:
        try:
            return Serving(make_service(book, config_for(None), host=HOST), HOST, at, log=False)
        except BadConfig as problem:
            if "package" in problem.details:
                _say(f"no dashboard: {problem}")
                return None
            if at == ports[-1]:
                raise
    return None


def _token(book: Book, expires_at: datetime) -> str:
    from onebook.http.secrets import TOKEN_PREFIX, digest_of, new_secret

    secret = new_secret(TOKEN_PREFIX)
    book.record(Token(name=NAME, role="operator", digest=digest_of(secret), expires_at=expires_at))
    return secret


def tell_address(found: Dashboard) -> None:
    """Print where it is, and what lets a reader operate; say when its page is not built."""
    from onebook.http.pages import INDEX, PAGE

    sys.stdout.write(f"the dashboard: {found.url}\nlooking takes no token; to halt or flatten: {found.token}\n")
    sys.stdout.flush()
    if not (PAGE / INDEX).is_file():
        _say("the dashboard's page is not built: install Node 20 or newer, and run make web in the source folder")


def _say(what: str) -> None:
    sys.stderr.write(f"demo: {what}\n")
