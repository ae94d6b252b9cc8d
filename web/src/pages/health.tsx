// How everything stands: of now only, for no log tells it.

import type { ComponentChildren } from 'preact'
import { asOf, readNow } from '../link/api'
import { useFetched } from '../link/read'
import { live } from '../live'
import { span } from '../model/days'
import { format } from '../model/decimal'
import { href } from '../model/routes'
import type { Page } from '../model/types'
import { breakerOf, type DeadLetter, type HealthPage, shownOf, type Subscriber } from '../model/health'
import { Badge, type Tone, TradingBadge } from '../parts/badge'
import { AlertSettings } from '../parts/alerts'
import { Empty, Panel, Shown } from '../parts/empty'
import { Age, NOTHING, Pairs, Time } from '../parts/figure'
import { type Column, Table } from '../parts/table'
import './health.css'

const AGAIN_MS = 5_000
const SHOWN_LETTERS = 100

interface Ready {
  ready: boolean
  role: string
  writable: boolean
  migrated: boolean
  head: number | null
  lag: number | null
  problems: string[]
}

export default function Health() {
  // Followed by the clock of the page, which stands while nobody looks or the page is of the past.
  const turn = Math.floor(live.now.value / AGAIN_MS)
  const page = useFetched<HealthPage>('health', (stop) => readNow<HealthPage>('/health', {}, stop), turn)
  const ready = useFetched<Ready>('ready', (stop) => readyOf(stop), turn)
  return (
    <div class="page health">
      {asOf.value && <p class="notice">Health is of now: what subscribers, breakers and caches did stands in no log.</p>}
      <Shown of={page} lines={16}>
        {(found) => (
          <>
            <Problems found={found} />
            <Panel title="Service"><Shown of={ready} lines={5}>{(item) => <Readiness item={item} />}</Shown></Panel>
            <Panel title="Store"><Store found={found} /></Panel>
            <Panel title="Subscribers" class="whole"><Subscribers rows={found.subscribers} /></Panel>
            <Panel title="Breakers"><Breakers found={found.circuit_breakers} /></Panel>
            <Panel title="Caches"><Caches found={found.cache_stats} /></Panel>
            <Panel title="Bots"><Bots rows={found.bots} /></Panel>
            <Panel title="Marks of what is held" more={<span class="hint num">{format(String(found.marks.count))} marks in all</span>}><Marks rows={found.marks.held} /></Panel>
            <Panel title="Market data"><Plain of={{ ...found.market, ...found.database_stats }} empty="No prices are fetched by this service" /></Panel>
            <Panel title="Spools of bots" ><Spools rows={found.spools} /></Panel>
            <Panel title="Trading"><Trading found={found} /></Panel>
            <Panel title="Alerts in this browser"><AlertSettings /></Panel>
          </>
        )}
      </Shown>
    </div>
  )
}

/** Not being ready is an answer too. */
async function readyOf(stop: AbortSignal): Promise<Ready> {
  const answer = await fetch('/health/ready', { signal: stop, credentials: 'same-origin' })
  return (await answer.json()) as Ready
}

function Problems({ found }: { found: HealthPage }) {
  return (
    <Panel title="Health" class="whole" more={<Badge tone={found.ok ? 'good' : 'warn'}>{found.ok ? 'all is well' : `${found.problems.length} to look at`}</Badge>}>
      {found.problems.length > 0 ? <ul class="problems">{found.problems.map((text) => <li key={text}>{text}</li>)}</ul> : <p class="hint">Nothing waits for anybody.</p>}
    </Panel>
  )
}

function Readiness({ item }: { item: Ready }) {
  const yes = (is: boolean, otherwise: Tone = 'bad') => <Badge tone={is ? 'good' : otherwise}>{is ? 'yes' : 'no'}</Badge>
  return (
    <Pairs
      rows={[
        ['Ready', <>{yes(item.ready)} {item.problems.join('; ')}</>],
        ['Part', item.role],
        ['Store writable', yes(item.writable, item.role === 'follower' ? 'calm' : 'bad')],
        ['Newest entry', <span class="num">{item.head ?? NOTHING}</span>],
        ['Not seen yet', <span class="num">{item.lag ?? NOTHING}</span>],
      ]}
    />
  )
}

function Store({ found }: { found: HealthPage }) {
  const { book } = found
  const count = (name: string): ComponentChildren => <span class="num">{typeof book[name] === 'number' ? format(String(book[name])) : shownOf(book[name])}</span>
  const backup = book['last_backup_at']
  const hash = String(book['head_hash'] ?? '')
  return (
    <Pairs
      rows={[
        ['Where', <code>{shownOf(book['url'])}</code>],
        ['Entries', count('entries')],
        ['Facts', <>{count('facts')} <span class="hint">{shownOf(book['fills_without_identity'])} fills without an identity</span></>],
        ['Conflicts, breaks', <>{count('conflicts')}, {count('breaks')}</>],
        ['Not valued', count('unvalued')],
        ['Last backup', typeof backup === 'string' ? <Time at={backup} /> : <span class="old">never</span>],
        ['Head', <code class="clip" title={hash}>{hash.slice(0, 24)}…</code>],
      ]}
    />
  )
}

const STATES: Record<string, Tone> = { running: 'good', stopped: 'calm', halted: 'bad', failed: 'bad', waiting: 'warn' }

const SUBSCRIBERS: readonly Column<Subscriber>[] = [
  { key: 'name', label: 'Name', width: '12em', sort: (row) => row.name, cell: (row) => <span class="clip" title={row.holder}>{row.name}</span> },
  { key: 'state', label: 'State', width: '8em', sort: (row) => row.state, cell: (row) => <Badge tone={STATES[row.state] ?? 'warn'}>{row.state}</Badge> },
  { key: 'lag', label: 'Behind', align: 'right', width: '6em', isNumber: true, sort: (row) => String(row.lag), cell: (row) => <span class="num">{format(String(row.lag))}</span> },
  { key: 'checkpoint', label: 'Stands at', align: 'right', width: '7em', isWide: true, cell: (row) => <span class="num">{row.checkpoint}</span> },
  { key: 'rate', label: 'A second', align: 'right', width: '6em', isWide: true, cell: (row) => <span class="num">{row.rate.toFixed(1)}</span> },
  { key: 'handled', label: 'Handled', align: 'right', width: '7em', isWide: true, cell: (row) => <span class="num">{format(String(row.handled))}</span> },
  { key: 'errors', label: 'Errors', align: 'right', width: '5em', isMiddle: true, cell: (row) => <span class="num">{format(String(row.errors))}</span> },
  { key: 'dead', label: 'Dead', title: 'Dead letters: what it put aside', align: 'right', width: '5em', isNumber: true, sort: (row) => String(row.dead_letters), cell: (row) => (row.dead_letters ? <Badge tone="bad">{row.dead_letters}</Badge> : <span class="num">0</span>) },
  { key: 'seen', label: 'Heard of', width: '5em', align: 'right', isWide: true, cell: (row) => <Age at={row.updated_at} limit={3600} /> },
  { key: 'last', label: 'Last error', isWide: true, cell: (row) => <span class="clip" title={row.last_error}>{row.last_error ? <><Time at={row.last_error_at} brief /> {row.last_error}</> : NOTHING}</span> },
]

function Subscribers({ rows }: { rows: readonly Subscriber[] }) {
  const dead = rows.reduce((sum, row) => sum + row.dead_letters, 0)
  return (
    <>
      <Table label="Subscribers" columns={SUBSCRIBERS} rows={rows} keyOf={(row) => row.name} maxHeight="24rem" empty="Nobody follows this book by name" guide="A sink or a listener with a name stands here, with how far behind it is." />
      {dead && <DeadLetters count={dead} />}
    </>
  )
}

const LETTERS: readonly Column<DeadLetter>[] = [
  { key: 'subscriber', label: 'Put aside by', cell: (row) => row.subscriber },
  { key: 'event', label: 'Event', cell: (row) => <a href={href('events', [], { after: String(Number(row.event_id.split('.')[0]) - 1) })}>{row.event_id} {row.type}</a> },
  { key: 'reason', label: 'Reason', isMiddle: true, cell: (row) => <span title={row.reason}>{row.reason}</span> },
  { key: 'attempts', label: 'Attempts', align: 'right', width: '6em', cell: (row) => <span class="num">{row.attempts}</span> },
  { key: 'at', label: 'At', width: '11em', cell: (row) => <Time at={row.at} /> },
]

/** What handlers could not take; read again when another one joins. */
function DeadLetters({ count }: { count: number }) {
  const page = useFetched<Page<DeadLetter>>('dead-letters', (stop) => readNow('/v1/subscribers/dead-letters', { limit: SHOWN_LETTERS }, stop), count)
  return (
    <Shown of={page} lines={4}>
      {(found) => (
        <>
          <Table label="Dead letters" columns={LETTERS} rows={found.items} keyOf={(row) => `${row.subscriber} ${row.event_id}`} maxHeight="24rem" empty="No dead letters" />
          <p class="hint">{count > found.items.length && `The first ${found.items.length} of ${count}. `}Deliver them again with <code>onebook subscribers retry NAME</code>, or forget them with <code>onebook subscribers drop NAME</code>.</p>
        </>
      )}
    </Shown>
  )
}

function Breakers({ found }: { found: Record<string, unknown> }) {
  const rows = Object.entries(found)
  if (!rows.length) return <Empty title="No breaker is open" />
  return (
    <Pairs
      rows={rows.map(([name, value]) => {
        const { state, isOpen } = breakerOf(value)
        return [name, <><Badge tone={isOpen ? 'bad' : 'good'}>{state}</Badge> <small class="hint">{shownOf(value)}</small></>] as const
      })}
    />
  )
}

function Caches({ found }: { found: Record<string, unknown> }) {
  const rows = Object.entries(found)
  if (!rows.length) return <Empty title="No cache of market data is in use" />
  return <Pairs rows={rows.map(([name, value]) => [name.replaceAll('_', ' '), <small>{shownOf(value)}</small>] as const)} />
}

const BOTS: readonly Column<HealthPage['bots'][number]>[] = [
  { key: 'name', label: 'Strategy', cell: (row) => row.strategy || 'unnamed' },
  { key: 'state', label: 'State', width: '6em', cell: (row) => <Badge tone={row.silent ? 'bad' : 'good'}>{row.silent ? 'silent' : 'alive'}</Badge> },
  { key: 'last', label: 'Last sign', align: 'right', width: '6em', cell: (row) => <Age at={row.last_beat_at} limit={row.every_seconds * 2} /> },
  { key: 'every', label: 'Due every', align: 'right', width: '6em', cell: (row) => <span class="num">{span(row.every_seconds)}</span> },
]

function Bots({ rows }: { rows: HealthPage['bots'] }) {
  return <Table label="Bots" columns={BOTS} rows={rows} keyOf={(row) => row.strategy} maxHeight="18rem" empty="No bot gives signs of life" guide={<>One that calls <code>book.heartbeat(strategy, every_seconds)</code> is watched here.</>} />
}

const MARKS: readonly Column<HealthPage['marks']['held'][number]>[] = [
  { key: 'name', label: 'Instrument', cell: (row) => row.instrument },
  { key: 'state', label: 'State', width: '6em', cell: (row) => <Badge tone={row.stale ? 'warn' : 'good'}>{row.stale ? 'stale' : 'fresh'}</Badge> },
  { key: 'age', label: 'Age', align: 'right', width: '6em', cell: (row) => <Age at={row.at} /> },
]

function Marks({ rows }: { rows: HealthPage['marks']['held'] }) {
  return <Table label="Marks" columns={MARKS} rows={rows} keyOf={(row) => row.instrument} maxHeight="18rem" empty="Nothing is held" />
}

function Plain({ of: found, empty }: { of: Record<string, unknown>; empty: string }) {
  const rows = Object.entries(found).filter(([, value]) => value !== null)
  return rows.length ? <Pairs rows={rows.map(([name, value]) => [name.replaceAll('_', ' '), shownOf(value)] as const)} /> : <Empty title={empty} />
}

function Spools({ rows }: { rows: readonly Record<string, unknown>[] }) {
  if (!rows.length) return <Empty title="No facts wait beside the book" />
  return <ul class="problems">{rows.map((row) => <li key={shownOf(row)}>{shownOf(row)}</li>)}</ul>
}

function Trading({ found }: { found: HealthPage }) {
  return (
    <Pairs rows={found.trading.map((row) => [[row.strategy, row.account].filter(Boolean).join(' · ') || 'The whole book', <><TradingBadge state={row.state} /> {row.reason}</>] as const)} />
  )
}
