"""``onebook hook``: addresses at which alerts come in."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from onebook.cli.groups import grouped
from onebook.cli.revoking import revoke
from onebook.cli.session import session
from onebook.cli.tables import answer, columns, print_object
from onebook.domain.facts import Hook
from onebook.errors import InputError
from onebook.http.secrets import HOOK_PREFIX, digest_of, new_secret

HOOKS = columns("Name=name", "Kind=kind", "Strategy=strategy", "Account=account 1", "State=state")
_NAME = Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits, dots, - and _.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One hook on the screen."""

    name: str
    kind: str
    strategy: str
    account: str
    mapping: dict[str, Any]
    state: str


def _list(ctx: typer.Context) -> None:
    """Addresses at which alerts come in. `hook create` makes one, `hook revoke` ends one."""
    here = session(ctx)
    with here.open(read_only=True) as book:
        rows = [
            _Row(
                name=item.name, kind=item.kind, strategy=item.strategy, account=item.account,
                mapping=dict(item.mapping), state="revoked" if item.is_revoked else "active",
            )
            for item in book.facts("hook")
        ]  # fmt: skip
    answer(here, rows, HOOKS, empty="no hooks; see: onebook hook create --help")


def _create(  # noqa: PLR0913  the fields of the fact
    ctx: typer.Context,
    name: _NAME,
    kind: Annotated[str, typer.Option("--kind", help="Who calls: tradingview, freqtrade or custom.")],
    strategy: Annotated[str, typer.Option("--strategy", help="The only one it records for.")],
    account: Annotated[str, typer.Option("--account", help="Under which it records.")] = "main",
    maps: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="FIELD=KEY", help="Which name is a field; FIELD==VALUE: that value. Repeat it."),
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="Where callers find the service: https://book.example.")
    ] = None,
) -> None:
    """Make an address for alerts; print it, this once, and the message to paste beside it."""
    from onebook.intake.hooks.port import check_mapping, message_for

    here = session(ctx)
    secret = new_secret(HOOK_PREFIX)
    mapping = dict(_pair(text) for text in maps or ())
    fact = Hook(
        name=name, kind=kind, strategy=strategy, account=account, digest=digest_of(secret), mapping=mapping
    )  # fmt: skip
    check_mapping(fact.kind, mapping)
    base = (url or f"http://{here.config.get('serve.host')}:{here.config.get('serve.port')}").rstrip("/")
    with here.open(create=True) as book:
        if any(item.name == fact.name and not item.is_revoked for item in book.facts("hook")):
            msg = f"there is a hook {name}; revoke it first (onebook hook revoke {name}), or choose another name"
            raise InputError(msg, field="name", value=name)
        book.record(fact)
    address = f"{base}/v1/hooks/{fact.name}/{secret}"
    message = message_for(fact.kind)
    if here.as_json:
        print_object({"url": address, "message": message})
        return
    here.say("the address, shown this once; who knows it can record for this strategy:")
    print(address)
    here.say("the message to paste, or an example of one:" if fact.kind == "custom" else "the message to paste:")
    print(message)


def _pair(text: str) -> tuple[str, str]:
    field, equals, key = text.partition("=")
    if not equals or not field.strip() or not key.strip():
        msg = f"--map {text!r}: write it as FIELD=KEY"
        raise InputError(msg, field="map", value=text)
    return field.strip().replace("-", "_"), key.strip()


def _revoke(ctx: typer.Context, name: _NAME) -> None:
    """End an address: whoever calls it is refused from now on."""
    revoke(ctx, "hook", name)


hook = grouped("hook", _list, {"list": _list, "create": _create, "revoke": _revoke}, "Serving")
