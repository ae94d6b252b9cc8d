// Upright bars: how many there are of each size.

import { format, short, sign } from '../model/decimal'
import type { Decimal } from '../model/types'

export interface BarsProps {
  label: string
  /** One more than counts: a bar stands from its edge to below the next. */
  edges: readonly Decimal[]
  counts: readonly number[]
  unit: string
}

export function Bars({ label, edges, counts, unit }: BarsProps) {
  const most = Math.max(1, ...counts)
  const every = Math.ceil(edges.length / 6)
  const zero = Math.max(0, edges.findIndex((edge) => sign(edge) === 0))
  return (
    <figure class="upright" aria-label={label}>
      <ol>
        {counts.map((count, index) => {
          const [low, high] = [edges[index] ?? '0', edges[index + 1] ?? '0']
          const said = `${format(low)} to below ${format(high)} ${unit}: ${count}`
          return (
            <li key={index} title={said}>
              <span class="sr">{said}</span>
              <small aria-hidden="true">{count || ''}</small>
              <i class={sign(low) < 0 ? 'down' : 'up'} style={{ height: `${(count / most) * 100}%` }} />
            </li>
          )
        })}
      </ol>
      <div class="upright-edges num" aria-hidden="true">
        {edges.map((edge, index) => <span key={index}>{(index - zero) % every === 0 ? <b>{sign(edge) === 0 ? '0' : short(edge).replace(/\.0+(?=\D|$)/, '')}</b> : null}</span>)}
      </div>
    </figure>
  )
}
