// The beginning: theme, address, keys, who we are, and from then on the live store.

import { effect, untracked } from '@preact/signals'
import { render } from 'preact'
import { App } from './app'
import { asOf } from './link/api'
import { askSession, session } from './link/session'
import { startWorker } from './link/worker'
import { live } from './live'
import { startAlerts } from './parts/alerts'
import { startKeys } from './parts/keys'
import { startRouter } from './router'
import { startTheme } from './settings'
import './styles/base.css'
import './styles/shell.css'
import './styles/parts.css'
import './styles/pages.css'
import './styles/narrow.css'

const ASK_AGAIN_MS = 3_000

startTheme()
startRouter()
startKeys()
startAlerts()
if (import.meta.env.PROD) startWorker()
render(<App />, document.getElementById('app') ?? document.body)

async function begin(): Promise<void> {
  await askSession()
  if (session.value === undefined) setTimeout(() => void begin(), ASK_AGAIN_MS)
}
void begin()

// Another reader, or another point of the log, has its own snapshot.
effect(() => {
  const [known, _] = [session.value, asOf.value]
  untracked(() => (known ? void live.open() : live.close()))
})

document.addEventListener('visibilitychange', () => document.hidden || live.wake())
addEventListener('online', () => live.wake())
