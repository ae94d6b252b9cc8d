// What this is, and whose work the page shows.

import { session, logout } from '../link/session'
import { live } from '../live'
import { format } from '../model/decimal'
import { Panel } from '../parts/empty'
import { Pairs } from '../parts/figure'

export default function About() {
  const status = live.state.value?.status
  const known = session.value
  return (
    <div class="page">
      <Panel title="This book">
        <Pairs
          rows={[
            ['Book', status?.url ?? '–'],
            ['Entries', <span class="num">{status ? format(String(status.entries)) : '–'}</span>],
            ['Zone', `${live.zone.value}, the day rolls at ${live.settings.value?.rolls_at ?? '00:00'}`],
            ['You', known ? `${known.name}, ${known.role}, by ${known.how}` : '–'],
          ]}
        />
        <div class="buttons">
          <a class="button" href="#/login">Log in with a token</a>
          {known?.how === 'cookie' && <button type="button" onClick={() => void logout()}>Log out</button>}
        </div>
      </Panel>
      <Panel title="Addresses">
        <p>
          <a href="/docs">What the service answers</a>, and <a href="/openapi.json">for programs</a>.
        </p>
      </Panel>
      <Panel title="Notices">
        <p>
          TradingView Lightweight Charts™, Copyright (c) 2025 TradingView, Inc.{' '}
          <a href="https://www.tradingview.com/" rel="noreferrer">https://www.tradingview.com/</a>. Apache License 2.0.
        </p>
        <p>uPlot, Preact and Preact Signals: MIT License.</p>
        <p>onebook: Apache License 2.0.</p>
      </Panel>
    </div>
  )
}
