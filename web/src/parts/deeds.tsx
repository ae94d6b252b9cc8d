// What an operator may press, with what will happen said before. One dialog is open at a time.

import { signal } from '@preact/signals'
import { post, readNow } from '../link/api'
import { session } from '../link/session'
import { live } from '../live'
import { format } from '../model/decimal'
import { type Deed, may, whyNot } from '../model/roles'
import type { Break, Page, Position, TradingState } from '../model/types'
import { DeedDialog, type DeedProps, type Done } from './dialog'

export interface Place {
  account?: string
  strategy?: string
  instrument?: string
}

type Asked = Omit<DeedProps, 'onClose'>

const asked = signal<Asked | null>(null)

/** Stands once in the page: the dialog of whatever was pressed. */
export function DeedHost() {
  const deed = asked.value
  return deed && <DeedDialog {...deed} onClose={() => (asked.value = null)} />
}

function placed({ account, strategy, instrument }: Place): string {
  const named = [instrument, strategy && `strategy ${strategy}`, account && `account ${account}`].filter(Boolean)
  return named.length ? named.join(', ') : 'the whole book'
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`
}

function covered(place: Place): Position[] {
  const all = [...(live.state.peek()?.positions.values() ?? [])]
  return all.filter(
    (item) =>
      (!place.account || item.account === place.account) &&
      (!place.strategy || item.strategy === place.strategy) &&
      (!place.instrument || item.instrument === place.instrument),
  )
}

function openOrders(place: Place): number {
  const all = live.state.peek()?.orders ?? []
  return all.filter(
    (item) =>
      (!place.account || item.account === place.account) &&
      (!place.strategy || item.strategy === place.strategy) &&
      (!place.instrument || item.instrument === place.instrument),
  ).length
}

export type Switch = 'halt' | 'reduce' | 'resume'

const SWITCHES: Record<Switch, { title: string; label: string; tone: 'bad' | 'warn' | 'accent'; to: TradingState }> = {
  halt: { title: 'Halt trading', label: 'Halt', tone: 'bad', to: 'HALTED' },
  reduce: { title: 'Reduce only', label: 'Reduce only', tone: 'warn', to: 'REDUCING' },
  resume: { title: 'Resume trading', label: 'Resume', tone: 'accent', to: 'ACTIVE' },
}

function consequencesOf(deed: Switch, place: Place): string[] {
  const held = count(covered(place).length, 'open position')
  switch (deed) {
    case 'halt':
      return [
        `Trading of ${placed(place)} goes to HALTED: no order passes but a flatten by a person.`,
        'Orders that open and were not sent yet end canceled; orders at the venue stay there.',
        `${held} stay as they are; their stops tell, and act only after trading resumes.`,
      ]
    case 'reduce':
      return [
        `Trading of ${placed(place)} goes to REDUCING: only orders that make a position smaller pass.`,
        `${held} stay as they are; their stops act.`,
      ]
    case 'resume':
      return [
        `Trading of ${placed(place)} goes to ACTIVE: orders pass again, within the limits.`,
        'Losses count anew against the limits from this entry on.',
      ]
  }
}

export function askSwitch(deed: Switch, place: Place = {}): void {
  const { title, label, tone, to } = SWITCHES[deed]
  asked.value = {
    title: placed(place) === 'the whole book' ? title : `${title}: ${placed(place)}`,
    label,
    tone,
    consequences: consequencesOf(deed, place),
    run: async (reason): Promise<Done> => {
      const made = await post<{ state: string; sequence: number | null }>(`/v1/trading/${deed}`, { reason, ...place })
      const line = made.sequence === null ? `Trading was ${to} already.` : `Trading of ${placed(place)} is ${made.state}.`
      return { sequence: made.sequence, lines: [line] }
    },
  }
}

interface Exit {
  instrument: string
  strategy: string
  side: string
  quantity: string
  answer: string
  why: string
  client_order_id: string
}

export function askFlatten(place: Place = {}): void {
  const held = covered(place)
  const rows = held.slice(0, 8).map((item) => `${item.instrument}: ${format(item.quantity)} ${item.strategy || ''}`)
  const rest = held.length > rows.length ? [`and ${held.length - rows.length} more`] : []
  const waiting = openOrders(place)
  asked.value = {
    title: `Flatten ${placed(place)}`,
    label: held.length ? `Flatten ${count(held.length, 'position')}` : 'Flatten',
    tone: 'bad',
    consequences: [
      `Market orders close ${count(held.length, 'position')} of ${placed(place)}; a running bot sends them.`,
      ...[...rows, ...rest].map((line) => <span class="num">{line}</span>),
      ...(waiting ? [`${count(waiting, 'open order')} there are taken back.`] : []),
      'What was sold or bought cannot be taken back.',
    ],
    run: async (reason): Promise<Done> => {
      const before = live.head.peek()
      const made = await post<Page<Exit>>('/v1/trading/flatten', { reason, ...place })
      const lines = made.items.map(
        (item) => `${item.instrument} ${item.side} ${format(item.quantity)}: ${item.answer}${item.why ? `, ${item.why}` : ''}`,
      )
      const sequence = made.items.length ? await newestAfter(before, made.items[0]?.client_order_id ?? '') : null
      return { sequence, lines: lines.length ? lines : ['Nothing was held there.'] }
    },
  }
}

/** Return the entry that holds an order, as the log says it; it was made after an entry. */
async function newestAfter(after: number, orderId: string): Promise<number | null> {
  type Row = { sequence: number; data: { client_order_id?: string } }
  const page = await readNow<Page<Row>>('/v1/events/history', { after, types: 'order_updated', limit: 1000 })
  return page.items.find((item) => item.data.client_order_id === orderId)?.sequence ?? null
}

export function askResolve(item: Break): void {
  asked.value = {
    title: `Settle ${item.id}`,
    label: 'Settle it',
    tone: 'accent',
    consequences: [
      `The ${item.kind.replaceAll('_', ' ')} of ${item.instrument || item.account} counts as settled; no figure changes by this.`,
      item.proposed ? `Proposed: ${item.proposed}.` : 'Record or correct the fill first, where one is missing or wrong.',
      'Orders that open in this instrument pass again.',
    ],
    run: async (reason): Promise<Done> => {
      const before = live.head.peek()
          const made = await post<Break>(`/v1/breaks/${encodeURIComponent(item.id)}/resolve`, { reason })
      const page = await readNow<Page<{ sequence: number; data: Record<string, unknown> }>>('/v1/events/history', { after: before, types: 'break_resolved', limit: 100 })
      const entry = page.items.find((event) => event.data['break'] === item.id) ?? page.items.at(-1)
      return { sequence: entry?.sequence ?? null, lines: [`${made.id} is ${made.state}${made.resolver ? `, by ${made.resolver}` : ''}.`] }
    },
  }
}

/** A button that is there only for who may press it, and says why when it cannot be. */
export function DeedButton(props: { deed: Deed; tone?: string; label: string; onPress: () => void; isHidden?: boolean }) {
  const role = session.value?.role
  const isAllowed = may(role, props.deed)
  if (!isAllowed && props.isHidden) return null
  const isPast = live.connection.value === 'off'
  const why = isPast ? 'The past cannot be changed: go back to now.' : whyNot(role, props.deed)
  return (
    <button type="button" class={`strong ${props.tone ?? ''}`} disabled={!isAllowed || isPast} title={why || undefined} onClick={props.onPress}>
      {props.label}
    </button>
  )
}
