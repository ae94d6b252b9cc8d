// The price chart: candles or a line, with fills, and lines at levels. The library comes as a file of its own.

import type { AutoscaleInfo, IChartApi, IPriceLine, ISeriesApi, ISeriesMarkersPluginApi, SeriesMarker, Time as ChartTime } from 'lightweight-charts'
import { useEffect, useRef, useState } from 'preact/hooks'
import { dateIn, momentIn } from '../model/days'
import { format } from '../model/decimal'
import { type Drawn, isFlat, stretchOf } from '../model/prices'
import type { Fill } from '../model/records'
import type { Decimal } from '../model/types'
import { isDark } from '../settings'
import { colour } from './curve'

type Library = typeof import('lightweight-charts')
type Series = ISeriesApi<'Candlestick' | 'Area'>

export interface Level {
  name: string
  price: Decimal
  tone: 'ink' | 'up' | 'down' | 'accent' | 'warn'
  isDashed?: boolean
}

export interface CandlesProps {
  label: string
  rows: readonly Drawn[]
  fills: readonly Fill[]
  levels: readonly Level[]
  /** Changes when other rows are shown as a whole: all of them are brought into view. */
  view: string
  /** Seconds of a row. */
  step: number
  zone: string
  places: number
  height: number
}

/** Levels are kept in view while that makes the height at most so many times as large. */
const MOST_STRETCH = 8

interface Made {
  chart: IChartApi
  series: Series
  marks: ISeriesMarkersPluginApi<ChartTime>
  library: Library
  isLine: boolean
}

const MOST_MARKED = 1_000

export function Candles(props: CandlesProps) {
  const box = useRef<HTMLDivElement>(null)
  const [made, setMade] = useState<Made | null>(null)
  const isLine = isFlat(props.rows)
  const dark = isDark.value
  const { zone, step, places, height } = props
  useEffect(() => {
    let chart: IChartApi | null = null
    let isWanted = true
    void import('lightweight-charts').then((library) => {
      if (!isWanted || !box.current) return
      chart = library.createChart(box.current, look(library, props))
      const series = seriesOf(library, chart, isLine, places)
      setMade({ chart, series, marks: library.createSeriesMarkers(series, []), library, isLine })
    })
    return () => {
      isWanted = false
      setMade(null)
      chart?.remove()
    }
  }, [dark, zone, step, places, isLine, height])
  const drawn = useRef<{ made: Made | null; rows: readonly Drawn[] }>({ made: null, rows: [] })
  const levels = useRef(props.levels)
  levels.current = props.levels
  useEffect(() => {
    if (!made) return
    made.series.applyOptions({ autoscaleInfoProvider: (original: () => AutoscaleInfo | null) => withLevels(original(), levels.current) })
    const [before, last] = [drawn.current, props.rows.at(-1)]
    drawn.current = { made, rows: props.rows }
    if (last && before.made === made && isNextOf(before.rows, props.rows)) made.series.update(pointOf(last, made.isLine))
    else made.series.setData(props.rows.map((row) => pointOf(row, made.isLine)))
  }, [made, props.rows])
  const first = props.rows[0]?.time ?? 0
  useEffect(() => made?.marks.setMarkers(marksOf(props.fills, first, step)), [made, props.fills, first])
  useEffect(() => made?.chart.timeScale().fitContent(), [made, props.view])
  useEffect(() => {
    if (!made) return undefined
    const lines = props.levels.map((level) => lineOf(made, level))
    return () => lines.forEach((line) => removed(made, line))
  }, [made, JSON.stringify(props.levels)])
  return (
    <figure class="candles" aria-label={`${props.label}: ${told(props)}`}>
      <div ref={box} style={{ height: `${height}px` }} />
      <figcaption>
        <span class="legend">
          {props.levels.map((level) => (
            <span key={level.name}><i class={`${level.tone} ${level.isDashed ? 'dashed' : ''}`} />{level.name} <b class="num">{format(level.price, { places })}</b></span>
          ))}
        </span>
        <a href="https://www.tradingview.com/" rel="noreferrer" target="_blank">Charts by TradingView Lightweight Charts™</a>
      </figcaption>
    </figure>
  )
}

/** Return the range of prices with the average, stops and targets in it, where they are not too far away. */
function withLevels(info: AutoscaleInfo | null, levels: readonly Level[]): AutoscaleInfo | null {
  const range = info?.priceRange
  if (!info || !range) return info
  const { minValue, maxValue } = range
  const most = Math.max(maxValue - minValue, maxValue * 0.002) * MOST_STRETCH
  let [low, high] = [minValue, maxValue]
  for (const level of levels) {
    const price = Number(level.price)
    if (level.tone === 'accent' || maxValue - price > most || price - minValue > most) continue
    ;[low, high] = [Math.min(low, price), Math.max(high, price)]
  }
  return { ...info, priceRange: { minValue: low, maxValue: high } }
}

function told({ rows, fills, zone }: CandlesProps): string {
  const last = rows.at(-1)
  return last ? `${rows.length} rows to ${momentIn(last.time * 1000, zone)}, last ${last.close}, ${fills.length} fills` : 'no prices'
}

function removed(made: Made, line: IPriceLine): void {
  try {
    made.series.removePriceLine(line)
  } catch {
    // the chart went first
  }
}

function lineOf({ series, library }: Made, { name, price, tone, isDashed }: Level): IPriceLine {
  const lineStyle = isDashed ? library.LineStyle.Dashed : library.LineStyle.Solid
  return series.createPriceLine({ price: Number(price), title: name, color: colour(tone), lineWidth: 1, lineStyle, axisLabelVisible: true })
}

function pointOf(row: Drawn, isLine: boolean) {
  const time = row.time as unknown as ChartTime
  if (isLine) return { time, value: Number(row.close) }
  return { time, open: Number(row.open), high: Number(row.high), low: Number(row.low), close: Number(row.close) }
}

/** Say whether only the last row is another or a new one: then it alone is drawn. */
function isNextOf(before: readonly Drawn[], rows: readonly Drawn[]): boolean {
  const more = rows.length - before.length
  return (more === 0 || more === 1) && rows.length > 1 && rows[0] === before[0] && rows[rows.length - 2] === before[rows.length - 2]
}

function marksOf(fills: readonly Fill[], first: number, step: number): SeriesMarker<ChartTime>[] {
  return fills.slice(-MOST_MARKED).flatMap((fill) => {
    const time = stretchOf(Date.parse(fill.occurred_at), step)
    if (time < first) return []
    const isBuy = fill.side === 'buy'
    return [{ time: time as unknown as ChartTime, position: isBuy ? 'belowBar' as const : 'aboveBar' as const, shape: isBuy ? 'arrowUp' as const : 'arrowDown' as const, color: colour(isBuy ? 'up' : 'down'), size: 1 }]
  })
}

function seriesOf(library: Library, chart: IChartApi, isLine: boolean, places: number): Series {
  const priceFormat = { type: 'price' as const, precision: places, minMove: 10 ** -places }
  const [up, down, accent] = [colour('up'), colour('down'), colour('accent')]
  if (isLine) {
    const area = { lineColor: accent, topColor: colour('accent-soft'), bottomColor: 'transparent', lineWidth: 2 as const, priceLineVisible: false, priceFormat }
    return chart.addSeries(library.AreaSeries, area) as unknown as Series
  }
  // Hollow where it rose, filled where it fell: not by colour alone.
  const candle = { upColor: colour('card'), downColor: down, borderUpColor: up, borderDownColor: down, wickUpColor: up, wickDownColor: down, priceLineVisible: false, priceFormat }
  return chart.addSeries(library.CandlestickSeries, candle) as unknown as Series
}

function look(library: Library, { zone, step, places }: CandlesProps) {
  const [line, text] = [colour('line'), colour('muted')]
  const stamp = (time: ChartTime) => momentIn(Number(time) * 1000, zone).slice(0, step >= 86_400 ? 10 : 16)
  return {
    autoSize: true,
    layout: { background: { type: library.ColorType.Solid, color: 'transparent' }, textColor: text, fontSize: 11, fontFamily: 'system-ui, sans-serif', attributionLogo: false },
    grid: { vertLines: { color: line }, horzLines: { color: line } },
    rightPriceScale: { borderColor: line },
    crosshair: { mode: library.CrosshairMode.Normal, vertLine: { labelBackgroundColor: colour('bar') }, horzLine: { labelBackgroundColor: colour('bar') } },
    localization: { timeFormatter: stamp, priceFormatter: (price: number) => format(price.toFixed(places), { places }) },
    timeScale: {
      borderColor: line,
      maxBarSpacing: 32,
      minBarSpacing: 0.02,
      timeVisible: step < 86_400,
      tickMarkFormatter: (time: ChartTime, kind: number) => tick(library, Number(time) * 1000, kind, zone),
    },
    handleScroll: { mouseWheel: false, vertTouchDrag: false },
    handleScale: { mouseWheel: false },
  }
}

function tick(library: Library, at: number, kind: number, zone: string): string {
  const date = dateIn(at, zone)
  if (kind === library.TickMarkType.Year) return date.slice(0, 4)
  if (kind === library.TickMarkType.Month) return date.slice(0, 7)
  return kind === library.TickMarkType.DayOfMonth ? date.slice(5) : momentIn(at, zone).slice(11, 16)
}
