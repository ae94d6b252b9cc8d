// Where the reader is: the part of the address behind `#`.

import { signal } from '@preact/signals'
import { href, routeOf, type Route } from './model/routes'

export const route = signal<Route>(routeOf(location.hash))

export function startRouter(): void {
  addEventListener('hashchange', () => (route.value = routeOf(location.hash)))
}

export function go(to: string): void {
  location.hash = to
}

/** Change the query of the page that is shown, without a step back for each letter typed. */
export function ask(query: Readonly<Record<string, string>>): void {
  const { page, rest } = route.peek()
  history.replaceState(null, '', href(page, rest, query))
  route.value = routeOf(location.hash)
}
