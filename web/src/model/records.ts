// What lists of the service hold: round trips, signals, fills, days, statistics. Amounts and times as in types.ts.

import type { Decimal, Moment } from './types'

/** A position from flat until flat again; `id` is the entry that opened it. */
export interface RoundTrip {
  id: number
  account: string
  instrument: string
  strategy: string
  leg: string
  direction: 'long' | 'short'
  quantity: Decimal
  entry_price: Decimal | null
  exit_price: Decimal | null
  opened_at: Moment
  closed_at: Moment | null
  currency: string
  gross: Decimal
  fees: Decimal
  funding: Decimal
  income: Decimal
  net: Decimal
  close_reason: string
  signal_id: string
  stop_loss: Decimal | null
  take_profit: Decimal | null
  risk_amount: Decimal | null
  highest: Decimal | null
  lowest: Decimal | null
  notes: string
  tags: string[]
  is_open: boolean
}

/** A position's stop and target for as long as they stood so. */
export interface ProtectionStep {
  id: string
  strategy: string
  leg: string
  stop_loss: Decimal | null
  take_profit: Decimal | null
  level: Decimal | null
  began_at: Moment
  ended_at: Moment | null
}

export interface SignalState {
  signal_id: string
  instrument: string
  action: string
  account: string
  strategy: string
  price: Decimal | null
  stop_loss: Decimal | null
  take_profit: Decimal | null
  confidence: Decimal | null
  timeframe: string
  confluences: string[]
  expires_at: Moment | null
  occurred_at: Moment
  note: string
  tags: string[]
  raw: Record<string, unknown>
  status: string
  round_trip: number | null
  reason: string
  sequence: number
}

export interface JournalEntry {
  round_trip: RoundTrip
  signal: SignalState | null
}

export interface Fill {
  sequence: number
  id: string
  instrument: string
  side: 'buy' | 'sell'
  quantity: Decimal
  price: Decimal
  account: string
  strategy: string
  leg: string
  occurred_at: Moment
  fee: Decimal | null
  fee_currency: string | null
  close_reason: string
  note: string
}

export interface DailyPnl {
  day: string
  currency: string
  gross: Decimal
  fees: Decimal
  funding: Decimal
  income: Decimal
  net: Decimal
  fills: number
  round_trips: number
  restated: boolean
}

export interface StatisticsGroup {
  /** Null: the rest of too many names. */
  name: string | null
  count: number
  wins: number
  losses: number
  net: Decimal
}

export interface Statistics {
  currency: string
  count: number
  wins: number
  losses: number
  win_rate: Decimal | null
  expectancy: Decimal | null
  profit_factor: Decimal | null
  average_win: Decimal | null
  average_loss: Decimal | null
  average_hold_seconds: Decimal | null
  largest_win: Decimal | null
  largest_loss: Decimal | null
  gross: Decimal
  fees: Decimal
  funding: Decimal
  income: Decimal
  net: Decimal
  max_drawdown: { amount: Decimal; since: string | null; until: string } | null
  distribution: { edges: Decimal[]; counts: number[] }
  by_strategy: StatisticsGroup[]
  by_instrument: StatisticsGroup[]
  by_month: StatisticsGroup[]
  by_reason: StatisticsGroup[]
}

export interface Lots {
  method: string
  currency: string
  open: { quantity: Decimal; price: Decimal; cost: Decimal; opened_at: Moment; sequence: number }[]
  closed: {
    quantity: Decimal
    open_price: Decimal
    close_price: Decimal
    gain: Decimal
    opened_at: Moment
    closed_at: Moment
    open_sequence: number
    close_sequence: number
  }[]
}

/** One fact's part in a figure; the parts add up to it. */
export interface Explanation {
  sequence: number
  occurred_at: Moment
  kind: string
  amount: Decimal
  note: string
}

/** Prices of one stretch of time, or one price. */
export interface PriceRow {
  at: Moment
  open: Decimal
  high: Decimal
  low: Decimal
  close: Decimal
}
