// Days of the book on a calendar: weeks of a year, bounds of a day, and how strongly a day is coloured.

import { fromZone } from './days'
import { absolute, compare, sign } from './decimal'
import type { Decimal, Moment } from './types'

const DAY_MS = 86_400_000

export const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const

/** Return the day that is so many days later: 2026-01-31. */
export function later(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10)
}

/** Return the moments at which a day of the book begins and ends. */
export function boundsOf(day: string, zone: string, rollsAt: string): readonly [Moment, Moment] {
  const clock = rollsAt.slice(0, 5)
  return [fromZone(`${day}T${clock}`, zone), fromZone(`${later(day, 1)}T${clock}`, zone)]
}

/** Return the weeks of a year, each with seven days from Monday on; null: a day of another year. */
export function weeksOf(year: number): (string | null)[][] {
  const first = Date.UTC(year, 0, 1)
  const last = Date.UTC(year, 11, 31)
  const monday = first - ((new Date(first).getUTCDay() + 6) % 7) * DAY_MS
  const weeks: (string | null)[][] = []
  for (let start = monday; start <= last; start += 7 * DAY_MS) {
    weeks.push(
      Array.from({ length: 7 }, (_, index) => {
        const at = start + index * DAY_MS
        return at < first || at > last ? null : new Date(at).toISOString().slice(0, 10)
      }),
    )
  }
  return weeks
}

/** Return the sizes at which a colour gets stronger: quarters of the sizes there are, smallest first. */
export function stepsOf(values: readonly Decimal[]): Decimal[] {
  const sizes = values.map(absolute).filter((value) => sign(value) > 0).sort(compare)
  return [1, 2, 3].flatMap((quarter) => sizes[Math.floor((sizes.length * quarter) / 4)] ?? [])
}

/** Return how strongly a value is coloured: −4 to 4; 0 only for 0. */
export function levelOf(value: Decimal, steps: readonly Decimal[]): number {
  const size = absolute(value)
  return sign(value) * (1 + steps.filter((step) => compare(size, step) >= 0).length)
}
