"""What one call of the command line works with: which book, which settings, which form of answer."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import typer

    from onebook.app import Book
    from onebook.config import Config


@dataclass(slots=True)
class Session:
    """The global options of one call."""

    url: str | None
    config_path: str | None
    as_json: bool
    _config: "Config | None" = None

    @property
    def config(self) -> "Config":
        """The configuration in force, read once."""
        if self._config is None:
            from onebook.config import load

            self._config = load(self.config_path)
            for warning in self._config.warnings:
                self.say(f"warning: {warning}")
        return self._config

    @property
    def target(self) -> str | None:
        """The book that was asked for; None is the default one."""
        return self.url or (self.config.get("book.url") if self.is_configured else None)

    @property
    def is_configured(self) -> bool:
        """Whether there is a configuration at all; most calls have none, and do not read one."""
        from onebook.config.presence import is_configured

        return self._config is not None or is_configured(self.config_path)

    def open(self, *, read_only: bool = False, create: bool = False) -> "Book":
        """Open the book that was asked for; only commands that bring in facts make one where none is."""
        import onebook

        if not self.is_configured:
            return onebook.open(self.url, actor="cli", read_only=read_only, create=create)
        how = {name: self.config.get(f"book.{name}") for name in ("synchronous", "busy_seconds")}
        book = onebook.open(self.target, actor="cli", read_only=read_only, create=create, config=how)
        folder = self.config.get("snapshots.folder")
        if folder:
            book.snapshot_folder = Path(folder).absolute()
        return book

    def say(self, text: str) -> None:
        """Tell the person something that is not the answer, on stderr."""
        if not self.as_json:
            sys.stderr.write(text + "\n")


def session(ctx: "typer.Context") -> Session:
    """Return the session of a command's context."""
    found: Any = ctx.find_object(Session)
    assert isinstance(found, Session)  # noqa: S101  the root puts it there
    return found
