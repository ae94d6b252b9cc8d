"""``onebook token``: who may use the service."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer

from onebook.cli.groups import grouped
from onebook.cli.revoking import revoke
from onebook.cli.session import session
from onebook.cli.tables import answer, columns, print_object
from onebook.domain import times
from onebook.domain.facts import Token
from onebook.errors import InputError
from onebook.http.secrets import TOKEN_PREFIX, digest_of, new_secret

TOKENS = columns("Name=name", "Role=role", "Strategy=strategy", "State=state", "Expires (UTC)=expires_at 1")
_NAME = Annotated[str, typer.Argument(metavar="NAME", help="As the list says.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One token on the screen."""

    name: str
    role: str
    strategy: str
    state: str
    expires_at: datetime | None


def _list(ctx: typer.Context) -> None:
    """Who may use the service. `token create` makes a token, `token revoke` ends one."""
    here = session(ctx)
    with here.open(read_only=True) as book:
        now = book.now()
        rows = [
            _Row(
                name=item.name, role=item.role, strategy=item.strategy, state=_state(item, now),
                expires_at=item.expires_at,
            )
            for item in book.facts("token")
        ]  # fmt: skip
    answer(here, rows, TOKENS, empty="no tokens; on this machine none is needed. See: onebook token create --help")


def _state(token: Token, now: int) -> str:
    if token.is_revoked:
        return "revoked"
    over = token.expires_at is not None and times.from_datetime("expires_at", token.expires_at) <= now
    return "expired" if over else "active"


def _create(
    ctx: typer.Context,
    role: Annotated[str, typer.Option("--role", help="viewer, accountant, operator or bot.")],
    name: Annotated[str, typer.Option("--name", help="Whose it is; the log names it as the actor.")],
    strategy: Annotated[str, typer.Option("--strategy", help="Of a bot: the only one it records for.")] = "",
    expires: Annotated[str | None, typer.Option("--expires", help="When it ends: 2026-12-31T00:00Z.")] = None,
) -> None:
    """Make a token and print it, this once: the book keeps only its SHA-256."""
    here = session(ctx)
    secret = new_secret(TOKEN_PREFIX)
    fact = Token(name=name, role=role, strategy=strategy, digest=digest_of(secret), expires_at=expires)
    with here.open(create=True) as book:
        for item in book.facts("token"):
            if item.name == fact.name and _state(item, book.now()) == "active":
                msg = f"there is a token {name}; revoke it first (onebook token revoke {name}), or choose another name"
                raise InputError(msg, field="name", value=name)
        if expires is not None and _state(fact, book.now()) == "expired":
            msg = f"--expires {expires}: is over already; give a time to come"
            raise InputError(msg, field="expires", value=expires)
        book.record(fact)
    here.say(f"the token of {fact.name}, {_of(fact)}; it is shown this once, keep it where nobody reads it:")
    if here.as_json:
        print_object({"token": secret})
    else:
        print(secret)


def _of(token: Token) -> str:
    return f"a bot that records for {token.strategy}" if token.role == "bot" else f"role {token.role}"


def _revoke(ctx: typer.Context, name: _NAME) -> None:
    """End a token: whoever uses it is refused from now on."""
    revoke(ctx, "token", name)


token = grouped("token", _list, {"list": _list, "create": _create, "revoke": _revoke}, "Serving")
