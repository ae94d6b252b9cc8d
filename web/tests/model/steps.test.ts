import { expect, test } from 'vitest'
import type { ProtectionStep, RoundTrip } from '../../src/model/records'
import { stepsOf } from '../../src/model/steps'

const at = (minute: number) => `2026-01-01T10:${String(minute).padStart(2, '0')}:00Z`
const seconds = (minute: number) => Date.parse(at(minute)) / 1000

function stood(began: number, ended: number | null, figures: Partial<ProtectionStep>): ProtectionStep {
  return { id: 'p', strategy: 's', leg: '', stop_loss: null, take_profit: null, level: null, began_at: at(began), ended_at: ended === null ? null : at(ended), ...figures }
}

function trip(opened: number, closed: number | null, given: Partial<RoundTrip> = {}): RoundTrip {
  const found = { strategy: 's', leg: '', opened_at: at(opened), closed_at: closed === null ? null : at(closed), stop_loss: '9', take_profit: '20', ...given }
  return found as RoundTrip
}

test('a stop that moves is two lines, and a target that stays beside it one', () => {
  const found = stepsOf([stood(0, 5, { stop_loss: '90', take_profit: '120' }), stood(5, null, { stop_loss: '95', take_profit: '120.0' })], [])
  expect(found).toEqual([
    { price: '90', from: seconds(0), to: seconds(5), tone: 'down', isPlan: false },
    { price: '120', from: seconds(0), to: null, tone: 'up', isPlan: false },
    { price: '95', from: seconds(5), to: null, tone: 'down', isPlan: false },
  ])
})

test('the same price set again after a while is another line', () => {
  const found = stepsOf([stood(0, 5, { level: '90' }), stood(6, 7, { level: '90' })], [])
  expect(found.map(({ from, to }) => [from, to])).toEqual([[seconds(0), seconds(5)], [seconds(6), seconds(7)]])
})

test('the stop of a signal stands for its round trip where nobody set one', () => {
  const set = stood(10, 20, { stop_loss: '8' })
  const found = stepsOf([set], [trip(0, 5), trip(9, 12), trip(15, null, { strategy: 'other', take_profit: null })])
  expect(found.filter(({ isPlan }) => isPlan)).toEqual([
    { price: '9', from: seconds(0), to: seconds(5), tone: 'down', isPlan: true },
    { price: '20', from: seconds(0), to: seconds(5), tone: 'up', isPlan: true },
    { price: '9', from: seconds(15), to: null, tone: 'down', isPlan: true },
  ])
})
