import { expect, test } from 'vitest'
import { type BookState, fold, keyOf, listed, MOST_EVENTS, opened, placeOf } from '../../src/model/book'
import type { Envelope, Overview, Position } from '../../src/model/types'

const POSITION: Position = {
  account: 'main', instrument: 'AAPL', strategy: 'trend', leg: '', quantity: '10', average_price: '200', cost_basis: '2000',
  currency: 'USD', realized_pnl_gross: '5', fees: '1', funding: '0', income: '0', realized_pnl: '4', opened_at: null,
  updated_at: null, mark: '210', marked_at: '2026-06-02T10:00:00Z', mark_source: '', stale: false, unrealized_pnl: '100',
  highest: '210', lowest: '200', flags: [], sequence: 7,
}

const OVERVIEW: Overview = {
  book: 'b:1', sequence: 7, at: '2026-06-02T10:00:00Z', day: '2026-06-02',
  settings: { base_currency: 'USD', zone: 'UTC', rolls_at: '00:00' },
  accounts: [], instruments: [], positions: [POSITION],
  marks: [{ instrument: 'AAPL', price: '210', at: '2026-06-02T10:00:00Z', source: '', stale: false }],
  equity: { currency: 'USD', amount: '10104', opening: '10000', transfers: '0', realized: '4', other: '0', unrealized: '100', revaluation: '0', unvalued: [] },
  exposure: { currency: 'USD', long: '2100', short: '0', net: '2100', gross: '2100', by_instrument: [{ instrument: 'AAPL', amount: '2100' }], unvalued: [] },
  pnl_today: { total: [{ currency: 'USD', net: '4' }], by_strategy: [{ strategy: 'trend', currency: 'USD', net: '4' }] },
  orders: [], protections: [], limits: [], trading_state: { state: 'ACTIVE', scopes: [] }, last_events: [],
  bots: [{ strategy: 'trend', every_seconds: 5, last_at: '2026-06-02T10:00:00Z', is_silent: false }], status: null, breaks: [],
}

const KEY = keyOf(POSITION)

function event(id: string, type: string, data: Record<string, unknown> = {}, more: Partial<Envelope> = {}): Envelope {
  const at = '2026-06-02T10:01:00Z'
  return {
    id, sequence: Number(id.split('.')[0] ?? 0), type, version: 1, occurred_at: at, recorded_at: at, actor: '', correlation_id: '',
    account: 'main', instrument: 'AAPL', strategy: 'trend', data, ...more,
  }
}

const FILLED = { leg: '', quantity: '12', average_price: '201', cost_basis: '2412', realized_pnl_gross: '5', fees: '1.5', funding: '0', income: '0', realized_pnl: '3.5', cause: 'fill' }
const CLOSED = { ...FILLED, quantity: '0', average_price: null, cost_basis: '0', realized_pnl: '104', round_trip: { id: 3 } }
const MARKED = { leg: '', quantity: '10', cost_basis: '2000', mark: '211', marked_at: '2026-06-02T10:00:30Z', mark_source: 'x', stale: false, unrealized_pnl: '110', highest: '211', lowest: '200', cause: 'mark' }

function after(...events: Envelope[]): BookState {
  return events.reduce(fold, opened(OVERVIEW))
}

test('an event that the snapshot holds already changes nothing', () => {
  const state = opened(OVERVIEW)
  expect(fold(state, event('7.2', 'position_updated', FILLED))).toBe(state)
  expect(fold(state, event('3.1', 'trading_state_changed', { state: 'HALTED' }))).toBe(state)
})

test('an event that comes twice counts once', () => {
  const filled = event('8.2', 'position_updated', FILLED)
  const once = after(filled)
  expect(fold(once, filled)).toBe(once)
  expect(once.equity.realized).toBe('3.5')
})

test('events of one entry are told apart by their ordinals', () => {
  const state = after(event('8.1', 'trade_executed'), event('8.2', 'position_updated', FILLED))
  expect(state.positions.get(KEY)?.quantity).toBe('12')
  expect(state.place).toEqual([8, 2])
  expect(placeOf('57')).toEqual([57, Number.MAX_SAFE_INTEGER])
})

test('a fill moves the position, and totals by exact differences', () => {
  const state = after(event('8.2', 'position_updated', FILLED))
  expect(state.positions.get(KEY)).toMatchObject({ quantity: '12', cost_basis: '2412', mark: '210', currency: 'USD', unrealized_pnl: '108' })
  expect(state.equity).toMatchObject({ realized: '3.5', unrealized: '108', amount: '10111.5' })
  expect(state.pnl_today.total).toEqual([{ currency: 'USD', net: '3.5' }])
  expect(state.pnl_today.by_strategy).toEqual([{ strategy: 'trend', currency: 'USD', net: '3.5' }])
  expect(state.isSettled).toBe(false)
})

test('a fill of another day moves equity and not today', () => {
  const late = event('8.2', 'position_updated', FILLED, { occurred_at: '2026-06-01T23:59:59Z' })
  expect(after(late).pnl_today).toBe(OVERVIEW.pnl_today)
  expect(after(late).equity.realized).toBe('3.5')
})

test('a position that goes flat leaves the list, and what it made stays in equity', () => {
  const state = after(event('8.2', 'position_closed', CLOSED))
  expect(state.positions.size).toBe(0)
  expect(state.equity).toMatchObject({ realized: '104', unrealized: '0', amount: '10104' })
  expect(state.pnl_today.total[0]?.net).toBe('104')
})

test('a position that opens again counts only what is new', () => {
  const again = { ...FILLED, realized_pnl: '103.5' }
  const state = after(event('8.2', 'position_closed', CLOSED), event('9.2', 'position_updated', again))
  expect(state.equity.realized).toBe('103.5')
  expect(state.positions.get(KEY)?.mark).toBe('210')
})

test('a position that nobody knew asks the service', () => {
  const state = after(event('8.2', 'position_updated', FILLED, { instrument: 'MSFT' }))
  expect(state.positions.size).toBe(2)
  expect(state.equity).toBe(OVERVIEW.equity)
  expect(state.isSettled).toBe(false)
})

test('a pushed mark moves what is unrealized, and equity with it', () => {
  const state = after(event('', 'position_updated', MARKED))
  expect(state.positions.get(KEY)).toMatchObject({ mark: '211', unrealized_pnl: '110', quantity: '10', average_price: '200' })
  expect(state.equity).toMatchObject({ unrealized: '110', amount: '10114', realized: '4' })
  expect(state.isSettled).toBe(true)
  expect(state.place).toEqual(opened(OVERVIEW).place)
})

test('a pushed mark of other units than the log says is left out', () => {
  const state = after(event('8.2', 'position_updated', FILLED), event('', 'position_updated', MARKED))
  expect(state.positions.get(KEY)?.unrealized_pnl).toBe('108')
})

test('in another currency equity waits for the service', () => {
  const euro = opened({ ...OVERVIEW, positions: [{ ...POSITION, currency: 'EUR' }] })
  const state = fold(euro, event('', 'position_updated', MARKED))
  expect(state.positions.get(KEY)?.unrealized_pnl).toBe('110')
  expect(state.equity).toBe(OVERVIEW.equity)
})

test('what a contract is worth is not guessed', () => {
  const contract = { ...POSITION, instrument: 'BTC/USD:BTC' }
  const state = fold(opened({ ...OVERVIEW, positions: [contract] }), event('8.2', 'position_updated', FILLED, { instrument: 'BTC/USD:BTC' }))
  expect(state.positions.get(keyOf(contract))?.unrealized_pnl).toBeNull()
})

test('a price moves its mark and nothing else', () => {
  const state = after(event('', 'price_updated', { instrument: 'AAPL', old_price: '210', new_price: '211', source: 'x' }))
  expect(state.marks.get('AAPL')).toMatchObject({ price: '211', stale: false })
  expect(state.last_events).toEqual([])
})

test('a short position is worth more as the price falls', () => {
  const short = { ...POSITION, quantity: '-10', unrealized_pnl: '-100' }
  const said = { ...FILLED, quantity: '-12', cost_basis: '2412' }
  const state = fold(opened({ ...OVERVIEW, positions: [short] }), event('8.2', 'position_updated', said))
  expect(state.positions.get(KEY)?.unrealized_pnl).toBe('-108')
})

test('trading of the book and of a strategy are told apart', () => {
  const whole = { account: '', strategy: '', instrument: '' }
  const state = after(
    event('8.1', 'trading_state_changed', { state: 'REDUCING' }, whole),
    event('9.1', 'trading_state_changed', { state: 'HALTED' }, { ...whole, strategy: 'trend' }),
    event('10.1', 'trading_state_changed', { state: 'ACTIVE' }, { ...whole, strategy: 'trend' }),
  )
  expect(state.trading_state).toEqual({ state: 'REDUCING', scopes: [{ account: '', strategy: 'trend', state: 'ACTIVE' }] })
})

test('a bot falls silent and speaks again', () => {
  const silent = after(event('8.1', 'bot_silent'))
  expect(silent.bots[0]?.is_silent).toBe(true)
  expect(fold(silent, event('9.1', 'alert_cleared', { kind: 'bot_silent', subject: 'trend' })).bots[0]?.is_silent).toBe(false)
})

test('an order comes, fills in part, and goes', () => {
  const order = { client_order_id: 'o-1', side: 'buy', quantity: '5', kind: 'limit', status: 'pending_new' }
  const open = after(event('8.1', 'order_updated', order))
  expect(open.orders).toMatchObject([{ client_order_id: 'o-1', status: 'pending_new', quantity: '5' }])
  const partly = fold(open, event('9.1', 'order_updated', { client_order_id: 'o-1', status: 'partially_filled', filled_quantity: '2' }))
  expect(partly.orders).toMatchObject([{ filled_quantity: '2', side: 'buy' }])
  expect(fold(partly, event('10.1', 'order_updated', { client_order_id: 'o-1', status: 'filled' })).orders).toEqual([])
})

test('a trail moves, and a stop that is taken away goes', () => {
  const stop = { id: 's', account: 'main', instrument: 'AAPL', strategy: 'trend', leg: '', status: 'active', stop_loss: '190', take_profit: null, trail_amount: '5', trail_ratio: null, level: '200', act: 'notify' }
  const moved = fold(opened({ ...OVERVIEW, protections: [stop] }), event('8.1', 'stop_moved', { level: '206', leg: '' }))
  expect(moved.protections[0]?.level).toBe('206')
  expect(moved.isSettled).toBe(true)
  expect(fold(moved, event('9.1', 'stop_removed', { leg: '' })).protections).toEqual([])
})

test.each(['settings_defined', 'limits_defined', 'transfer_recorded', 'break_found', 'day_ended', 'position_restated', 'rate_recorded', 'something_new'])(
  '%s asks the service for its figures',
  (type) => {
    expect(after(event('8.1', type)).isSettled).toBe(false)
  },
)

test.each(['annotated', 'signal_detected', 'state_changed', 'desk.note'])('%s moves no figure', (type) => {
  expect(after(event('8.1', type)).isSettled).toBe(true)
})

test('only the newest events are kept', () => {
  const many = Array.from({ length: MOST_EVENTS + 50 }, (_, index) => event(`${index + 8}.1`, 'annotated'))
  const state = after(...many)
  expect(state.last_events.length).toBe(MOST_EVENTS)
  expect(state.last_events.at(-1)?.id).toBe(`${MOST_EVENTS + 57}.1`)
})

test('positions are listed by what they cost, not by how their price moves', () => {
  const rows = [POSITION, { ...POSITION, instrument: 'MSFT', cost_basis: '10000' }, { ...POSITION, instrument: 'GOOG' }]
  expect(listed(opened({ ...OVERVIEW, positions: rows })).map((item) => item.instrument)).toEqual(['MSFT', 'AAPL', 'GOOG'])
})

test('a state that was folded is not changed', () => {
  const state = opened(OVERVIEW)
  const before = structuredClone(state)
  fold(state, event('8.2', 'position_closed', CLOSED))
  fold(state, event('', 'position_updated', MARKED))
  expect(state).toEqual(before)
})
