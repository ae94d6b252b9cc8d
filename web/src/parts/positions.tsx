// The table of open positions: each row is a signal, and is drawn alone when its price moves.

import { type Signal, useComputed } from '@preact/signals'
import { useMemo } from 'preact/hooks'
import { live } from '../live'
import { keyOf } from '../model/book'
import { ageOf, STALE_SECONDS } from '../model/days'
import { sign } from '../model/decimal'
import { positionHref } from '../model/routes'
import type { Position } from '../model/types'
import { go } from '../router'
import { SideBadge } from './badge'
import { Age, Money, Price, Quantity } from './figure'
import { type Column, Table } from './table'

type Row = Signal<Position>

function Flags({ flags }: { flags: string[] }) {
  return flags.length ? <span class="flag" title={`flags: ${flags.join(', ')}`}>⚑<span class="sr">{flags.join(', ')}</span></span> : null
}

/** The price that values it, grey when it is old; the age stands beside. */
function MarkCell({ row }: { row: Row }) {
  const { mark, marked_at, instrument } = row.value
  const isOld = useComputed(() => marked_at !== null && ageOf(marked_at, live.now.value) > STALE_SECONDS).value
  return <span class={isOld ? 'old' : ''}><Price value={mark} instrument={instrument} /></span>
}

export const POSITION_COLUMNS: readonly Column<Row>[] = [
  {
    key: 'instrument',
    label: 'Instrument',
    width: '8em',
    sort: (row) => row.peek().instrument,
    cell: (row) => (
      <span class="what">
        <a href={positionHref(row.value)}>{row.value.instrument}</a>
        <Flags flags={row.value.flags} />
      </span>
    ),
  },
  { key: 'strategy', label: 'Strategy', width: '8em', isWide: true, sort: (row) => row.peek().strategy, cell: (row) => row.value.strategy || '–' },
  { key: 'side', label: 'Side', width: '5em', isMiddle: true, sort: (row) => String(sign(row.peek().quantity)), cell: (row) => <SideBadge isLong={sign(row.value.quantity) > 0} /> },
  { key: 'quantity', label: 'Quantity', align: 'right', width: '8.5em', isNumber: true, sort: (row) => row.peek().quantity, cell: (row) => <Quantity value={row.value.quantity} instrument={row.value.instrument} /> },
  { key: 'average', label: 'Average', align: 'right', width: '7em', isWide: true, cell: (row) => <Price value={row.value.average_price} instrument={row.value.instrument} /> },
  { key: 'mark', label: 'Mark', align: 'right', width: '7em', isMiddle: true, cell: (row) => <MarkCell row={row} /> },
  { key: 'age', label: 'Age', align: 'right', width: '4em', title: 'How old the mark is', cell: (row) => <Age at={row.value.marked_at} /> },
  {
    key: 'unrealized',
    label: 'Unrealized',
    align: 'right',
    width: '9.5em',
    isNumber: true,
    sort: (row) => row.peek().unrealized_pnl,
    cell: (row) => <Money value={row.value.unrealized_pnl} currency={row.value.currency} signed bare />,
  },
  {
    key: 'realized',
    label: 'Realized',
    align: 'right',
    width: '8.5em',
    isWide: true,
    isNumber: true,
    title: 'Over its whole life, net of fees',
    sort: (row) => row.peek().realized_pnl,
    cell: (row) => <Money value={row.value.realized_pnl} currency={row.value.currency} signed bare />,
  },
  { key: 'currency', label: 'Ccy', width: '3.5em', isWide: true, title: 'Settlement currency of both', cell: (row) => row.value.currency },
]

interface PositionsProps {
  /** Further columns, at the end. */
  more?: readonly Column<Row>[]
  /** Keys of columns that are left out. */
  without?: readonly string[]
  maxHeight?: string
}

const NONE: readonly never[] = []

export function Positions({ more = NONE, without = NONE, maxHeight }: PositionsProps) {
  const keys = live.keys.value
  const rows = useMemo(() => keys.map((key) => live.position(key)), [keys])
  const columns = useMemo(
    () => [...POSITION_COLUMNS.filter((column) => !without.includes(column.key)), ...more],
    [more, without],
  )
  return (
    <Table
      label="Open positions"
      columns={columns}
      rows={rows}
      keyOf={(row) => keyOf(row.peek())}
      onOpen={(row) => go(positionHref(row.peek()))}
      empty="No open positions"
      guide="A position opens with its first fill."
      {...(maxHeight ? { maxHeight } : {})}
    />
  )
}
