import { expect, test } from 'vitest'
import { boundsOf, later, levelOf, stepsOf, weeksOf } from '../../src/model/calendar'

test('a year has every day once, in weeks that begin on a Monday', () => {
  for (const year of [2024, 2026, 2000]) {
    const weeks = weeksOf(year)
    const days = weeks.flat().filter((day) => day !== null)
    expect(days.length).toBe(year % 4 === 0 ? 366 : 365)
    expect(new Set(days).size).toBe(days.length)
    expect([...days].sort()).toEqual(days)
    for (const week of weeks) {
      expect(week.length).toBe(7)
      if (week[0]) expect(new Date(`${week[0]}T00:00:00Z`).getUTCDay()).toBe(1)
    }
  }
})

test('the day after the last of a month is the first of the next', () => {
  expect(later('2024-02-28', 1)).toBe('2024-02-29')
  expect(later('2025-12-31', 1)).toBe('2026-01-01')
  expect(later('2026-03-01', -1)).toBe('2026-02-28')
})

test('a day of the book begins when it rolls, in its zone, also where clocks are put forward', () => {
  expect(boundsOf('2026-01-15', 'Europe/Berlin', '00:00')).toEqual(['2026-01-14T23:00:00.000Z', '2026-01-15T23:00:00.000Z'])
  expect(boundsOf('2026-03-29', 'Europe/Berlin', '00:00')).toEqual(['2026-03-28T23:00:00.000Z', '2026-03-29T22:00:00.000Z'])
  expect(boundsOf('2026-01-15', 'America/New_York', '17:00')[0]).toBe('2026-01-15T22:00:00.000Z')
})

test('the colour of a day follows its sign and its size among the others', () => {
  const steps = stepsOf(['-1', '2', '3', '-4', '5', '6', '7', '-8', '0'])
  expect(levelOf('0', steps)).toBe(0)
  expect(levelOf('1', steps)).toBe(1)
  expect(levelOf('-8', steps)).toBe(-4)
  expect(levelOf('3', steps)).toBe(2)
  expect(levelOf('100', [])).toBe(1)
})
