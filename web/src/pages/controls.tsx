// What a person may do: halt, reduce, resume, flatten, settle a break. Each asks once, with a reason.

import type { Signal } from '@preact/signals'
import { session } from '../link/session'
import { live } from '../live'
import { may, whyNot } from '../model/roles'
import type { Break, Position, Scope } from '../model/types'
import { Badge, TradingBadge } from '../parts/badge'
import { askFlatten, askResolve, askSwitch, DeedButton, type Place } from '../parts/deeds'
import { Empty, Panel, Skeleton } from '../parts/empty'
import { Time } from '../parts/figure'
import { Positions } from '../parts/positions'
import { type Column, Table } from '../parts/table'

export default function Controls() {
  const role = session.value?.role
  if (!live.state.value) return <Skeleton lines={12} />
  return (
    <div class="page controls">
      {!may(role, 'halt') && (
        <p class="notice">
          {whyNot(role, 'halt')} <a href="#/login">Log in with another token</a>
        </p>
      )}
      <Trading />
      <Scopes />
      <Flatten />
      <Breaks />
    </div>
  )
}

function Switches({ state, place }: { state: string; place: Place }) {
  return (
    <div class="buttons">
      {state !== 'HALTED' && <DeedButton deed="halt" tone="bad" label="Halt" onPress={() => askSwitch('halt', place)} />}
      {state !== 'REDUCING' && <DeedButton deed="reduce" tone="warn" label={place.strategy || place.account ? 'Reduce' : 'Reduce only'} onPress={() => askSwitch('reduce', place)} />}
      {state !== 'ACTIVE' && <DeedButton deed="resume" tone="accent" label="Resume" onPress={() => askSwitch('resume', place)} />}
    </div>
  )
}

function Trading() {
  const trading = live.trading.value
  if (!trading) return null
  return (
    <Panel title="Trading of the whole book" more={<TradingBadge state={trading.state} />}>
      <Switches state={trading.state} place={{}} />
    </Panel>
  )
}

function Scopes() {
  const state = live.state.value
  if (!state) return null
  const said = state.trading_state.scopes
  const isSaid = (strategy: string) => said.some((item) => item.strategy === strategy && !item.account)
  const names = new Set([...state.positions.values()].map((item) => item.strategy ?? '').filter(Boolean))
  for (const bot of state.bots) if (bot.strategy) names.add(bot.strategy)
  const others: Scope[] = [...names].filter((name) => !isSaid(name)).map((strategy) => ({ account: '', strategy, state: 'ACTIVE' }))
  const rows = [...said, ...others].sort((a, b) => (a.strategy + a.account < b.strategy + b.account ? -1 : 1))
  const columns: Column<Scope>[] = [
    { key: 'strategy', label: 'Strategy', cell: (row) => <>{row.strategy || 'all'}{row.account && <small class="hint beside-wide"> {row.account}</small>}</> },
    { key: 'account', label: 'Account', isWide: true, cell: (row) => row.account || 'all' },
    { key: 'state', label: 'State', width: '8em', cell: (row) => <TradingBadge state={row.state} /> },
    { key: 'deeds', label: '', align: 'right', width: '13em', cell: (row) => <Switches state={row.state} place={placeOf(row)} /> },
  ]
  return (
    <Panel title="By strategy">
      <Table label="Trading by strategy" columns={columns} rows={rows} keyOf={(row) => `${row.account}|${row.strategy}`} empty="No strategy has spoken yet" />
    </Panel>
  )
}

function placeOf({ account, strategy }: Scope): Place {
  return { ...(account ? { account } : {}), ...(strategy ? { strategy } : {}) }
}

const FLATTEN: readonly Column<Signal<Position>>[] = [
  {
    key: 'flatten',
    label: '',
    align: 'right',
    width: '6.5em',
    cell: (row) => <DeedButton deed="flatten" label="Flatten" onPress={() => askFlatten(oneOf(row.peek()))} />,
  },
]

const LEFT_OUT: readonly string[] = ['age', 'realized', 'average']

function oneOf({ account, strategy, instrument }: Position): Place {
  return { account, instrument, ...(strategy ? { strategy } : {}) }
}

function Flatten() {
  const isAny = live.keys.value.length > 0
  return (
    <Panel
      title="Open positions"
      more={isAny && <DeedButton deed="flatten" tone="bad" label="Flatten all" onPress={() => askFlatten()} />}
    >
      <Positions more={FLATTEN} without={LEFT_OUT} />
    </Panel>
  )
}

const BREAKS: readonly Column<Break>[] = [
  { key: 'kind', label: 'Kind', width: '12em', cell: (row) => <Badge tone="warn">{row.kind.replaceAll('_', ' ')}</Badge> },
  { key: 'instrument', label: 'Instrument', width: '9em', cell: (row) => row.instrument || row.account },
  { key: 'seen', label: 'Since', width: '10em', isWide: true, cell: (row) => <Time at={row.first_seen} brief /> },
  { key: 'note', label: 'What', isWide: true, cell: (row) => <span class="clip" title={row.note}>{row.proposed || row.note}</span> },
  {
    key: 'resolve',
    label: '',
    align: 'right',
    width: '7em',
    cell: (row) => <DeedButton deed="resolve" label="Settle" onPress={() => askResolve(row)} />,
  },
]

function Breaks() {
  const rows = live.breaks.value ?? []
  return (
    <Panel title="Breaks: our book against theirs" more={rows.length > 0 && <Badge tone="warn">{rows.length}</Badge>}>
      {rows.length ? <Table label="Breaks" columns={BREAKS} rows={rows} keyOf={(row) => row.id} /> : <Empty title="No open breaks" />}
    </Panel>
  )
}
