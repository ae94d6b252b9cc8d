// What a price chart draws: rows of prices, with fills where no price was kept.

import { epoch } from './days'
import { compare } from './decimal'
import type { Fill, PriceRow } from './records'
import type { Decimal, Moment } from './types'

export interface Drawn {
  /** Seconds since 1970 UTC, a multiple of the step. */
  time: number
  open: Decimal
  high: Decimal
  low: Decimal
  close: Decimal
}

export interface Span {
  name: string
  /** Seconds; 0: all there is. */
  seconds: number
  /** As the service names a length, and in seconds. */
  every: string
  step: number
}

const DAY = 86_400

export const SPANS: readonly Span[] = [
  { name: '1D', seconds: DAY, every: '5m', step: 300 },
  { name: '1W', seconds: 7 * DAY, every: '1h', step: 3600 },
  { name: '1M', seconds: 30 * DAY, every: '4h', step: 14_400 },
  { name: '1Y', seconds: 365 * DAY, every: '1d', step: DAY },
  { name: 'All', seconds: 0, every: '1d', step: DAY },
]

const HOUR: Span = { name: '1H', seconds: 3600, every: '1m', step: 60 }

/** Every span that can be chosen. */
export const CHOICES: readonly Span[] = [HOUR, ...SPANS]

/** Return the shortest span that shows the whole time since a moment, with some time before it. */
export function spanOf(since: Moment | null, end: number): Span {
  const needed = since === null ? Number.POSITIVE_INFINITY : ((end - epoch(since)) / 1000) * 1.2
  return CHOICES.find((span) => span.seconds >= needed) ?? (CHOICES.at(-1) as Span)
}

/** Return the beginning of the stretch in which a moment lies, in seconds. */
export function stretchOf(at: number, step: number): number {
  return Math.floor(at / 1000 / step) * step
}

function widened(row: Drawn, price: Decimal): Drawn {
  const high = compare(price, row.high) > 0 ? price : row.high
  const low = compare(price, row.low) < 0 ? price : row.low
  return { ...row, high, low }
}

/** Return rows oldest first, one per stretch; a fill stands for the price where no row is, and is never outside of one. */
export function drawnOf(rows: readonly PriceRow[], fills: readonly Fill[], step: number): Drawn[] {
  const found = new Map<number, Drawn>()
  for (const { at, open, high, low, close } of rows) {
    const time = stretchOf(epoch(at), step)
    found.set(time, { time, open, high, low, close })
  }
  for (const { occurred_at, price } of fills) {
    const time = stretchOf(epoch(occurred_at), step)
    const known = found.get(time)
    found.set(time, known ? widened(known, price) : { time, open: price, high: price, low: price, close: price })
  }
  return [...found.values()].sort((a, b) => a.time - b.time)
}

/** Return the last row with a newer price in it, or the row that the price begins; null: it is older than the last. */
export function withPrice(last: Drawn | undefined, at: Moment, price: Decimal, step: number): Drawn | null {
  const time = stretchOf(epoch(at), step)
  if (!last || time > last.time) return { time, open: price, high: price, low: price, close: price }
  return time < last.time ? null : { ...widened(last, price), close: price }
}

/** Say whether rows have a height: else a line tells more. */
export function isFlat(rows: readonly Drawn[]): boolean {
  const tall = rows.filter((row) => row.high !== row.low).length
  return tall * 4 < rows.length
}
