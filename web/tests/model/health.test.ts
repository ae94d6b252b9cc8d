import { expect, test } from 'vitest'
import { breakerOf, shownOf } from '../../src/model/health'

test('whatever the service tells can be read', () => {
  expect(shownOf(null)).toBe('–')
  expect(shownOf({ hits: 3, hit_rate: 0.75, names: ['a', 'b'], is_open: false })).toBe('hits 3, hit rate 0.750, names a, b, is open no')
})

test('a breaker that is not closed is open', () => {
  expect(breakerOf({ state: 'closed' })).toEqual({ state: 'closed', isOpen: false })
  expect(breakerOf({ state: 'half_open' }).isOpen).toBe(true)
  expect(breakerOf({})).toEqual({ state: 'open', isOpen: true })
})
