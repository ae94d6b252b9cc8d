// What the dashboard shows of a book, and how each event changes it. `fold` is pure: the same state and event give
// the same state. Figures are the service's; between two answers of the service totals move by exact differences, and
// `isSettled` says whether an answer is wanted that knows better.

import { dayOf } from './days'
import { absolute, add, compare, multiply, sign, subtract } from './decimal'
import { foldOrder, foldProtection } from './orders'
import type { Decimal, Envelope, Equity, Mark, Overview, PnlToday, Position, Scope, TradingState } from './types'

export const MOST_EVENTS = 200

export interface BookState extends Omit<Overview, 'positions' | 'marks' | 'at'> {
  /** When the service answered. */
  at: string
  /** Open positions by `keyOf`. */
  positions: ReadonlyMap<string, Position>
  marks: ReadonlyMap<string, Mark>
  /** Positions that went flat since the answer: the next difference counts from their figures. */
  ended: ReadonlyMap<string, Position>
  /** The last event that is in it: sequence and ordinal. */
  place: readonly [number, number]
  /** False: something changed of which only the service can tell the figures. */
  isSettled: boolean
}

const WHOLE = Number.MAX_SAFE_INTEGER

export function keyOf(item: { account: string; instrument: string; strategy: string | null; leg?: unknown }): string {
  return [item.account, item.instrument, item.strategy ?? '', String(item.leg ?? '')].join('|')
}

/** Return the state of an answer of `GET /v1/overview`. */
export function opened(overview: Overview): BookState {
  return {
    ...overview,
    positions: new Map(overview.positions.map((item) => [keyOf(item), item])),
    marks: new Map(overview.marks.map((item) => [item.instrument, item])),
    ended: new Map(),
    place: [overview.sequence, WHOLE],
    isSettled: true,
  }
}

/** Return sequence and ordinal of an event id: `57.2`. */
export function placeOf(id: string): readonly [number, number] {
  const [sequence, ordinal] = id.split('.')
  return [Number(sequence), ordinal === undefined ? WHOLE : Number(ordinal)]
}

function isKnown(state: BookState, place: readonly [number, number]): boolean {
  return place[0] < state.place[0] || (place[0] === state.place[0] && place[1] <= state.place[1])
}

/** Return the state after an event. What the state holds already changes nothing. */
export function fold(state: BookState, event: Envelope): BookState {
  if (!event.id) return live(state, event)
  const place = placeOf(event.id)
  if (isKnown(state, place)) return state
  const last_events = [...state.last_events, event].slice(-MOST_EVENTS)
  const next: BookState = { ...state, place, sequence: place[0], last_events }
  return (FOLDS[event.type] ?? (event.type.includes('.') ? same : ask))(next, event)
}

type Fold = (state: BookState, event: Envelope) => BookState

const same: Fold = (state) => state
/** Something that figures hang on: the service is asked. */
const ask: Fold = (state) => ({ ...state, isSettled: false })

const FOLDS: Record<string, Fold> = {
  position_updated: moved,
  position_closed: closed,
  order_updated: foldOrder,
  stop_set: foldProtection,
  stop_moved: foldProtection,
  stop_removed: foldProtection,
  stop_triggered: foldProtection,
  trading_state_changed: switched,
  bot_silent: heard(true),
  alert_cleared: (state, event) => (event.data['kind'] === 'bot_silent' ? heard(false)(state, event) : state),
  alert_raised: same,
  annotated: same,
  published: same,
  signal_detected: same,
  signal_executed: same,
  signal_expired: same,
  signal_closed: same,
  snapshot_taken: same,
  state_changed: same,
  token_defined: same,
  hook_defined: same,
}

// ---- prices, which are in no log ----

function live(state: BookState, event: Envelope): BookState {
  if (event.type === 'price_updated') {
    const mark: Mark = {
      instrument: event.instrument,
      price: String(event.data['new_price']),
      at: event.occurred_at,
      source: String(event.data['source'] ?? ''),
      stale: false,
    }
    return { ...state, marks: new Map(state.marks).set(mark.instrument, mark) }
  }
  if (event.type !== 'position_updated') return state
  const key = keyOf({ ...event, leg: event.data['leg'] })
  const known = state.positions.get(key)
  const said = event.data as unknown as Position
  // Its other figures may be older than those of the log: only what a mark moves is taken, and of the same units.
  if (!known || known.quantity !== said.quantity || known.cost_basis !== said.cost_basis) return state
  const { mark, marked_at, mark_source, stale, unrealized_pnl, highest, lowest } = said
  const next = { ...known, mark, marked_at, mark_source, stale, unrealized_pnl, highest, lowest }
  const equity = byDifference(state.equity, known, next)
  return { ...state, equity, positions: new Map(state.positions).set(key, next) }
}

/** Return equity after a position's P&L moved: exact in the same currency, and else as it was until the next answer. */
function byDifference(equity: Equity, before: Position, after: Position): Equity {
  if (after.currency !== equity.currency) return equity
  const unrealized = subtract(after.unrealized_pnl ?? '0', before.unrealized_pnl ?? '0')
  const realized = subtract(after.realized_pnl, before.realized_pnl)
  if (sign(unrealized) === 0 && sign(realized) === 0) return equity
  return {
    ...equity,
    unrealized: add(equity.unrealized, unrealized),
    realized: add(equity.realized, realized),
    amount: add(equity.amount, add(unrealized, realized)),
  }
}

// ---- positions ----

/** Return the unrealized P&L after a fill at the mark that is known; null where only the service can tell. */
function valued(position: Position, state: BookState): Decimal | null {
  const { mark, quantity, cost_basis, instrument } = position
  const defined = state.instruments.find((item) => item.symbol === instrument)
  const isPlain = defined ? defined.contract_size === '1' && defined.settle !== defined.base : !instrument.includes(':')
  if (mark === null || !isPlain) return null
  const cost = sign(quantity) < 0 ? subtract('0', cost_basis) : cost_basis
  return subtract(multiply(quantity, mark), cost)
}

function figures(event: Envelope, known: Position | undefined): Position {
  const { cause: _, round_trip: __, unvalued: ___, ...data } = event.data
  const unknown = { mark: null, marked_at: null, mark_source: '', stale: null, unrealized_pnl: null, currency: '' }
  const { account, instrument, strategy, sequence } = event
  return { ...unknown, ...known, ...(data as unknown as Position), account, instrument, strategy, sequence }
}

function moved(state: BookState, event: Envelope): BookState {
  const key = keyOf({ ...event, leg: event.data['leg'] })
  const known = state.positions.get(key) ?? state.ended.get(key)
  let next = figures(event, known)
  const mark = state.marks.get(event.instrument)
  if (!state.positions.has(key) && mark) next = { ...next, mark: mark.price, marked_at: mark.at, stale: mark.stale }
  next = { ...next, unrealized_pnl: valued(next, state) }
  const positions = new Map(state.positions).set(key, next)
  return settled({ ...state, positions }, event, known, next)
}

function closed(state: BookState, event: Envelope): BookState {
  const key = keyOf({ ...event, leg: event.data['leg'] })
  const known = state.positions.get(key)
  const next = { ...figures(event, known), unrealized_pnl: null }
  const positions = new Map(state.positions)
  positions.delete(key)
  const ended = new Map(state.ended).set(key, next)
  return settled({ ...state, positions, ended }, event, known, next)
}

/** Return the state with totals moved by what a position's figures moved; the service is asked for the rest. */
function settled(state: BookState, event: Envelope, before: Position | undefined, after: Position): BookState {
  const next = { ...state, isSettled: false }
  if (!before) return next
  const { zone, rolls_at } = state.settings
  const isToday = dayOf(event.occurred_at, zone, rolls_at) === state.day
  const moved = subtract(after.realized_pnl, before.realized_pnl)
  const pnl_today = isToday && after.currency ? gained(state.pnl_today, after, moved) : state.pnl_today
  return { ...next, equity: byDifference(state.equity, before, after), pnl_today }
}

function gained(today: PnlToday, { currency, strategy }: Position, amount: Decimal): PnlToday {
  if (sign(amount) === 0) return today
  const name = strategy ?? ''
  const total = raised(today.total, (item) => item.currency === currency, { currency, net: amount })
  const isOurs = (item: { currency: string; strategy: string }) => item.currency === currency && item.strategy === name
  return { total, by_strategy: raised(today.by_strategy, isOurs, { strategy: name, currency, net: amount }) }
}

function raised<T extends { net: Decimal }>(rows: T[], isOurs: (row: T) => boolean, by: T): T[] {
  if (!rows.some(isOurs)) return [...rows, by]
  return rows.map((row) => (isOurs(row) ? { ...row, net: add(row.net, by.net) } : row))
}

// ---- trading and bots ----

function switched(state: BookState, event: Envelope): BookState {
  const to = String(event.data['state']) as TradingState
  const { account, strategy } = event
  const before = state.trading_state
  if (!account && !strategy) return { ...state, trading_state: { ...before, state: to } }
  const scope: Scope = { account, strategy, state: to }
  const others = before.scopes.filter((item) => item.account !== account || item.strategy !== strategy)
  return { ...state, trading_state: { ...before, scopes: [...others, scope] }, isSettled: false }
}

function heard(is_silent: boolean): Fold {
  return (state, event) => {
    const name = event.strategy || String(event.data['subject'] ?? '')
    const bots = state.bots.map((bot) => (bot.strategy === name ? { ...bot, is_silent } : bot))
    return { ...state, bots }
  }
}

// ---- what is told of a state ----

/** Return the open positions, the largest at cost first; without strategies' order changing while prices move. */
export function listed(state: BookState): Position[] {
  const rows = [...state.positions.values()]
  const size = (item: Position) => absolute(item.cost_basis)
  return rows.sort((a, b) => compare(size(b), size(a)) || (keyOf(a) < keyOf(b) ? -1 : 1))
}
