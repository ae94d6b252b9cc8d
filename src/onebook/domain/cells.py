"""Text made safe for files that are read line by line, and for spreadsheets that would run a cell as a formula."""

import re

_RISKY = "=+-@\t\r"
_UNSAFE = re.compile("[\\\\\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Backslashes, control characters, line and paragraph ends, what turns the direction of writing, half characters."""

_ESCAPE = re.compile(r"\\(?:u([0-9a-f]{4})|([\\nrt]))")
_SHORT = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_LONG = {"\\": "\\", "n": "\n", "r": "\r", "t": "\t"}


def harmless(text: str) -> str:
    """Return text that a spreadsheet does not take for a formula: a leading ``'`` is put before ``= + - @``."""
    bare = text.lstrip("'")
    return f"'{text}" if bare and bare[0] in _RISKY else text


def as_it_was(text: str) -> str:
    """Return the text that :func:`harmless` was given."""
    bare = text.lstrip("'")
    return text[1:] if text.startswith("'") and bare and bare[0] in _RISKY else text


def on_one_line(text: str) -> str:
    r"""Return text on one line: ``\n \r \t \\`` and ``\u0000`` stand for what would break it or hide in it.

    Example:
        >>> print(on_one_line("first\nsecond"))
        first\nsecond
    """
    return _UNSAFE.sub(lambda found: _SHORT.get(found[0]) or f"\\u{ord(found[0]):04x}", text)


def with_its_lines(text: str) -> str:
    """Return the text that :func:`on_one_line` was given."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else _LONG[found[2]], text)
