// How events change open orders and the stops of positions.

import type { BookState } from './book'
import type { Envelope, Order, Protection } from './types'

const ENDED = new Set(['filled', 'canceled', 'rejected', 'expired', 'denied', 'replaced'])
const MOST_ORDERS = 1000

export function foldOrder(state: BookState, event: Envelope): BookState {
  const said = event.data as Partial<Order>
  const id = said.client_order_id
  if (typeof id !== 'string' || typeof said.status !== 'string') return { ...state, isSettled: false }
  const known = state.orders.find((item) => item.client_order_id === id && item.account === event.account)
  const others = state.orders.filter((item) => item !== known)
  if (ENDED.has(said.status)) return { ...state, orders: others, isSettled: false }
  if (!known && said.quantity === undefined) return { ...state, isSettled: false }
  const { account, instrument, strategy, occurred_at } = event
  const fresh = { side: '', kind: 'market', quantity: '0', filled_quantity: '0', limit_price: null, stop_price: null }
  const order = { ...fresh, occurred_at, ...known, ...said, account, instrument, strategy } as Order
  const orders = known ? state.orders.map((item) => (item === known ? order : item)) : [...others, order]
  return { ...state, orders: orders.slice(-MOST_ORDERS), isSettled: false }
}

/** Stops have figures of the place where they stand: a moved one is known here, any other is asked for. */
export function foldProtection(state: BookState, event: Envelope): BookState {
  const leg = String(event.data['leg'] ?? '')
  const isIts = (item: Protection) =>
    item.account === event.account &&
    item.instrument === event.instrument &&
    item.strategy === event.strategy &&
    item.leg === leg
  const protections = state.protections.flatMap((item) => {
    if (!isIts(item)) return [item]
    if (event.type === 'stop_removed') return []
    if (event.type !== 'stop_moved') return [item]
    return [{ ...item, level: String(event.data['level'] ?? item.level) }]
  })
  return { ...state, protections, isSettled: event.type === 'stop_moved' ? state.isSettled : false }
}
