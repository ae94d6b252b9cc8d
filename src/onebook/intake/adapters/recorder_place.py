"""Where a recorder puts facts aside, and whose they may be."""

import hashlib
import os
import tempfile
from pathlib import Path

from onebook.book.core import Core
from onebook.errors import BadConfig, InputError
from onebook.feed.calling import tried
from onebook.intake.adapters.spool import Spool

MAX_NAME = 60
MEMORY = ":memory:"


def spool_name(account: str, strategy: str) -> str:
    """Return a name for the spool of a strategy in an account; two of them never have the same."""
    parts = (account, strategy)
    shown = ["".join(letter if letter.isalnum() else "_" for letter in part)[:MAX_NAME] for part in parts]
    name = "-".join(shown)
    if shown != list(parts):
        sent = b"\0".join(part.encode("utf-8", "surrogatepass") for part in parts)
        name += "-" + hashlib.sha256(sent).hexdigest()[:8]
    return f"{name}.spool"


def spool_for(book: Core, account: str, strategy: str, given: str | os.PathLike[str] | None) -> Spool:
    """Return the spool of a recorder: as given, in the folder that is given, else beside the book.

    What lies at a place of our own and is no spool, which a failing disk can make of one, is moved out of the way.

    Raises:
        BadConfig: the given file is the book, or something else that is no spool; it is left as it is.
    """
    place = str(book.store.url)
    if given is None:
        spool = Spool(_beside(place, id(book), account, strategy))
        if not spool.is_spool():
            spool.move_away()
        return spool
    path = Path(given)
    if path.is_dir():
        stem = "onebook" if place == MEMORY else Path(place).name
        path = path / f"{stem}.{spool_name(account, strategy)}"
    if place != MEMORY and _is_of_book(path, Path(place)):
        msg = f"spool: {path} is the book itself; name a file of its own, or leave spool out"
        raise BadConfig(msg, field="spool", value=str(path))
    spool = Spool(path)
    if not spool.is_spool():
        msg = f"spool: {path} exists and is no spool; name a file that is not there yet, or leave spool out"
        raise BadConfig(msg, field="spool", value=str(path))
    return spool


def _is_of_book(path: Path, book: Path) -> bool:
    found, _ = tried(path.resolve)
    own, _ = tried(book.resolve)
    names = {own and own.with_name(own.name + end) for end in ("", "-wal", "-shm", "-journal")}
    same, _ = tried(lambda: path.samefile(book))  # a hard link
    return (found is not None and found in names) or bool(same)


def _beside(place: str, number: int, account: str, strategy: str) -> Path:
    """Return where a book's recorders put facts aside: beside its file, or in a folder for temporary files."""
    name = spool_name(account, strategy)
    if place == MEMORY:
        return Path(tempfile.gettempdir()) / f"onebook-{os.getpid()}-{number:x}-{name}"
    return Path(f"{place}.{name}").absolute()


def owns_all(owns: str) -> bool:
    """Say whether everything on the account is the bot's.

    Raises:
        BadConfig: it is neither ``sent`` nor ``all``.
    """
    if owns not in {"sent", "all"}:
        msg = f"owns: {owns!r} is neither 'sent' (what this bot sent) nor 'all' (everything on this account)"
        raise BadConfig(msg, field="owns", value=owns)
    return owns == "all"


def check_bot(book: Core, account: str, venue: str, strategy: str, whose: str) -> None:
    """Refuse a bot without a name, and an account at another venue. A book that cannot be read now says nothing.

    Args:
        book: which.
        account: of the book.
        venue: where the bot trades.
        strategy: the bot's.
        whose: what trades there, for the sentence, such as ``this exchange``.

    Raises:
        BadConfig: the account is defined at another venue.
        InputError: no strategy.
    """
    if not strategy:
        msg = "strategy: is missing; name the bot, such as strategy='grid'"
        raise InputError(msg, field="strategy")
    defined, _ = tried(lambda: book.facts("account"))
    for known in defined or ():
        if known.name == account and known.venue not in {"", venue}:
            msg = f"account: {account!r} is at {known.venue}, and {whose} is {venue}; give each venue its account"
            raise BadConfig(msg, field="account", value=account)
