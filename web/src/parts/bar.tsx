// A horizontal bar: how far something is used. The figure beside it says the same in digits.

export function Bar({ part, tone }: { part: number; tone: 'calm' | 'warn' | 'bad' | 'up' | 'down' }) {
  const width = `${Math.min(Math.max(part, 0), 1) * 100}%`
  return <span class="bar" aria-hidden="true"><i class={tone} style={{ width }} /></span>
}
