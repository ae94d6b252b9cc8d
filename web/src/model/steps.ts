// Stops and targets as they stood over time: level lines from when they were set until they were moved or ended.

import { epoch } from './days'
import { compare } from './decimal'
import type { ProtectionStep, RoundTrip } from './records'
import type { Decimal } from './types'

export interface Step {
  price: Decimal
  /** Seconds since 1970 UTC; `to` null: it still stands. */
  from: number
  to: number | null
  tone: 'down' | 'up'
  /** Of the signal that led to a round trip, not one that anybody set. */
  isPlan: boolean
}

type Standing = Omit<ProtectionStep, 'stop_loss' | 'take_profit' | 'level'>

const seconds = (at: string) => epoch(at) / 1000

/** Return what stood, a line for each stop, target and trail; what another step changed nothing of goes on as one. */
export function stepsOf(protections: readonly ProtectionStep[], trips: readonly RoundTrip[]): Step[] {
  const found: Step[] = []
  const open = new Map<string, Step>()
  const add = (row: Standing, kind: string, tone: Step['tone'], price: Decimal | null) => {
    if (price === null) return
    const [from, to] = [seconds(row.began_at), row.ended_at === null ? null : seconds(row.ended_at)]
    const key = `${row.id} ${kind}`
    const before = open.get(key)
    if (before && before.to === from && compare(before.price, price) === 0) before.to = to
    else {
      const step: Step = { price, from, to, tone, isPlan: false }
      open.set(key, step)
      found.push(step)
    }
  }
  for (const row of protections) {
    add(row, 'stop', 'down', row.stop_loss)
    add(row, 'trail', 'down', row.level)
    add(row, 'target', 'up', row.take_profit)
  }
  return [...found, ...trips.filter((trip) => !isProtected(trip, protections)).flatMap(plansOf)]
}

function plansOf(trip: RoundTrip): Step[] {
  const [from, to] = [seconds(trip.opened_at), trip.closed_at === null ? null : seconds(trip.closed_at)]
  const plans = [['down', trip.stop_loss], ['up', trip.take_profit]] as const
  return plans.flatMap(([tone, price]) => (price === null ? [] : [{ price, from, to, tone, isPlan: true }]))
}

/** Say whether somebody set a stop or target while a round trip was open: then that one counts, and not the signal's. */
function isProtected(trip: RoundTrip, protections: readonly ProtectionStep[]): boolean {
  return protections.some(
    (row) =>
      row.strategy === trip.strategy && row.leg === trip.leg &&
      (trip.closed_at === null || row.began_at < trip.closed_at) && (row.ended_at === null || row.ended_at > trip.opened_at),
  )
}
