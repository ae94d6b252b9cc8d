import { expect, test } from 'vitest'
import TABLE from '../../../src/onebook/http/roles.py?raw'
import { type Deed, may } from '../../src/model/roles'
import type { Role } from '../../src/model/types'

const SETS: Record<string, Role[]> = { _OPERATORS: ['operator'], _KEEPERS: ['accountant', 'operator'] }
const ROLES: Role[] = ['viewer', 'accountant', 'operator', 'bot']

test.each<[Deed, string]>([
  ['halt', '"POST", "/v1/trading/halt"'],
  ['reduce', '"POST", "/v1/trading/reduce"'],
  ['resume', '"POST", "/v1/trading/resume"'],
  ['flatten', '"POST", "/v1/trading/flatten"'],
  ['resolve', '"POST", "/v1/breaks/{id}/resolve"'],
  ['annotate', '"PATCH", "/v1/round-trips/{id}"'],
])('who may %s is who the service lets', (deed, row) => {
  const found = new RegExp(`\\(${row.replace(/[{}]/g, '\\$&')}, (\\w+)\\)`).exec(TABLE)?.[1] ?? ''
  expect(ROLES.filter((role) => may(role, deed))).toEqual(SETS[found])
})

test('nobody may press anything before it is known who looks', () => {
  expect(may(undefined, 'halt')).toBe(false)
})
