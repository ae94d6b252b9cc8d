// What `GET /health` says of everything.

import type { Moment, TradingState } from './types'

/** An event that a subscriber's handler could not take, put aside so that the others go on. */
export interface DeadLetter {
  subscriber: string
  event_id: string
  type: string
  reason: string
  attempts: number
  at: Moment
  retrying: boolean
}

export interface Subscriber {
  name: string
  state: string
  checkpoint: string
  lag: number
  rate: number
  mean_seconds: number
  handled: number
  errors: number
  dead_letters: number
  last_error: string
  last_error_at: Moment | null
  holder: string
  updated_at: Moment | null
}

export interface HealthPage {
  ok: boolean
  problems: string[]
  book: Record<string, unknown>
  trading: { account: string; strategy: string; state: TradingState; reason: string }[]
  bots: { strategy: string; last_beat_at: Moment; every_seconds: number; age_seconds: number; silent: boolean }[]
  subscribers: Subscriber[]
  marks: { count: number; held: { instrument: string; at: Moment | null; age_seconds: number | null; stale: boolean }[] }
  market: Record<string, unknown>
  cache_stats: Record<string, unknown>
  database_stats: Record<string, unknown>
  circuit_breakers: Record<string, unknown>
  spools: Record<string, unknown>[]
}

/** Return a value for people: nested ones in a line. */
export function shownOf(value: unknown): string {
  if (value === null || value === undefined || value === '') return '–'
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : value.toFixed(3)
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (Array.isArray(value)) return value.map(shownOf).join(', ') || '–'
  if (typeof value === 'object') return Object.entries(value).map(([name, item]) => `${name.replaceAll('_', ' ')} ${shownOf(item)}`).join(', ') || '–'
  return String(value)
}

/** Return how a breaker stands, whatever it calls it: open ones let nothing through. */
export function breakerOf(value: unknown): { state: string; isOpen: boolean } {
  const state = typeof value === 'object' && value !== null && 'state' in value ? String(value.state) : ''
  return { state: state || 'open', isOpen: state.toLowerCase() !== 'closed' }
}
