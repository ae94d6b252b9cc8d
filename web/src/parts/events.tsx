// Events of the log in a line each, in plain words.

import { format, placesOf } from '../model/decimal'
import type { Envelope } from '../model/types'
import { Empty } from './empty'
import { Time } from './figure'

function number(value: unknown, most = 8): string {
  return typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value) ? format(value, { places: Math.min(placesOf(value), most) }) : String(value ?? '')
}

/** Return what happened, in few words. */
export function wordsOf({ type, data }: Envelope): string {
  const text = (name: string) => number(data[name])
  switch (type) {
    case 'trade_executed':
      return `${text('side')} ${text('quantity')} @ ${text('price')}`
    case 'position_updated':
      return `holds ${text('quantity')}, realized ${number(data['realized_pnl'], 2)}`
    case 'position_closed':
      return `flat, realized ${number(data['realized_pnl'], 2)}`
    case 'order_updated':
      return [text('side'), text('quantity'), text('status').replaceAll('_', ' ')].filter(Boolean).join(' ')
    case 'trading_state_changed':
      return `${text('previous')} → ${text('state')}: ${text('reason')}`
    case 'stop_triggered':
      return `${text('kind').replaceAll('_', ' ')} at ${text('mark')}`
    default:
      return ['text', 'reason', 'status', 'kind', 'name', 'path', 'price'].map(text).find(Boolean) ?? ''
  }
}

const LOUD = new Set(['trading_state_changed', 'daily_loss_breached', 'drawdown_breached', 'alert_raised', 'bot_silent', 'break_found', 'stop_triggered', 'trade_conflicted'])

/** Say whether an event is to stand out. */
export function isLoud(event: Envelope): boolean {
  return LOUD.has(event.type)
}

export function EventLines({ events, most }: { events: readonly Envelope[]; most: number }) {
  const newest = events.slice(-most).reverse()
  if (!newest.length) return <Empty title="Nothing is recorded yet">The first fact stands here as soon as it is in the log.</Empty>
  return (
    <ol class="event-lines">
      {newest.map((event) => (
        <li key={event.id} class={isLoud(event) ? 'loud' : ''}>
          <Time at={event.recorded_at} brief />
          <span class="type">{event.type.replaceAll('_', ' ')}</span>
          <span class="what">{event.instrument || event.strategy}</span>
          <span class="words" title={wordsOf(event)}>{wordsOf(event)}</span>
        </li>
      ))}
    </ol>
  )
}
