// The log as a list that goes on by itself: paused and taken up again without loss, and read backwards on request.

import { effect, signal } from '@preact/signals'
import { asOf, type Problem, problemOf, type Query, readNow } from '../link/api'
import { turnedAway } from '../link/session'
import { live } from '../live'
import { type EventFilter, isWanted, merged } from '../model/eventlist'
import type { Envelope, Page } from '../model/types'

/** Most events that the list holds; the oldest go. */
export const MOST_LISTED = 5_000
const MOST_HELD = 5_000
const ENOUGH = 200
const FIRST_WINDOW = 400
const MOST_WINDOWS = 12
const CHECK_MS = 300
const AGAIN_MS = 2_000

export class Tail {
  /** Oldest first. */
  readonly shown = signal<readonly Envelope[]>([])
  /** How many came while it was paused. */
  readonly waiting = signal(0)
  readonly isPaused = signal(false)
  readonly isLoading = signal(true)
  readonly problem = signal<Problem | null>(null)
  /** The entry after which the list begins; 0: with the first of the log. */
  readonly begin = signal(0)

  /** The newest entry that was heard of, whether its events are wanted or not. */
  private last = 0
  private held: Envelope[] = []
  /** The entry after which held events were let go: they are read again. */
  private spilled: number | null = null
  /** Entries that nobody heard: after the first, up to the second. Kept until they are read. */
  private gaps: (readonly [number, number])[] = []
  private isFilling = false
  private isOver = false
  private ends: (() => void)[] = []

  constructor(private readonly filter: EventFilter) {}

  /** Begin with the newest, or after an entry; go on live unless the whole page stands in the past. */
  start(after: number | null): void {
    const top = topOf()
    this.last = top
    this.begin.value = after === null ? top : Math.min(after, top)
    void this.run(async () => {
      if (after === null) await this.backward()
      else await this.read(this.begin.peek(), top)
    })
    if (asOf.peek()) return
    this.ends.push(live.listen((events) => this.heard(events)))
    let timer: ReturnType<typeof setTimeout>
    const watch = effect(() => {
      const sequence = live.state.value?.sequence ?? 0
      clearTimeout(timer)
      if (sequence > this.last) timer = setTimeout(() => this.caughtUp(), CHECK_MS)
    })
    this.ends.push(watch, () => clearTimeout(timer))
  }

  stop(): void {
    this.isOver = true
    for (const end of this.ends.splice(0)) end()
  }

  pause(): void {
    this.isPaused.value = true
  }

  /** Show all that came meanwhile, also what was too much to be held. */
  resume(): void {
    const [held, spilled] = [this.held, this.spilled]
    this.held = []
    this.spilled = null
    this.waiting.value = 0
    this.isPaused.value = false
    if (spilled === null) this.add(held)
    else this.missed(spilled, this.last)
  }

  /** Read earlier ones. */
  older(): void {
    void this.run(() => this.backward())
  }

  private heard(events: readonly Envelope[]): void {
    const entries = events.filter((event) => event.id)
    const [first, newest] = [entries[0], entries.at(-1)]
    if (!first || !newest) return
    if (first.sequence > this.last + 1) this.missed(this.last, first.sequence)
    this.last = Math.max(this.last, newest.sequence)
    this.take(entries.filter((event) => isWanted(event, this.filter)))
  }

  private take(events: readonly Envelope[]): void {
    if (!events.length) return
    if (!this.isPaused.peek()) return this.add(events)
    this.waiting.value += events.length
    if (this.spilled !== null) return
    this.held.push(...events)
    if (this.held.length <= MOST_HELD) return
    this.spilled = (this.held[0]?.sequence ?? 1) - 1
    this.held = []
  }

  /** A snapshot took the place of events that nobody heard. */
  private caughtUp(): void {
    const sequence = live.state.peek()?.sequence ?? 0
    if (sequence <= this.last || asOf.peek()) return
    const from = this.last
    this.last = sequence
    this.missed(from, sequence)
  }

  private missed(after: number, until: number): void {
    this.gaps.push([after, until])
    if (!this.isFilling) void this.fill()
  }

  /** Read what was missed, again and again while the service does not answer. */
  private async fill(): Promise<void> {
    this.isFilling = true
    for (let gap = this.gaps[0]; gap && !this.isOver; gap = this.gaps[0]) {
      const [after, until] = gap
      await this.run(async () => {
        for await (const events of this.pages(after, until)) this.take(events)
        this.gaps.shift()
      })
      if (this.problem.peek()) await new Promise((go) => setTimeout(go, AGAIN_MS))
    }
    this.isFilling = false
  }

  /** Read windows of entries before those that are there, until there are enough or none is left. */
  private async backward(): Promise<void> {
    let size = FIRST_WINDOW
    let found = 0
    for (let turn = 0; turn < MOST_WINDOWS && found < ENOUGH && this.begin.peek() > 0; turn += 1) {
      const [until, after] = [this.begin.peek(), Math.max(0, this.begin.peek() - size)]
      const read: Envelope[] = []
      for await (const events of this.pages(after, until)) read.push(...events)
      if (this.isOver) return
      found += read.length
      size *= 3
      this.begin.value = after
      this.shown.value = merged(read, this.shown.peek(), MOST_LISTED * 2)
    }
  }

  private async read(after: number, until: number): Promise<void> {
    for await (const events of this.pages(after, until)) this.add(events)
  }

  private async *pages(after: number, until: number): AsyncGenerator<Envelope[]> {
    const { types, instrument, strategy, account } = this.filter
    const narrow: Query = { types, instruments: instrument, strategies: strategy, accounts: account }
    let next: string | null = String(after)
    while (next !== null && !this.isOver) {
      const page: Page<Envelope> = await readNow<Page<Envelope>>('/v1/events/history', { ...narrow, after: next, as_of: until, limit: 1000 })
      yield page.items
      next = page.next_after
    }
  }

  private add(events: readonly Envelope[]): void {
    if (!this.isOver && events.length) this.shown.value = merged(this.shown.peek(), events, MOST_LISTED)
  }

  private async run(work: () => Promise<void>): Promise<void> {
    this.isLoading.value = true
    try {
      await work()
      this.problem.value = null
    } catch (error) {
      const problem = problemOf(error)
      turnedAway(problem)
      this.problem.value = problem
    }
    this.isLoading.value = false
  }
}

/** The newest entry that may be shown: of now, or of the chosen point. */
function topOf(): number {
  const point = asOf.peek()
  return point && 'sequence' in point ? point.sequence : (live.state.peek()?.sequence ?? 0)
}
