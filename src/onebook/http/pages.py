"""``GET /`` and what the page is made of: the files that ``make web`` builds from ``web/``.

They are held in memory, hold no figure, and are open to anyone: what they show is asked for with the reader's own
token. Names under ``/assets/`` carry a hash of their content and may be kept for ever.
"""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent / "page"
INDEX = "index.html"
ICON = "icons/onebook.svg"
PATHS = ["/assets/{name:path}", "/icons/{name:path}", "/manifest.webmanifest", "/sw.js", "/favicon.ico"]
MOST_FILES = 200
MOST_BYTES = 8 * 1024 * 1024
"""A larger file in the folder is none of ours, and is not served."""

FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/vnd.microsoft.icon",
    ".js": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_SQUEEZED = frozenset({".css", ".html", ".js", ".svg", ".webmanifest"})
_SMALL = 1024

NOT_BUILT = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>onebook</title></head><body>
<h1>onebook is running; its page is not built</h1>
<p>Install Node 20 or newer, then run <code>make web</code> in the source folder and load this again. A wheel that was
built where Node is contains the page.</p>
<p>Everything else works without it: <a href="/docs">what the service answers</a>, and the command line.</p>
</body></html>
"""
"""Stands at ``/`` where the page was not built."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of the page.

    Attributes:
        body: as it is.
        squeezed: with gzip; empty where that is no shorter.
        type: of MIME.
        etag: of its content.
        keep: the Cache-Control it goes with.
    """

    body: bytes
    squeezed: bytes
    type: str
    etag: str
    keep: str


def file_of(path: Path, name: str) -> File:
    """Return a file as it is served.

    Args:
        path: where it is.
        name: below the page's folder, with slashes.
    """
    body = path.read_bytes()
    squeezed = b""
    if path.suffix in _SQUEEZED and len(body) >= _SMALL:
        squeezed = gzip.compress(body, 9, mtime=0)
    return File(
        body=body,
        squeezed=squeezed if len(squeezed) < len(body) else b"",
        type=TYPES[path.suffix],
        etag=f'"{hashlib.sha256(body).hexdigest()[:24]}"',
        keep=FOR_EVER if name.startswith("assets/") else ASK_AGAIN,
    )


class Pages:
    """The files of a built page, read again when it is built anew.

    Args:
        folder: where they are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._built: tuple[int, int] | None = None
        self._files: Mapping[str, File] = {}

    def find(self, name: str) -> File | None:
        """Return a file by its name below the folder; None when there is none. Only files of the listing are read."""
        self._look()
        return self._files.get(name)

    def _look(self) -> None:
        try:
            stat = (self._folder / INDEX).stat()
        except OSError:
            self._built, self._files = None, {}
            return
        built = (stat.st_mtime_ns, stat.st_size)
        if built != self._built:
            self._files = self._read()
            self._built = built

    def _read(self) -> Mapping[str, File]:
        found: dict[str, File] = {}
        for path in sorted(self._folder.rglob("*"))[:MOST_FILES]:
            if path.suffix in TYPES and path.is_file() and path.stat().st_size <= MOST_BYTES:
                name = path.relative_to(self._folder).as_posix()
                found[name] = file_of(path, name)
        return found


def routes(_service: Any) -> list[Any]:
    """Return the addresses of the page, for the application."""
    from anyio import to_thread
    from litestar import Request, Response, get

    from onebook.http.problems import plain_problem, response

    pages = Pages(PAGE)

    @get("/", name="page")
    async def index(request: Request[Any, Any, Any]) -> Any:
        found = await to_thread.run_sync(pages.find, INDEX)
        return Response(NOT_BUILT, media_type=TYPES[".html"]) if found is None else _response(request, found)

    @get(PATHS, name="page_files")
    async def files(request: Request[Any, Any, Any]) -> Any:
        name = request.scope["path"].lstrip("/")
        found = await to_thread.run_sync(pages.find, ICON if name == "favicon.ico" else name)
        if found is None:
            return response(plain_problem(404, f"{request.scope['path'][:80]} is no file of the page"))
        return _response(request, found)

    return [index, files]


def _response(request: Any, file: File) -> Any:
    from litestar import Response

    headers = {"etag": file.etag, "cache-control": file.keep, "vary": "accept-encoding"}
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if file.etag in known or "*" in known:
        return Response(None, status_code=304, headers=headers)
    body = file.body
    if file.squeezed and "gzip" in request.headers.get("accept-encoding", ""):
        body = file.squeezed
        headers["content-encoding"] = "gzip"
    return Response(body, media_type=file.type, headers=headers)
