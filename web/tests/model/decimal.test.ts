import { expect, test } from 'vitest'
import * as decimal from '../../src/model/decimal'

test.each([
  ['0.1', '0.2', '0.3'],
  ['-5', '5', '0'],
  ['99999999999999999999.1', '0.9', '100000000000000000000'],
  ['1.50', '0', '1.5'],
  ['-0.004', '0.001', '-0.003'],
])('%s and %s are %s', (a, b, sum) => {
  expect(decimal.add(a, b)).toBe(sum)
  expect(decimal.subtract(sum, b)).toBe(decimal.add(a, '0'))
})

test('a product is exact', () => {
  expect(decimal.multiply('35.566', '231.55')).toBe('8235.3073')
  expect(decimal.multiply('-0.001', '0.001')).toBe('-0.000001')
})

test('nothing but plain decimals is taken', () => {
  for (const text of ['', '1e5', 'NaN', '1.', '.5', '1,000', 'Infinity']) expect(() => decimal.add(text, '0')).toThrow(RangeError)
})

test.each([
  ['1234567.885', 2, '1,234,567.88'],
  ['1234567.875', 2, '1,234,567.88'],
  ['-0.125', 2, '−0.12'],
  ['-0.001', 2, '0.00'],
  ['999.995', 2, '1,000.00'],
  ['2', 3, '2.000'],
  ['-1234.5', 0, '−1,234'],
] as const)('%s with %d places reads %s', (value, places, text) => {
  expect(decimal.format(value, { places })).toBe(text)
})

test('a gain carries a plus, a loss a true minus, and nothing neither', () => {
  expect(decimal.format('12.3', { places: 2, signed: true })).toBe('+12.30')
  expect(decimal.format('-12.3', { places: 2, signed: true })).toBe('−12.30')
  expect(decimal.format('0.001', { places: 2, signed: true })).toBe('0.00')
})

test('decimals compare by their worth, not by their text', () => {
  expect(decimal.compare('10', '9.99')).toBe(1)
  expect(decimal.compare('1.50', '1.5')).toBe(0)
  expect(['10', '-3', '9.5'].toSorted(decimal.compare)).toEqual(['-3', '9.5', '10'])
})

test('large figures have a short form', () => {
  expect(['1234567', '-25000', '9999', '12.345', '2000000000'].map(decimal.short)).toEqual(['1.23M', '−25.0k', '9,999', '12.34', '2.00B'])
})

test('prices take the places of the tick, quantities of the lot', () => {
  expect(decimal.pricePlaces('0.50', null)).toBe(1)
  expect(decimal.pricePlaces('0.00001', '1.1')).toBe(5)
  expect(decimal.pricePlaces(null, '67250.123456789')).toBe(8)
  expect(decimal.pricePlaces(null, '100')).toBe(2)
  expect(decimal.quantityPlaces('0.001', '0.5')).toBe(3)
  expect(decimal.quantityPlaces(null, '0.25')).toBe(2)
  expect(decimal.quantityPlaces('1000', '12000.5')).toBe(1)
})

test('a bar is as long as its part, whatever the whole', () => {
  expect(decimal.ratio('5', '20')).toBe(0.25)
  expect(decimal.ratio('0', '0')).toBe(0)
  expect(decimal.ratio('1', '0')).toBe(1)
})
