// Events of the log in a list: in order, none twice, and which of them are wanted.

import { placeOf } from './book'
import type { Envelope } from './types'

export interface EventFilter {
  /** A type, or a pattern such as `trade_*`. */
  types?: string | undefined
  instrument?: string | undefined
  strategy?: string | undefined
  account?: string | undefined
}

function isLike(pattern: string, name: string): boolean {
  const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')
  return new RegExp(`^${escaped}$`).test(name)
}

/** Say whether an event passes a filter, as the service does. */
export function isWanted(event: Envelope, filter: EventFilter): boolean {
  const { types, instrument, strategy, account } = filter
  return (
    (!types || isLike(types, event.type)) &&
    (!instrument || event.instrument === instrument) &&
    (!strategy || event.strategy === strategy) &&
    (!account || event.account === account)
  )
}

export function byPlace(a: Envelope, b: Envelope): number {
  const [x, y] = [placeOf(a.id), placeOf(b.id)]
  return x[0] - y[0] || x[1] - y[1]
}

/** Return both lists as one, oldest first, no event twice, at most so many of the newest. Both are in order. */
export function merged(list: readonly Envelope[], more: readonly Envelope[], most: number): readonly Envelope[] {
  const last = list.at(-1)
  const first = more[0]
  if (!first) return list
  if (!last || byPlace(first, last) > 0) return [...list, ...more].slice(-most)
  const found = new Map([...list, ...more].map((event) => [event.id, event]))
  return [...found.values()].sort(byPlace).slice(-most)
}
