// The whole desk at a glance; on a phone on one screen.

import { asOf, read, readAll } from '../link/api'
import { useFetched } from '../link/read'
import { session } from '../link/session'
import { live } from '../live'
import { ageOf, epoch, span, STALE_SECONDS } from '../model/days'
import { compare, format, moneyPlaces, ratio, sign, subtract } from '../model/decimal'
import { may } from '../model/roles'
import { href } from '../model/routes'
import { type EquityPoint, FIGURES, type LimitFigure, type Limits, type LimitStanding, type Page, type Envelope } from '../model/types'
import { Badge, TradingBadge } from '../parts/badge'
import { Bar } from '../parts/bar'
import { Curve } from '../parts/curve'
import { askSwitch, DeedButton } from '../parts/deeds'
import { Empty, Panel, Shown, Skeleton } from '../parts/empty'
import { EventLines } from '../parts/events'
import { Money, Tile, toneOf } from '../parts/figure'
import { Positions } from '../parts/positions'
import { remembered } from '../settings'

export default function Overview() {
  if (!live.state.value) return <Skeleton lines={16} />
  return (
    <div class="page overview">
      <Tiles />
      <EquityCurve />
      <div class="beside">
        <Panel title="Today by strategy" scrolls><ByStrategy /></Panel>
        <Panel title="Exposure" scrolls><ExposureList /></Panel>
      </div>
      <Panel title="Open positions" class="positions" more={<a href={href('controls')}>flatten</a>}>
        <Positions maxHeight="32rem" />
      </Panel>
      <Panel title="Last events" class="events" more={<a href={href('events')}>all</a>}><LastEvents /></Panel>
      <Panel title="Limits" class="limits"><LimitsList /></Panel>
    </div>
  )
}

// ---- figures ----

function Tiles() {
  return (
    <div class="tiles">
      <EquityTile />
      <TodayTile />
      <PositionsTile />
      <ExposureTile />
      <TradingTile />
      <BotsTile />
    </div>
  )
}

function EquityTile() {
  const equity = live.equity.value
  if (!equity) return null
  const { currency, unvalued } = equity
  const sub = unvalued.length ? <span class="old">without {unvalued.map(([name]) => name).join(', ')}</span> : <>open <Money value={equity.unrealized} currency={currency} signed bare /></>
  return (
    <Tile label="Equity" class="main" sub={sub}>
      <Money value={equity.amount} currency={currency} />
    </Tile>
  )
}

function TodayTile() {
  const total = live.today.value?.total ?? []
  const base = live.settings.value?.base_currency ?? 'USD'
  const rows = total.length ? total : [{ currency: base, net: '0' }]
  const [first, ...others] = rows
  const sub = others.length
    ? others.slice(0, 2).map((row) => <span key={row.currency}><Money value={row.net} currency={row.currency} signed /> </span>)
    : `net, ${live.state.value?.day ?? ''}`
  return (
    <Tile label="Today" sub={sub}>
      {first && <Money value={first.net} currency={first.currency} signed />}
    </Tile>
  )
}

function PositionsTile() {
  const state = live.state.value
  const now = live.now.value
  const rows = [...(state?.positions.values() ?? [])]
  const stale = rows.filter((item) => !item.marked_at || ageOf(item.marked_at, now) > STALE_SECONDS).length
  return (
    <Tile label="Positions" sub={stale ? <span class="old">{stale} with a stale mark</span> : rows.length ? 'all marks fresh' : 'flat'}>
      <span class="num">{rows.length}</span>
    </Tile>
  )
}

function ExposureTile() {
  const exposure = live.exposure.value
  if (!exposure) return null
  const without = exposure.unvalued.length
  const sub = without ? <span class="old">without {without} unvalued</span> : <>net <Money value={exposure.net} currency={exposure.currency} bare /></>
  return (
    <Tile label="Exposure" sub={sub}>
      <Money value={exposure.gross} currency={exposure.currency} />
    </Tile>
  )
}

function TradingTile() {
  const trading = live.trading.value
  if (!trading) return null
  const others = trading.scopes.filter((item) => item.state !== 'ACTIVE')
  const role = session.value?.role
  const sub = others.length ? (
    <span class="old">{others.map((item) => `${item.strategy || item.account} ${item.state}`).join(', ')}</span>
  ) : trading.state === 'ACTIVE' ? 'orders go through' : trading.state === 'HALTED' ? 'only a flatten passes' : 'only exits pass'
  return (
    <Tile label="Trading" sub={sub} class="trading">
      <TradingBadge state={trading.state} />
      {may(role, 'halt') && trading.state !== 'HALTED' && <DeedButton deed="halt" tone="bad" label="Halt" onPress={() => askSwitch('halt')} />}
      {may(role, 'resume') && trading.state === 'HALTED' && <DeedButton deed="resume" tone="accent" label="Resume" onPress={() => askSwitch('resume')} />}
    </Tile>
  )
}

function BotsTile() {
  const bots = live.bots.value ?? []
  const now = live.now.value
  const isLive = asOf.value === null
  const silent = bots.filter((bot) => bot.is_silent || (isLive && ageOf(bot.last_at, now) > bot.every_seconds * 2 + 5))
  const breaks = live.breaks.value?.length ?? 0
  const sub = breaks ? <a href={href('controls')} class="flagged">⚑ {breaks} open {breaks === 1 ? 'break' : 'breaks'}</a> : silent.length ? silent.map((bot) => bot.strategy || 'unnamed').join(', ') : bots.length ? 'all on time' : 'none is watched'
  return (
    <Tile label="Bots" sub={sub}>
      <span class="num">{bots.length - silent.length}<small class="unit"> of {bots.length}</small></span>
      {silent.length > 0 && <Badge tone="bad" title={silent.map((bot) => `${bot.strategy || 'unnamed'}: ${span(ageOf(bot.last_at, now))} ago`).join('; ')}>{silent.length} silent</Badge>}
    </Tile>
  )
}

// ---- curve ----

const DAY = 86_400
const SPANS: readonly (readonly [name: string, seconds: number, every: number])[] = [
  ['1D', DAY, 900],
  ['1W', 7 * DAY, 5400],
  ['1M', 30 * DAY, 6 * 3600],
  ['1Y', 365 * DAY, 3 * DAY],
  ['All', 0, 0],
]
const MOST_POINTS = 250
const chosenSpan = remembered('equity-span', '')

interface Drawn {
  times: number[]
  values: string[]
}

/** Read the curve of a span that ends now; of all there is from the log's first entry on. */
async function curveOf(name: string, end: number, signal: AbortSignal): Promise<Drawn> {
  const found = SPANS.find((item) => item[0] === name) ?? ['All', 0, 0]
  let [, seconds, every] = found as readonly [string, number, number]
  if (!seconds) {
    const first = await read<Page<Envelope>>('/v1/events/history', { limit: 1, types: 'trade_executed' }, signal)
    const begin = first.items[0] ? epoch(first.items[0].occurred_at) / 1000 : end - 30 * DAY
    seconds = Math.max(end - begin, 3600)
    // Doubled steps stay the same until the span has doubled, so that the service finds its points again.
    every = 60 * 2 ** Math.max(0, Math.ceil(Math.log2(seconds / MOST_POINTS / 60)))
  }
  const until = Math.floor(end / every) * every
  const since = until - Math.ceil(seconds / every) * every
  const query = { since: iso(since), until: iso(until), every, limit: 1000 }
  const rows = await readAll<EquityPoint>('/v1/equity/curve', query, 2000, signal)
  return { times: rows.map((row) => epoch(row.at) / 1000), values: rows.map((row) => row.amount) }
}

function iso(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}

/** Steps of five minutes: so often the curve is read again. */
const AGAIN_MS = 300_000

function EquityCurve() {
  const equity = live.equity.peek()
  const zone = live.zone.value
  const turn = Math.floor(live.now.value / AGAIN_MS)
  const last = live.state.peek()?.last_events.at(-1)
  const isQuiet = !!last && live.now.peek() - epoch(last.occurred_at) > 30 * DAY * 1000
  const chosen = chosenSpan.value || (isQuiet ? 'All' : '1M')
  const newest = last && isQuiet && chosen === 'All' ? epoch(last.occurred_at) + 1000 : turn * AGAIN_MS
  const end = Math.ceil(newest / 1000)
  const reading = useFetched(`${chosen} ${end}`, (signal) => curveOf(chosen, end, signal))
  const more = (
    <div class="choice" role="group" aria-label="Span">
      {SPANS.map(([name]) => (
        <button key={name} type="button" aria-pressed={name === chosen} onClick={() => (chosenSpan.value = name)}>{name}</button>
      ))}
    </div>
  )
  const places = moneyPlaces(equity?.currency ?? 'USD')
  return (
    <Panel title="Equity" class="curve-panel" more={more}>
      <Shown of={reading} lines={7}>
        {(drawn) => <DrawnCurve drawn={upToNow(drawn, isQuiet && chosen === 'All' ? end * 1000 : live.now.value)} zone={zone} places={places} unit={equity?.currency ?? ''} />}
      </Shown>
    </Panel>
  )
}

/** Return a curve with the newest equity at its end: drawn a step each second, whatever moved in between. */
function upToNow({ times, values }: Drawn, now: number): Drawn {
  const [at, amount] = [now / 1000, live.equity.peek()?.amount]
  return amount !== undefined && at > (times.at(-1) ?? 0) ? { times: [...times, at], values: [...values, amount] } : { times, values }
}

function DrawnCurve({ drawn, zone, places, unit }: { drawn: Drawn; zone: string; places: number; unit: string }) {
  const [first, last] = [drawn.values[0], drawn.values.at(-1)]
  const change = first !== undefined && last !== undefined ? subtract(last, first) : '0'
  if (drawn.times.length < 2) return <Empty title="No curve yet">It begins with the first fill.</Empty>
  return (
    <div class="drawn">
      <span class={`change ${toneOf(change)}`}><Money value={change} currency={unit} signed /> in this span</span>
      <Curve label="Equity" times={drawn.times} values={drawn.values} zone={zone} places={places} unit={unit} />
    </div>
  )
}

// ---- lists ----

function ByStrategy() {
  const rows = live.today.value?.by_strategy ?? []
  if (!rows.length) return <Empty title="Nothing realized today" />
  const largest = rows.reduce((most, row) => Math.max(most, Math.abs(Number(row.net))), 0) || 1
  return (
    <ul class="bars">
      {rows.map((row) => (
        <li key={`${row.strategy}|${row.currency}`}>
          <span class="what">{row.strategy || 'unnamed'}</span>
          <Bar part={Math.abs(Number(row.net)) / largest} tone={sign(row.net) < 0 ? 'down' : 'up'} />
          <Money value={row.net} currency={row.currency} signed />
        </li>
      ))}
    </ul>
  )
}

const NAMES: Record<LimitFigure, string> = {
  max_daily_loss: 'loss today',
  max_drawdown: 'drawdown',
  max_exposure: 'exposure',
  max_notional: 'per position',
  max_position: 'quantity',
}

function whom({ account, strategy, instrument }: Limits): string {
  return [strategy, instrument, account].filter(Boolean).join(' · ') || 'everything'
}

function LimitsList() {
  const rows = live.limits.value ?? []
  const base = live.settings.value?.base_currency ?? ''
  if (!rows.length) return <Empty title="No limits">Nothing but a halt holds an order back.</Empty>
  return <ul class="bars whose">{rows.flatMap((row) => FIGURES.map((figure) => <LimitLine key={`${whom(row.limits)} ${figure}`} row={row} figure={figure} base={base} />))}</ul>
}

function LimitLine({ row, figure, base }: { row: LimitStanding; figure: LimitFigure; base: string }) {
  const limit = row.limits[figure]
  if (limit === null) return null
  const used = row.used[figure]
  const unit = figure === 'max_position' ? '' : base
  const part = used === undefined ? 0 : ratio(used, limit)
  const isOver = used !== undefined && compare(used, limit) >= 0
  const tone = isOver ? 'bad' : part >= 0.8 ? 'warn' : 'calm'
  const shown = (value: string) => format(value, unit ? { places: 0 } : {})
  return (
    <li title={`${whom(row.limits)}: ${NAMES[figure]} ${used ?? 'unknown'} of ${limit} ${unit}`}>
      <span class="what">{whom(row.limits)} <small>{NAMES[figure]}</small> {isOver && <Badge tone="bad">reached</Badge>}</span>
      <Bar part={part} tone={tone} />
      <span class="num">
        {used === undefined ? '–' : shown(used)} <small class="unit">of {shown(limit)}</small>
      </span>
    </li>
  )
}

const MOST_EXPOSED = 8

function ExposureList() {
  const exposure = live.exposure.value
  if (!exposure) return null
  const rows = exposure.by_instrument
  if (!rows.length) return <Empty title="Nothing is exposed" />
  const largest = Math.abs(Number(rows[0]?.amount ?? '1')) || 1
  return (
    <ul class="bars">
      {rows.slice(0, MOST_EXPOSED).map((row) => (
        <li key={row.instrument}>
          <span class="what">{row.instrument} <small>{sign(row.amount) < 0 ? 'short' : 'long'}</small></span>
          <Bar part={Math.abs(Number(row.amount)) / largest} tone="calm" />
          <span class="num" title={row.amount}>{format(row.amount, { places: 0 })} <small class="unit">{exposure.currency}</small></span>
        </li>
      ))}
      {rows.length > MOST_EXPOSED && <li class="rest">and {rows.length - MOST_EXPOSED} more</li>}
    </ul>
  )
}

function LastEvents() {
  return <EventLines events={live.events.value ?? []} most={14} />
}
