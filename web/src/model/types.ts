// What the service sends. Amounts, prices and quantities are text in plain notation; times are RFC 3339 UTC.

/** An exact decimal as text: `-12.30`. Never a float. */
export type Decimal = string
/** RFC 3339 UTC: `2026-01-31T09:30:00Z`. */
export type Moment = string

export type Role = 'viewer' | 'accountant' | 'operator' | 'bot'
export type TradingState = 'ACTIVE' | 'REDUCING' | 'HALTED'

export interface Session {
  name: string
  role: Role
  strategy: string
  how: 'bearer' | 'cookie' | 'loopback'
  csrf: string
}

export interface Settings {
  base_currency: string
  zone: string
  rolls_at: string
}

export interface Account {
  name: string
  venue: string
  currency: string
  mode: string
  kind: 'live' | 'paper'
}

export interface Instrument {
  symbol: string
  kind: string
  base: string
  quote: string
  settle: string
  contract_size: Decimal
  tick_size: Decimal | null
  lot_size: Decimal | null
}

/** `quantity` is signed; money is in `currency`, the settlement currency. Strategy null: the account's total. */
export interface Position {
  account: string
  instrument: string
  strategy: string | null
  leg: string
  quantity: Decimal
  average_price: Decimal | null
  cost_basis: Decimal
  currency: string
  realized_pnl_gross: Decimal
  fees: Decimal
  funding: Decimal
  income: Decimal
  realized_pnl: Decimal
  opened_at: Moment | null
  updated_at: Moment | null
  mark: Decimal | null
  marked_at: Moment | null
  mark_source: string
  stale: boolean | null
  unrealized_pnl: Decimal | null
  highest: Decimal | null
  lowest: Decimal | null
  flags: string[]
  sequence: number
  /** Worth at its mark in the base currency, signed; as of the last answer of the service, not of each price. */
  exposure?: Decimal | null
}

export interface Mark {
  instrument: string
  price: Decimal
  at: Moment
  source: string
  stale: boolean
}

export interface Equity {
  currency: string
  amount: Decimal
  opening: Decimal
  transfers: Decimal
  realized: Decimal
  other: Decimal
  unrealized: Decimal
  revaluation: Decimal
  unvalued: [string, Decimal][]
}

export interface EquityPoint {
  at: Moment
  amount: Decimal
  marks_age_seconds: number | null
}

export interface Money {
  currency: string
  net: Decimal
}

export interface PnlToday {
  total: Money[]
  by_strategy: (Money & { strategy: string })[]
}

/** What positions are worth at their marks, in one currency. `short` is 0 or below, `by_instrument` is signed. */
export interface Exposure {
  currency: string
  long: Decimal
  short: Decimal
  gross: Decimal
  net: Decimal
  by_instrument: { instrument: string; amount: Decimal }[]
  unvalued: string[]
}

export interface Order {
  client_order_id: string
  account: string
  instrument: string
  strategy: string
  side: string
  kind: string
  quantity: Decimal
  filled_quantity: Decimal
  limit_price: Decimal | null
  stop_price: Decimal | null
  status: string
  occurred_at: Moment
}

export interface Protection {
  id: string
  account: string
  instrument: string
  strategy: string
  leg: string
  status: string
  stop_loss: Decimal | null
  take_profit: Decimal | null
  trail_amount: Decimal | null
  trail_ratio: Decimal | null
  level: Decimal | null
  act: string
}

export const FIGURES = ['max_daily_loss', 'max_drawdown', 'max_exposure', 'max_notional', 'max_position'] as const
export type LimitFigure = (typeof FIGURES)[number]

export interface Limits extends Record<LimitFigure, Decimal | null> {
  account: string
  strategy: string
  instrument: string
  instruments: string[]
  max_orders: number | null
  per_seconds: Decimal | null
  flatten: boolean
}

export interface LimitStanding {
  limits: Limits
  used: Partial<Record<LimitFigure, Decimal>>
}

export interface Scope {
  account: string
  strategy: string
  state: TradingState
}

export interface Bot {
  strategy: string
  every_seconds: number
  last_at: Moment
  is_silent: boolean
}

export interface Break {
  id: string
  kind: string
  account: string
  instrument: string
  quantity: Decimal | null
  amount: Decimal | null
  first_seen: Moment
  last_seen: Moment
  state: string
  proposed: string
  resolver: string
  note: string
}

export interface Status {
  url: string
  entries: number
  facts: number
  conflicts: number
  breaks: number
  unvalued: number
  marks: number
  last_backup_at: Moment | null
}

/** An entry of the log, or with an empty id a live one that is in no log: a price, or a position that it moved. */
export interface Envelope {
  id: string
  sequence: number
  type: string
  version: number
  occurred_at: Moment
  recorded_at: Moment
  actor: string
  correlation_id: string
  account: string
  instrument: string
  strategy: string
  data: Record<string, unknown>
}

/** The answer of `GET /v1/overview`. */
export interface Overview {
  /** The book and its epoch: places in the log hold in it only. */
  book: string
  sequence: number
  at: Moment
  day: string
  settings: Settings
  accounts: Account[]
  instruments: Instrument[]
  positions: Position[]
  marks: Mark[]
  equity: Equity
  exposure: Exposure
  pnl_today: PnlToday
  orders: Order[]
  protections: Protection[]
  limits: LimitStanding[]
  trading_state: { state: TradingState; scopes: Scope[] }
  last_events: Envelope[]
  bots: Bot[]
  status: Status | null
  breaks: Break[]
}

/** A page of a list; hand `next_after` back as `after`. */
export interface Page<T> {
  items: T[]
  next_after: string | null
}

/** RFC 9457. */
export interface ProblemBody {
  title: string
  status: number
  detail: string
  code: string
  retryable: boolean
  details?: Record<string, unknown>
}
