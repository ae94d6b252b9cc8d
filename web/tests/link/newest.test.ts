import { afterEach, expect, test, vi } from 'vitest'
import { readNewest } from '../../src/link/newest'

const END = Date.parse('2026-01-01T00:00:00Z')
const DAY = 86_400_000

/** A service with so many rows in the days before the end, oldest first. */
function served(agesInDays: readonly number[]): void {
  const rows = [...agesInDays].sort((a, b) => b - a).map((age) => ({ age, at: END - age * DAY }))
  const answer = (address: string) => {
    const query = new URL(address, 'http://here').searchParams
    const since = query.get('since')
    const from = Number(query.get('after') ?? 0)
    const wanted = rows.filter((row) => !since || row.at >= Date.parse(since))
    const items = wanted.slice(from, from + 1000)
    return { items, next_after: from + 1000 < wanted.length ? String(from + 1000) : null }
  }
  vi.stubGlobal('fetch', async (address: string) => new Response(JSON.stringify(answer(address))))
}

afterEach(() => vi.unstubAllGlobals())

test('the newest come first, and no more than the span that holds enough is read', async () => {
  served([0.1, 0.2, 3, 4, 400])
  const found = await readNewest<{ age: number }>('/v1/signals', {}, END, 2, 100)
  expect(found.rows.map((row) => row.age)).toEqual([0.1, 0.2])
  expect(found.isCut).toBe(true)
})

test('a list that is short is read whole', async () => {
  served([0.1, 3, 4000])
  const found = await readNewest<{ age: number }>('/v1/signals', {}, END, 200, 1000)
  expect(found.rows.map((row) => row.age)).toEqual([0.1, 3, 4000])
  expect(found.isCut).toBe(false)
})

test('where a longer span holds too many, the shorter one stands', async () => {
  served([0.1, 0.2, ...Array.from({ length: 3000 }, () => 5)])
  const found = await readNewest<{ age: number }>('/v1/signals', {}, END, 100, 2000)
  expect(found.rows.map((row) => row.age)).toEqual([0.1, 0.2])
  expect(found.isCut).toBe(true)
})
