// Following the log: one stream, taken up again where it was when it breaks.
//
// It is read with fetch and not with EventSource: that knows only events whose names were told to it, gives up at the
// first answer that is no stream, and hides the silence of a dead line.

import type { Envelope } from '../model/types'
import { address, bodyOf, isAbort, Problem } from './api'
import { Frames } from './frames'

export type Connection = 'off' | 'connecting' | 'live' | 'behind' | 'lost'

export interface Follower {
  /** Events in order, as many as came at once. */
  onEvents(events: Envelope[]): void
  /** The place is not in this log any more: everything has to be read again. */
  onReset(): void
  onState(state: Connection): void
  onProblem(problem: Problem): void
  /** Milliseconds since 1970 by the service's clock: in a replay of the past it is not ours. */
  now(): number
}

export interface Timing {
  /** The service beats every 15 s; silence for longer means trouble. */
  silentMs: number
  firstRetryMs: number
  mostRetryMs: number
}

const TIMING: Timing = { silentMs: 40_000, firstRetryMs: 500, mostRetryMs: 10_000 }
const CATCHING_UP_MS = 5_000

export class Stream {
  /** The id of the last event of the log that came. */
  private after = ''
  /** Book and epoch that ids belong to. */
  private book = ''
  private retryMs: number
  private abort: AbortController | null = null
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly follower: Follower,
    private readonly timing: Timing = TIMING,
    private readonly fetcher: typeof fetch = (...given) => fetch(...given),
  ) {
    this.retryMs = timing.firstRetryMs
  }

  /** Follow the log of a book after a sequence or event id. */
  start(after: number | string, book = ''): void {
    this.stop()
    this.after = String(after)
    this.book = book
    this.follower.onState('connecting')
    void this.run()
  }

  stop(): void {
    clearTimeout(this.timer)
    this.abort?.abort()
    this.abort = null
    this.follower.onState('off')
  }

  /** Try at once, without the rest of the pause: the network is back, or somebody looks again. */
  retryNow(): void {
    if (this.abort || this.timer === undefined) return
    clearTimeout(this.timer)
    this.timer = undefined
    void this.run()
  }

  private async run(): Promise<void> {
    const abort = new AbortController()
    this.abort = abort
    this.timer = undefined
    try {
      await this.follow(abort)
    } catch (error) {
      if (abort !== this.abort) return
      if (error instanceof Problem) this.follower.onProblem(error)
      else if (!isAbort(error) && !(error instanceof TypeError)) console.error(error)
    }
    if (abort !== this.abort) return
    this.abort = null
    this.follower.onState('lost')
    this.timer = setTimeout(() => void this.run(), this.retryMs)
    this.retryMs = Math.min(this.retryMs * 2, this.timing.mostRetryMs)
  }

  private async follow(abort: AbortController): Promise<void> {
    let isSilent: ReturnType<typeof setTimeout> | undefined
    const heard = () => {
      clearTimeout(isSilent)
      isSilent = setTimeout(() => abort.abort(), this.timing.silentMs)
    }
    heard()
    try {
      const path = address('/v1/events', { after: this.after, book: this.book })
      const init: RequestInit = { headers: { Accept: 'text/event-stream' }, credentials: 'same-origin', signal: abort.signal }
      const answer = await this.fetcher(path, init)
      if (!answer.ok || !answer.body) throw new Problem(bodyOf(answer.status, await answer.text()))
      this.book = answer.headers.get('onebook-book') ?? this.book
      this.retryMs = this.timing.firstRetryMs
      const [frames, decoder, reader] = [new Frames(), new TextDecoder(), answer.body.getReader()]
      this.follower.onState('live')
      for (;;) {
        const { done, value } = await reader.read()
        if (done || abort !== this.abort) return
        heard()
        if (!this.take(frames, decoder.decode(value, { stream: true }))) return
      }
    } finally {
      clearTimeout(isSilent)
    }
  }

  /** Hand on what came; false when the place is not in this log. */
  private take(frames: Frames, text: string): boolean {
    const events: Envelope[] = []
    for (const frame of frames.take(text)) {
      if (frame.event === 'reset') {
        this.after = frame.id
        this.follower.onReset()
        return false
      }
      if (frame.id) this.after = frame.id
      events.push(JSON.parse(frame.data) as Envelope)
    }
    if (!events.length) {
      this.follower.onState('live')
      return true
    }
    const last = events.at(-1)
    const isBehind = !!last?.id && this.follower.now() - Date.parse(last.recorded_at) > CATCHING_UP_MS
    this.follower.onState(isBehind ? 'behind' : 'live')
    this.follower.onEvents(events)
    return true
  }
}
