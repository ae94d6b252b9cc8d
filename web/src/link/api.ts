// Asking the service: paths below `/v1`, problems as errors with a sentence, and the point of the past on every read.

import { signal } from '@preact/signals'
import type { Moment, Page, ProblemBody } from '../model/types'

/** A point of the log at which the whole dashboard stands; null: now. */
export type AsOf = { sequence: number } | { moment: Moment } | null

export const asOf = signal<AsOf>(null)

/** What a page must send beside its cookie; of the session. */
export const csrf = signal('')

/** What the service refused or could not do, with its sentence. */
export class Problem extends Error {
  override readonly name = 'Problem'

  constructor(readonly body: ProblemBody) {
    super(body.detail || body.title)
  }

  get status(): number {
    return this.body.status
  }
}

/** Return an error as a problem: one of the network has status 0. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error
  const body = { title: 'The service does not answer', status: 0, code: 'Unreachable', retryable: true }
  return new Problem({ ...body, detail: 'the service does not answer; it is asked again' })
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError'
}

/** Stands in a query for the strategy without a name; an empty text asks for none in particular, and is left out. */
export const UNNAMED = Symbol('unnamed')

export type Query = Readonly<Record<string, string | number | boolean | null | undefined | typeof UNNAMED>>

/** Return a path with its query; what is null, undefined or empty is left out. */
export function address(path: string, query: Query = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== '')
  const search = new URLSearchParams(given.map(([name, value]) => [name, value === UNNAMED ? '' : String(value)])).toString()
  return search ? `${path}?${search}` : path
}

function past(point: AsOf): Query {
  if (!point) return {}
  return { as_of: 'sequence' in point ? point.sequence : point.moment }
}

/** Read an address at the chosen point of the log. */
export async function read<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  return send<T>('GET', address(path, { ...query, ...past(asOf.value) }), undefined, signal)
}

/** Read an address as of now, whatever point is chosen: of the session, of controls. */
export async function readNow<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  return send<T>('GET', address(path, query), undefined, signal)
}

/** Read a list to its end, or to so many rows. */
export async function readAll<T>(path: string, query: Query = {}, most = 10_000, signal?: AbortSignal): Promise<T[]> {
  const rows: T[] = []
  let after: string | null = null
  do {
    const page: Page<T> = await read<Page<T>>(path, { limit: 1000, ...query, after }, signal)
    rows.push(...page.items)
    after = page.next_after
  } while (after !== null && rows.length < most)
  return rows.slice(0, most)
}

export async function post<T>(path: string, body: unknown): Promise<T> {
  return send<T>('POST', path, body)
}

export async function patch<T>(path: string, body: unknown): Promise<T> {
  return send<T>('PATCH', path, body)
}

async function send<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json' }
  const init: RequestInit = { method, headers, credentials: 'same-origin' }
  if (signal) init.signal = signal
  if (body !== undefined) {
    headers['Content-Type'] = 'application/json'
    init.body = JSON.stringify(body)
  }
  if (method !== 'GET' && csrf.value) headers['X-Onebook-CSRF'] = csrf.value
  const answer = await fetch(path, init)
  const text = await answer.text()
  if (!answer.ok) throw new Problem(bodyOf(answer.status, text))
  return (text ? JSON.parse(text) : null) as T
}

/** Return the problem of an answer's text, whatever stood in between and wrote it. */
export function bodyOf(status: number, text: string): ProblemBody {
  try {
    const found: unknown = JSON.parse(text)
    if (typeof found === 'object' && found !== null && 'detail' in found) return { ...(found as ProblemBody), status }
    // A receipt that conflicts is no problem document, and says what stands there.
    if (typeof found === 'object' && found !== null && 'status' in found) {
      const detail = `it contradicts what is there: ${text.slice(0, 200)}`
      return { title: 'Conflict', status, detail, code: 'ConflictError', retryable: false }
    }
  } catch {
    // no JSON: below
  }
  return { title: 'It failed', status, detail: `the service answered ${status}`, code: 'Unknown', retryable: status >= 500 }
}
