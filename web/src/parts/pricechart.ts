// The price chart as the library draws it: candles or a line, fills, lines at levels, and stops as they stood. In a file
// of its own, which is loaded when a chart is shown; only what is named here of the library comes with it.

import {
  AreaSeries,
  type AutoscaleInfo,
  CandlestickSeries,
  ColorType,
  createChart,
  createSeriesMarkers,
  CrosshairMode,
  type IChartApi,
  type IPriceLine,
  type ISeriesApi,
  type ISeriesPrimitive,
  type Logical,
  LineStyle,
  type SeriesMarker,
  TickMarkType,
  type Time as ChartTime,
} from 'lightweight-charts'
import { dateIn, momentIn } from '../model/days'
import { format } from '../model/decimal'
import { type Drawn, stretchOf } from '../model/prices'
import type { Step } from '../model/steps'
import type { Fill } from '../model/records'
import type { Decimal } from '../model/types'
import { colour } from './colour'

export interface Level {
  name: string
  price: Decimal
  tone: 'ink' | 'up' | 'down' | 'accent' | 'warn'
  isDashed?: boolean
  /** Its line is drawn as steps; only the price stands at the axis. */
  isStepped?: boolean
}

export interface Look {
  /** A line, not candles. */
  isLine: boolean
  /** Seconds of a row. */
  step: number
  zone: string
  places: number
}

/** Levels are kept in view while that makes the height at most so many times as large. */
const MOST_STRETCH = 8
const MOST_MARKED = 1_000

type Series = ISeriesApi<'Candlestick' | 'Area'>

export class PriceChart {
  private readonly chart: IChartApi
  private readonly series: Series
  private readonly marks
  private rows: readonly Drawn[] = []
  private levels: readonly Level[] = []
  private lines: IPriceLine[] = []
  private steps: readonly Step[] = []
  private redraw = () => {}
  private isGone = false

  constructor(box: HTMLElement, private readonly look: Look) {
    this.chart = createChart(box, optionsOf(look))
    this.series = seriesOf(this.chart, look)
    this.series.applyOptions({ autoscaleInfoProvider: (original: () => AutoscaleInfo | null) => this.widened(original()) })
    this.marks = createSeriesMarkers(this.series, [])
    this.series.attachPrimitive(this.drawsSteps())
  }

  /** Draw these rows; where only the last is another or new one, it alone. */
  show(rows: readonly Drawn[]): void {
    if (this.isGone) return
    const [before, last] = [this.rows, rows.at(-1)]
    this.rows = rows
    if (last && isNextOf(before, rows)) this.series.update(pointOf(last, this.look.isLine))
    else this.series.setData(rows.map((row) => pointOf(row, this.look.isLine)))
  }

  mark(fills: readonly Fill[]): void {
    if (!this.isGone) this.marks.setMarkers(marksOf(fills, this.rows[0]?.time ?? 0, this.look.step))
  }

  draw(levels: readonly Level[], steps: readonly Step[]): void {
    if (this.isGone) return
    this.lines.forEach((line) => this.series.removePriceLine(line))
    ;[this.levels, this.steps] = [levels, steps]
    this.lines = levels.map(({ name, price, tone, isDashed, isStepped }) =>
      this.series.createPriceLine({
        price: Number(price), title: name, color: colour(tone), lineWidth: 1, lineVisible: !isStepped,
        lineStyle: isDashed ? LineStyle.Dashed : LineStyle.Solid, axisLabelVisible: true,
      }),
    )
    this.redraw()
  }

  fit(): void {
    if (!this.isGone) this.chart.timeScale().fitContent()
  }

  /** Let go of everything. What is asked of it afterwards does nothing: the next one is on its way. */
  remove(): void {
    this.isGone = true
    this.chart.remove()
  }

  // ---- steps ----

  /** Where a step begins and ends, in rows from the left; null: it is not among them. */
  private placeOf({ from, to }: Step): readonly [number, number] | null {
    const [first, last] = [this.rows[0], this.rows.at(-1)]
    if (!first || !last || from >= last.time + this.look.step || (to !== null && to < first.time)) return null
    return [indexOf(this.rows, from), to === null ? this.rows.length : indexOf(this.rows, to)]
  }

  private drawsSteps(): ISeriesPrimitive<ChartTime> {
    const time = this.chart.timeScale()
    const at = (index: number) => time.logicalToCoordinate(index as Logical) ?? 0
    const tones = { up: colour('up'), down: colour('down') }
    const draw = (context: CanvasRenderingContext2D, width: number) => {
      const half = time.options().barSpacing / 2
      context.lineWidth = 1.5
      for (const step of this.steps) {
        const [place, y] = [this.placeOf(step), this.series.priceToCoordinate(Number(step.price))]
        if (!place || y === null) continue
        context.strokeStyle = tones[step.tone]
        context.setLineDash(step.isPlan ? [1, 3] : [5, 3])
        context.beginPath()
        const [begin, end] = [at(place[0]) - half, at(place[1]) - half]
        context.moveTo(begin, y)
        context.lineTo(step.to === null ? width : Math.max(end, begin + 2 * half), y)
        context.stroke()
      }
    }
    const renderer: ReturnType<ReturnType<NonNullable<ISeriesPrimitive['paneViews']>>[number]['renderer']> = {
      draw: (target) => target.useMediaCoordinateSpace(({ context, mediaSize }) => draw(context, mediaSize.width)),
    }
    const views = [{ zOrder: () => 'top' as const, renderer: () => renderer }]
    return { paneViews: () => views, attached: ({ requestUpdate }) => void (this.redraw = requestUpdate) }
  }

  /** Return the range of prices with the average, stops and targets in it, where they are not too far away. */
  private widened(info: AutoscaleInfo | null): AutoscaleInfo | null {
    const range = info?.priceRange
    if (!info || !range) return info
    const { minValue, maxValue } = range
    const most = Math.max(maxValue - minValue, maxValue * 0.002) * MOST_STRETCH
    const shown = this.chart.timeScale().getVisibleLogicalRange()
    const isShown = (step: Step) => {
      const place = this.placeOf(step)
      return place !== null && (!shown || (place[0] <= shown.to && place[1] >= shown.from))
    }
    const prices = [...this.levels.filter(({ tone, isStepped }) => tone !== 'accent' && !isStepped), ...this.steps.filter(isShown)].map(({ price }) => Number(price))
    const near = prices.filter((price) => maxValue - price <= most && price - minValue <= most)
    return { ...info, priceRange: { minValue: Math.min(minValue, ...near), maxValue: Math.max(maxValue, ...near) } }
  }
}

/** Return the row in which a moment lies, in seconds; of one in no row the row before. */
function indexOf(rows: readonly Drawn[], at: number): number {
  let [low, high] = [0, rows.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((rows[middle] as Drawn).time <= at) low = middle + 1
    else high = middle
  }
  return Math.max(low - 1, 0)
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

function seriesOf(chart: IChartApi, { isLine, places }: Look): Series {
  const priceFormat = { type: 'price' as const, precision: places, minMove: 10 ** -places }
  const [up, down, accent] = [colour('up'), colour('down'), colour('accent')]
  if (isLine) {
    const area = { lineColor: accent, topColor: colour('accent-soft'), bottomColor: 'transparent', lineWidth: 2 as const, priceLineVisible: false, priceFormat }
    return chart.addSeries(AreaSeries, area) as unknown as Series
  }
  // Hollow where it rose, filled where it fell: not by colour alone.
  const candle = { upColor: colour('card'), downColor: down, borderUpColor: up, borderDownColor: down, wickUpColor: up, wickDownColor: down, priceLineVisible: false, priceFormat }
  return chart.addSeries(CandlestickSeries, candle) as unknown as Series
}

function optionsOf({ zone: home, step, places }: Look) {
  const zone = step >= 86_400 ? 'UTC' : home // rows of a day are days of UTC: elsewhere they would bear the day before
  const [line, text] = [colour('line'), colour('muted')]
  const stamp = (time: ChartTime) => momentIn(Number(time) * 1000, zone).slice(0, step >= 86_400 ? 10 : 16)
  return {
    autoSize: true,
    layout: { background: { type: ColorType.Solid as const, color: 'transparent' }, textColor: text, fontSize: 11, fontFamily: 'system-ui, sans-serif', attributionLogo: false },
    grid: { vertLines: { color: line }, horzLines: { color: line } },
    rightPriceScale: { borderColor: line },
    crosshair: { mode: CrosshairMode.Normal, vertLine: { labelBackgroundColor: colour('bar') }, horzLine: { labelBackgroundColor: colour('bar') } },
    localization: { timeFormatter: stamp, priceFormatter: (price: number) => format(price.toFixed(places), { places }) },
    timeScale: {
      borderColor: line,
      maxBarSpacing: 32,
      minBarSpacing: 0.02,
      timeVisible: step < 86_400,
      tickMarkFormatter: (time: ChartTime, kind: TickMarkType) => tick(Number(time) * 1000, kind, zone),
    },
    handleScroll: { mouseWheel: false, vertTouchDrag: false },
    handleScale: { mouseWheel: false },
  }
}

function tick(at: number, kind: TickMarkType, zone: string): string {
  const date = dateIn(at, zone)
  if (kind === TickMarkType.Year) return date.slice(0, 4)
  if (kind === TickMarkType.Month) return date.slice(0, 7)
  return kind === TickMarkType.DayOfMonth ? date.slice(5) : momentIn(at, zone).slice(11, 16)
}
