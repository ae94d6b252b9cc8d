// Reports: how it went over months, where it came from, and how far it fell.

import { useMemo, useState } from 'preact/hooks'
import { readAll, type Query } from '../link/api'
import { download } from '../link/download'
import { useFetched, useRead } from '../link/read'
import { live } from '../live'
import { boundsOf, later, MONTHS } from '../model/calendar'
import { csvOf } from '../model/csv'
import { dayOf, epoch } from '../model/days'
import { format, moneyPlaces } from '../model/decimal'
import type { DailyPnl, Statistics } from '../model/records'
import type { Route } from '../model/routes'
import { runningOf, type YearRow, yearsOf } from '../model/statistics'
import type { Envelope, Page } from '../model/types'
import { Bars } from '../parts/bars'
import { Curve } from '../parts/curve'
import { Empty, Panel, Shown, Skeleton } from '../parts/empty'
import { Money, NOTHING, Pairs } from '../parts/figure'
import { Filters } from '../parts/filters'
import { Groups } from '../parts/groups'
import { usePlaces } from '../parts/places'
import { CurrencyChoice, StatisticsTiles } from '../parts/tiles'
import { useTouched } from '../parts/touched'
import './reports.css'

const MOST_DAYS = 20_000
const moves = ({ type }: Envelope) => type === 'position_closed' || type === 'position_restated'

export default function Reports({ route }: { route: Route }) {
  if (!live.state.value) return <Skeleton lines={16} />
  return <Report query={route.query} />
}

function Report({ query }: { query: Readonly<Record<string, string>> }) {
  const { strategy, account, instrument, since, until = '' } = query
  const turn = useTouched(moves)
  const given: Query = { strategy, account, since, until: until && later(until, 1) }
  const statistics = useRead<Page<Statistics>>('/v1/statistics', { ...given, instrument }, turn)
  const [chosen, setChosen] = useState('')
  return (
    <div class="page reports">
      <Panel title="Reports"><ReportFilters /></Panel>
      <Shown of={statistics} lines={12}>
        {({ items }) => {
          const found = items.find((row) => row.currency === chosen) ?? items[0]
          if (!found) return <Empty title="Nothing ended in this span">Choose a longer one, or wait for the first round trip.</Empty>
          const { currency } = found
          return (
            <>
              <CurrencyChoice rows={items} chosen={currency} onChoose={setChosen} />
              <StatisticsTiles of={found} />
              <Falls given={{ ...given, currency }} fall={found.max_drawdown} turn={turn} isWhole={!instrument} />
              <Panel title="Distribution of round trips" class="spread" more={<span class="hint">net {currency}, how many</span>}>
                {found.count ? <Bars label="How many round trips made how much" {...found.distribution} unit={currency} /> : <Empty title="No round trip ended" />}
              </Panel>
              <Panel title="Months" class="months" more={<span class="hint">net {currency} of round trips that ended</span>}><Months rows={yearsOf(found.by_month)} currency={currency} /></Panel>
              <Panel title="By strategy"><Groups what="Strategy" rows={found.by_strategy} currency={currency} /></Panel>
              <Panel title="By instrument"><Groups what="Instrument" rows={found.by_instrument} currency={currency} /></Panel>
              <Panel title="Sums of round trips"><Sums of={found} /></Panel>
              <Panel title="By what ended it"><Groups what="Ended by" rows={found.by_reason} currency={currency} /></Panel>
            </>
          )
        }}
      </Shown>
    </div>
  )
}

function ReportFilters() {
  return <Filters fields={[...usePlaces(), { name: 'since', label: 'From', type: 'date' }, { name: 'until', label: 'To', type: 'date' }]} />
}

// ---- curve and fall ----

const DAYS_CSV = (['day', 'currency', 'gross', 'fees', 'funding', 'income', 'net', 'fills', 'round_trips'] as const).map((name) => [name, (row: DailyPnl) => row[name]] as const)

function Falls({ given, fall, turn, isWhole }: { given: Query; fall: Statistics['max_drawdown']; turn: number; isWhole: boolean }) {
  const reading = useFetched<DailyPnl[]>(JSON.stringify(given), (stop) => readAll<DailyPnl>('/v1/pnl/daily', given, MOST_DAYS, stop), turn)
  const currency = String(given['currency'] ?? '')
  const today = dayOf(live.now.peek(), live.zone.value, live.settings.value?.rolls_at ?? '00:00')
  const save = (rows: readonly DailyPnl[]) => download(`days-${today}.csv`, csvOf(DAYS_CSV, rows))
  return (
    <Panel
      title="Realized, day by day"
      class="falls"
      more={
        <span class="falls-more">
          <span class="hint">{isWhole ? '' : 'all instruments'}</span>
          <button type="button" disabled={!reading.data?.length} onClick={() => save(reading.data ?? [])}>CSV</button>
        </span>
      }
    >
      <Shown of={reading} lines={12}>{(rows) => <FallCurves rows={rows} currency={currency} fall={isWhole ? fall : null} />}</Shown>
    </Panel>
  )
}

function FallCurves({ rows, currency, fall }: { rows: readonly DailyPnl[]; currency: string; fall: Statistics['max_drawdown'] }) {
  const zone = live.zone.value
  const rollsAt = live.settings.value?.rolls_at ?? '00:00'
  const running = useMemo(() => runningOf(rows), [rows])
  // A day is told at its last second.
  const times = useMemo(() => running.days.map((day) => epoch(boundsOf(day, zone, rollsAt)[1]) / 1000 - 1), [running, zone, rollsAt])
  if (times.length < 2) return <Empty title="Too few days for a curve" />
  const places = moneyPlaces(currency)
  return (
    <>
      <h3>Sum of the days</h3>
      <Curve label="Realized" times={times} values={running.total} zone={zone} places={places} unit={currency} height={190} />
      <h3>
        Drawdown: below the height before
        {fall && <span class="hint">, deepest {format(fall.amount, { places })} {currency}, {fall.since ?? 'from the beginning'} to {fall.until}</span>}
      </h3>
      <Curve label="Drawdown" times={times} values={running.fall} zone={zone} places={places} unit={currency} height={130} />
    </>
  )
}

// ---- tables ----

function Sums({ of: found }: { of: Statistics }) {
  const { currency } = found
  const money = (value: string | null, signed = true) => <Money value={value} currency={currency} signed={signed} />
  return (
    <Pairs
      rows={[
        ['Gross', money(found.gross)],
        ['Fees', money(found.fees, false)],
        ['Funding', money(found.funding)],
        ['Income', money(found.income)],
        ['Net', money(found.net)],
        ['Average win', money(found.average_win)],
        ['Average loss', money(found.average_loss)],
        ['Largest win', money(found.largest_win)],
        ['Largest loss', money(found.largest_loss)],
      ]}
    />
  )
}

function Months({ rows, currency }: { rows: readonly YearRow[]; currency: string }) {
  if (!rows.length) return <Empty title="No round trip ended" />
  // Whole units, unless that would hide what there is.
  const isSmall = rows.every((row) => row.months.every((month) => !month || Math.abs(Number(month.net)) < 1000))
  const places = isSmall ? moneyPlaces(currency) : 0
  return (
    <div class="table-box" tabIndex={0} role="region" aria-label="Months">
      <table class="month-table" aria-label="Net by month">
        <thead>
          <tr>
            <th scope="col">Year</th>
            {MONTHS.map((name) => <th key={name} scope="col" class="right">{name}</th>)}
            <th scope="col" class="right">Sum</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.year}>
              <th scope="row" class="num">{row.year}</th>
              {row.months.map((month, index) => (
                <td key={index} class="right">
                  {month ? <Whole value={month.net} places={places} title={`${MONTHS[index]} ${row.year}: ${month.count} round trips, ${month.wins} won, net ${month.net} ${currency}`} /> : <span class="nothing">{NOTHING}</span>}
                </td>
              ))}
              <td class="right"><Whole value={row.net} places={places} title={`${row.year}: ${row.count} round trips, net ${row.net} ${currency}`} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Whole({ value, places, title }: { value: string; places: number; title: string }) {
  const tone = value.startsWith('-') ? 'down' : value === '0' ? '' : 'up'
  return <span class={`num ${tone}`} title={title}>{format(value, { places, signed: true })}</span>
}
