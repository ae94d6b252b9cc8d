// The shell: bar, navigation, the point of the past, and the page that the address names.
//
// A page is a file in pages/ whose default export is its component; it is loaded when it is first shown.

import type { ComponentType } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { asOf } from './link/api'
import { session, sessionTrouble } from './link/session'
import { live } from './live'
import { zoneName } from './model/days'
import { href, PAGES, type Route } from './model/routes'
import { AlertButton, AlertHost } from './parts/alerts'
import { Badge, ConnectionBadge, TradingBadge } from './parts/badge'
import { DeedHost } from './parts/deeds'
import { Empty, Failed, Skeleton } from './parts/empty'
import { Money } from './parts/figure'
import { ClockIcon, KeysIcon, MoonIcon, SunIcon } from './parts/icons'
import { KeysHost, showKeys } from './parts/keys'
import { isMachineOpen, PastBanner, TimeMachine } from './parts/timemachine'
import { Toasts } from './parts/toast'
import { route } from './router'
import { isDark, nextTheme } from './settings'

export type PageProps = { route: Route }
type PageFile = { default: ComponentType<PageProps> }

const FILES = import.meta.glob<PageFile>('./pages/*.tsx')

export function App() {
  const known = session.value
  const { page } = route.value
  useEffect(() => {
    document.title = `${titleOf(page)} · onebook`
  }, [page])
  if (known === undefined) return <Waiting />
  if (known === null || page === 'login') return <Loaded page="login" />
  return (
    <>
      <a class="skip" href="#content" onClick={skip}>To the content</a>
      <Bar />
      <Nav />
      {isMachineOpen.value && <TimeMachine />}
      <PastBanner />
      <Trouble />
      <main id="content" tabIndex={-1}>
        <h1 class="sr">{titleOf(page)}</h1>
        <Loaded page={page} />
      </main>
      <DeedHost />
      <KeysHost />
      <AlertHost />
      <Toasts />
    </>
  )
}

function titleOf(page: string): string {
  return PAGES.find((item) => item.page === page)?.title ?? 'Book'
}

function skip(event: Event): void {
  event.preventDefault()
  document.getElementById('content')?.focus()
}

function Waiting() {
  const trouble = sessionTrouble.value
  if (!trouble) return <main class="login"><Skeleton lines={8} /></main>
  return (
    <main class="login">
      <Empty title="The service does not answer">{trouble}.</Empty>
    </main>
  )
}

/** The page of a name, loaded when it is first wanted; the one before stands until then. */
function Loaded({ page }: { page: string }) {
  const [found, setFound] = useState<{ page: string; Page: ComponentType<PageProps> } | null>(null)
  useEffect(() => {
    let isWanted = true
    const show = (Page: ComponentType<PageProps>) => isWanted && setFound({ page, Page })
    const load = FILES[`./pages/${page}.tsx`]
    if (!load) show(NotThere)
    else load().then((file) => show(file.default), () => show(NotLoaded))
    return () => {
      isWanted = false
    }
  }, [page])
  if (!found) return <Skeleton lines={12} />
  const { Page } = found
  return <Page key={found.page} route={route.value} />
}

function NotThere({ route: { page } }: PageProps) {
  const isKnown = PAGES.some((item) => item.page === page)
  return <Empty title={isKnown ? 'Not built yet' : 'No such page'}><a href={href('overview')}>To the overview</a></Empty>
}

function NotLoaded() {
  return (
    <Empty title="This page could not be loaded">
      The service may have been renewed. <button type="button" onClick={() => location.reload()}>Load again</button>
    </Empty>
  )
}

function Bar() {
  return (
    <header class="bar-top">
      <a class="brand" href={href('overview')}>onebook</a>
      <BarFigures />
      <span class="grow" />
      <ConnectionBadge state={live.connection.value} />
      <BarState />
      <Zone />
      <div class="tools">
        <button type="button" class="plain" aria-pressed={isMachineOpen.value} title="Time machine (t)" onClick={() => (isMachineOpen.value = !isMachineOpen.value)}>
          <ClockIcon /><span class="sr">Time machine</span>
        </button>
        <AlertButton />
        <button type="button" class="plain" title={isDark.value ? 'Light' : 'Dark'} onClick={nextTheme}>
          {isDark.value ? <SunIcon /> : <MoonIcon />}<span class="sr">{isDark.value ? 'Light theme' : 'Dark theme'}</span>
        </button>
        <button type="button" class="plain keys-button" title="Keys (?)" onClick={showKeys}>
          <KeysIcon /><span class="sr">Keys</span>
        </button>
        <Who />
      </div>
    </header>
  )
}

function BarFigures() {
  const equity = live.equity.value
  const today = live.today.value?.total[0] ?? (equity && { currency: equity.currency, net: '0' })
  return (
    <div class="bar-figures">
      <span class="bar-figure"><small>Equity</small> {equity ? <Money value={equity.amount} currency={equity.currency} /> : '–'}</span>
      <span class="bar-figure"><small>Today</small> {today ? <Money value={today.net} currency={today.currency} signed /> : '–'}</span>
    </div>
  )
}

function BarState() {
  const trading = live.trading.value
  return trading ? <a class="bare" href={href('controls')}><TradingBadge state={trading.state} /></a> : null
}

function Zone() {
  const zone = live.zone.value
  return <span class="zone" title={`Times are shown in the book's zone, ${zone}`}>{zoneName(zone, Date.now())}</span>
}

function Who() {
  const known = session.value
  return known ? <a class="bare who" href={href('about')} title={`${known.name}, by ${known.how}`}><Badge>{known.role}</Badge></a> : null
}

function Nav() {
  const { page } = route.value
  return (
    <nav aria-label="Pages">
      {PAGES.filter((item) => item.isListed).map((item) => (
        <a key={item.page} href={href(item.page)} aria-current={item.page === page ? 'page' : undefined} title={`g ${item.key}`}>{item.title}</a>
      ))}
    </nav>
  )
}

/** Says why figures do not move; they stand as they were. */
function Trouble() {
  const problem = live.problem.value
  if (!problem) return null
  if (problem.status === 0 && live.state.value) return null // the connection's badge says it
  return <Failed problem={problem} {...(asOf.value ? {} : { retry: () => void live.open() })} />
}
