// Which events a person is called for, and with what words.

import { epoch } from './days'
import { format } from './decimal'
import type { Envelope } from './types'

export interface Alert {
  title: string
  body: string
  /** A newer one with the same tag takes its place. */
  tag: string
}

/** Older ones are of a time when nobody was called: the log is being caught up with. */
export const MOST_AGE_MS = 120_000

const PLAIN = /^-?\d+(\.\d+)?$/

function text(value: unknown): string {
  if (typeof value !== 'string' && typeof value !== 'number') return ''
  const said = String(value)
  return PLAIN.test(said) ? format(said) : said
}

const TITLES: Record<string, (event: Envelope) => string> = {
  trading_state_changed: ({ data, strategy, account }) => `Trading ${[strategy, account].filter(Boolean).join(', ')} ${text(data['state'])}`.replace('  ', ' '),
  daily_loss_breached: () => 'Daily loss limit reached',
  drawdown_breached: () => 'Drawdown limit reached',
  stop_triggered: ({ instrument, data }) => `${instrument}: ${text(data['kind']).replaceAll('_', ' ')} reached`,
  bot_silent: ({ strategy }) => `Bot ${strategy || 'without a name'} is silent`,
  alert_raised: ({ data }) => text(data['kind']).replaceAll('_', ' ') || 'Alert',
  break_found: ({ instrument, account }) => `Break: ${instrument || account}`,
  trade_conflicted: ({ instrument }) => `Conflict: ${instrument}`,
}

/** Return what a person is called for; null: nothing. */
export function alertOf(event: Envelope, now: number): Alert | null {
  const title = TITLES[event.type]
  if (!title || !event.id || now - epoch(event.recorded_at) > MOST_AGE_MS) return null
  const { data } = event
  const level = data['mark'] === undefined ? '' : `at ${text(data['mark'])}`
  const body = [text(data['text']), text(data['reason']), level].filter(Boolean).join(' ')
  const tag = [event.type, event.account, event.strategy, event.instrument, text(data['key'])].join('|')
  return { title: title(event), body, tag }
}
