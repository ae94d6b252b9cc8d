// Signals, and what became of them.

import { useMemo, useState } from 'preact/hooks'
import { type Newest, readNewest } from '../link/newest'
import { useFetched } from '../link/read'
import { live } from '../live'
import { epoch } from '../model/days'
import { format } from '../model/decimal'
import type { SignalState } from '../model/records'
import { href, positionHref, type Route } from '../model/routes'
import { Badge, type Tone } from '../parts/badge'
import { Dialog } from '../parts/dialog'
import { Panel, Shown, Skeleton } from '../parts/empty'
import { NOTHING, Pairs, Price, Time } from '../parts/figure'
import { Filters, holds } from '../parts/filters'
import { usePlaces } from '../parts/places'
import { type Column, Table } from '../parts/table'
import { useTouched } from '../parts/touched'

const ENOUGH = 300
const MOST = 5_000
const TONES: Record<string, Tone> = { GENERATED: 'accent', EXECUTED: 'good', EXPIRED: 'warn', CLOSED: 'calm' }
const STATES = ['GENERATED', 'EXECUTED', 'EXPIRED', 'CLOSED']

function StateBadge({ status, reason }: { status: string; reason: string }) {
  return <Badge tone={TONES[status] ?? 'calm'} title={reason}>{status}</Badge>
}

const COLUMNS: readonly Column<SignalState>[] = [
  { key: 'at', label: 'When', width: '10.5em', sort: (row) => row.occurred_at, cell: (row) => <Time at={row.occurred_at} brief /> },
  { key: 'instrument', label: 'Instrument', width: '8em', sort: (row) => row.instrument, cell: (row) => <a href={positionHref(row)}>{row.instrument}</a> },
  { key: 'strategy', label: 'Strategy', width: '7em', isWide: true, sort: (row) => row.strategy, cell: (row) => row.strategy || NOTHING },
  { key: 'action', label: 'Action', width: '5em', isMiddle: true, sort: (row) => row.action, cell: (row) => row.action },
  { key: 'price', label: 'Price', align: 'right', width: '7em', isMiddle: true, cell: (row) => <Price value={row.price} instrument={row.instrument} /> },
  { key: 'stop', label: 'Stop', align: 'right', width: '7em', isWide: true, cell: (row) => <Price value={row.stop_loss} instrument={row.instrument} /> },
  { key: 'target', label: 'Target', align: 'right', width: '7em', isWide: true, cell: (row) => <Price value={row.take_profit} instrument={row.instrument} /> },
  { key: 'confidence', label: 'Confidence', align: 'right', width: '6em', isWide: true, isNumber: true, sort: (row) => row.confidence, cell: (row) => <span class="num">{row.confidence === null ? NOTHING : format(row.confidence, { places: 2 })}</span> },
  { key: 'frame', label: 'Frame', width: '4.5em', isWide: true, cell: (row) => row.timeframe || NOTHING },
  { key: 'status', label: 'State', width: '8.5em', sort: (row) => row.status, cell: (row) => <StateBadge {...row} /> },
  { key: 'why', label: 'Why', isWide: true, cell: (row) => <span class="clip" title={row.confluences.join('; ')}>{row.reason || row.confluences.join('; ') || row.note}</span> },
]

export default function Signals({ route }: { route: Route }) {
  if (!live.state.value) return <Skeleton lines={16} />
  return <List query={route.query} />
}

function List({ query }: { query: Readonly<Record<string, string>> }) {
  const { instrument, strategy, account, status, text } = query
  const turn = useTouched(({ type }) => type.startsWith('signal_'))
  const last = live.state.peek()?.last_events.at(-1)
  const end = last ? Math.min(epoch(last.occurred_at), live.now.peek()) : live.now.peek()
  const [open, setOpen] = useState<SignalState | null>(null)
  const given = { instrument, strategy, account, status }
  const reading = useFetched<Newest<SignalState>>(JSON.stringify(given), (stop) => readNewest<SignalState>('/v1/signals', given, end, ENOUGH, MOST, stop), turn)
  const rows = useMemo(
    () => (reading.data?.rows ?? []).filter((row) => holds([row.reason, row.note, row.action, row.timeframe, ...row.confluences, ...row.tags].join(' '), text)),
    [reading.data, text],
  )
  const places = usePlaces()
  return (
    <div class="page signals">
      <Panel title="Signals" more={reading.data && <span class="hint num">{format(String(rows.length))}{reading.data.isCut ? ', the newest' : ''}</span>}>
        <Filters
          fields={[
            { name: 'status', label: 'State', choices: STATES },
            ...places,
            { name: 'text', label: 'Words', width: '10rem' },
          ]}
        />
        <Shown of={reading} lines={12}>
          {() => <Table label="Signals" columns={COLUMNS} rows={rows} keyOf={(row) => `${row.account} ${row.signal_id}`} onOpen={setOpen} maxHeight="calc(100dvh - 16rem)" empty="No signals" guide="What a strategy or an alert says stands here, and what became of it." />}
        </Shown>
      </Panel>
      {open && <SignalDialog signal={open} onClose={() => setOpen(null)} />}
    </div>
  )
}

function SignalDialog({ signal, onClose }: { signal: SignalState; onClose: () => void }) {
  const price = (value: string | null) => <Price value={value} instrument={signal.instrument} />
  return (
    <Dialog title={`${signal.instrument} ${signal.action}, ${signal.strategy || 'no strategy'}`} onClose={onClose}>
      <Pairs
        rows={[
          ['State', <StateBadge {...signal} />],
          ...(signal.reason ? [['Reason', signal.reason] as const] : []),
          ['When', <Time at={signal.occurred_at} />],
          ['Expires', <Time at={signal.expires_at} />],
          ['Price', price(signal.price)],
          ['Stop', price(signal.stop_loss)],
          ['Target', price(signal.take_profit)],
          ['Confidence', signal.confidence ?? NOTHING],
          ['Time frame', signal.timeframe || NOTHING],
          ['Because', signal.confluences.join('; ') || NOTHING],
          ['Tags', signal.tags.join(', ') || NOTHING],
          ['Note', signal.note || NOTHING],
          ['Id', <code>{signal.signal_id}</code>],
        ]}
      />
      <footer>
        {signal.round_trip !== null && <a class="button" href={positionHref(signal)} onClick={onClose}>The position</a>}
        <a class="button" href={href('events', [], { after: String(signal.sequence - 1) })} onClick={onClose}>Show in events</a>
        <button type="button" class="strong accent" onClick={onClose}>Close</button>
      </footer>
    </Dialog>
  )
}
