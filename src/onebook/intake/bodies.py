"""What a JSON body must not be: nested without end, or with one name twice, so that it says two things."""

import json
import re
from typing import Any

from onebook.errors import InputError

MAX_DEPTH = 100
"""Objects and lists within each other."""

_NAME = re.compile(rb'"[ \t\r\n]*:')


def check_body(body: bytes, found: Any) -> None:
    """Refuse what could be read in two ways, or what is nested too deep.

    Args:
        body: the JSON as it came.
        found: the same as data; of a name that stands there twice it holds one value only.

    Raises:
        InputError: it is nested too deep, or an object gives a name twice.
    """
    # Every name of the text ends in what is counted, and a text in quotes may hold it too: only where there is more of
    # it than there are names in the data, the text is looked at name by name.
    if len(_NAME.findall(body)) > _names(found):
        json.loads(body, object_pairs_hook=_once, parse_float=str, parse_int=str)


def _names(found: Any) -> int:
    """Return how many names there are in all objects together.

    Raises:
        InputError: they are nested too deep.
    """
    count = 0
    level = [found]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for item in level:
            if type(item) is dict:
                count += len(item)
                below += [value for value in item.values() if type(value) is dict or type(value) is list]
            elif type(item) is list:
                below += [value for value in item if type(value) is dict or type(value) is list]
        if not below:
            return count
        level = below
    msg = f"body: is nested more than {MAX_DEPTH} levels deep; send less within each other"
    raise InputError(msg, field="body")


def _once(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        msg = f"{twice[:60]}: stands there twice; give it once"
        raise InputError(msg, field=twice[:60])
