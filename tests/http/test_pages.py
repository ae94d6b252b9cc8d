"""The page and its files: types, tags, how long they may be kept, and what stands there where nothing was built."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from tests.http.conftest import Serve, Served

from onebook.http import pages

FILES = {
    "index.html": "<!doctype html><title>onebook</title>",
    "assets/index-abc.js": "export const page = 1;\n" * 100,
    "assets/index-abc.css": "body { margin: 0 }",
    "icons/onebook.svg": "<svg/>",
    "manifest.webmanifest": "{}",
    "sw.js": "// keeps the page's own files",
    "notes.txt": "nobody's business",
}


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A built page of a few files."""
    folder = tmp_path / "page"
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(pages, "PAGE", folder)
    return folder


def test_the_page_and_its_files_have_their_types(page: Path, served: Served) -> None:
    client = served.client()
    types = {
        "/": "text/html; charset=utf-8",
        "/assets/index-abc.js": "text/javascript; charset=utf-8",
        "/assets/index-abc.css": "text/css; charset=utf-8",
        "/icons/onebook.svg": "image/svg+xml",
        "/favicon.ico": "image/svg+xml",
        "/manifest.webmanifest": "application/manifest+json",
        "/sw.js": "text/javascript; charset=utf-8",
    }
    for path, kind in types.items():
        answer = client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind), path
        assert "default-src 'none'" in answer.headers["content-security-policy"], path
        assert answer.headers["x-content-type-options"] == "nosniff", path
    assert client.get("/").text == FILES["index.html"]


def test_hashed_files_are_kept_for_ever_and_the_others_asked_for_again(page: Path, served: Served) -> None:
    client = served.client()
    assert client.get("/assets/index-abc.js").headers["cache-control"] == "public, max-age=31536000, immutable"
    for path in ("/", "/sw.js", "/manifest.webmanifest", "/icons/onebook.svg"):
        answer = client.get(path)
        assert answer.headers["cache-control"] == "no-cache", path
        again = client.get(path, headers={"If-None-Match": f'W/"x", {answer.headers["etag"]}'})
        assert (again.status_code, again.content) == (304, b""), path
        assert again.headers["etag"] == answer.headers["etag"]
        assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_large_texts_come_with_gzip_for_who_takes_it(page: Path, served: Served) -> None:
    client = served.client()
    with client.stream("GET", "/assets/index-abc.js", headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
        assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw).decode() == FILES["assets/index-abc.js"]
    plain = client.get("/assets/index-abc.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.text == FILES["assets/index-abc.js"]


@pytest.mark.parametrize(
    "path",
    [
        "/assets/missing.js",
        "/assets/..%2f..%2fpages.py",
        "/assets/../../pages.py",
        "/icons/%2e%2e/notes.txt",
        "/icons/onebook.svg/x",
        "/assets/index.html",
        "/icons/..%5cindex.html",
    ],
)
def test_nothing_but_files_of_the_page_is_served(page: Path, served: Served, path: str) -> None:
    import http.client

    connection = http.client.HTTPConnection(served.url.removeprefix("http://"), timeout=20)
    connection.request("GET", path)  # httpx would tidy the path up
    answer = connection.getresponse()
    assert answer.status in {403, 404}, (path, answer.status, answer.read()[:80])
    connection.close()


def test_other_files_of_the_folder_are_not_read(page: Path) -> None:
    found = pages.Pages(page)
    assert found.find("notes.txt") is None
    assert found.find("index.html") is not None


def test_a_page_that_is_built_anew_is_served_without_a_restart(page: Path, served: Served) -> None:
    client = served.client()
    before = client.get("/")
    (page / "assets/index-new.js").write_text("export const page = 2")
    (page / "index.html").write_text("<!doctype html><title>onebook, newer</title>")
    after = client.get("/", headers={"If-None-Match": before.headers["etag"]})
    assert (after.status_code, after.text) == (200, "<!doctype html><title>onebook, newer</title>")
    assert client.get("/assets/index-new.js").status_code == 200


def test_without_a_built_page_one_says_how_to_build_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: Any, serve: Serve
) -> None:
    monkeypatch.setattr(pages, "PAGE", tmp_path / "nowhere")
    client = serve().client()
    answer = client.get("/")
    assert answer.status_code == 200
    assert "make web" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert client.get("/assets/index-abc.js").status_code == 404
    assert client.get("/v1/status").status_code == 200


def test_the_page_is_open_to_who_has_no_token_yet(page: Path, served: Served) -> None:
    served.token("operator")
    client = served.client(**{"X-Forwarded-For": "192.0.2.1"})
    assert client.get("/v1/session").status_code == 401
    for path in ("/", "/assets/index-abc.js", "/sw.js"):
        assert client.get(path).status_code == 200, path
