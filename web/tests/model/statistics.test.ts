import { expect, test } from 'vitest'
import type { DailyPnl, StatisticsGroup } from '../../src/model/records'
import { runningOf, sinceOf, yearsOf } from '../../src/model/statistics'

function day(name: string, net: string): DailyPnl {
  return { day: name, currency: 'USD', gross: net, fees: '0', funding: '0', income: '0', net, fills: 1, round_trips: 1, restated: false }
}

function month(name: string | null, net: string, count = 1): StatisticsGroup {
  return { name, count, wins: 0, losses: 0, net }
}

test('the fall is how far the sum of days is below its height before, to the last digit', () => {
  const found = runningOf([day('a', '10.1'), day('b', '-0.3'), day('c', '-4'), day('d', '5'), day('e', '-0.000000001')])
  expect(found.total).toEqual(['10.1', '9.8', '5.8', '10.8', '10.799999999'])
  expect(found.fall).toEqual(['0', '-0.3', '-4.3', '0', '-0.000000001'])
})

test('a book that only lost has fallen from nothing', () => {
  expect(runningOf([day('a', '-1'), day('b', '-2')]).fall).toEqual(['-1', '-3'])
})

test('months stand in their year, newest year first, and sum exactly', () => {
  const rows = yearsOf([month('2025-12', '0.1'), month('2026-01', '0.1', 2), month('2026-03', '0.2', 3), month(null, '9')])
  expect(rows.map((row) => row.year)).toEqual(['2026', '2025'])
  expect(rows[0]?.net).toBe('0.3')
  expect(rows[0]?.count).toBe(5)
  expect(rows[0]?.months.map((item) => item?.net ?? null).slice(0, 3)).toEqual(['0.1', null, '0.2'])
  expect(rows[1]?.months[11]?.net).toBe('0.1')
})

test('a long journal is read from the month on from which it is not too long', () => {
  const months = [month('2025-11', '0', 50), month('2026-01', '0', 40), month('2026-02', '0', 30)]
  expect(sinceOf(months, 1000)).toBe(null)
  expect(sinceOf(months, 100)).toBe('2026-01-01')
  expect(sinceOf(months, 10)).toBe('2026-02-01')
  expect(sinceOf([], 10)).toBe(null)
})
