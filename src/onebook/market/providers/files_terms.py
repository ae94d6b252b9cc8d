"""What has to be said about a file with market data that the file does not say itself."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

from onebook.errors import BadConfig, InputError
from onebook.market.timeframes import length_ns

KINDS = frozenset({"bars", "stocks", "rates", "feed"})
COLUMNS = ("timestamp", "open", "high", "low", "close", "volume", "instrument")
"""What a file's columns may be ours of."""

ENDINGS = (".csv", ".csv.gz", ".parquet", ".gz")
_TIMEFRAME = re.compile(r"([1-9]\d{0,3})([smhdw])")
_NAMED = re.compile(r"(.+?)[_-]([1-9]\d{0,3}[smhdw])")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTerms:
    """One file, and what it does not say itself.

    Attributes:
        path: of the file: CSV, Parquet or a recorded feed; ``.gz`` is unpacked.
        kind: ``bars`` (a header, one bar a row), ``stocks`` (daily bars of many stocks), ``rates`` (a column for each
            currency) or ``feed`` (what Binance's stream sent, a line each); empty to tell by the file.
        instrument: whose bars they are where no column says so; empty for what the file's name says before its
            timeframe: ``AAPL_1m.csv``. Of a feed: its only symbol under this name.
        timeframe: of the bars, ``1m``; empty for what the file's name says, and ``1d`` where the times are dates.
        columns: the file's column for each of ours (``timestamp open high low close volume instrument``) that is named
            otherwise; upper and lower case are the same.
        names: our name for each instrument that the file calls otherwise, ``{"BTCUSDT": "BTC/USDT"}``.
        zone: of times without one, an IANA name.
        epoch_unit: of times that are bare numbers: ``s ms us ns``; empty refuses them.
        stamps: whether a bar's time is when it ``opened`` or when it ``closed``.
        opens_at: local time at which the session of a date opens, ``HH:MM``.
        closes_at: local time at which it closes.
        session_zone: of these two.
        is_ordered: its rows come in order of time, but for ``window`` rows; False sorts it first, beside memory.
            None for what its kind usually is.
        window: so many rows may be out of order in an ordered file.
        feed_times: of a feed: ``venue`` takes the venue's time and the receiver's where the venue gives none;
            ``received`` takes the receiver's for all, so that the order is the one in which they came.
        behind_seconds: of a feed: how much the receiver's clock was slow, added to its times; negative if it was fast.
    """

    path: str | Path
    kind: str = ""
    instrument: str = ""
    timeframe: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    zone: str = "UTC"
    epoch_unit: str = ""
    stamps: str = "opened"
    opens_at: str = "09:30"
    closes_at: str = "16:00"
    session_zone: str = "America/New_York"
    is_ordered: bool | None = None
    window: int = 10_000
    feed_times: str = "venue"
    behind_seconds: float = 0.0

    def __post_init__(self) -> None:
        allowed: dict[str, frozenset[str]] = {
            "kind": KINDS | {""},
            "epoch_unit": frozenset({"", "s", "ms", "us", "ns"}),
            "stamps": frozenset({"opened", "closed"}),
            "feed_times": frozenset({"venue", "received"}),
        }
        for name, values in allowed.items():
            given = getattr(self, name)
            if given not in values:
                msg = f"{self.path}: {name} is {given!r}; it may be {', '.join(sorted(values - {''}))}"
                raise BadConfig(msg)
        for name in self.columns:
            if name not in COLUMNS:
                near = get_close_matches(str(name).lower(), COLUMNS, 1, 0.4)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(COLUMNS)}"
                msg = f"{self.path}: columns: {name!r} is none of ours; {hint}"
                raise BadConfig(msg)
        if self.timeframe:
            length_of(self.timeframe, self.path)

    @property
    def file(self) -> Path:
        """The file's path."""
        return Path(self.path)

    def name_of(self, theirs: str) -> str:
        """Return our name of an instrument of the file."""
        return self.names.get(theirs, theirs)


def length_of(timeframe: str, path: str | Path = "") -> int:
    """Return how long a bar is, in nanoseconds.

    Args:
        timeframe: of the bar.
        path: of the file, for messages.

    Raises:
        BadConfig: no bar has it.
    """
    where = f"{path}: " if path else ""
    if _TIMEFRAME.fullmatch(timeframe) is None:
        msg = f"{where}{timeframe!r} is not a timeframe; write 1s, 5m, 1h, 1d or 1w"
        raise BadConfig(msg)
    try:
        return length_ns(timeframe)
    except InputError as problem:
        msg = f"{where}{problem}"
        raise BadConfig(msg) from None


def named(path: Path) -> tuple[str, str]:
    """Return the instrument and the timeframe that a file's name says; either may be empty."""
    stem = path.name.split(".")[0]
    match = _NAMED.fullmatch(stem)
    return (match[1], match[2]) if match else (stem, "")


def found_in(given: FileTerms | str | Path) -> list[FileTerms]:
    """Return the files that are meant: the file itself, or all that a folder holds, by name.

    Raises:
        BadConfig: there is no such file, or nothing in the folder.
    """
    terms = given if isinstance(given, FileTerms) else FileTerms(path=given)
    if not terms.file.exists():
        msg = f"{terms.path}: there is no such file"
        raise BadConfig(msg)
    if not terms.file.is_dir():
        return [terms]
    inside = sorted(path for path in terms.file.iterdir() if path.is_file() and path.name.lower().endswith(ENDINGS))
    if not inside:
        msg = f"{terms.path}: the folder holds no file that ends in {', '.join(ENDINGS)}"
        raise BadConfig(msg)
    return [replace(terms, path=path) for path in inside]
