"""What an address of the service is, and what its handler gets and gives: plain records, no framework."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from onebook.domain import fields, times
from onebook.errors import InputError

if TYPE_CHECKING:
    from onebook.app import Book
    from onebook.config import Config
    from onebook.http.auth import Caller

JSON_TYPE = "application/json"
MAX_PAGE = 1000
DEFAULT_PAGE = 100

Kind = Literal["text", "count", "sequence", "moment", "day", "flag", "number"]


class Serves(Protocol):
    """What the handlers need of the service."""

    @property
    def book(self) -> "Book":
        """The book that is served."""

    @property
    def config(self) -> "Config":
        """The settings in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """Something an address takes beside a body.

    Attributes:
        name: as it is written.
        about: one sentence for the document.
        kind: what its text must be.
        where: in the query, the path or a header.
        choices: the only values there are; empty for any.
        is_required: whether it must be given.
        example: a value that works.
        most: the largest number that is taken; None: any.
    """

    name: str
    about: str
    kind: Kind = "text"
    where: Literal["query", "path", "header"] = "query"
    choices: tuple[str, ...] = ()
    is_required: bool = False
    example: str | None = None
    most: int | None = None

    def taken(self, text: str) -> Any:
        """Return the value of a text.

        Raises:
            InputError: it is none that there can be.
        """
        if self.choices and text not in self.choices:
            msg = f"{self.name}: {text[:60]!r} is none of {', '.join(self.choices)}"
            raise InputError(msg, field=self.name, value=text)
        return _TAKE[self.kind](self.name, text)


def _flag(name: str, text: str) -> bool:
    if text in {"true", "false"}:
        return text == "true"
    msg = f"{name}: {text[:60]!r} is neither true nor false"
    raise InputError(msg, field=name, value=text)


def _sequence(name: str, text: str) -> int:
    return 0 if text == "0" else fields.count(name, text)


_TAKE: dict[str, Callable[[str, str], Any]] = {
    "text": fields.text,
    "count": fields.count,
    "sequence": _sequence,
    "moment": lambda name, text: times.to_datetime(times.from_text(name, text)),
    "day": lambda name, text: times.to_date(name, text).isoformat(),
    "flag": _flag,
    "number": fields.positive,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, taken apart.

    Attributes:
        service: which service.
        caller: who asks; None where nobody looked (tests of one part).
        given: the parameters that were given, by name, as values.
        body: of the request, as JSON data; None where there is none.
        headers: the request's, in small letters.
        path: of the request, decoded.
    """

    service: Serves
    caller: "Caller | None"
    given: Mapping[str, Any]
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    path: str = ""

    @property
    def book(self) -> "Book":
        """The book that is served."""
        return self.service.book

    def chosen(self, *names: str) -> dict[str, Any]:
        """Return the parameters of these names that were given."""
        return {name: self.given[name] for name in names if name in self.given}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer, ready to be sent."""

    body: bytes
    status: int = 200
    type: str = JSON_TYPE
    headers: Mapping[str, str] = field(default_factory=dict)


Run = Callable[[Call], Reply]
RunAsync = Callable[[Call], Coroutine[Any, Any, Reply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One address of the service, as the document tells it.

    Attributes:
        method: GET, POST and so on.
        path: as in the document; ``{instrument}`` and ``{path}`` at the end take the rest of the path.
        name: its name in the document, unique.
        about: one sentence.
        details: more of it, where one sentence is too little.
        group: the heading in the document.
        parameters: what it takes beside a body.
        body: the schema's name of what it takes.
        body_types: the media in which the body may come.
        answers: the schema's name of each status that is no problem; empty for no JSON.
        problems: the statuses of problems that it can answer with, beside those that every address can.
        type: of the answers' media.
    """

    method: str
    path: str
    name: str
    about: str
    details: str = ""
    group: str = "Reading"
    parameters: tuple[Parameter, ...] = ()
    body: str = ""
    body_types: tuple[str, ...] = (JSON_TYPE,)
    answers: Mapping[int, str]
    problems: tuple[int, ...] = ()
    type: str = JSON_TYPE


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(Address):
    """An address of the table that answers: its requests are taken apart as it says.

    Attributes:
        run: answers on a thread of the pool; an ``async def`` answers in the event loop.
    """

    run: Run | RunAsync

    @property
    def rest(self) -> str:
        """The parameter at the end of the path that takes all the rest; empty where there is none."""
        name = self.path.rpartition("/")[2]
        return name[1:-1] if name in {"{instrument}", "{path}"} else ""

    def given(
        self, path: Mapping[str, str], query: Mapping[str, list[str]], headers: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return the parameters that were given, by name, as values.

        Raises:
            InputError: one is unknown, given twice, or malformed.
        """
        known = {item.name: item for item in self.parameters}
        asked: dict[str, Any] = {}
        for name, texts in query.items():
            item = known.get(name)
            if item is None or item.where != "query":
                raise self._unknown(name)
            if len(texts) > 1:
                msg = f"{name}: is given {len(texts)} times; give it once"
                raise InputError(msg, field=name)
            asked[name] = item.taken(texts[0])
        for item in self.parameters:
            text = path.get(item.name) if item.where == "path" else None
            if item.where == "header":
                text = headers.get(item.name.lower())
            if text is not None:
                asked[item.name] = item.taken(text)
            if item.is_required and item.name not in asked:
                msg = f"{item.name}: is missing; {self.method} {self.path} needs it"
                raise InputError(msg, field=item.name)
        return asked

    def _unknown(self, name: str) -> InputError:
        from difflib import get_close_matches

        names = [item.name for item in self.parameters if item.where == "query"]
        near = get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}" if names else "there are none"
        return InputError(f"{name[:60]}: is no parameter of {self.method} {self.path}; {hint}", field=name[:60])


def caller_of(scope: Any) -> "Caller | None":
    """Return who asks, as the door left it in an ASGI scope."""
    return cast("Caller | None", (scope.get("state") or {}).get("caller"))
