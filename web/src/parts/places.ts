// The fields that narrow a list to an instrument, a strategy, an account, with what there is to choose from.

import { useRead } from '../link/read'
import { live } from '../live'
import type { Statistics } from '../model/records'
import type { Page } from '../model/types'
import { route } from '../router'
import type { FilterField } from './filters'

/** More than so many are typed, not chosen. */
const MOST_CHOICES = 200

function fieldOf(name: string, label: string, found: Iterable<string>): FilterField {
  const chosen = route.value.query[name]
  const choices = [...new Set([...found, chosen ?? ''])].filter(Boolean).sort()
  return choices.length > MOST_CHOICES || !choices.length ? { name, label, width: '8rem' } : { name, label, choices }
}

/** Return the fields; an account only where there are several. */
export function usePlaces(): FilterField[] {
  const ended = useRead<Page<Statistics>>('/v1/statistics').data?.items ?? []
  const state = live.state.peek()
  const positions = [...(state?.positions.values() ?? [])]
  const groups = ended.flatMap((row) => row.by_strategy)
  const strategies = [...positions, ...(state?.bots ?? [])].map((item) => item.strategy ?? '')
  const accounts = (state?.accounts ?? []).map((item) => item.name)
  const instruments = [...live.instruments.value.keys(), ...positions.map((item) => item.instrument), ...ended.flatMap((row) => row.by_instrument.map((item) => item.name ?? ''))]
  return [
    fieldOf('instrument', 'Instrument', instruments),
    fieldOf('strategy', 'Strategy', [...strategies, ...groups.map((item) => item.name ?? '')]),
    ...(accounts.length > 1 ? [fieldOf('account', 'Account', accounts)] : []),
  ]
}
