// What round trips made, by a name: strategy, instrument, reason.

import { format, ratio, sign } from '../model/decimal'
import type { StatisticsGroup } from '../model/records'
import { Bar } from './bar'
import { Money, NOTHING } from './figure'
import { type Column, Table } from './table'

function shareOf(part: number, whole: number): string {
  return whole ? `${Math.round((part / whole) * 100)}%` : NOTHING
}

function columnsOf(what: string, currency: string, largest: number): Column<StatisticsGroup>[] {
  return [
    { key: 'name', label: what, sort: (row) => row.name ?? '\uffff', cell: (row) => <span class="clip">{row.name === null ? 'the rest' : row.name.replaceAll('_', ' ') || (what === 'Ended by' ? 'not said' : 'unnamed')}</span> },
    { key: 'count', label: 'Trips', align: 'right', width: '4.5em', isNumber: true, sort: (row) => String(row.count), cell: (row) => <span class="num">{format(String(row.count))}</span> },
    { key: 'won', label: 'Won', align: 'right', width: '5em', isMiddle: true, isNumber: true, sort: (row) => String(row.count ? row.wins / row.count : 0), cell: (row) => <span class="num" title={`${row.wins} won, ${row.losses} lost`}>{shareOf(row.wins, row.count)}</span> },
    { key: 'bar', label: '', width: '6em', isMiddle: true, cell: (row) => <Bar part={Math.abs(ratio(row.net, String(largest)))} tone={sign(row.net) < 0 ? 'down' : 'up'} /> },
    { key: 'net', label: `Net ${currency}`, align: 'right', width: '13em', isNumber: true, sort: (row) => row.net, cell: (row) => <Money value={row.net} currency={currency} signed bare /> },
  ]
}

export function Groups({ what, rows, currency }: { what: string; rows: readonly StatisticsGroup[]; currency: string }) {
  const largest = rows.reduce((most, row) => Math.max(most, Math.abs(globalThis.Number(row.net))), 0) || 1
  return <Table label={`By ${what.toLowerCase()}`} columns={columnsOf(what, currency, largest)} rows={rows} keyOf={(row) => row.name ?? ' rest'} maxHeight="24rem" empty="No round trip ended" />
}
