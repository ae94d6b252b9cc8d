// A line over time, drawn by uPlot: axes in the book's zone, the value under the pointer.

import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { useEffect, useRef } from 'preact/hooks'
import { format, short } from '../model/decimal'
import { dateIn, momentIn } from '../model/days'
import { isDark } from '../settings'
import { colour } from './colour'

export interface CurveProps {
  label: string
  /** Seconds since 1970 UTC, rising. */
  times: readonly number[]
  /** Exact text, as the service says it; null: a gap. Drawn as floats, told as text. */
  values: readonly (string | null)[]
  zone: string
  /** Digits behind the point, where a value is told. */
  places?: number
  height?: number
  /** What is told behind a value. */
  unit?: string
  /** Steps, as a figure stands until it changes. */
  isStepped?: boolean
}

export function Curve(props: CurveProps) {
  const box = useRef<HTMLDivElement>(null)
  const told = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const height = props.height ?? 220
  const dark = isDark.value
  useEffect(() => {
    const parent = box.current
    if (!parent) return undefined
    const made = new uPlot(options(props, parent, told.current, height), dataOf(props), parent)
    plot.current = made
    const watch = new ResizeObserver(() => made.setSize({ width: parent.clientWidth, height }))
    watch.observe(parent)
    return () => {
      watch.disconnect()
      made.destroy()
      plot.current = null
    }
  }, [dark, height, props.zone, props.places, props.isStepped, props.unit])
  useEffect(() => {
    plot.current?.setData(dataOf(props))
    if (told.current) told.current.textContent = lastOf(props)
  }, [props.times, props.values])
  return (
    <figure class="curve" aria-label={`${props.label}: ${lastOf(props)}`}>
      <div class="curve-told num" ref={told} />
      <div ref={box} style={{ height: `${height}px` }} />
    </figure>
  )
}

function dataOf({ times, values }: CurveProps): uPlot.AlignedData {
  return [times as number[], values.map((value) => (value === null ? null : Number(value)))]
}

function lastOf(props: CurveProps): string {
  return tellOf(props, props.times.length - 1)
}

function tellOf({ times, values, places, unit, zone }: CurveProps, index: number): string {
  const [at, value] = [times[index], values[index]]
  if (at === undefined || value == null) return '\u00a0'
  return `${momentIn(at * 1000, zone).slice(0, 16)}   ${format(value, { places })} ${unit ?? ''}`
}

function options(props: CurveProps, parent: HTMLElement, told: HTMLElement | null, height: number): uPlot.Options {
  const [line, grid, text, area] = [colour('accent'), colour('line'), colour('muted'), colour('accent-soft')]
  const font = '11px system-ui, sans-serif'
  const axis = { stroke: text, font, grid: { stroke: grid, width: 1 }, ticks: { show: false } }
  const paths = props.isStepped ? uPlot.paths.stepped?.({ align: 1 }) : undefined
  const tell = (plot: uPlot) => {
    const index = plot.cursor.idx
    if (told) told.textContent = index == null ? lastOf(props) : tellOf(props, index)
  }
  return {
    width: parent.clientWidth || 300,
    height,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), props.zone),
    legend: { show: false },
    padding: [8, 8, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
    scales: { x: { time: true }, y: { range: (_, low, high) => rangeOf(low, high) } },
    axes: [
      { ...axis, size: 28, space: 70, values: (_, splits, __, ___, step) => splits.map((at) => dateLabel(at, step, props.zone)) },
      { ...axis, size: 56, side: 3, values: (_, splits) => splits.map((value) => labelOf(value, splits)) },
    ],
    series: [{}, { stroke: line, width: 1.5, fill: area, points: { show: false }, ...(paths ? { paths } : {}) }],
    hooks: { setCursor: [tell] },
  }
}

function dateLabel(at: number, step: number, zone: string): string {
  const date = dateIn(at * 1000, zone)
  if (step >= 86_400 * 300) return date.slice(0, 4)
  if (step >= 86_400 * 27) return date.slice(0, 7)
  if (step >= 86_400) return date.slice(5)
  const clock = momentIn(at * 1000, zone).slice(11, 16)
  return clock === '00:00' ? date.slice(5) : clock
}

/** Return the label of a tick: short, unless neighbours would read the same. */
function labelOf(value: number, splits: number[]): string {
  const step = Math.abs((splits[1] ?? 1) - (splits[0] ?? 0))
  const places = step >= 1 ? 0 : Math.min(8, Math.ceil(-Math.log10(step)))
  const exact = value.toFixed(places)
  return Math.abs(value) >= 10_000 && step >= 100 ? short(exact) : format(exact, { places })
}

function rangeOf(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null) return [0, 1]
  const pad = (high - low || Math.abs(high) * 0.02 || 1) * 0.08
  return [low - pad, high + pad]
}
