// Who may press what. The service decides; this only keeps buttons away that it would refuse.

import type { Role } from './types'

export type Deed = 'halt' | 'reduce' | 'resume' | 'flatten' | 'resolve' | 'annotate'

const KEEPERS: readonly Role[] = ['accountant', 'operator']
const OPERATORS: readonly Role[] = ['operator']

const WHO: Record<Deed, readonly Role[]> = {
  halt: OPERATORS,
  reduce: OPERATORS,
  resume: OPERATORS,
  flatten: OPERATORS,
  resolve: KEEPERS,
  annotate: KEEPERS,
}

export function may(role: Role | undefined, deed: Deed): boolean {
  return role !== undefined && WHO[deed].includes(role)
}

/** Return why somebody may not: for the line beside a button that cannot be pressed. */
export function whyNot(role: Role | undefined, deed: Deed): string {
  return may(role, deed) ? '' : `Takes the role ${WHO[deed].join(' or ')}; yours is ${role ?? 'none'}.`
}
