"""The command line: ``onebook [--db URL] [--config FILE] [--json] COMMAND``.

Reads what was asked, calls the book, and prints. It holds no rules of its own. Modules of commands are
imported only when their command is called, so that a short answer is a quick one.
"""

import errno
import os
import sys
from collections.abc import Sequence

from onebook.errors import BookError, StoreFull

INTERRUPTED = 130
USAGE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: the words after ``onebook``; None takes them from the process.
    """
    from onebook.cli.words import arranged

    _prepare_streams()
    words = arranged(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in words
    try:
        code = _run(words, as_json=as_json)
        sys.stdout.flush()
    except BookError as problem:
        return _complain(problem.code, str(problem), problem.exit_code, as_json=as_json)
    except (BrokenPipeError, SystemExit):  # who read our answer has enough; rich says so by SystemExit
        _drop_output()
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as problem:
        if problem.errno == errno.ENOSPC and not problem.filename:
            said = "the answer could not be written: the disk is full; make room and ask again"
            _complain(StoreFull.__name__, said, StoreFull.exit_code, as_json=as_json)
            _drop_output()
            return StoreFull.exit_code
        what = f"{problem.filename}: {problem.strerror}" if problem.filename else str(problem)
        return _complain(type(problem).__name__, what, USAGE, as_json=as_json)
    return code


def _run(words: list[str], *, as_json: bool) -> int:
    import typer

    from onebook.cli.words import root

    command = root()
    try:
        with command.make_context("onebook", words or ["--help"]) as context:
            result = command.invoke(context)
    except typer.Exit as leaving:
        return leaving.exit_code
    except typer.TyperException as problem:
        message = problem.format_message().rstrip(".")
        context = getattr(problem, "ctx", None)
        if context is not None and not as_json:
            message += f"\nsee: {context.command_path} --help"
        return _complain("UsageError", message, USAGE, as_json=as_json)
    return result if isinstance(result, int) else 0


def _drop_output() -> None:
    """Let what is left to say go nowhere, so that the end of the process does not try to write it again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _prepare_streams() -> None:
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # a shell can close it: >&-
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123,SIM115  lives until the process ends
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _complain(code: str, message: str, exit_code: int, *, as_json: bool) -> int:
    """Say what was wrong on stderr and return the exit code."""
    if as_json:
        import json

        text = json.dumps({"code": code, "message": message}, ensure_ascii=False)
    else:
        text = f"error: {message}"
    try:
        sys.stderr.write(text + "\n")
    except BrokenPipeError:
        _drop_output()
    return exit_code
