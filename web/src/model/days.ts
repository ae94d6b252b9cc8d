// Times for people, in the book's zone, and days as the book counts them.

import type { Moment } from './types'

const formats = new Map<string, Intl.DateTimeFormat>()
const MOST_FORMATS = 60

function formatOf(zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${zone} ${JSON.stringify(options)}`
  let found = formats.get(key)
  if (!found) {
    if (formats.size >= MOST_FORMATS) formats.clear()
    found = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hourCycle: 'h23', ...options })
    formats.set(key, found)
  }
  return found
}

const DAY = { year: 'numeric', month: '2-digit', day: '2-digit' } as const
const CLOCK = { hour: '2-digit', minute: '2-digit', second: '2-digit' } as const

function parts(at: number, zone: string): Record<string, string> {
  const found: Record<string, string> = {}
  for (const { type, value } of formatOf(zone, { ...DAY, ...CLOCK }).formatToParts(at)) found[type] = value
  return found
}

/** Return the calendar date in a zone: 2026-01-31. */
export function dateIn(moment: Moment | number, zone: string): string {
  const { year = '', month = '', day = '' } = parts(epoch(moment), zone)
  return `${year.padStart(4, '0')}-${month}-${day}`
}

/** Return the time of day in a zone: 09:30:05. */
export function clockIn(moment: Moment | number, zone: string): string {
  const { hour = '', minute = '', second = '' } = parts(epoch(moment), zone)
  return `${hour}:${minute}:${second}`
}

/** Return date and time in a zone: 2026-01-31 09:30:05. */
export function momentIn(moment: Moment | number, zone: string): string {
  return `${dateIn(moment, zone)} ${clockIn(moment, zone)}`
}

/** Return the time of day when it was today, else the date: for lists of the newest. */
export function briefIn(moment: Moment, zone: string, now: number): string {
  return dateIn(moment, zone) === dateIn(now, zone) ? clockIn(moment, zone) : momentIn(moment, zone).slice(0, 16)
}

/** Return milliseconds since 1970 UTC. */
export function epoch(moment: Moment | number): number {
  return typeof moment === 'number' ? moment : Date.parse(moment)
}

/** Return how far a zone is ahead of UTC at a moment, in milliseconds. */
function ahead(at: number, zone: string): number {
  const { year = '1970', month = '1', day = '1', hour = '0', minute = '0', second = '0' } = parts(at, zone)
  return Date.UTC(+year, +month - 1, +day, +hour, +minute, +second) - Math.floor(at / 1000) * 1000
}

/** Return the moment of a wall clock in a zone: `2026-01-31T09:30`, as an input of date and time has it. */
export function fromZone(local: string, zone: string): Moment {
  const wall = Date.parse(`${local}${local.length === 16 ? ':00' : ''}Z`)
  if (Number.isNaN(wall)) throw new RangeError(`${JSON.stringify(local)} is no date and time`)
  const first = wall - ahead(wall, zone)
  return new Date(wall - ahead(first, zone)).toISOString()
}

/** Return the day of the book in which a moment falls: it begins at `rollsAt` in the zone. */
export function dayOf(moment: Moment | number, zone: string, rollsAt: string): string {
  const date = dateIn(moment, zone)
  if (clockIn(moment, zone) >= `${rollsAt}:00`.slice(0, 8)) return date
  return new Date(Date.parse(`${date}T00:00:00Z`) - 86_400_000).toISOString().slice(0, 10)
}

const UNITS: readonly (readonly [number, string])[] = [[86_400, 'd'], [3600, 'h'], [60, 'm']]

const YEAR = 365.25 * 86_400

/** Return a span for people: 4s, 12m, 3h, 5d, and years from two on. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  if (whole >= 2 * YEAR) return `${Math.floor(whole / YEAR)}y`
  for (const [size, name] of UNITS) if (whole >= size) return `${Math.floor(whole / size)}${name}`
  return `${whole}s`
}

/** Return how long ago something was, in seconds. */
export function ageOf(moment: Moment, now: number): number {
  return Math.max(0, (now - epoch(moment)) / 1000)
}

/** A mark older than this is shown as stale, in seconds: what the service says too. */
export const STALE_SECONDS = 60

/** Return a short name of a zone: Europe/Berlin, UTC. */
export function zoneName(zone: string, at: number): string {
  const found = formatOf(zone, { timeZoneName: 'short' }).formatToParts(at).find((part) => part.type === 'timeZoneName')
  const name = found?.value ?? ''
  return name === zone || !name ? zone : `${zone} (${name})`
}
