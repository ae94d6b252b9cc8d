"""The end of what opens the service: a token or a hook, by its name."""

import typer

from onebook.cli.session import session
from onebook.cli.tables import print_object
from onebook.errors import InputError


def revoke(ctx: typer.Context, kind: str, name: str) -> None:
    """End a token or a hook, and say so.

    Args:
        ctx: of the command.
        kind: ``token`` or ``hook``.
        name: as its list says.

    Raises:
        InputError: there is none of this name.
    """
    here = session(ctx)
    with here.open() as book:
        found = [item for item in book.facts(kind) if item.name == name]
        if not found:
            msg = f"there is no {kind} {name}; see: onebook {kind} list"
            raise InputError(msg, field="name", value=name)
        book.record(found[-1].replaced(is_revoked=True))
    if here.as_json:
        print_object({"name": name, "state": "revoked"})
    else:
        print(f"the {kind} {name} is revoked")
