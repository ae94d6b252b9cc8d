// Short notes at the edge of the page that go away by themselves.

import { signal } from '@preact/signals'
import type { Tone } from './badge'

interface Note {
  id: number
  text: string
  tone: Tone
}

const MOST = 4
const STAY_MS = 7_000

const notes = signal<readonly Note[]>([])
let last = 0

export function say(text: string, tone: Tone = 'calm'): void {
  const id = ++last
  notes.value = [...notes.value, { id, text, tone }].slice(-MOST)
  setTimeout(() => close(id), STAY_MS)
}

function close(id: number): void {
  notes.value = notes.value.filter((note) => note.id !== id)
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {notes.value.map((note) => (
        <div key={note.id} class={`toast ${note.tone}`}>
          <span>{note.text}</span>
          <button type="button" class="plain" aria-label="Close" onClick={() => close(note.id)}>×</button>
        </div>
      ))}
    </div>
  )
}
