// Tables: fixed columns, keyed rows, sorting by a click, and keys: j k to move, Enter to open.
//
// A row that is a signal is drawn alone when it changes: read it with `.value` in a column's `cell`.

import type { ComponentChildren, RefObject, TargetedKeyboardEvent, TargetedMouseEvent } from 'preact'
import { memo } from 'preact/compat'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { compare } from '../model/decimal'
import { Empty } from './empty'

export interface Column<T> {
  key: string
  label: string
  cell: (row: T) => ComponentChildren
  /** Of a figure; text is left. */
  align?: 'right'
  /** CSS width, in `em`: letters are smaller on a phone. The rest is shared. */
  width?: string
  /** What to sort by: a decimal as text counts as a number when `isNumber`. Left out: not sortable. */
  sort?: (row: T) => string | null | undefined
  isNumber?: boolean
  /** Left out on narrow screens, up to 760 px. */
  isWide?: boolean
  /** Left out on a phone, up to 480 px. */
  isMiddle?: boolean
  title?: string
}

export interface TableProps<T> {
  label: string
  columns: readonly Column<T>[]
  rows: readonly T[]
  keyOf: (row: T) => string
  onOpen?: (row: T) => void
  /** Of a row that is to stand out. */
  rowClass?: (row: T) => string
  empty?: string
  /** What helps a reader of an empty one. */
  guide?: ComponentChildren
  /** How high it may grow before it scrolls by itself; left out: not limited. */
  maxHeight?: string
}

function rankOf(column: { isWide?: boolean; isMiddle?: boolean }): string {
  return column.isWide ? 'wide' : column.isMiddle ? 'middle' : ''
}

interface Sorting {
  key: string
  isDown: boolean
}

export function Table<T>(props: TableProps<T>) {
  const { columns, rows, keyOf, label, maxHeight } = props
  const [sorting, setSorting] = useState<Sorting | null>(null)
  const [active, setActive] = useState<string | null>(null)
  const box = useRef<HTMLDivElement>(null)
  const ordered = useMemo(() => sorted(rows, columns, sorting), [rows, sorting, columns])
  const part = useWindow(box, maxHeight && rows.length > MOST_DRAWN ? rows.length : 0)
  if (!rows.length) return <Empty title={props.empty ?? 'Nothing here'}>{props.guide}</Empty>
  const shown = part ? ordered.slice(part.first, part.last) : ordered
  const stop = shown.some((row) => keyOf(row) === active) ? active : shown[0] && keyOf(shown[0])
  return (
    <div class="table-box" ref={box} style={maxHeight ? { maxHeight } : {}}>
      <table aria-label={label} aria-rowcount={rows.length + 1}>
        <colgroup>
          {columns.map((column) => (
            <col key={column.key} class={rankOf(column)} style={column.width ? { width: column.width } : {}} />
          ))}
        </colgroup>
        <thead>
          <tr>{columns.map((column) => <Head key={column.key} {...{ column, sorting, setSorting }} />)}</tr>
        </thead>
        <tbody onKeyDown={(event) => move(event, box.current)} data-keys>
          {part && <Gap key="above" height={part.above} />}
          {shown.map((row) => {
            const key = keyOf(row)
            return <RowOf key={`row ${key}`} {...{ row, columns }} isStop={key === stop} id={key} onFocus={setActive} {...behaviour(props)} />
          })}
          {part && <Gap key="below" height={part.below} />}
        </tbody>
      </table>
    </div>
  )
}

// ---- long tables: only rows that can be seen, and some around them, are drawn ----

const MOST_DRAWN = 60
const AROUND = 12
const ROW_HEIGHT = 29

interface Part {
  first: number
  last: number
  /** Height of the rows that are left out, in pixels. */
  above: number
  below: number
}

function partOf(box: HTMLElement | null, count: number): Part {
  const height = box?.querySelector<HTMLElement>('tbody tr[tabindex]')?.offsetHeight || ROW_HEIGHT
  const [top, seen] = [box?.scrollTop ?? 0, box?.clientHeight || 600]
  const first = Math.max(0, Math.min(Math.floor(top / height), count) - AROUND)
  const last = Math.min(count, Math.ceil((top + seen) / height) + AROUND)
  return { first, last, above: first * height, below: (count - last) * height }
}

/** Return the part of a long table that is drawn; null when all of it is. */
function useWindow(box: RefObject<HTMLDivElement | null>, count: number): Part | null {
  const [part, setPart] = useState(() => partOf(null, count))
  useEffect(() => {
    const found = box.current
    if (!count || !found) return undefined
    const look = () => setPart((before) => {
      const next = partOf(found, count)
      return next.first === before.first && next.last === before.last && next.below === before.below ? before : next
    })
    look()
    found.addEventListener('scroll', look, { passive: true })
    return () => found.removeEventListener('scroll', look)
  }, [count])
  return count ? part : null
}

function Gap({ height }: { height: number }) {
  return <tr class="gap" aria-hidden="true" style={{ height: `${height}px` }} />
}

function behaviour<T>({ onOpen, rowClass }: TableProps<T>) {
  return { ...(onOpen ? { onOpen } : {}), ...(rowClass ? { rowClass } : {}) }
}

function Head<T>(props: { column: Column<T>; sorting: Sorting | null; setSorting: (sorting: Sorting | null) => void }) {
  const { column, sorting, setSorting } = props
  const name = [column.align ?? '', rankOf(column)].join(' ')
  if (!column.sort) return <th scope="col" class={name} title={column.title}>{column.label || <span class="sr">{column.key}</span>}</th>
  const isMine = sorting?.key === column.key
  const next = !isMine ? { key: column.key, isDown: !!column.isNumber } : sorting.isDown === !!column.isNumber ? { ...sorting, isDown: !sorting.isDown } : null
  const order = !isMine ? 'none' : sorting.isDown ? 'descending' : 'ascending'
  return (
    <th scope="col" class={name} title={column.title} aria-sort={order}>
      <button type="button" class="sort" onClick={() => setSorting(next)}>
        {column.label}
        <span class="sort-arrow" aria-hidden="true">{isMine ? (sorting.isDown ? '↓' : '↑') : ''}</span>
      </button>
    </th>
  )
}

interface RowProps<T> {
  row: T
  id: string
  columns: readonly Column<T>[]
  isStop: boolean
  onFocus: (key: string) => void
  onOpen?: (row: T) => void
  rowClass?: (row: T) => string
}

function Row<T>({ row, id, columns, isStop, onFocus, onOpen, rowClass }: RowProps<T>) {
  const open = onOpen && (() => onOpen(row))
  const onClick = (event: TargetedMouseEvent<HTMLTableRowElement>) => {
    if (!(event.target as Element).closest('a,button,input,select')) open?.()
  }
  const onKeyDown = (event: TargetedKeyboardEvent<HTMLTableRowElement>) => {
    if (event.key === 'Enter' && event.target === event.currentTarget) open?.()
  }
  return (
    <tr
      class={`${open ? 'opens' : ''} ${rowClass?.(row) ?? ''}`}
      tabIndex={isStop ? 0 : -1}
      onFocus={() => onFocus(id)}
      onClick={onClick}
      onKeyDown={onKeyDown}
    >
      {columns.map((column) => (
        <td key={column.key} class={`${column.align ?? ''} ${rankOf(column)}`}>{column.cell(row)}</td>
      ))}
    </tr>
  )
}

const RowOf = memo(Row) as typeof Row

const STEPS: Record<string, (at: number, last: number) => number> = {
  j: (at, last) => Math.min(at + 1, last),
  ArrowDown: (at, last) => Math.min(at + 1, last),
  k: (at) => Math.max(at - 1, 0),
  ArrowUp: (at) => Math.max(at - 1, 0),
  Home: () => 0,
  End: (_, last) => last,
}

function move(event: KeyboardEvent, box: HTMLElement | null): void {
  const step = STEPS[event.key]
  if (!step || !box || event.ctrlKey || event.metaKey || event.altKey) return
  if (event.target instanceof Element && event.target.closest('input,select,textarea')) return
  event.preventDefault()
  event.stopPropagation()
  const isFar = event.key === 'Home' || event.key === 'End'
  if (isFar) box.scrollTop = event.key === 'Home' ? 0 : box.scrollHeight
  const focus = () => {
    const rows = [...box.querySelectorAll<HTMLElement>('tbody tr[tabindex]')]
    rows[step(rows.findIndex((row) => row.contains(document.activeElement)), rows.length - 1)]?.focus()
  }
  if (isFar) requestAnimationFrame(() => requestAnimationFrame(focus)) // when the rows there are drawn
  else focus()
}

function sorted<T>(rows: readonly T[], columns: readonly Column<T>[], sorting: Sorting | null): readonly T[] {
  const column = columns.find((item) => item.key === sorting?.key)
  const by = column?.sort
  if (!by || !sorting) return rows
  const turn = sorting.isDown ? -1 : 1
  return [...rows].sort((a, b) => {
    const [x, y] = [by(a), by(b)]
    if (x == null || y == null) return x == y ? 0 : x == null ? 1 : -1
    return turn * (column.isNumber ? compare(x, y) : x < y ? -1 : x > y ? 1 : 0)
  })
}
