"""Pages of somebody else, on another port and under another name, in the browser of somebody who is logged in."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext
from tests.browser.conftest import FOREIGN, WAIT_MS
from tests.browser.desk import Desk, token
from tests.browser.screen import log_in

TRIES = """async ([target, only]) => {
  const found = {}
  const tried = async (name, work) => {
    if (only && !only.includes(name)) return
    const late = new Promise((go) => setTimeout(() => go('no answer'), 15000))
    try { found[name] = await Promise.race([work(), late]) } catch (error) { found[name] = `refused: ${error.name}` }
  }
  const read = async (path, init) => {
    const answer = await fetch(target + path, {credentials: 'include', ...init})
    return [answer.type, await answer.text()]
  }
  const body = JSON.stringify({reason: 'mine now'})
  const post = (type, mode) => ({method: 'POST', mode, body, headers: {'Content-Type': type}})
  await tried('read', () => read('/v1/positions'))
  await tried('read blindly', () => read('/v1/positions', {mode: 'no-cors'}))
  await tried('session', () => read('/v1/session'))
  await tried('post text', () => read('/v1/trading/halt', post('text/plain', 'no-cors')))
  await tried('post a form', () => read('/v1/trading/halt', post('application/x-www-form-urlencoded', 'no-cors')))
  await tried('post json', () => read('/v1/trading/halt', post('application/json', 'cors')))
  await tried('patch', () => read('/v1/round-trips/1', {method: 'PATCH', body}))
  await tried('login', () => read('/login', post('text/plain', 'no-cors')))
  await tried('fill', () => read('/v1/fills', {method: 'POST', mode: 'no-cors',
    body: JSON.stringify({instrument: 'AAPL', side: 'buy', quantity: '1', price: '1'})}))
  await tried('beacon', async () => navigator.sendBeacon(target + '/v1/trading/halt', body) && 'sent')
  const once = (item, good, bad) => new Promise((go) => {
    for (const name of good) item.addEventListener(name, (event) => go(`${name}: ${event.data ?? ''}`))
    for (const name of bad) item.addEventListener(name, () => go('refused'))
  })
  await tried('stream', async () => {
    const stream = new EventSource(target + '/v1/events?after=0', {withCredentials: true})
    const told = await once(stream, ['open', 'message'], ['error'])
    stream.close()
    return told
  })
  await tried('socket', () => {
    const socket = new WebSocket(target.replace('http', 'ws') + '/v1/ws')
    return once(socket, ['open', 'message'], ['error', 'close'])
  })
  const put = (tag, fields) => document.body.appendChild(Object.assign(document.createElement(tag), fields))
  await tried('script', () => once(put('script', {src: target + '/v1/positions'}), ['load'], ['error']))
  await tried('picture', () => once(put('img', {src: target + '/v1/equity'}), ['load'], ['error']))
  await tried('frame', async () => {
    const frame = put('iframe', {src: target + '/'})
    await once(frame, ['load'], ['error'])
    return frame.contentDocument === null ? 'not read' : frame.contentDocument.body.innerText
  })
  for (const enctype of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
    await tried(`form ${enctype}`, async () => {
      const name = enctype.replace(/\\W/g, '')
      const frame = put('iframe', {name})
      const form = put('form', {method: 'POST', action: target + '/v1/trading/halt', target: name, enctype})
      const input = {name: '{"reason": "mine now", "x": "', value: '"}'}
      form.appendChild(Object.assign(document.createElement('input'), input))
      const loaded = once(frame, ['load'], ['error'])
      form.submit()
      await loaded
      return frame.contentDocument === null ? 'not read' : frame.contentDocument.body.innerText
    })
  }
  return found
}"""
SAFE = frozenset({"refused", "refused: TypeError", "not read", "sent"})


OURS = frozenset({"/v1/events", "/favicon.ico"})
"""The end of the own page's stream, and the icon that a browser asks of whatever it shows."""


class Somebody(ThreadingHTTPServer):
    """Serves a page of somebody else, and remembers which cookies reached it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        self.cookies: list[str] = []


class _Page(BaseHTTPRequestHandler):
    server: Somebody

    def do_GET(self) -> None:
        self.server.cookies.append(self.headers.get("Cookie", ""))
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>a nice page</title><link rel=icon href='data:,'><p>hello")

    def log_message(self, *given: Any) -> None:
        """Say nothing."""


@pytest.fixture
def somebody() -> Iterator[Somebody]:
    with Somebody() as server:
        thread = threading.Thread(target=server.serve_forever, name="somebody")
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(service_workers="block")
    made.set_default_timeout(WAIT_MS)
    yield made
    made.close()


def state_of(desk: Desk) -> tuple[Any, ...]:
    status = desk.said("status")
    return status["entries"], status["trading_state"], status["head_hash"]


@pytest.mark.parametrize("host", ["127.0.0.1", FOREIGN])
def test_a_page_of_somebody_else_reads_nothing_and_records_nothing(
    desk: Desk, context: BrowserContext, somebody: Somebody, host: str
) -> None:
    mine = context.new_page()
    log_in(mine, desk.url, token(desk.path, "operator", "maria"))
    mine.close()
    before, asked = state_of(desk), len(desk.requests())
    page = context.new_page()
    page.goto(f"http://{host}:{somebody.server_port}/")
    found = page.evaluate(TRIES, [desk.url, None])
    for name, told in found.items():
        assert told in SAFE, f"{name}: {told}"
    page.evaluate(
        "(action) => { const form = document.createElement('form'); Object.assign(form, {method: 'POST', action});"
        " document.body.append(form); form.submit() }",
        f"{desk.url}/v1/trading/halt",
    )
    page.wait_for_url(f"{desk.url}/**")
    assert "NotAllowed" in page.inner_text("body")
    answered = [item for item in desk.requests()[asked:] if item["path"] not in OURS]
    assert len(answered) >= len(found)
    passed = [f"{item['method']} {item['path']} {item['status']}" for item in answered if item["status"] != 403]
    assert not passed
    assert state_of(desk) == before


def test_the_cookie_goes_to_no_other_site(desk: Desk, context: BrowserContext, somebody: Somebody) -> None:
    log_in(context.new_page(), desk.url, token(desk.path, "operator", "maria"))
    page = context.new_page()
    for host in (FOREIGN, "127.0.0.1"):
        page.goto(f"http://{host}:{somebody.server_port}/")
        page.evaluate(
            "(target) => fetch(target, {mode: 'no-cors', credentials: 'include'}).then(() => 1)",
            f"http://127.0.0.1:{somebody.server_port}/",
        )
    assert somebody.cookies[:2] == ["", ""]
    assert f"_{desk.port}=" in somebody.cookies[-1], "it is told by ports, which cookies do not know"


def test_the_same_tries_from_our_own_page_show_that_they_can_succeed(desk: Desk, context: BrowserContext) -> None:
    page = context.new_page()
    log_in(page, desk.url, token(desk.path, "operator", "maria"))
    found = page.evaluate(TRIES, [desk.url, ["read", "session", "stream", "socket"]])
    assert "cost_basis" in found["read"][1]
    assert json.loads(found["session"][1])["name"] == "maria"
    assert "open" in found["socket"]
    assert found["stream"].startswith(("open", "message"))


def test_a_name_that_is_made_to_point_here_is_refused(desk: Desk, context: BrowserContext) -> None:
    before = state_of(desk)
    page = context.new_page()
    url = f"http://{FOREIGN}:{desk.port}"
    for path in ("/", "/v1/positions", "/v1/overview", "/v1/events"):
        answer = page.goto(f"{url}{path}")
        assert answer is not None
        assert answer.status == 403, path
        assert "--allow-host" in answer.text()
    found = page.evaluate(
        """async () => {
          const send = (path, init) => fetch(path, init).then((answer) => answer.status)
          const body = JSON.stringify({reason: 'mine now'})
          const told = (item) => new Promise((go) => {
            item.onopen = () => go('open')
            item.onerror = () => go('refused')
          })
          const headers = {'Content-Type': 'application/json'}
          return Promise.all([send('/v1/positions'), send('/v1/session'),
            send('/v1/trading/halt', {method: 'POST', body, headers}), told(new EventSource('/v1/events')),
            told(new WebSocket(location.origin.replace('http', 'ws') + '/v1/ws'))])
        }"""
    )
    assert found == [403, 403, 403, "refused", "refused"]
    assert state_of(desk) == before


def test_the_cookie_of_the_page_is_no_scripts_and_no_other_sites(desk: Desk, context: BrowserContext) -> None:
    page = context.new_page()
    log_in(page, desk.url, token(desk.path, "viewer", "vera"))
    assert page.evaluate("document.cookie") == ""
    (cookie,) = context.cookies()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    assert cookie["domain"] == "127.0.0.1"
