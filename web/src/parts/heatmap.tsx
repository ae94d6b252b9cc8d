// A year of days, each as strongly coloured as its result; plus and minus say the same without colour.

import { useEffect, useRef, useState } from 'preact/hooks'
import { later, levelOf, MONTHS, stepsOf, weeksOf } from '../model/calendar'
import { format } from '../model/decimal'
import type { Decimal } from '../model/types'

export interface HeatmapProps {
  label: string
  year: number
  /** By day: 2026-01-31. */
  values: ReadonlyMap<string, Decimal>
  places: number
  unit: string
  chosen: string
  onChoose: (day: string) => void
}

const WEEKDAYS = ['Mon', '', 'Wed', '', 'Fri', '', '']
const MOVES: Record<string, number> = { ArrowUp: -1, ArrowDown: 1, ArrowLeft: -7, ArrowRight: 7 }

export function Heatmap(props: HeatmapProps) {
  const { year, values, chosen } = props
  const box = useRef<HTMLDivElement>(null)
  const [stop, setStop] = useState('')
  const weeks = weeksOf(year)
  const mine = [...values].filter(([day]) => day.startsWith(String(year)))
  const steps = stepsOf(mine.map(([, value]) => value))
  const first = [stop, chosen].find((day) => day.startsWith(`${year}-`)) ?? mine.at(-1)?.[0] ?? `${year}-01-01`
  useEffect(() => {
    // On a narrow screen the weeks scroll: begin where something is.
    const [list, day] = [box.current, box.current?.querySelector<HTMLElement>(`[data-day="${first}"]`)]
    if (list && day) list.scrollLeft = day.offsetLeft - list.offsetLeft - list.clientWidth / 2
  }, [year])
  const move = (event: KeyboardEvent, day: string) => {
    const days = MOVES[event.key]
    if (days === undefined) return
    event.preventDefault()
    const next = later(day, days)
    setStop(next)
    box.current?.querySelector<HTMLElement>(`[data-day="${next}"]`)?.focus()
  }
  return (
    <div class="heatmap" ref={box} role="group" aria-label={props.label}>
      <div class="heat-days" aria-hidden="true">{WEEKDAYS.map((name, index) => <span key={index}>{name}</span>)}</div>
      <div class="heat-weeks">
        {weeks.map((week, index) => (
          <div class="heat-week" key={index}>
            <span class="heat-month" aria-hidden="true">{monthOf(week)}</span>
            {week.map((day, place) =>
              day === null ? <i key={place} class="heat-none" /> : (
                <Day key={place} {...props} day={day} level={levelOf(values.get(day) ?? '0', steps)} isStop={day === first} onFocus={setStop} onKey={move} />
              ),
            )}
          </div>
        ))}
      </div>
    </div>
  )
}

function monthOf(week: readonly (string | null)[]): string {
  const first = week.find((day) => day?.endsWith('-01'))
  return first ? (MONTHS[Number(first.slice(5, 7)) - 1] ?? '') : ''
}

interface DayProps extends HeatmapProps {
  day: string
  level: number
  isStop: boolean
  onFocus: (day: string) => void
  onKey: (event: KeyboardEvent, day: string) => void
}

function Day({ day, level, values, places, unit, isStop, chosen, onChoose, onFocus, onKey }: DayProps) {
  const value = values.get(day)
  const said = `${day}: ${value === undefined ? 'nothing' : `${format(value, { places, signed: true })} ${unit}`}`
  const tone = value === undefined ? '' : level > 0 ? `heat-up-${level}` : level < 0 ? `heat-down-${-level}` : 'heat-even'
  return (
    <button
      type="button"
      class={`heat ${tone}`}
      data-day={day}
      title={said}
      aria-label={said}
      aria-pressed={day === chosen}
      tabIndex={isStop ? 0 : -1}
      onFocus={() => onFocus(day)}
      onClick={() => onChoose(day === chosen ? '' : day)}
      onKeyDown={(event) => onKey(event, day)}
    >
      {level > 0 ? '+' : level < 0 ? '−' : ''}
    </button>
  )
}
