// The journal: what ended, day by day, with notes and tags, and how it went.

import { useMemo, useState } from 'preact/hooks'
import { readAll, type Query } from '../link/api'
import { download } from '../link/download'
import { useFetched, useRead } from '../link/read'
import { live } from '../live'
import { boundsOf, later } from '../model/calendar'
import { csvOf } from '../model/csv'
import { clockIn, dayOf, momentIn } from '../model/days'
import { format, moneyPlaces, sign } from '../model/decimal'
import type { DailyPnl, Fill, RoundTrip, Statistics } from '../model/records'
import type { Route } from '../model/routes'
import { sinceOf } from '../model/statistics'
import type { Envelope, Page } from '../model/types'
import { Empty, Panel, Shown, Skeleton } from '../parts/empty'
import { Money, Pairs, Price, Quantity } from '../parts/figure'
import { Filters, holds } from '../parts/filters'
import { Heatmap } from '../parts/heatmap'
import { usePlaces } from '../parts/places'
import { type Column, Table } from '../parts/table'
import { CurrencyChoice, StatisticsTiles } from '../parts/tiles'
import { useTouched } from '../parts/touched'
import { Trips } from '../parts/trips'
import { ask } from '../router'
import './journal.css'

const MOST = 5_000
const MOST_DAYS = 20_000
const isOfTrips = ({ type }: Envelope) => type === 'position_closed' || type === 'position_restated' || type === 'annotated'

export default function Journal({ route }: { route: Route }) {
  if (!live.state.value) return <Skeleton lines={16} />
  return <Book query={route.query} />
}

/** What the service narrows by, of what stands in the address. */
function placeOf({ instrument, strategy, account }: Readonly<Record<string, string>>): Query {
  return { instrument, strategy, account }
}

function Book({ query }: { query: Readonly<Record<string, string>> }) {
  const turn = useTouched(isOfTrips)
  const { since = '', until = '', day = '' } = query
  const days: Query = { since, until: until && later(until, 1) }
  const statistics = useRead<Page<Statistics>>('/v1/statistics', { ...placeOf(query), ...days }, turn)
  const [chosen, setChosen] = useState('')
  return (
    <div class="page journal">
      <Panel title="Journal"><JournalFilters /></Panel>
      <Shown of={statistics} lines={4}>
        {({ items }) => {
          const found = items.find((row) => row.currency === chosen) ?? items[0]
          if (!found) return <Empty title="No round trip ended here">The journal begins when the first position goes flat.</Empty>
          return (
            <>
              <CurrencyChoice rows={items} chosen={found.currency} onChoose={setChosen} />
              <StatisticsTiles of={found} />
              <Calendar query={query} currency={found.currency} turn={turn} />
              {day && <DayView key={day} day={day} query={query} turn={turn} />}
              <TripList query={query} statistics={items} turn={turn} />
            </>
          )
        }}
      </Shown>
    </div>
  )
}

function JournalFilters() {
  const places = usePlaces()
  return (
    <Filters
      fields={[
        ...places,
        { name: 'since', label: 'From', type: 'date' },
        { name: 'until', label: 'To', type: 'date' },
        { name: 'side', label: 'Side', choices: ['long', 'short'] },
        { name: 'result', label: 'Result', choices: [['won', 'won'], ['lost', 'lost'], ['even', 'even']] },
        { name: 'text', label: 'Notes and tags', width: '9rem' },
      ]}
    />
  )
}

// ---- calendar ----

function Calendar({ query, currency, turn }: { query: Readonly<Record<string, string>>; currency: string; turn: number }) {
  const { strategy, account, day = '' } = query
  const reading = useFetched<DailyPnl[]>(
    `days ${strategy} ${account} ${currency}`,
    (stop) => readAll<DailyPnl>('/v1/pnl/daily', { strategy, account, currency }, MOST_DAYS, stop),
    turn,
  )
  return (
    <Shown of={reading} lines={6}>
      {(rows) => <Years rows={rows} currency={currency} day={day} beside={besides(query)} />}
    </Shown>
  )
}

/** Say which of the filters days do not follow: they are of an account and a strategy, with everything booked there. */
function besides(query: Readonly<Record<string, string>>): string {
  const names = (['instrument', 'side', 'result'] as const).filter((name) => query[name])
  const all = query['text'] ? [...names, 'notes'] : names
  return all.length ? `, not by ${all.join(' or ')}` : ''
}

function Years({ rows, currency, day, beside }: { rows: readonly DailyPnl[]; currency: string; day: string; beside: string }) {
  const years = useMemo(() => [...new Set(rows.map((row) => row.day.slice(0, 4)))].sort(), [rows])
  const values = useMemo(() => new Map(rows.map((row) => [row.day, row.net])), [rows])
  const [wished, setWished] = useState('')
  const year = [wished, day.slice(0, 4)].find((item) => years.includes(item)) ?? years.at(-1)
  if (!year) return null
  const at = years.indexOf(year)
  const step = (index: number) => setWished(years[index] ?? year)
  const more = (
    <span class="years">
      <span class="hint">net {currency}{beside}</span>
      <button type="button" class="plain" aria-label="Year before" disabled={at <= 0} onClick={() => step(at - 1)}>‹</button>
      <b class="num">{year}</b>
      <button type="button" class="plain" aria-label="Year after" disabled={at >= years.length - 1} onClick={() => step(at + 1)}>›</button>
    </span>
  )
  return (
    <Panel title="Days" class="days" more={more}>
      <Heatmap label={`Days of ${year}`} year={Number(year)} values={values} places={moneyPlaces(currency)} unit={currency} chosen={day} onChoose={(next) => ask({ ...query(), day: next })} />
    </Panel>
  )
}

function query(): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(location.hash.split('?')[1] ?? ''))
}

// ---- a day ----

/** The time of a day that is named above. */
function Clock({ at }: { at: string }) {
  return <time class="num" dateTime={at} title={momentIn(at, live.zone.value)}>{clockIn(at, live.zone.value)}</time>
}

const FILLS: readonly Column<Fill>[] = [
  { key: 'at', label: 'When', width: '7.3em', cell: (row) => <Clock at={row.occurred_at} /> },
  { key: 'instrument', label: 'Instrument', width: '6.5em', cell: (row) => row.instrument },
  { key: 'strategy', label: 'Strategy', width: '7em', isWide: true, cell: (row) => row.strategy || '–' },
  { key: 'side', label: 'Side', width: '4em', cell: (row) => row.side },
  { key: 'quantity', label: 'Quantity', align: 'right', width: '5.4em', cell: (row) => <Quantity value={row.quantity} instrument={row.instrument} /> },
  { key: 'price', label: 'Price', align: 'right', width: '6.4em', cell: (row) => <Price value={row.price} instrument={row.instrument} /> },
  { key: 'fee', label: 'Fee', align: 'right', width: '6em', isWide: true, cell: (row) => (row.fee === null ? '–' : <span class="num">{format(row.fee)}</span>) },
]

function DayView({ day, query: wanted, turn }: { day: string; query: Readonly<Record<string, string>>; turn: number }) {
  const settings = live.settings.value
  const [since, until] = boundsOf(day, live.zone.value, settings?.rolls_at ?? '00:00')
  const { strategy, account } = wanted
  const sums = useRead<Page<DailyPnl>>('/v1/pnl/daily', { strategy, account, since: day, until: later(day, 1) }, turn)
  const fills = useFetched<Fill[]>(`${day} ${JSON.stringify(placeOf(wanted))}`, (stop) => readAll<Fill>('/v1/fills', { ...placeOf(wanted), since, until }, 1_000, stop), turn)
  return (
    <Panel title={`The day ${day}`} class="day" more={<><span class="hint">{wanted['instrument'] ? 'net of all instruments' : ''}</span><button type="button" class="plain" onClick={() => ask({ ...query(), day: '' })}>Close the day</button></>}>
      <Shown of={sums} lines={2}>
        {({ items }) => (
          <div class="day-sums">
            {items.length === 0 && <Empty title="Nothing was booked on this day" />}
            {items.map((row) => (
              <Pairs
                key={row.currency}
                rows={[
                  ['Net', <Money value={row.net} currency={row.currency} signed />],
                  ['Gross, fees', <><Money value={row.gross} currency={row.currency} signed bare /> <span class="unit">less</span> <Money value={row.fees} currency={row.currency} bare /></>],
                  ['Funding, income', <><Money value={row.funding} currency={row.currency} bare /> <span class="unit">and</span> <Money value={row.income} currency={row.currency} bare /></>],
                  ['Fills, round trips', <span class="num">{row.fills}, {row.round_trips}{row.restated ? ', restated since' : ''}</span>],
                ]}
              />
            ))}
          </div>
        )}
      </Shown>
      <Shown of={fills} lines={3}>
        {(rows) => <Table label={`Fills of ${day}`} columns={FILLS} rows={rows} keyOf={(row) => row.id} maxHeight="18rem" empty="No fills" />}
      </Shown>
    </Panel>
  )
}

// ---- the list ----

const CSV: readonly (readonly [string, (row: RoundTrip) => string | number | null])[] = [
  ...(['id', 'account', 'instrument', 'strategy', 'leg', 'direction', 'quantity', 'entry_price', 'exit_price', 'opened_at', 'closed_at', 'currency', 'gross', 'fees', 'funding', 'income', 'net', 'close_reason', 'signal_id', 'stop_loss', 'take_profit', 'risk_amount', 'notes'] as const).map(
    (name) => [name, (row: RoundTrip) => row[name]] as const,
  ),
  ['tags', (row) => row.tags.join(' ')],
]

function isWanted(row: RoundTrip, { side, result, text }: Readonly<Record<string, string>>): boolean {
  const made = sign(row.net) > 0 ? 'won' : sign(row.net) < 0 ? 'lost' : 'even'
  return (!side || row.direction === side) && (!result || made === result) && holds(`${row.notes} ${row.tags.join(' ')}`, text)
}

/** The span that is read: a day, what was asked for, or the newest months that hold not too many. */
function spanOf({ since = '', until = '', day = '' }: Readonly<Record<string, string>>, statistics: readonly Statistics[]): readonly [string, string] {
  if (day) return [day, day]
  const months = statistics.flatMap((row) => row.by_month)
  return [[since, sinceOf(months, MOST) ?? ''].sort().at(-1) ?? '', until]
}

function TripList({ query: wanted, statistics, turn }: { query: Readonly<Record<string, string>>; statistics: readonly Statistics[]; turn: number }) {
  const [first, last] = spanOf(wanted, statistics)
  const [zone, rollsAt] = [live.zone.value, live.settings.value?.rolls_at ?? '00:00']
  const given: Query = {
    ...placeOf(wanted),
    is_open: false,
    since: first && boundsOf(first, zone, rollsAt)[0],
    until: last && boundsOf(last, zone, rollsAt)[1],
  }
  const reading = useFetched<RoundTrip[]>(JSON.stringify(given), async (stop) => (await readAll<RoundTrip>('/v1/round-trips', given, MOST * 2, stop)).reverse(), turn)
  const rows = useMemo(() => (reading.data ?? []).filter((row) => isWanted(row, wanted)), [reading.data, wanted['side'], wanted['result'], wanted['text']])
  const save = () => download(`round-trips-${dayOf(live.now.peek(), zone, rollsAt)}.csv`, csvOf(CSV, rows))
  const isCut = !wanted['day'] && first !== (wanted['since'] ?? '')
  const more = (
    <span class="years">
      <span class="hint num">{format(String(rows.length))}{isCut ? `, from ${first} on` : ''}</span>
      <button type="button" disabled={!rows.length} onClick={save}>CSV</button>
    </span>
  )
  return (
    <Panel title={wanted['day'] ? `Ended on ${wanted['day']}` : 'Round trips'} more={more}>
      <Shown of={reading} lines={10}>
        {() => <Trips rows={rows} onChanged={reading.reload} maxHeight="40rem" empty="No round trip ended here" />}
      </Shown>
    </Panel>
  )
}
