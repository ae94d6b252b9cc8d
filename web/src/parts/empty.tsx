// What stands where there is nothing, not yet anything, or a failure.

import type { ComponentChildren } from 'preact'
import type { Problem } from '../link/api'

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <strong>{title}</strong>
      {children && <p>{children}</p>}
    </div>
  )
}

/** Grey lines of the size of what will stand there. */
export function Skeleton({ lines = 3 }: { lines?: number }) {
  return (
    <div class="skeleton" aria-hidden="true">
      {Array.from({ length: lines }, (_, index) => <i key={index} />)}
    </div>
  )
}

export function Failed({ problem, retry }: { problem: Problem; retry?: () => void }) {
  return (
    <div class="failed" role="alert">
      <strong>{problem.body.title}</strong>
      <p>{problem.message}</p>
      {retry && <button type="button" onClick={retry}>Try again</button>}
    </div>
  )
}

/** What a reading shows: its data, old data while new data comes, a failure, or lines of the size of what comes. */
export function Shown<T>(props: {
  of: { data: T | undefined; problem: Problem | null; reload(): void }
  lines?: number
  children: (data: T) => ComponentChildren
}) {
  const { data, problem, reload } = props.of
  if (data === undefined && problem) return <Failed problem={problem} retry={reload} />
  if (data === undefined) return <Skeleton lines={props.lines ?? 5} />
  return (
    <>
      {problem && <Failed problem={problem} retry={reload} />}
      {props.children(data)}
    </>
  )
}

interface PanelProps {
  title: string
  /** Stands at the right of the title. */
  more?: ComponentChildren
  class?: string
  /** It may be lower than what is in it, and scrolls: by keys too. */
  scrolls?: boolean
  children: ComponentChildren
}

/** A titled box of a page. */
export function Panel({ title, more, class: name = '', scrolls = false, children }: PanelProps) {
  const region = scrolls ? { tabIndex: 0, 'aria-label': title } : {}
  return (
    <section class={`panel ${name}`} {...region}>
      <header>
        <h2>{title}</h2>
        {more && <div class="more">{more}</div>}
      </header>
      {children}
    </section>
  )
}
