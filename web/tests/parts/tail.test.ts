import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { asOf } from '../../src/link/api'
import { live } from '../../src/live'
import type { BookState } from '../../src/model/book'
import type { Envelope } from '../../src/model/types'
import { Tail } from '../../src/parts/tail'

const AT = '2026-01-01T00:00:00Z'
const PAGE = 1000

/** Two events of each entry: a fill and what it did. */
function entry(sequence: number): Envelope[] {
  const base = { sequence, version: 1, occurred_at: AT, recorded_at: AT, actor: '', correlation_id: '', account: 'main', instrument: sequence % 10 ? 'X' : 'Y', strategy: '', data: {} }
  return [
    { ...base, id: `${sequence}.1`, type: 'trade_executed' },
    { ...base, id: `${sequence}.2`, type: 'position_updated' },
  ]
}

function entries(first: number, last: number): Envelope[] {
  return Array.from({ length: last - first + 1 }, (_, index) => entry(first + index)).flat()
}

let log: Envelope[] = []
let say: (events: readonly Envelope[]) => void = () => undefined
let tail: Tail | null = null

function headAt(sequence: number): void {
  log = entries(1, sequence)
  live.state.value = { sequence } as BookState
}

beforeEach(() => {
  vi.stubGlobal('fetch', async (address: string) => {
    const query = new URL(address, 'http://here').searchParams
    const [after = '0', ordinal] = (query.get('after') ?? '0').split('.')
    const until = Number(query.get('as_of'))
    const instrument = query.get('instruments')
    const isAfter = (event: Envelope) => (ordinal === undefined ? event.sequence > Number(after) : event.sequence > Number(after) || (event.sequence === Number(after) && event.id > `${after}.${ordinal}`))
    const found = log.filter((event) => isAfter(event) && event.sequence <= until && (!instrument || event.instrument === instrument))
    const items = found.slice(0, PAGE)
    return new Response(JSON.stringify({ items, next_after: found.length > PAGE ? items.at(-1)?.id : null }))
  })
  vi.spyOn(live, 'listen').mockImplementation((listener) => {
    say = listener
    return () => undefined
  })
})

afterEach(() => {
  tail?.stop()
  live.state.value = null
  asOf.value = null
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
})

async function begun(filter = {}, after: number | null = null): Promise<Tail> {
  const made = (tail = new Tail(filter))
  made.start(after)
  await vi.waitUntil(() => !made.isLoading.value)
  return made
}

const ids = (made: Tail) => made.shown.value.map((event) => event.id)
const names = (first: number, last: number) => entries(first, last).map((event) => event.id)

test('the newest are shown first, and earlier ones down to the first of the log on request', async () => {
  headAt(2000)
  const made = await begun()
  expect(ids(made)).toEqual(names(1601, 2000))
  for (let turn = 0; turn < 20 && made.begin.value > 0; turn += 1) {
    made.older()
    await vi.waitUntil(() => !made.isLoading.value)
  }
  expect(ids(made)).toEqual(names(1, 2000))
})

test('what came while it was paused is shown when it goes on, in order, none twice', async () => {
  headAt(100)
  const made = await begun()
  made.pause()
  say(entries(101, 103))
  say(entries(104, 104))
  expect(made.waiting.value).toBe(8)
  expect(ids(made)).toEqual(names(1, 100))
  made.resume()
  expect(ids(made)).toEqual(names(1, 104))
  expect(made.waiting.value).toBe(0)
})

test('more than can be held is read again when it goes on', async () => {
  headAt(10)
  const made = await begun()
  made.pause()
  const last = 2_600
  log = entries(1, last)
  for (let first = 11; first <= last; first += 100) say(entries(first, Math.min(first + 99, last)))
  expect(made.waiting.value).toBe((last - 10) * 2)
  made.resume()
  await vi.waitUntil(() => !made.isLoading.value)
  expect(ids(made)).toEqual(names(1, last).slice(-5000))
})

test('events that nobody heard are read from the log', async () => {
  headAt(10)
  const made = await begun()
  log = entries(1, 30)
  say(entries(25, 30))
  await vi.waitUntil(() => ids(made).length === 60)
  expect(ids(made)).toEqual(names(1, 30))
})

test('what could not be read is read when the service answers again, also two gaps at once', async () => {
  headAt(10)
  const made = await begun()
  log = entries(1, 60)
  const answers = fetch
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network')))
  say(entries(20, 30))
  say(entries(50, 60))
  await vi.waitUntil(() => made.problem.value !== null)
  vi.stubGlobal('fetch', answers)
  await vi.waitUntil(() => ids(made).length === 120, { timeout: 4000 })
  expect(ids(made)).toEqual(names(1, 60))
  expect(made.problem.value).toBe(null)
})

test('a new snapshot in place of the stream leaves no gap', async () => {
  headAt(10)
  const made = await begun()
  headAt(40)
  await vi.waitUntil(() => ids(made).length === 80, { timeout: 3000 })
  expect(ids(made)).toEqual(names(1, 40))
})

test('a filter is kept live as it is in the log', async () => {
  headAt(100)
  const made = await begun({ instrument: 'Y' })
  say(entries(101, 120))
  expect(ids(made)).toEqual(Array.from({ length: 12 }, (_, index) => [`${(index + 1) * 10}.1`, `${(index + 1) * 10}.2`]).flat())
})

test('in the past nothing is heard, and nothing later is shown', async () => {
  headAt(100)
  asOf.value = { sequence: 50 }
  const listen = vi.mocked(live.listen)
  const made = await begun({}, 40)
  expect(listen).not.toHaveBeenCalled()
  expect(ids(made)).toEqual(names(41, 50))
})
