// Short words with a tone: a state, a role, a side.

import type { ComponentChildren } from 'preact'
import type { Connection } from '../link/stream'
import type { TradingState } from '../model/types'

export type Tone = 'good' | 'warn' | 'bad' | 'calm' | 'accent'

export function Badge({ tone = 'calm', title, children }: { tone?: Tone; title?: string; children: ComponentChildren }) {
  return <span class={`badge ${tone}`} title={title}>{children}</span>
}

const TRADING: Record<TradingState, readonly [Tone, string]> = {
  ACTIVE: ['good', 'orders go through'],
  REDUCING: ['warn', 'only exits go through'],
  HALTED: ['bad', 'nothing goes through but a flatten'],
}

export function TradingBadge({ state }: { state: TradingState }) {
  const [tone, title] = TRADING[state]
  return <Badge tone={tone} title={title}>{state}</Badge>
}

const CONNECTIONS: Record<Connection, readonly [Tone, string, string]> = {
  off: ['calm', 'not live', 'nothing is followed'],
  connecting: ['calm', 'connecting', 'the service is being asked'],
  live: ['good', 'live', 'events arrive as they happen'],
  behind: ['warn', 'catching up', 'events from before now are still arriving'],
  lost: ['bad', 'connection lost', 'figures stand as they were; it is tried again'],
}

export function ConnectionBadge({ state }: { state: Connection }) {
  const [tone, word, title] = CONNECTIONS[state]
  return (
    <span class={`dot-badge ${tone}`} title={title} role="status">
      <span class="dot" aria-hidden="true" />
      <span class="word">{word}</span>
    </span>
  )
}

/** Which way a position points. */
export function SideBadge({ isLong }: { isLong: boolean }) {
  return <span class={`side ${isLong ? 'long' : 'short'}`}>{isLong ? '↑ long' : '↓ short'}</span>
}
