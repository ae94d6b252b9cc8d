// The price chart with its legend; the chart itself comes as a file of its own when the first one is shown.

import { useEffect, useRef, useState } from 'preact/hooks'
import { momentIn } from '../model/days'
import { format } from '../model/decimal'
import { type Drawn, isFlat } from '../model/prices'
import type { Fill } from '../model/records'
import type { Step } from '../model/steps'
import { isDark } from '../settings'
import type { Level, PriceChart } from './pricechart'

export interface CandlesProps {
  label: string
  rows: readonly Drawn[]
  fills: readonly Fill[]
  levels: readonly Level[]
  steps: readonly Step[]
  /** Changes when other rows are shown as a whole: all of them are brought into view. */
  view: string
  /** Seconds of a row. */
  step: number
  zone: string
  places: number
  height: number
}

export function Candles(props: CandlesProps) {
  const box = useRef<HTMLDivElement>(null)
  const [chart, setChart] = useState<PriceChart | null>(null)
  const isLine = isFlat(props.rows)
  const dark = isDark.value
  const { zone, step, places, height, rows, fills, levels, steps } = props
  useEffect(() => {
    let made: PriceChart | null = null
    let isWanted = true
    void import('./pricechart').then((library) => {
      if (!isWanted || !box.current) return
      made = new library.PriceChart(box.current, { isLine, step, zone, places })
      setChart(made)
    })
    return () => {
      isWanted = false
      setChart(null)
      made?.remove()
    }
  }, [dark, zone, step, places, isLine, height])
  const first = rows[0]?.time ?? 0
  useEffect(() => chart?.show(rows), [chart, rows])
  useEffect(() => chart?.mark(fills), [chart, fills, first])
  useEffect(() => chart?.draw(levels, steps), [chart, JSON.stringify(levels), steps])
  useEffect(() => chart?.fit(), [chart, props.view])
  return (
    <figure class="candles" aria-label={`${props.label}: ${told(props)}`}>
      <div ref={box} style={{ height: `${height}px` }} />
      <figcaption>
        <span class="legend">
          {levels.map((level) => (
            <span key={level.name}><i class={`${level.tone} ${level.isDashed ? 'dashed' : ''}`} />{level.name} <b class="num">{format(level.price, { places })}</b></span>
          ))}
          <StepLegend steps={steps} />
        </span>
        <a href="https://www.tradingview.com/" rel="noreferrer" target="_blank">Charts by TradingView Lightweight Charts™</a>
      </figcaption>
    </figure>
  )
}

const KINDS = [
  ['stops so far', 'down', false],
  ['targets so far', 'up', false],
  ['stops of signals', 'down', true],
  ['targets of signals', 'up', true],
] as const

function StepLegend({ steps }: { steps: readonly Step[] }) {
  const found = KINDS.filter(([, tone, isPlan]) => steps.some((step) => step.tone === tone && step.isPlan === isPlan))
  return <>{found.map(([name, tone, isPlan]) => <span key={name}><i class={`${tone} ${isPlan ? 'dotted' : 'dashed'}`} />{name}</span>)}</>
}

function told({ rows, fills, steps, zone }: CandlesProps): string {
  const last = rows.at(-1)
  return last ? `${rows.length} rows to ${momentIn(last.time * 1000, zone)}, last ${last.close}, ${fills.length} fills, ${steps.length} stops and targets` : 'no prices'
}
