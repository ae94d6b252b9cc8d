// The figures that say how trading went, as the service says them.

import { format, round, short } from '../model/decimal'
import { span } from '../model/days'
import type { Statistics } from '../model/records'
import { Money, NOTHING, Number, Tile } from './figure'

function percent(value: string | null): string {
  return value === null ? NOTHING : `${format(round(String(globalThis.Number(value) * 100), 1), { places: 1 })}%`
}

function shortly(value: string | null): string {
  return value === null ? NOTHING : short(value)
}

export function StatisticsTiles({ of: found }: { of: Statistics }) {
  const { currency } = found
  const fall = found.max_drawdown
  return (
    <div class="tiles statistics">
      <Tile label={`Net ${currency}`} sub={`${format(String(found.count))} round trips`}><Money value={found.net} currency={currency} signed bare /></Tile>
      <Tile label="Win rate" sub={`${found.wins} won, ${found.losses} lost`}><span class="num">{percent(found.win_rate)}</span></Tile>
      <Tile label={`Expectancy ${currency}`} sub="net per round trip"><Money value={found.expectancy} currency={currency} signed bare /></Tile>
      <Tile label="Profit factor" sub="won by lost">{found.profit_factor === null ? <span class="nothing">{NOTHING}</span> : <Number value={found.profit_factor} places={2} />}</Tile>
      <Tile label="Average hold" sub={`win ${shortly(found.average_win)}, loss ${shortly(found.average_loss)}`}>
        <span class="num">{found.average_hold_seconds === null ? NOTHING : span(globalThis.Number(found.average_hold_seconds))}</span>
      </Tile>
      <Tile label={`Largest loss ${currency}`} sub={fall ? <>drawdown <Money value={fall.amount} currency={currency} bare /></> : 'never fell'}><Money value={found.largest_loss} currency={currency} signed bare /></Tile>
    </div>
  )
}

/** The choice among currencies, where there are several: they are never added up. */
export function CurrencyChoice({ rows, chosen, onChoose }: { rows: readonly { currency: string }[]; chosen: string; onChoose: (currency: string) => void }) {
  if (rows.length < 2) return null
  return (
    <div class="choice" role="group" aria-label="Currency">
      {rows.map(({ currency }) => (
        <button key={currency} type="button" aria-pressed={currency === chosen} onClick={() => onChoose(currency)}>{currency}</button>
      ))}
    </div>
  )
}
