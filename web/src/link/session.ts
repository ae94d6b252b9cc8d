// Who looks at the page: from a cookie that no script can read, or because the page is on the book's own machine.

import { signal } from '@preact/signals'
import type { Session } from '../model/types'
import { csrf, post, Problem, problemOf, readNow } from './api'

/** Undefined: not asked yet. Null: nobody; a token is needed. */
export const session = signal<Session | null | undefined>(undefined)
/** Why nobody could be asked; empty when it was answered. */
export const sessionTrouble = signal('')

function enter(found: Session | null): void {
  csrf.value = found?.csrf ?? ''
  sessionTrouble.value = ''
  session.value = found
}

/** Ask who we are. Without an answer from the service nothing is known, and nobody is sent away. */
export async function askSession(): Promise<void> {
  try {
    enter(await readNow<Session>('/v1/session'))
  } catch (error) {
    const problem = problemOf(error)
    if (problem.status === 401 || problem.status === 403) enter(null)
    else sessionTrouble.value = problem.message
  }
}

/** Take a token; the service gives a cookie for it. */
export async function login(token: string): Promise<void> {
  enter(await post<Session>('/login', { token }))
}

export async function logout(): Promise<void> {
  await post('/logout', {})
  await askSession()
}

/** The service said that it does not know us any more. */
export function turnedAway(problem: Problem): void {
  if (problem.status === 401) enter(null)
}
