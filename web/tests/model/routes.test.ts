import { expect, test } from 'vitest'
import { href, PAGES, positionHref, routeOf } from '../../src/model/routes'

test('an address comes back as it was made', () => {
  const made = href('position', ['BTC/USDT:USDT'], { account: 'main', strategy: 'a & b', leg: '' })
  expect(routeOf(made)).toEqual({ page: 'position', rest: ['BTC/USDT:USDT'], query: { account: 'main', strategy: 'a & b' } })
})

test('nothing and what cannot be read are the overview', () => {
  for (const hash of ['', '#', '#/', '#/%E0%A4%A']) expect(routeOf(hash).page).toBe('overview')
})

test('the position of the unnamed strategy differs from the sum of all', () => {
  const of = (strategy: string | null) => positionHref({ instrument: 'AAPL', account: 'main', strategy })
  expect(routeOf(of('trend')).query).toEqual({ account: 'main', strategy: 'trend' })
  expect(routeOf(of('')).query).toEqual({ account: 'main', unnamed: '1' })
  expect(routeOf(of(null)).query).toEqual({ account: 'main' })
})

test('each page has its own letter', () => {
  expect(new Set(PAGES.map((page) => page.key)).size).toBe(PAGES.length)
})
