import { expect, test } from 'vitest'
import { address, bodyOf, Problem, problemOf, UNNAMED } from '../../src/link/api'

test('what is not given stands in no query', () => {
  expect(address('/v1/fills', { limit: 5, after: null, strategy: '', account: 'a b' })).toBe('/v1/fills?limit=5&account=a+b')
  expect(address('/v1/fills')).toBe('/v1/fills')
  expect(address('/v1/fills', { strategy: UNNAMED })).toBe('/v1/fills?strategy=')
})

test('a problem says its sentence; what is no problem document says its status', () => {
  expect(new Problem(bodyOf(403, '{"title": "Not allowed", "detail": "takes the role operator"}')).message).toBe('takes the role operator')
  expect(bodyOf(502, '<html>Bad gateway</html>')).toMatchObject({ status: 502, retryable: true })
  expect(bodyOf(409, '{"status": "conflict", "sequence": 4}').detail).toContain('contradicts')
})

test('a network that is away is a problem like any other', () => {
  expect(problemOf(new TypeError('failed to fetch'))).toMatchObject({ status: 0 })
})
