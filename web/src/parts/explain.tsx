// Where a figure of a position comes from: the facts that make it, which sum to it.

import { signal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { type Query, readAll, UNNAMED } from '../link/api'
import { useFetched } from '../link/read'
import { live } from '../live'
import { keyOf } from '../model/book'
import { add, compare, format, moneyPlaces, sum } from '../model/decimal'
import type { Explanation } from '../model/records'
import { href } from '../model/routes'
import type { Decimal, Position } from '../model/types'
import { Dialog } from './dialog'
import { Shown } from './empty'
import { Money, Number, Pairs, Price, Quantity, Time } from './figure'
import { type Column, Table } from './table'

/** What the service explains, with its words. */
const FACTS: Record<string, string> = {
  quantity: 'What is held: what was bought less what was sold.',
  cost_basis: 'What the open quantity cost.',
  realized_pnl: 'Gains of what was closed, less fees, with funding and income.',
  realized_pnl_gross: 'Gains of what was closed, before fees.',
  fees: 'What trading cost.',
  funding: 'Payments for holding a perpetual contract.',
  income: 'Dividends and other income.',
}

export type Figure = keyof Position

interface Asked {
  position: Position
  figure: Figure
  label: string
}

const asked = signal<Asked | null>(null)

export function ExplainHost() {
  const found = asked.value
  return found && <ExplainDialog key={found.figure} {...found} />
}

/** A figure that tells on a click where it comes from. */
export function Explained({ position, figure, label, children }: Asked & { children: ComponentChildren }) {
  return (
    <button type="button" class="explained" title={`Where ${label.toLowerCase()} comes from`} onClick={() => (asked.value = { position, figure, label })}>
      {children}
    </button>
  )
}

const MOST = 5_000

function ExplainDialog({ position, figure, label }: Asked) {
  const { instrument } = position
  return (
    <Dialog title={`${label} of ${instrument}`} class="explain" onClose={() => (asked.value = null)}>
      <Derived position={position} figure={figure} />
      <Facts position={position} figure={figure in FACTS ? figure : figure === 'average_price' || figure === 'unrealized_pnl' ? 'cost_basis' : null} value={figure in FACTS ? position[figure] : position.cost_basis} isOwn={figure in FACTS} />
    </Dialog>
  )
}

/** Figures that come of others. */
function Derived({ position, figure }: { position: Position; figure: Figure }) {
  const { instrument, currency, quantity, cost_basis, average_price, mark, unrealized_pnl } = position
  if (figure in FACTS) return <p class="lead">{FACTS[figure]}</p>
  if (figure === 'average_price') {
    return (
      <>
        <p class="lead">Cost by quantity{sizeOf(instrument)}.</p>
        <Pairs rows={[['Cost basis', <Money value={cost_basis} currency={currency} />], ['Quantity', <Quantity value={quantity} instrument={instrument} />], ['Average price', <Price value={average_price} instrument={instrument} />]]} />
      </>
    )
  }
  if (figure === 'unrealized_pnl') {
    const worth = unrealized_pnl === null ? null : add(cost_basis, unrealized_pnl)
    return (
      <>
        <p class="lead">What it is worth at the mark, less what it cost.</p>
        <Pairs rows={[['Mark', <Price value={mark} instrument={instrument} />], ['Worth', <Money value={worth} currency={currency} />], ['Cost basis', <Money value={cost_basis} currency={currency} />], ['Unrealized', <Money value={unrealized_pnl} currency={currency} signed />]]} />
      </>
    )
  }
  return <Pairs rows={[['Price', <Price value={mark} instrument={instrument} />], ['Of', <Time at={position.marked_at} />], ['From', position.mark_source || 'who marked it did not say']]} />
}

function sizeOf(instrument: string): string {
  const size = live.instrument(instrument)?.contract_size ?? '1'
  return compare(size, '1') === 0 ? '' : ` and contract size ${format(size)}`
}

function Facts({ position, figure, value, isOwn }: { position: Position; figure: string | null; value: unknown; isOwn: boolean }) {
  const { instrument, account, strategy, leg, currency } = position
  const query: Query = { instrument, account, strategy: strategy === '' ? UNNAMED : strategy, leg, figure }
  const key = figure && `${keyOf(position)} ${strategy === null} ${figure}`
  const reading = useFetched<Explanation[]>(key, (stop) => readAll<Explanation>('/v1/explain', query, MOST, stop))
  if (!figure) return null
  const isMoney = figure !== 'quantity'
  const amount = (text: Decimal) => (isMoney ? <Money value={text} currency={currency} signed bare /> : <Number value={text} signed />)
  const columns: Column<Explanation>[] = [
    { key: 'at', label: 'When', width: '11em', cell: (row) => <Time at={row.occurred_at} brief /> },
    { key: 'note', label: 'What', cell: (row) => <span class="clip" title={`${row.kind}: ${row.note}`}>{row.kind === 'gross' || row.kind === 'cost' || row.kind === 'quantity' ? '' : `${row.kind}: `}{row.note}</span> },
    { key: 'amount', label: isMoney ? currency : 'Quantity', align: 'right', width: '9em', cell: (row) => amount(row.amount) },
    { key: 'entry', label: 'Entry', align: 'right', width: '5em', isMiddle: true, cell: (row) => <a href={href('events', [], { after: String(row.sequence - 1) })} onClick={() => (asked.value = null)}>{row.sequence}</a> },
  ]
  return (
    <Shown of={reading} lines={6}>
      {(rows) => {
        const total = sum(rows.map((row) => row.amount))
        const isWhole = rows.length < MOST
        const same = typeof value === 'string' && compare(total, value) === 0
        return (
          <>
            <Table label="Facts" columns={columns} rows={rows} keyOf={(row) => `${row.sequence} ${row.kind} ${row.amount} ${row.note}`} maxHeight="45vh" empty="No fact moved it" />
            <p class="sum">
              {isWhole ? `${rows.length} facts sum to` : `the first ${MOST} facts sum to`}{' '}
              <b class="num" title={total}>{format(total, isMoney ? { places: moneyPlaces(currency) } : {})}</b> {isMoney ? currency : ''}
              {isWhole && (same ? (isOwn ? ', the figure that is shown.' : ', the cost basis.') : '; the figure has moved since, or holds another leg too.')}
            </p>
          </>
        )
      }}
    </Shown>
  )
}
