// Figures: exact text shown at the right precision, the whole of it under the pointer. Gains and losses carry a sign
// and an arrow beside their colour.

import type { ComponentChildren } from 'preact'
import { format, moneyPlaces, pricePlaces, quantityPlaces, sign } from '../model/decimal'
import { ageOf, clockIn, momentIn, span, STALE_SECONDS } from '../model/days'
import type { Decimal, Moment } from '../model/types'
import { live } from '../live'

export const NOTHING = '–'

interface MoneyProps {
  value: Decimal | null | undefined
  currency: string
  /** A gain or loss: with sign, arrow and colour. */
  signed?: boolean
  /** Leave the currency out: a column's head says it. */
  bare?: boolean
}

export function Money({ value, currency, signed = false, bare = false }: MoneyProps) {
  if (value === null || value === undefined) return <span class="num nothing">{NOTHING}</span>
  const text = format(value, { places: moneyPlaces(currency), signed })
  const tone = signed ? toneOf(value) : ''
  return (
    <span class={`num ${tone}`} title={`${value} ${currency}`}>
      {signed && <Arrow value={value} />}
      {text}
      {!bare && <small class="unit"> {currency}</small>}
    </span>
  )
}

export function toneOf(value: Decimal): 'up' | 'down' | '' {
  return (['down', '', 'up'] as const)[sign(value) + 1] ?? ''
}

function Arrow({ value }: { value: Decimal }) {
  const arrow = ['▼', '', '▲'][sign(value) + 1]
  return arrow ? <span class="arrow" aria-hidden="true">{arrow}</span> : null
}

/** A price with the precision of its instrument. */
export function Price({ value, instrument }: { value: Decimal | null | undefined; instrument: string }) {
  if (value === null || value === undefined) return <span class="num nothing">{NOTHING}</span>
  const places = pricePlaces(live.instrument(instrument)?.tick_size, live.mark(instrument).value?.price ?? value)
  return <span class="num" title={value}>{format(value, { places })}</span>
}

/** A quantity with the precision of its instrument; signed ones show which way. */
export function Quantity({ value, instrument, signed = false }: { value: Decimal; instrument: string; signed?: boolean }) {
  const places = quantityPlaces(live.instrument(instrument)?.lot_size, value)
  return <span class="num" title={value}>{format(value, { places, signed })}</span>
}

/** A plain number with a precision that is told. */
export function Number({ value, places, signed = false }: { value: Decimal; places?: number; signed?: boolean }) {
  return <span class="num" title={value}>{format(value, { places, signed })}</span>
}

/** A moment in the book's zone. */
export function Time({ at, brief = false }: { at: Moment | null | undefined; brief?: boolean }) {
  if (!at) return <span class="nothing">{NOTHING}</span>
  const zone = live.zone.value
  const whole = momentIn(at, zone)
  const isToday = brief && whole.slice(0, 10) === momentIn(live.now.peek(), zone).slice(0, 10)
  const shown = brief ? (isToday ? clockIn(at, zone) : whole.slice(0, 10)) : whole
  return (
    <time class="num" dateTime={at} title={`${whole} ${zone}`}>
      {shown}
      {brief && !isToday && <span class="clock"> {whole.slice(11, 16)}</span>}
    </time>
  )
}

/** How old something is; grey and named when it is too old. */
export function Age({ at, limit = STALE_SECONDS }: { at: Moment | null | undefined; limit?: number }) {
  if (!at) return <span class="num nothing">{NOTHING}</span>
  const age = ageOf(at, live.now.value)
  const isOld = age > limit
  return (
    <span class={isOld ? 'num old' : 'num'} title={isOld ? 'stale: older than a minute' : at}>
      {span(age)}
      {isOld && <span class="sr"> stale</span>}
    </span>
  )
}

interface TileProps {
  label: string
  children: ComponentChildren
  /** A second line, small. */
  sub?: ComponentChildren
  class?: string
}

/** One figure with its name: the same height whatever stands in it. */
export function Tile({ label, children, sub, class: name = '' }: TileProps) {
  return (
    <div class={`tile ${name}`}>
      <div class="tile-label">{label}</div>
      <div class="tile-value">{children}</div>
      <div class="tile-sub">{sub ?? '\u00a0'}</div>
    </div>
  )
}

/** Names and values below each other. */
export function Pairs({ rows }: { rows: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="pairs">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
