// Dialogs: one frame for all, and the deed, which asks once, says what will happen, needs a reason, and shows the
// entry that it made.

import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import { problemOf, type Problem, readNow } from '../link/api'
import { turnedAway } from '../link/session'
import { href } from '../model/routes'
import type { Envelope, Page } from '../model/types'
import { Failed } from './empty'

export function Dialog(props: { title: string; onClose: () => void; class?: string; children: ComponentChildren }) {
  const box = useRef<HTMLDialogElement>(null)
  const title = useId()
  useEffect(() => {
    const before = document.activeElement
    if (box.current && !box.current.open) box.current.showModal()
    return () => before instanceof HTMLElement && before.isConnected && before.focus()
  }, [])
  return (
    <dialog ref={box} aria-labelledby={title} class={props.class} onClose={props.onClose}>
      <header>
        <h2 id={title}>{props.title}</h2>
        <button type="button" class="plain" aria-label="Close" onClick={() => box.current?.close()}>×</button>
      </header>
      {props.children}
    </dialog>
  )
}

export interface Done {
  /** The entry of the log; null when things were so already. */
  sequence: number | null
  /** What came of it, a line each. */
  lines: readonly string[]
}

export interface DeedProps {
  title: string
  /** What will happen, a line each. */
  consequences: readonly ComponentChildren[]
  /** On the button. */
  label: string
  tone?: 'bad' | 'warn' | 'accent'
  run: (reason: string) => Promise<Done>
  onClose: () => void
}

const LONGEST_REASON = 500

/** Something that changes the book, asked once. */
export function DeedDialog(props: DeedProps) {
  const [reason, setReason] = useState('')
  const [isRunning, setRunning] = useState(false)
  const [done, setDone] = useState<Done | null>(null)
  const [problem, setProblem] = useState<Problem | null>(null)
  const run = async () => {
    setRunning(true)
    setProblem(null)
    try {
      setDone(await props.run(reason.trim()))
    } catch (error) {
      const found = problemOf(error)
      turnedAway(found)
      setProblem(found)
    }
    setRunning(false)
  }
  if (done) return <DoneDialog title={props.title} done={done} onClose={props.onClose} />
  return (
    <Dialog title={props.title} onClose={props.onClose} class="deed">
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (reason.trim() && !isRunning) void run()
        }}
      >
        <p class="lead">What will happen</p>
        <ul>{props.consequences.map((line, index) => <li key={index}>{line}</li>)}</ul>
        <label>
          <span>Reason, for the log</span>
          <input
            autoFocus
            required
            maxLength={LONGEST_REASON}
            value={reason}
            placeholder="why, in a few words"
            onInput={(event) => setReason(event.currentTarget.value)}
          />
        </label>
        {problem && <Failed problem={problem} />}
        <footer>
          <button type="button" onClick={props.onClose}>Leave it</button>
          <button type="submit" class={`strong ${props.tone ?? 'accent'}`} disabled={isRunning || !reason.trim()}>
            {isRunning ? 'Working …' : props.label}
          </button>
        </footer>
      </form>
    </Dialog>
  )
}

function DoneDialog({ title, done, onClose }: { title: string; done: Done; onClose: () => void }) {
  const [events, setEvents] = useState<Envelope[]>([])
  useEffect(() => {
    if (done.sequence === null) return
    const query = { after: done.sequence - 1, limit: 20 }
    readNow<Page<Envelope>>('/v1/events/history', query).then(
      (page) => setEvents(page.items.filter((event) => event.sequence === done.sequence)),
      () => setEvents([]), // the entry's number stands there all the same
    )
  }, [done])
  return (
    <Dialog title={title} onClose={onClose} class="deed">
      <p class="lead">{done.sequence === null ? 'Nothing was to be changed.' : `Entry ${done.sequence} was made.`}</p>
      {done.lines.length > 0 && <ul>{done.lines.map((line, index) => <li key={index}>{line}</li>)}</ul>}
      {events.map((event) => (
        <p key={event.id} class="entry">
          <code>{event.id}</code> {event.type}
          {event.actor && <> by <b>{event.actor}</b></>}
          {typeof event.data['reason'] === 'string' && <>: {event.data['reason']}</>}
        </p>
      ))}
      <footer>
        {done.sequence !== null && (
          <a class="button" href={href('events', [], { after: String(done.sequence - 1) })} onClick={onClose}>Show in events</a>
        )}
        <button type="button" class="strong accent" autoFocus onClick={onClose}>Close</button>
      </footer>
    </Dialog>
  )
}
