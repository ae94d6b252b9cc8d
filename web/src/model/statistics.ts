// How statistics of the service are laid out: nothing is judged anew here, only put in rows and summed along them.

import { add, compare, subtract, sum } from './decimal'
import type { DailyPnl, StatisticsGroup } from './records'
import type { Decimal } from './types'

export interface Fallen {
  days: string[]
  /** Sum of the days up to each. */
  total: Decimal[]
  /** How far it is below the highest it was before: 0 or less. */
  fall: Decimal[]
}

/** Return the running sum of days of one currency, and its fall below the height before. */
export function runningOf(days: readonly DailyPnl[]): Fallen {
  const found: Fallen = { days: [], total: [], fall: [] }
  let [total, peak] = ['0', '0']
  for (const row of days) {
    total = add(total, row.net)
    if (compare(total, peak) > 0) peak = total
    found.days.push(row.day)
    found.total.push(total)
    found.fall.push(subtract(total, peak))
  }
  return found
}

export interface YearRow {
  year: string
  /** January first; null: nothing ended in it. */
  months: (StatisticsGroup | null)[]
  net: Decimal
  count: number
}

/** Return a row per year of groups by month such as 2026-03, newest year first. */
export function yearsOf(groups: readonly StatisticsGroup[]): YearRow[] {
  const years = new Map<string, StatisticsGroup[]>()
  for (const group of groups) {
    const year = group.name?.slice(0, 4)
    if (year) years.set(year, [...(years.get(year) ?? []), group])
  }
  return [...years].sort(([a], [b]) => (a < b ? 1 : -1)).map(([year, rows]) => ({
    year,
    months: Array.from({ length: 12 }, (_, index) => rows.find((row) => Number(row.name?.slice(5)) === index + 1) ?? null),
    net: sum(rows.map((row) => row.net)),
    count: rows.reduce((count, row) => count + row.count, 0),
  }))
}

/** Return the first day from which on at most so many round trips ended, by whole months; null: there are no more. */
export function sinceOf(groups: readonly StatisticsGroup[], most: number): string | null {
  const months = groups.filter((group) => group.name).sort((a, b) => ((a.name ?? '') < (b.name ?? '') ? 1 : -1))
  let count = 0
  let first: string | null = null
  for (const month of months) {
    if (first !== null && count + month.count > most) return `${first}-01`
    count += month.count
    first = month.name
  }
  return null
}
