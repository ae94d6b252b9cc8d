import { expect, test } from 'vitest'
import { alertOf, MOST_AGE_MS } from '../../src/model/alerts'
import type { Envelope } from '../../src/model/types'

const AT = '2026-01-01T00:00:00Z'
const NOW = Date.parse(AT)

function event(type: string, data: Record<string, unknown>, given: Partial<Envelope> = {}): Envelope {
  return { id: '5.1', sequence: 5, type, version: 1, occurred_at: AT, recorded_at: AT, actor: '', correlation_id: '', account: '', instrument: '', strategy: '', data, ...given }
}

test('a person is called for what matters, in plain words', () => {
  expect(alertOf(event('trading_state_changed', { state: 'HALTED', reason: 'enough' }), NOW)).toMatchObject({ title: 'Trading HALTED', body: 'enough' })
  expect(alertOf(event('trading_state_changed', { state: 'REDUCING' }, { strategy: 'trend' }), NOW)?.title).toBe('Trading trend REDUCING')
  expect(alertOf(event('stop_triggered', { kind: 'stop_loss', mark: '64000.50' }, { instrument: 'BTC/USD' }), NOW)).toMatchObject({ title: 'BTC/USD: stop loss reached', body: 'at 64,000.5' })
  expect(alertOf(event('bot_silent', { text: 'no sign of life' }), NOW)).toMatchObject({ title: 'Bot without a name is silent', body: 'no sign of life' })
})

test('nobody is called for fills, for prices, or for what is long over', () => {
  expect(alertOf(event('trade_executed', {}), NOW)).toBe(null)
  expect(alertOf(event('bot_silent', {}, { id: '' }), NOW)).toBe(null)
  expect(alertOf(event('bot_silent', {}), NOW + MOST_AGE_MS + 1)).toBe(null)
})

test('the same trouble again takes the place of its note, another does not', () => {
  const tag = (strategy: string) => alertOf(event('bot_silent', {}, { strategy }), NOW)?.tag
  expect(tag('a')).toBe(tag('a'))
  expect(tag('a')).not.toBe(tag('b'))
})
