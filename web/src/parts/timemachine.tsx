// The whole dashboard as of another point of the log: by its sequence, or by a moment in the book's zone.

import { signal } from '@preact/signals'
import { useEffect, useState } from 'preact/hooks'
import { type AsOf, asOf } from '../link/api'
import { live } from '../live'
import { fromZone, momentIn } from '../model/days'

export const isMachineOpen = signal(false)

const REST_MS = 150

export function travel(to: AsOf): void {
  asOf.value = to
}

export function TimeMachine() {
  const point = asOf.value
  const head = live.head.value
  const shown = point && 'sequence' in point ? point.sequence : (live.state.value?.sequence ?? head)
  const [wish, setWish] = useState(shown)
  const [isMoving, setMoving] = useState(false)
  useEffect(() => {
    if (!isMoving) return undefined
    const timer = setTimeout(() => {
      setMoving(false)
      travel(wish >= head ? null : { sequence: wish })
    }, REST_MS)
    return () => clearTimeout(timer)
  }, [wish, isMoving])
  const at = isMoving ? wish : shown
  const wishFor = (sequence: number) => {
    setWish(Math.min(Math.max(sequence, 0), head))
    setMoving(true)
  }
  const zone = live.zone.value
  const local = momentIn(live.now.value, zone).replace(' ', 'T').slice(0, 16)
  return (
    <section class="machine" aria-label="Time machine">
      <label class="slider">
        <span>Entry of the log</span>
        <input type="range" min={0} max={head} value={at} autoFocus onInput={(event) => wishFor(event.currentTarget.valueAsNumber)} />
      </label>
      <div class="steps">
        <button type="button" aria-label="One entry back" disabled={at <= 0} onClick={() => wishFor(at - 1)}>‹</button>
        <input type="number" aria-label="Sequence" min={0} max={head} value={at} onChange={(event) => wishFor(event.currentTarget.valueAsNumber || 0)} />
        <button type="button" aria-label="One entry on" disabled={at >= head} onClick={() => wishFor(at + 1)}>›</button>
        <span class="of num">of {head}</span>
      </div>
      <label>
        <span>or a moment, {zone}</span>
        <input type="datetime-local" value={local} onChange={(event) => event.currentTarget.value && travel({ moment: fromZone(event.currentTarget.value, zone) })} />
      </label>
      <button type="button" class="strong accent" disabled={!point} onClick={() => travel(null)}>Now</button>
    </section>
  )
}

/** Stands above every page of the past. */
export function PastBanner() {
  const point = asOf.value
  if (!point) return null
  const zone = live.zone.value
  const text = 'sequence' in point ? `as of entry ${point.sequence}` : `as of ${momentIn(point.moment, zone)} ${zone}`
  return (
    <p class="past" role="status">
      <b>{text}</b>
      <span>nothing here moves, and nothing can be changed</span>
      <button type="button" onClick={() => travel(null)}>Back to now</button>
    </p>
  )
}
