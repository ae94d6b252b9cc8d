// One position: its price with fills, stops and targets; its figures, each with where it comes from; lots and history.
// Without a name: all of them.

import type { ComponentChildren } from 'preact'
import { useMemo } from 'preact/hooks'
import { asOf, type Query, readAll, UNNAMED } from '../link/api'
import { useFetched, useRead } from '../link/read'
import { live } from '../live'
import { keyOf } from '../model/book'
import { epoch } from '../model/days'
import { pricePlaces, sign } from '../model/decimal'
import { CHOICES, drawnOf, type Span, spanOf, withPrice } from '../model/prices'
import type { Fill, Lots, PriceRow, ProtectionStep, RoundTrip } from '../model/records'
import { positionHref, type Route } from '../model/routes'
import { type Step, stepsOf } from '../model/steps'
import type { Envelope, Position, Protection } from '../model/types'
import { Badge, SideBadge } from '../parts/badge'
import { Candles } from '../parts/candles'
import { askFlatten, DeedButton } from '../parts/deeds'
import { Empty, Panel, Shown, Skeleton } from '../parts/empty'
import { Explained, ExplainHost, type Figure } from '../parts/explain'
import { Age, Money, NOTHING, Price, Quantity, Time } from '../parts/figure'
import { Positions } from '../parts/positions'
import type { Level } from '../parts/pricechart'
import { type Column, Table } from '../parts/table'
import { useTouched } from '../parts/touched'
import { Trips } from '../parts/trips'
import { ask, go } from '../router'
import './position.css'

export default function PositionPage({ route }: { route: Route }) {
  if (!live.state.value) return <Skeleton lines={16} />
  const [instrument] = route.rest
  if (instrument === undefined) return <All />
  const { account, strategy, unnamed, leg = '', span = '' } = route.query
  const place: Place = { instrument, account: account ?? 'main', strategy: strategy ?? (unnamed ? '' : null), leg }
  return <One key={`${keyOf(place)} ${place.strategy === null}`} place={place} span={span} />
}

/** What narrows a list to a position, but for its leg, which not all of them know. */
function ofPlace({ instrument, account, strategy }: Place): Query {
  return { instrument, account, strategy: strategy === '' ? UNNAMED : strategy }
}

interface Place {
  instrument: string
  account: string
  strategy: string | null
  leg: string
}

// ---- all of them ----

const FLAT: readonly Column<Position>[] = [
  { key: 'instrument', label: 'Instrument', width: '9.5em', sort: (row) => row.instrument, cell: (row) => <a href={positionHref(row)}>{row.instrument}</a> },
  { key: 'strategy', label: 'Strategy', width: '9em', sort: (row) => row.strategy, cell: (row) => row.strategy || NOTHING },
  { key: 'account', label: 'Account', isWide: true, cell: (row) => row.account },
  { key: 'updated', label: 'Last moved', width: '11em', isWide: true, sort: (row) => row.updated_at, cell: (row) => <Time at={row.updated_at} brief /> },
  { key: 'fees', label: 'Fees', align: 'right', width: '8em', isWide: true, isNumber: true, sort: (row) => row.fees, cell: (row) => <Money value={row.fees} currency={row.currency} bare /> },
  { key: 'realized', label: 'Realized', align: 'right', width: '11em', isNumber: true, sort: (row) => row.realized_pnl, cell: (row) => <Money value={row.realized_pnl} currency={row.currency} signed bare /> },
  { key: 'currency', label: 'Ccy', width: '6em', cell: (row) => row.currency },
]

const MOST_FLAT = 2_000

function All() {
  const turn = useTouched((event) => event.type === 'position_closed')
  const reading = useFetched<Position[]>('flat', (stop) => readAll<Position>('/v1/positions', { is_open: false }, MOST_FLAT, stop), turn)
  return (
    <div class="page">
      <Panel title="Open positions"><Positions /></Panel>
      <Panel title="Flat">
        <Shown of={reading} lines={6}>
          {(rows) => <Table label="Flat positions" columns={FLAT} rows={rows} keyOf={keyOf} onOpen={(row) => go(positionHref(row))} maxHeight="36rem" empty="Nothing was held and sold again" />}
        </Shown>
      </Panel>
    </div>
  )
}

// ---- one ----

function One({ place, span }: { place: Place; span: string }) {
  const { instrument, account, strategy, leg } = place
  const concerns = (event: Envelope) => event.instrument === instrument && event.account === account && (strategy === null || event.strategy === strategy)
  const turn = useTouched(concerns, keyOf(place))
  const key = keyOf(place)
  const isLive = strategy !== null && live.keys.value.includes(key)
  const reading = useRead<Position>('/v1/positions/' + encodeURIComponent(instrument), { ...ofPlace(place), instrument: null, leg }, turn)
  return (
    <div class="page position">
      <Shown of={reading} lines={12}>
        {(said) => (
          <>
            <Head place={place} said={said} isLive={isLive} />
            <Chart place={place} said={said} span={span} turn={turn} />
            <LotList place={place} turn={turn} />
            <Stops place={place} />
            <History place={place} turn={turn} />
            <ExplainHost />
          </>
        )}
      </Shown>
    </div>
  )
}

/** The position as it is now: what the stream moved, while it is open. */
function newest(place: Place, said: Position, isLive: boolean): Position {
  return isLive ? live.position(keyOf(place)).value : said
}

function Head({ place, said, isLive }: { place: Place; said: Position; isLive: boolean }) {
  const now = newest(place, said, isLive)
  const { instrument, currency, quantity } = now
  const isHeld = sign(quantity) !== 0
  const one = (figure: Figure, label: string, children: ComponentChildren, sub?: ComponentChildren) => (
    <div class="tile">
      <div class="tile-label">{label}</div>
      <div class="tile-value"><Explained position={now} figure={figure} label={label}>{children}</Explained></div>
      <div class="tile-sub">{sub ?? '\u00a0'}</div>
    </div>
  )
  const money = (value: string | null, signed = true) => <Money value={value} currency={currency} signed={signed} />
  return (
    <>
      <header class="position-head">
        <h1>{instrument}</h1>
        {isHeld ? <SideBadge isLong={sign(quantity) > 0} /> : <Badge>flat</Badge>}
        {now.flags.map((flag) => <Badge key={flag} tone="warn">{flag}</Badge>)}
        <span class="hint">{[place.strategy === null ? 'all strategies' : place.strategy || 'no strategy', now.account, now.leg].filter(Boolean).join(' · ')}</span>
        <span class="grow" />
        {isHeld && <DeedButton deed="flatten" tone="bad" label="Flatten" isHidden onPress={() => askFlatten({ account: now.account, instrument, ...(now.strategy ? { strategy: now.strategy } : {}) })} />}
      </header>
      <div class="tiles figures">
        {one('quantity', 'Quantity', <Quantity value={quantity} instrument={instrument} />, isHeld ? <>since <Time at={now.opened_at} brief /></> : 'flat')}
        {one('average_price', 'Average price', <Price value={now.average_price} instrument={instrument} />, <>cost <Money value={now.cost_basis} currency={currency} bare /></>)}
        {one('mark', 'Mark', <Price value={now.mark} instrument={instrument} />, <>age <Age at={now.marked_at} /></>)}
        {one('unrealized_pnl', 'Unrealized', money(now.unrealized_pnl))}
        {one('realized_pnl', 'Realized', money(now.realized_pnl), 'net, over its whole life')}
        {one('realized_pnl_gross', 'Gross', money(now.realized_pnl_gross), 'before fees')}
        {one('fees', 'Fees', money(now.fees, false))}
        {one('funding', 'Funding', money(now.funding))}
        {one('income', 'Income', money(now.income))}
        {one('cost_basis', 'Cost basis', money(now.cost_basis, false))}
      </div>
    </>
  )
}

// ---- chart ----

const MOST_ROWS = 5_000
const MOST_FILLS = 5_000
const MOST_STEPS = 5_000
const TURN_MS = 60_000
const LONG_AGO = '1970-01-01T00:00:00Z'

interface Prices {
  rows: PriceRow[]
  fills: Fill[]
  steps: Step[]
}

async function pricesOf(place: Place, span: Span, end: number, stop: AbortSignal): Promise<Prices> {
  const { instrument, leg } = place
  const since = span.seconds ? new Date(end - span.seconds * 1000).toISOString() : LONG_AGO
  const until = new Date(end + 1000).toISOString()
  const query = { ...ofPlace(place), since }
  const isOfLeg = (row: { leg: string }) => row.leg === leg
  const [rows, fills, protections, trips] = await Promise.all([
    readAll<PriceRow>('/v1/marks/history', { instrument, since, until, every: span.every }, MOST_ROWS, stop),
    readAll<Fill>('/v1/fills', { ...query, until }, MOST_FILLS, stop),
    readAll<ProtectionStep>('/v1/protections/history', { ...query, until }, MOST_STEPS, stop),
    readAll<RoundTrip>('/v1/round-trips', query, MOST_STEPS, stop),
  ])
  return { rows, fills: fills.filter(isOfLeg), steps: stepsOf(protections.filter(isOfLeg), trips.filter(isOfLeg)) }
}

/** When the newest price or fill was, in milliseconds: a book that stands still is shown where it stood. */
function endOf(said: Position): number {
  const now = Math.ceil(live.now.value / TURN_MS) * TURN_MS
  const last = Math.max(...[said.marked_at, said.updated_at].map((at) => (at ? epoch(at) : 0)))
  return last && now - last > 86_400_000 ? last + 1000 : now
}

function Chart({ place, said, span: wished, turn }: { place: Place; said: Position; span: string; turn: number }) {
  const end = endOf(said)
  const span = CHOICES.find((item) => item.name === wished) ?? spanOf(said.opened_at, end)
  // A new minute alone is no reason to read all of it again: the newest price is put to its end below.
  const reading = useFetched<Prices>(`${keyOf(place)} ${span.name}`, (stop) => pricesOf(place, span, end, stop), `${turn} ${Math.floor(end / 600_000)}`)
  const more = (
    <div class="choice" role="group" aria-label="Span">
      {CHOICES.map(({ name }) => (
        <button key={name} type="button" aria-pressed={name === span.name} onClick={() => ask({ ...queryOf(place), span: name })}>{name}</button>
      ))}
    </div>
  )
  return (
    <Panel title="Price" class="price" more={more}>
      <Shown of={reading} lines={13}>
        {(found) => <Drawing place={place} said={said} found={found} span={span} />}
      </Shown>
    </Panel>
  )
}

function queryOf({ account, strategy, leg }: Place): Record<string, string> {
  return { account, ...(strategy === null ? {} : strategy ? { strategy } : { unnamed: '1' }), leg }
}

function Drawing({ place, said, found, span }: { place: Place; said: Position; found: Prices; span: Span }) {
  const { instrument } = place
  const mark = live.mark(instrument).value
  const drawn = useMemo(() => drawnOf(found.rows, found.fills, span.step), [found, span.step])
  const rows = useMemo(() => {
    const next = mark && withPrice(drawn.at(-1), mark.at, mark.price, span.step)
    return next ? [...drawn.filter((row) => row.time < next.time), next] : drawn
  }, [drawn, mark, span.step])
  if (!rows.length) return <Empty title="No price in this span">Neither a mark nor a fill. Choose a longer one.</Empty>
  const places = pricePlaces(live.instrument(instrument)?.tick_size, mark?.price ?? rows.at(-1)?.close)
  return (
    <Candles
      label={`Price of ${instrument}`}
      rows={rows}
      fills={found.fills}
      levels={levelsOf(place, said)}
      steps={found.steps}
      view={`${keyOf(place)} ${span.name}`}
      step={span.step}
      zone={live.zone.value}
      places={places}
      height={340}
    />
  )
}

function isIts(place: Place): (item: Protection) => boolean {
  return (item) => item.account === place.account && item.instrument === place.instrument && (place.strategy === null || item.strategy === place.strategy) && item.leg === place.leg
}

function levelsOf(place: Place, said: Position): Level[] {
  const found: Level[] = []
  if (said.average_price !== null) found.push({ name: 'average', price: said.average_price, tone: 'ink' })
  for (const item of (live.protections.value ?? []).filter(isIts(place))) {
    const drawn = { isDashed: true, isStepped: true }
    if (item.level !== null) found.push({ name: 'trailing stop', price: item.level, tone: 'down', ...drawn })
    if (item.stop_loss !== null) found.push({ name: 'stop', price: item.stop_loss, tone: 'down', ...drawn })
    if (item.take_profit !== null) found.push({ name: 'target', price: item.take_profit, tone: 'up', ...drawn })
  }
  for (const order of live.orders.value ?? []) {
    const price = order.limit_price ?? order.stop_price
    const isMine = order.account === place.account && order.instrument === place.instrument && (place.strategy === null || order.strategy === place.strategy)
    if (isMine && price !== null) found.push({ name: `${order.side} ${order.kind}`, price, tone: 'accent', isDashed: true })
  }
  return found.slice(0, 12)
}

// ---- lots, stops, history ----

const OPEN_LOTS: readonly Column<Lots['open'][number] & { of: string; currency: string }>[] = [
  { key: 'at', label: 'Opened', width: '10.5em', cell: (row) => <Time at={row.opened_at} brief /> },
  { key: 'quantity', label: 'Quantity', align: 'right', cell: (row) => <Quantity value={row.quantity} instrument={row.of} /> },
  { key: 'price', label: 'Price', align: 'right', cell: (row) => <Price value={row.price} instrument={row.of} /> },
  { key: 'cost', label: 'Cost', align: 'right', isMiddle: true, cell: (row) => <Money value={row.cost} currency={row.currency} bare /> },
]

type ClosedLot = Lots['closed'][number] & { of: string; currency: string; index: number }

const CLOSED_LOTS: readonly Column<ClosedLot>[] = [
  { key: 'at', label: 'Closed', width: '10.5em', cell: (row) => <Time at={row.closed_at} brief /> },
  { key: 'quantity', label: 'Quantity', align: 'right', width: '6.5em', cell: (row) => <Quantity value={row.quantity} instrument={row.of} /> },
  { key: 'open', label: 'In', align: 'right', width: '7em', isWide: true, cell: (row) => <Price value={row.open_price} instrument={row.of} /> },
  { key: 'close', label: 'Out', align: 'right', width: '7em', isMiddle: true, cell: (row) => <Price value={row.close_price} instrument={row.of} /> },
  { key: 'gain', label: 'Gain', align: 'right', isNumber: true, sort: (row) => row.gain, cell: (row) => <Money value={row.gain} currency={row.currency} signed bare /> },
]

function LotList({ place, turn }: { place: Place; turn: number }) {
  const { instrument, leg } = place
  const reading = useRead<Lots>('/v1/lots', { ...ofPlace(place), leg }, turn)
  return (
    <Panel title="Lots" class="lots" more={reading.data && <span class="hint">{reading.data.method}, {reading.data.currency}</span>}>
      <Shown of={reading} lines={6}>
        {({ open, closed, currency }) => {
          const own = { of: instrument, currency }
          const ended = closed.map((lot, index) => ({ ...lot, ...own, index })).reverse()
          return (
            <>
              <h3>Open</h3>
              <Table label="Open lots" columns={OPEN_LOTS} rows={open.map((lot) => ({ ...lot, ...own }))} keyOf={(row) => `${row.sequence} ${row.opened_at} ${row.price}`} maxHeight="12rem" empty="None" />
              <h3>Closed</h3>
              <Table label="Closed lots" columns={CLOSED_LOTS} rows={ended} keyOf={(row) => `${row.index}`} maxHeight="16rem" empty="None" />
            </>
          )
        }}
      </Shown>
    </Panel>
  )
}

function Stops({ place }: { place: Place }) {
  const { instrument } = place
  const rows = (live.protections.value ?? []).filter(isIts(place))
  const columns: Column<Protection>[] = [
    { key: 'state', label: 'State', width: '6em', cell: (row) => <Badge tone={row.status === 'active' ? 'good' : 'warn'}>{row.status}</Badge> },
    { key: 'stop', label: 'Stop', align: 'right', cell: (row) => <Price value={row.stop_loss} instrument={instrument} /> },
    { key: 'target', label: 'Target', align: 'right', cell: (row) => <Price value={row.take_profit} instrument={instrument} /> },
    { key: 'trail', label: 'Trail at', align: 'right', isMiddle: true, cell: (row) => <Price value={row.level} instrument={instrument} /> },
    { key: 'act', label: 'Does', width: '6em', isMiddle: true, cell: (row) => row.act },
  ]
  const orders = (live.orders.value ?? []).filter((item) => item.account === place.account && item.instrument === instrument && (place.strategy === null || item.strategy === place.strategy))
  const ordered: Column<(typeof orders)[number]>[] = [
    { key: 'side', label: 'Side', width: '4.5em', cell: (row) => row.side },
    { key: 'kind', label: 'Kind', width: '6em', cell: (row) => row.kind.replaceAll('_', ' ') },
    { key: 'quantity', label: 'Quantity', align: 'right', cell: (row) => <Quantity value={row.quantity} instrument={instrument} /> },
    { key: 'price', label: 'Price', align: 'right', cell: (row) => <Price value={row.limit_price ?? row.stop_price} instrument={instrument} /> },
    { key: 'status', label: 'Status', width: '9em', cell: (row) => row.status.replaceAll('_', ' ') },
  ]
  return (
    <Panel title="Stops and open orders" class="stops">
      <h3>Stops</h3>
{asOf.value ? <Empty title="Stops are told of now only" /> : <Table label="Stops and targets" columns={columns} rows={rows} keyOf={(row) => row.id} empty="No stop, no target" />}
      <h3>Open orders</h3>
      <Table label="Open orders" columns={ordered} rows={orders} keyOf={(row) => row.client_order_id} maxHeight="16rem" empty="None" />
    </Panel>
  )
}

function History({ place, turn }: { place: Place; turn: number }) {
  const { leg } = place
  const reading = useFetched<RoundTrip[]>('trips', (stop) => readAll<RoundTrip>('/v1/round-trips', ofPlace(place), 10_000, stop), turn)
  const rows = useMemo(() => (reading.data ?? []).filter((row) => row.leg === leg).reverse(), [reading.data, leg])
  return (
    <Panel title="Round trips" class="history" more={<span class="hint num">{rows.length}</span>}>
      <Shown of={reading} lines={6}>{() => <Trips rows={rows} onChanged={reading.reload} maxHeight="28rem" />}</Shown>
    </Panel>
  )
}
