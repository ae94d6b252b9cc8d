import { expect, test } from 'vitest'
import { drawnOf, isFlat, spanOf, stretchOf, withPrice } from '../../src/model/prices'
import type { Fill } from '../../src/model/records'

function fill(occurred_at: string, price: string): Fill {
  return { sequence: 1, id: '1.1', instrument: 'X', side: 'buy', quantity: '1', price, account: 'main', strategy: '', leg: '', occurred_at, fee: null, fee_currency: null, close_reason: '', note: '' }
}

const ROW = { at: '2026-01-01T10:00:00Z', open: '10', high: '12', low: '9', close: '11' }
const AT = Date.parse(ROW.at) / 1000

test('a fill widens the row of its time, and stands for the price where none was kept', () => {
  const rows = drawnOf([ROW], [fill('2026-01-01T10:59:59.9Z', '13'), fill('2026-01-01T08:10:00Z', '7.5')], 3600)
  expect(rows).toEqual([
    { time: AT - 7200, open: '7.5', high: '7.5', low: '7.5', close: '7.5' },
    { time: AT, open: '10', high: '13', low: '9', close: '11' },
  ])
})

test('the newest price ends the last row, begins the next, and never goes back', () => {
  const last = { time: AT, open: '10', high: '12', low: '9', close: '11' }
  expect(withPrice(last, '2026-01-01T10:30:00Z', '8', 3600)).toEqual({ ...last, low: '8', close: '8' })
  expect(withPrice(last, '2026-01-01T11:00:00Z', '8', 3600)).toEqual({ time: AT + 3600, open: '8', high: '8', low: '8', close: '8' })
  expect(withPrice(last, '2026-01-01T09:59:59Z', '8', 3600)).toBe(null)
  expect(withPrice(undefined, ROW.at, '8', 3600)?.close).toBe('8')
})

test('the span shows all of the time that a position was open', () => {
  const end = Date.parse('2026-01-31T00:00:00Z')
  expect(spanOf('2026-01-30T23:30:00Z', end).name).toBe('1H')
  expect(spanOf('2026-01-30T20:00:00Z', end).name).toBe('1D')
  expect(spanOf('2026-01-10T00:00:00Z', end).name).toBe('1M')
  expect(spanOf('2019-01-10T00:00:00Z', end).name).toBe('All')
  expect(spanOf(null, end).name).toBe('All')
})

test('stretches begin on multiples of their length, and prices without height are a line', () => {
  expect(stretchOf(AT * 1000 + 1_799_999, 1800)).toBe(AT)
  expect(isFlat(drawnOf([], [fill(ROW.at, '1'), fill('2026-01-02T10:00:00Z', '2')], 60))).toBe(true)
  expect(isFlat(drawnOf([ROW], [], 60))).toBe(false)
})
