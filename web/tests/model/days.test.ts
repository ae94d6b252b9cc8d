import { expect, test } from 'vitest'
import * as days from '../../src/model/days'

test('times are shown in the zone that is named', () => {
  expect(days.momentIn('2026-07-01T22:30:05Z', 'Europe/Berlin')).toBe('2026-07-02 00:30:05')
  expect(days.momentIn('2026-01-01T00:00:00Z', 'America/New_York')).toBe('2025-12-31 19:00:00')
})

test('midnight is 00 and not 24', () => {
  expect(days.clockIn('2026-01-01T00:00:00Z', 'UTC')).toBe('00:00:00')
})

test.each([
  ['2026-03-29T01:59', 'Europe/Berlin', '2026-03-29T00:59:00.000Z'],
  ['2026-03-29T03:00', 'Europe/Berlin', '2026-03-29T01:00:00.000Z'],
  ['2026-10-25T12:00', 'Europe/Berlin', '2026-10-25T11:00:00.000Z'],
  ['2026-01-31T09:30', 'UTC', '2026-01-31T09:30:00.000Z'],
  ['2026-07-01T09:30', 'America/New_York', '2026-07-01T13:30:00.000Z'],
])('the wall clock %s in %s is %s', (local, zone, moment) => {
  expect(days.fromZone(local, zone)).toBe(moment)
})

test('what is no wall clock is refused', () => {
  expect(() => days.fromZone('yesterday', 'UTC')).toThrow(RangeError)
})

test('a day begins when it rolls', () => {
  expect(days.dayOf('2026-06-02T20:59:59Z', 'America/New_York', '17:00')).toBe('2026-06-01')
  expect(days.dayOf('2026-06-02T21:00:00Z', 'America/New_York', '17:00')).toBe('2026-06-02')
  expect(days.dayOf('2026-06-02T22:30:00Z', 'Europe/Berlin', '00:00')).toBe('2026-06-03')
})

test('spans are told in one unit', () => {
  expect([0, 59.9, 60, 3599, 7200, 86_400 * 3.5, 86_400 * 5012, -4].map(days.span)).toEqual(['0s', '59s', '1m', '59m', '2h', '3d', '13y', '0s'])
})
