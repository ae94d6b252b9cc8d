// Tables as text for spreadsheets.

export type Cell = string | number | boolean | null | undefined

const NUMBER = /^-?\d+(\.\d+)?$/
/** A spreadsheet takes text that begins so as a formula. */
const FORMULA = /^[=+\-@\t\r]/

function cellOf(value: Cell): string {
  const text = value === null || value === undefined ? '' : String(value)
  const safe = FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** Return rows as CSV with a head; text that a spreadsheet would run is made text by an apostrophe. */
export function csvOf<T>(columns: readonly (readonly [name: string, cell: (row: T) => Cell])[], rows: readonly T[]): string {
  const lines = [columns.map(([name]) => name), ...rows.map((row) => columns.map(([, cell]) => cell(row)))]
  return lines.map((line) => `${line.map(cellOf).join(',')}\r\n`).join('')
}
