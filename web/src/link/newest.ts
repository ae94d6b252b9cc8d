// Lists that the service gives oldest first, read so that the newest of them are there however long they are.

import { readAll, type Query } from './api'

const DAY_MS = 86_400_000
const SPANS_DAYS = [1, 7, 30, 365, 5 * 365] as const

export interface Newest<T> {
  /** Newest first. */
  rows: T[]
  /** Whether older ones may have been left out. */
  isCut: boolean
}

/** Read the newest rows of a list in the order of time: of longer and longer spans until there are enough.
 *
 * `end` is when the newest may be, in milliseconds; of more than `most` in a span the shorter one before stands.
 */
export async function readNewest<T>(path: string, query: Query, end: number, enough: number, most: number, signal?: AbortSignal): Promise<Newest<T>> {
  let before: T[] | null = null
  for (const days of [...SPANS_DAYS, null]) {
    const since = days === null ? null : new Date(end - days * DAY_MS).toISOString()
    const rows: T[] = await readAll<T>(path, { ...query, since }, most + 1, signal)
    if (rows.length > most) return { rows: (before ?? rows.slice(0, most)).reverse(), isCut: true }
    if (rows.length >= enough || days === null) return { rows: rows.reverse(), isCut: days !== null }
    before = rows
  }
  return { rows: [], isCut: false }
}
