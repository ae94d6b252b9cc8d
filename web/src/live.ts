// The one store of what is live: a snapshot, then the stream. Events wait for the next frame of the screen, so a
// hundred a second are drawn at most once a frame, and a row is drawn again only when its own signal changed.

import { batch, computed, type ReadonlySignal, type Signal, signal } from '@preact/signals'
import { asOf, type Problem, problemOf, read } from './link/api'
import { turnedAway } from './link/session'
import { type Connection, Stream } from './link/stream'
import { type BookState, fold, listed, keyOf, opened } from './model/book'
import { epoch } from './model/days'
import type { Envelope, Instrument, Mark, Overview, Position } from './model/types'

const MOST_WAITING = 20_000
/** Signals of positions that went flat, kept in case they open again. */
const MOST_GONE = 500
const HIDDEN_MS = 1_000
const SETTLE_MS = 1_500
const REFRESH_MS = 20_000
/** A snapshot that took long to make is asked for more rarely: so many times its own time lies in between. */
const REST = 10
/** And at most this long, however slow the machine: figures must not stand still under a dot that says live. */
const MOST_REST_MS = 30_000

type Listener = (events: readonly Envelope[]) => void

export class Live {
  /** The whole state; read the narrower signals below where a part is enough. */
  readonly state = signal<BookState | null>(null)
  readonly connection = signal<Connection>('off')
  readonly problem = signal<Problem | null>(null)
  /** Milliseconds since 1970 at the service, a step each second; at a point of the past it stands. */
  readonly now = signal(Date.now())
  /** The newest sequence of the log that was ever heard of. */
  readonly head = signal(0)
  /** The book's zone as it is now, in the past too: clocks do not change under the reader. */
  readonly zone = signal('UTC')
  /** Keys of open positions, in the order in which they are listed. */
  readonly keys = signal<readonly string[]>([])

  readonly equity = this.part((state) => state.equity)
  readonly today = this.part((state) => state.pnl_today)
  readonly trading = this.part((state) => state.trading_state)
  readonly limits = this.part((state) => state.limits)
  readonly bots = this.part((state) => state.bots)
  readonly breaks = this.part((state) => state.breaks)
  readonly orders = this.part((state) => state.orders)
  readonly protections = this.part((state) => state.protections)
  readonly events = this.part((state) => state.last_events)
  readonly settings = this.part((state) => state.settings)
  readonly exposure = this.part((state) => state.exposure)
  readonly instruments = computed(() => {
    const rows = this.state.value?.instruments ?? []
    return sameInstruments(rows)
  })

  private readonly rows = new Map<string, Signal<Position>>()
  private readonly marks = new Map<string, Signal<Mark | undefined>>()
  private readonly listeners = new Set<Listener>()
  private waiting: Envelope[] = []
  private frame: number | undefined
  private timer: ReturnType<typeof setTimeout> | undefined
  private skew = 0
  private asked = 0
  private settleAt = 0
  private isAsking = false
  private isRunning = false
  private beat: ReturnType<typeof setInterval> | undefined
  private readonly stream: Stream

  constructor() {
    this.stream = new Stream({
      onEvents: (events) => this.take(events),
      onReset: () => void this.open(),
      onState: (state) => this.heard(state),
      onProblem: (problem) => {
        turnedAway(problem)
        this.problem.value = problem
      },
      now: () => Date.now() + this.skew,
    })
  }

  private part<T>(of: (state: BookState) => T): ReadonlySignal<T | undefined> {
    return computed(() => (this.state.value ? of(this.state.value) : undefined))
  }

  /** The signal of one open position; of one that is gone its last state. */
  position(key: string): Signal<Position> {
    const found = this.rows.get(key)
    if (!found) throw new RangeError(`no position ${key}`)
    return found
  }

  mark(instrument: string): Signal<Mark | undefined> {
    let found = this.marks.get(instrument)
    if (!found) {
      found = signal(this.state.peek()?.marks.get(instrument))
      this.marks.set(instrument, found)
    }
    return found
  }

  instrument(symbol: string): Instrument | undefined {
    return this.instruments.value.get(symbol)
  }

  /** Hear every event as it comes, also those that change no figure. Returns what ends it. */
  listen(listener: Listener): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  // ---- beginning and end ----

  /** Read the snapshot at the chosen point; of now, follow the log from there. */
  async open(): Promise<void> {
    this.isRunning = true
    this.stream.stop()
    this.waiting = []
    this.beat ??= setInterval(() => this.tick(), 1000)
    const isNow = asOf.peek() === null
    this.connection.value = isNow ? 'connecting' : 'off'
    const overview = await this.ask()
    if (!this.isRunning || (asOf.peek() === null) !== isNow) return
    if (!overview) {
      clearTimeout(this.timer)
      this.connection.value = 'lost'
      this.timer = setTimeout(() => this.isRunning && void this.open(), 3000)
      return
    }
    this.show(opened(overview))
    if (isNow) this.stream.start(overview.sequence, overview.book)
  }

  close(): void {
    this.isRunning = false
    this.stream.stop()
    clearInterval(this.beat)
    this.beat = undefined
    clearTimeout(this.timer)
  }

  /** The page is looked at again, or the network is back. */
  wake(): void {
    this.stream.retryNow()
    this.flush()
  }

  private async ask(): Promise<Overview | null> {
    const [point, began] = [asOf.peek(), Date.now()]
    const turn = ++this.asked
    try {
      const overview = await read<Overview>('/v1/overview')
      if (turn !== this.asked || point !== asOf.peek()) return null
      const took = Date.now() - began
      this.settleAt = Date.now() + Math.min(Math.max(SETTLE_MS, took * REST), MOST_REST_MS)
      if (!point) this.skew = epoch(overview.at) - (began + took / 2)
      this.now.value = point ? epoch(overview.at) : Date.now() + this.skew
      this.head.value = Math.max(this.head.peek(), overview.sequence)
      this.problem.value = null
      return overview
    } catch (error) {
      const problem = problemOf(error)
      turnedAway(problem)
      this.problem.value = problem
      return null
    }
  }

  private heard(state: Connection): void {
    const before = this.connection.peek()
    this.connection.value = state
    // What no event tells, such as signs of life, may have moved while the line was away.
    if (state === 'live' && before === 'lost') this.settleAt = 0
    if (state === 'live' && before === 'lost') this.problem.value = null
  }

  private tick(): void {
    if (asOf.peek()) return
    this.now.value = Date.now() + this.skew
    const state = this.state.peek()
    if (!state || this.isAsking || document.hidden || this.connection.peek() !== 'live') return
    const now = Date.now()
    const isDue = state.isSettled ? now > this.settleAt + REFRESH_MS : now > this.settleAt
    if (isDue) void this.settle()
  }

  /** Take the service's own figures instead of those that were moved by differences. */
  private async settle(): Promise<void> {
    this.isAsking = true
    const overview = await this.ask()
    this.isAsking = false
    this.flush()
    const state = this.state.peek()
    if (!overview || !state || asOf.peek() || !this.isRunning) return
    // An answer from before what is shown would take things back: the next one comes soon.
    if (overview.sequence < state.sequence) return
    const seen = new Set(overview.last_events.map((event) => event.id))
    const earlier = state.last_events.filter((event) => !seen.has(event.id))
    this.show({ ...opened(overview), last_events: [...earlier, ...overview.last_events].slice(-200) })
  }

  // ---- events ----

  private take(events: Envelope[]): void {
    this.waiting.push(...events)
    if (this.waiting.length > MOST_WAITING) {
      void this.open()
      return
    }
    if (this.frame !== undefined) return
    if (document.hidden) this.frame = window.setTimeout(() => this.flush(), HIDDEN_MS)
    else this.frame = requestAnimationFrame(() => this.flush())
  }

  private flush(): void {
    if (this.frame !== undefined) {
      cancelAnimationFrame(this.frame)
      clearTimeout(this.frame)
      this.frame = undefined
    }
    const events = this.waiting
    const state = this.state.peek()
    if (!events.length || !state) return
    this.waiting = []
    this.show(events.reduce(fold, state))
    for (const listener of this.listeners) listener(events)
  }

  /** Let go of the signals of positions that are gone. */
  private forget(state: BookState): void {
    for (const key of this.rows.keys()) if (!state.positions.has(key)) this.rows.delete(key)
  }

  private show(state: BookState): void {
    batch(() => {
      const before = this.state.peek()
      if (!before || !asOf.peek()) this.zone.value = state.settings.zone
      for (const [key, position] of state.positions) {
        const row = this.rows.get(key)
        if (!row) this.rows.set(key, signal(position))
        else if (row.peek() !== position) row.value = position
      }
      if (this.rows.size > state.positions.size + MOST_GONE) this.forget(state)
      for (const [name, mark] of this.marks) {
        const newest = state.marks.get(name)
        if (mark.peek() !== newest) mark.value = newest
      }
      if (!before || !sameKeys(before, state)) this.keys.value = listed(state).map(keyOf)
      this.head.value = Math.max(this.head.peek(), state.sequence)
      this.state.value = state
    })
  }
}

function sameKeys(before: BookState, after: BookState): boolean {
  if (before.positions.size !== after.positions.size) return false
  for (const key of after.positions.keys()) if (!before.positions.has(key)) return false
  return true
}

let known: { rows: readonly Instrument[]; map: ReadonlyMap<string, Instrument> } = { rows: [], map: new Map() }

/** The same definitions give the same map, so that nothing is drawn again for them. */
function sameInstruments(rows: readonly Instrument[]): ReadonlyMap<string, Instrument> {
  if (JSON.stringify(rows) !== JSON.stringify(known.rows)) {
    known = { rows, map: new Map(rows.map((item) => [item.symbol, item])) }
  }
  return known.map
}

export const live = new Live()
