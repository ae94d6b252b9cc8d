"""How the methods of a ccxt exchange are called, a bot's own overrides among them."""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

_ANY = frozenset({inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD})


class Shape:
    """Names the arguments of one method as ccxt does.

    An override may take whatever comes, ``def create_order(self, *args, **kwargs)``, or have names of its own: its
    arguments mean what they mean at the same place of ccxt's own method.

    Args:
        kind: class of the exchange.
        name: of the method.
    """

    def __init__(self, kind: type, name: str) -> None:
        found = [inspect.signature(method) for one in kind.__mro__ if callable(method := vars(one).get(name))]
        named = [item for item in found if not _ANY & {each.kind for each in item.parameters.values()}]
        self._own = found[0].parameters
        self._names = tuple((named or found)[-1].parameters)[1:]
        mine = tuple(self._own)[1:] if found[0] in named else self._names
        self._theirs = dict(zip(mine, self._names, strict=False))

    def given(self, args: Iterable[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of a call by name."""
        said = {self._theirs.get(name, name): value for name, value in kwargs.items()}
        return dict(zip(self._names, args, strict=False)) | said

    def takes(self, name: str) -> bool:
        """Say whether the method takes an argument of this name."""
        return name in self._own or any(each.kind is each.VAR_KEYWORD for each in self._own.values())

    def replaced(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], name: str, value: Any
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of a call with another value of one of them."""
        place = self._names.index(name) if name in self._names else len(args)
        if place < len(args):
            return (*args[:place], value, *args[place + 1 :]), dict(kwargs)
        return args, {**kwargs, name: value}
