import { expect, test } from 'vitest'
import { csvOf } from '../../src/model/csv'

const COLUMNS = [['net', (row: { net: string; note: string | null }) => row.net], ['note', (row: { net: string; note: string | null }) => row.note]] as const

test('numbers stay as they are, text with commas, quotes and lines is quoted', () => {
  expect(csvOf(COLUMNS, [{ net: '-12.50', note: 'a, "b"\nc' }, { net: '1', note: null }])).toBe('net,note\r\n-12.50,"a, ""b""\nc"\r\n1,\r\n')
})

test('text that a spreadsheet would run as a formula is made text', () => {
  for (const note of ['=HYPERLINK("x")', '+1+2', '@SUM(A1)', '-2+3']) {
    expect(csvOf(COLUMNS, [{ net: '0', note }])).toContain("'" + note.slice(0, 2).replaceAll('"', '""'))
  }
})
