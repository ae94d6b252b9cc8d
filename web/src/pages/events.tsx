// The log as it goes on: filtered, paused, taken up again.

import { useEffect, useMemo } from 'preact/hooks'
import { useSignal } from '@preact/signals'
import { asOf } from '../link/api'
import { live } from '../live'
import { format } from '../model/decimal'
import { href, positionHref, type Route } from '../model/routes'
import type { Envelope } from '../model/types'
import { Badge } from '../parts/badge'
import { Dialog } from '../parts/dialog'
import { Failed, Panel, Skeleton } from '../parts/empty'
import { isLoud, wordsOf } from '../parts/events'
import { NOTHING, Pairs, Time } from '../parts/figure'
import { Filters, holds } from '../parts/filters'
import { usePlaces } from '../parts/places'
import { type Column, Table } from '../parts/table'
import { Tail } from '../parts/tail'
import { travel } from '../parts/timemachine'
import { ask } from '../router'
import './events.css'

const TYPES = [
  'trade_*', 'trade_executed', 'trade_busted', 'trade_corrected', 'trade_conflicted',
  'position_*', 'position_updated', 'position_closed', 'position_restated',
  'order_updated', 'signal_*', 'signal_detected', 'signal_executed', 'signal_expired', 'signal_closed',
  'stop_*', 'stop_set', 'stop_moved', 'stop_triggered', 'stop_removed',
  'trading_state_changed', 'daily_loss_breached', 'drawdown_breached', 'break_*', 'alert_*', 'bot_silent',
  'cash_moved', 'funding_paid', 'transfer_recorded', 'corporate_action_applied', 'rate_recorded',
  '*_defined', 'runner_*', 'end_of_day_done', 'day_ended', 'annotated', 'state_changed', 'snapshot_taken',
]

export default function Events({ route }: { route: Route }) {
  if (!live.state.value) return <Skeleton lines={16} />
  const { type = '', instrument = '', strategy = '', account = '', after = '' } = route.query
  const point = asOf.value ? `${JSON.stringify(asOf.value)} ${live.state.value.sequence}` : ''
  return <Log key={[type, instrument, strategy, account, after, point].join('|')} query={route.query} />
}

const COLUMNS: readonly Column<Envelope>[] = [
  { key: 'at', label: 'Recorded', width: '10.5em', cell: (row) => <Time at={row.recorded_at} brief /> },
  { key: 'id', label: 'Entry', width: '6em', align: 'right', isMiddle: true, cell: (row) => <span class="num">{row.id}</span> },
  { key: 'type', label: 'Type', width: '12em', cell: (row) => <span class="clip" title={row.type}>{row.type.replaceAll('_', ' ')}</span> },
  { key: 'instrument', label: 'Instrument', width: '7em', cell: (row) => row.instrument || NOTHING },
  { key: 'strategy', label: 'Strategy', width: '7em', isWide: true, cell: (row) => row.strategy || NOTHING },
  { key: 'what', label: 'What', isWide: true, cell: (row) => <span class="clip" title={wordsOf(row)}>{wordsOf(row)}</span> },
  { key: 'actor', label: 'By', width: '7em', isWide: true, cell: (row) => row.actor || NOTHING },
]

function Log({ query }: { query: Readonly<Record<string, string>> }) {
  const { type, instrument, strategy, account, after, text } = query
  const tail = useMemo(() => new Tail({ types: type, instrument, strategy, account }), [])
  useEffect(() => {
    tail.start(after && /^\d+$/.test(after) ? Number(after) : null)
    return () => tail.stop()
  }, [tail])
  const open = useSignal<Envelope | null>(null)
  const shown = tail.shown.value
  const rows = useMemo(() => {
    const wanted = text ? shown.filter((row) => holds(`${row.type} ${row.actor} ${JSON.stringify(row.data)}`, text)) : shown
    return [...wanted].reverse()
  }, [shown, text])
  const problem = tail.problem.value
  return (
    <div class="page log">
      <Panel title="Events" more={<Tools tail={tail} count={rows.length} />}>
        <EventFilters after={after ?? ''} />
        {problem && <Failed problem={problem} retry={() => tail.older()} />}
        {!rows.length && tail.isLoading.value ? <Skeleton lines={14} /> : (
          <Table label="Events" columns={COLUMNS} rows={rows} keyOf={(row) => row.id} onOpen={(row) => (open.value = row)} rowClass={(row) => (isLoud(row) ? 'loud' : '')} maxHeight="calc(100dvh - 17rem)" empty="No such event" guide="The log holds every fact. Clear the filters, or wait for the next one." />
        )}
        <p class="older">
          {tail.begin.value > 0 ? <button type="button" disabled={tail.isLoading.value} onClick={() => tail.older()}>Earlier ones</button> : <span class="hint">This is where the log begins.</span>}
        </p>
      </Panel>
      {open.value && <EventDialog event={open.value} onClose={() => (open.value = null)} />}
    </div>
  )
}

function Tools({ tail, count }: { tail: Tail; count: number }) {
  const isPaused = tail.isPaused.value
  const waiting = tail.waiting.value
  return (
    <span class="tail-tools">
      <span class="hint num">{format(String(count))}</span>
      {asOf.value ? <Badge>of then</Badge> : (
        <button type="button" aria-pressed={isPaused} onClick={() => (isPaused ? tail.resume() : tail.pause())}>
          {isPaused ? `Resume, ${format(String(waiting))} new` : 'Pause'}
        </button>
      )}
    </span>
  )
}

function nameOf(type: string): string {
  if (type === '*_defined') return 'definitions'
  return type.endsWith('_*') ? `${type.slice(0, -2)}: all` : type.replaceAll('_', ' ')
}

function EventFilters({ after }: { after: string }) {
  const places = usePlaces()
  return (
    <div class="filter-row">
      <Filters
        fields={[
          { name: 'type', label: 'Type', choices: TYPES.map((type) => [type, nameOf(type)] as const) },
          ...places,
          { name: 'text', label: 'Words', width: '10rem' },
        ]}
      />
      {after && <button type="button" onClick={() => ask({ ...Object.fromEntries(new URLSearchParams(location.hash.split('?')[1] ?? '')), after: '' })}>After entry {after} ×</button>}
    </div>
  )
}

function EventDialog({ event, onClose }: { event: Envelope; onClose: () => void }) {
  const back = () => {
    travel({ sequence: event.sequence })
    onClose()
  }
  return (
    <Dialog title={`${event.id} ${event.type.replaceAll('_', ' ')}`} class="event" onClose={onClose}>
      <Pairs
        rows={[
          ['Occurred', <Time at={event.occurred_at} />],
          ['Recorded', <Time at={event.recorded_at} />],
          ['By', event.actor || NOTHING],
          ['Account', event.account || NOTHING],
          ['Instrument', event.instrument ? <a href={positionHref({ ...event, strategy: event.strategy || null })} onClick={onClose}>{event.instrument}</a> : NOTHING],
          ['Strategy', event.strategy || NOTHING],
          ...(event.correlation_id ? [['Belongs to', <code>{event.correlation_id}</code>] as const] : []),
        ]}
      />
      <pre tabIndex={0}>{JSON.stringify(event.data, null, 2)}</pre>
      <footer>
        <button type="button" onClick={back}>The whole page as of then</button>
        <a class="button" href={href('events', [], { after: String(event.sequence - 1) })} onClick={onClose}>From here on</a>
        <button type="button" class="strong accent" autoFocus onClick={onClose}>Close</button>
      </footer>
    </Dialog>
  )
}
