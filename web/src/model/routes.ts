// Addresses of pages. They stand behind the # of the address, so that the service knows one page only.

export interface Route {
  /** Name of the page: `overview`. */
  page: string
  /** What comes behind it, decoded: of `#/position/BTC%2FUSD` it is `['BTC/USD']`. */
  rest: string[]
  query: Record<string, string>
}

export interface PageEntry {
  page: string
  title: string
  /** The letter that follows `g`. */
  key: string
  /** Whether it stands in the navigation. */
  isListed: boolean
}

export const PAGES: readonly PageEntry[] = [
  { page: 'overview', title: 'Overview', key: 'o', isListed: true },
  { page: 'position', title: 'Positions', key: 'p', isListed: true },
  { page: 'journal', title: 'Journal', key: 'j', isListed: true },
  { page: 'signals', title: 'Signals', key: 's', isListed: true },
  { page: 'events', title: 'Events', key: 'e', isListed: true },
  { page: 'reports', title: 'Reports', key: 'r', isListed: true },
  { page: 'health', title: 'Health', key: 'h', isListed: true },
  { page: 'controls', title: 'Controls', key: 'c', isListed: true },
  { page: 'about', title: 'About', key: 'a', isListed: false },
]

const HOME = 'overview'

/** Return the route of an address's part behind `#`; what cannot be read is the overview. */
export function routeOf(hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#?\/?/, '').split('?', 2)
  const query: Record<string, string> = {}
  for (const [name, value] of new URLSearchParams(search)) query[name] = value
  let pieces: string[]
  try {
    pieces = path.split('/').filter(Boolean).map(decodeURIComponent)
  } catch {
    pieces = []
  }
  const [page = HOME, ...rest] = pieces
  return { page, rest, query }
}

/** Return the address of a page. Empty values of the query are left out. */
export function href(page: string, rest: readonly string[] = [], query: Readonly<Record<string, string>> = {}): string {
  const path = [page, ...rest].map(encodeURIComponent).join('/')
  const given = Object.entries(query).filter(([, value]) => value !== '')
  const search = new URLSearchParams(given).toString()
  return `#/${path}${search ? `?${search}` : ''}`
}

/** Return the address of one position's page. */
export function positionHref(item: { instrument: string; account: string; strategy: string | null; leg?: string }): string {
  const { account, strategy, leg = '' } = item
  const named = strategy === null ? { account } : strategy ? { account, strategy } : { account, unnamed: '1' }
  return href('position', [item.instrument], { ...named, leg })
}
