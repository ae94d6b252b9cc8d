import { expect, test, vi } from 'vitest'
import type { Problem } from '../../src/link/api'
import { type Connection, Stream } from '../../src/link/stream'
import type { Envelope } from '../../src/model/types'

const TIMING = { silentMs: 60, firstRetryMs: 1, mostRetryMs: 4 }

type Answer = (signal: AbortSignal) => Response | Promise<Response>

/** A follower that notes everything, and a service that gives these answers one after the other. */
function followed(...answers: Answer[]) {
  let clock = () => Date.now()
  const asked: string[] = []
  const events: Envelope[] = []
  const states: Connection[] = []
  const problems: Problem[] = []
  let resets = 0
  const fetcher = (async (path: string, init: RequestInit) => {
    asked.push(path)
    const answer = answers[asked.length - 1]
    if (answer && init.signal) return answer(init.signal)
    return new Promise<Response>((_, refuse) => init.signal?.addEventListener('abort', () => refuse(new DOMException('gone', 'AbortError'))))
  }) as typeof fetch
  const follower = {
    onEvents: (given: Envelope[]) => void events.push(...given),
    onReset: () => void (resets += 1),
    onState: (state: Connection) => void (states.at(-1) === state || states.push(state)),
    onProblem: (problem: Problem) => void problems.push(problem),
    now: () => clock(),
  }
  const stream = new Stream(follower, TIMING, fetcher)
  const setClock = (now: number) => (clock = () => now)
  return { stream, asked, events, states, problems, setClock, resets: () => resets }
}

function frame(id: string, type = 'trade_executed'): string {
  const line = id ? `id: ${id}\n` : ''
  return `${line}event: ${type}\ndata: ${JSON.stringify({ id, type, recorded_at: new Date().toISOString() })}\n\n`
}

function body(text: string, headers: Record<string, string> = {}, isOpen = false): Answer {
  return (signal) => {
    const stream = new ReadableStream({
      start(control) {
        control.enqueue(new TextEncoder().encode(text))
        if (!isOpen) control.close()
        else signal.addEventListener('abort', () => control.error(signal.reason))
      },
    })
    return new Response(stream, { headers })
  }
}

test('a stream that breaks goes on behind the last event of the log, in the same book', async () => {
  const found = followed(body(frame('8.1') + frame('8.2') + frame('', 'price_updated'), { 'onebook-book': 'b:1' }), body(frame('9.1')))
  found.stream.start(7)
  await vi.waitFor(() => expect(found.asked.length).toBeGreaterThan(2))
  found.stream.stop()
  expect(found.asked.slice(0, 3)).toEqual(['/v1/events?after=7', '/v1/events?after=8.2&book=b%3A1', '/v1/events?after=9.1&book=b%3A1'])
  expect(found.events.map((event) => event.id)).toEqual(['8.1', '8.2', '', '9.1'])
  expect(found.states.slice(0, 5)).toEqual(['off', 'connecting', 'live', 'lost', 'live'])
})

test.each([
  [3_000, 'live'],
  [60_000, 'behind'],
  [-86_400_000, 'live'],
])('events that were recorded %d ms ago by the clock of the service are %s', async (age, state) => {
  const found = followed(body(frame('8.1'), {}, true))
  found.setClock(Date.now() + age)
  found.stream.start(7)
  await vi.waitFor(() => expect(found.events.length).toBe(1))
  found.stream.stop()
  expect(found.states.filter((item) => item !== 'off').at(-1)).toBe(state)
})

test('a place is asked for in the book that it belongs to', async () => {
  const found = followed(body(frame('8.1'), {}, true))
  found.stream.start(7, 'b:1')
  await vi.waitFor(() => expect(found.events.length).toBe(1))
  found.stream.stop()
  expect(found.asked[0]).toBe('/v1/events?after=7&book=b%3A1')
})

test('a place that is not in the log any more is told, and not asked for again', async () => {
  const found = followed(body('id: 3\nevent: reset\ndata: {"reason": "another epoch of the book"}\n\n'))
  found.stream.start(70)
  await vi.waitFor(() => expect(found.resets()).toBe(1))
  found.stream.stop()
  expect(found.events).toEqual([])
})

test('a refusal is told with its sentence, and tried again', async () => {
  const refused = () => new Response('{"status": 429, "title": "Too many", "detail": "come back later", "code": "X"}', { status: 429 })
  const found = followed(refused, body(frame('8.1'), {}, true))
  found.stream.start(7)
  await vi.waitFor(() => expect(found.events.length).toBe(1))
  found.stream.stop()
  expect(found.problems.map((problem) => problem.message)).toEqual(['come back later'])
})

test('a line that says nothing at all is given up and made anew', async () => {
  const found = followed(body(frame('8.1'), {}, true))
  found.stream.start(7)
  await vi.waitFor(() => expect(found.states).toContain('live'))
  await vi.waitFor(() => expect(found.asked.length).toBeGreaterThan(1))
  found.stream.stop()
  expect(found.asked[1]).toBe('/v1/events?after=8.1')
})

test('a stream that was stopped asks no more', async () => {
  const found = followed(body(frame('8.1')))
  found.stream.start(7)
  await vi.waitFor(() => expect(found.states).toContain('lost'))
  found.stream.stop()
  const asked = found.asked.length
  await new Promise((wait) => setTimeout(wait, 20))
  expect(found.asked.length).toBe(asked)
  expect(found.states.at(-1)).toBe('off')
})

test('the network that is back ends the pause', async () => {
  const broken = () => Promise.reject(new TypeError('failed to fetch'))
  const found = followed(broken, body(frame('8.1'), {}, true))
  const slow = { ...TIMING, firstRetryMs: 60_000 }
  Object.assign(found.stream, { timing: slow, retryMs: 60_000 })
  found.stream.start(7)
  await vi.waitFor(() => expect(found.states).toContain('lost'))
  found.stream.retryNow()
  await vi.waitFor(() => expect(found.events.length).toBe(1))
  found.stream.stop()
})
