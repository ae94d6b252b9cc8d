import { expect, test } from 'vitest'
import { isWanted, merged } from '../../src/model/eventlist'
import type { Envelope } from '../../src/model/types'

function event(id: string, given: Partial<Envelope> = {}): Envelope {
  const at = '2026-01-01T00:00:00Z'
  return { id, sequence: Number(id.split('.')[0]), type: 'trade_executed', version: 1, occurred_at: at, recorded_at: at, actor: '', correlation_id: '', account: 'main', instrument: 'X', strategy: 's', data: {}, ...given }
}

const ids = (list: readonly Envelope[]) => list.map((item) => item.id)

test('lists that overlap hold each event once, in the order of the log', () => {
  const list = [event('9.1'), event('10.1'), event('10.2')]
  expect(ids(merged(list, [event('10.2'), event('10.10'), event('11.1')], 100))).toEqual(['9.1', '10.1', '10.2', '10.10', '11.1'])
  expect(ids(merged(list, [event('2.1')], 100))).toEqual(['2.1', '9.1', '10.1', '10.2'])
  expect(ids(merged([], list, 2))).toEqual(['10.1', '10.2'])
  expect(merged(list, [], 100)).toBe(list)
})

test('a filter takes what the service would take', () => {
  expect(isWanted(event('1.1'), {})).toBe(true)
  expect(isWanted(event('1.1'), { types: 'trade_*', instrument: 'X', strategy: 's', account: 'main' })).toBe(true)
  expect(isWanted(event('1.1', { type: 'subtrade_executed' }), { types: 'trade_*' })).toBe(false)
  expect(isWanted(event('1.1', { type: 'tradeXexecuted' }), { types: 'trade.executed' })).toBe(false)
  expect(isWanted(event('1.1'), { instrument: 'Y' })).toBe(false)
  expect(isWanted(event('1.1'), { types: '' })).toBe(true)
})
