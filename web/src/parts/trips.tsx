// Round trips: their table, and one of them with its notes and tags to be written.

import { useState } from 'preact/hooks'
import { patch, problemOf, type Problem, read } from '../link/api'
import { useFetched } from '../link/read'
import { session, turnedAway } from '../link/session'
import { live } from '../live'
import { epoch, span } from '../model/days'
import type { JournalEntry, RoundTrip } from '../model/records'
import { may, whyNot } from '../model/roles'
import { href, positionHref } from '../model/routes'
import type { Page } from '../model/types'
import { Badge, SideBadge } from './badge'
import { Dialog } from './dialog'
import { Failed, Skeleton } from './empty'
import { Money, NOTHING, Pairs, Price, Quantity, Time } from './figure'
import { type Column, Table } from './table'
import { say } from './toast'

/** Return how long a round trip was held, in seconds; of an open one until now. */
export function heldOf(trip: RoundTrip): number {
  return (epoch(trip.closed_at ?? live.now.peek()) - epoch(trip.opened_at)) / 1000
}

function Tags({ tags }: { tags: readonly string[] }) {
  return <>{tags.map((tag) => <Badge key={tag} tone="accent">{tag}</Badge>)}</>
}

function Noted({ trip }: { trip: RoundTrip }) {
  return (
    <span class="clip noted" title={[trip.tags.join(', '), trip.notes].filter(Boolean).join(': ')}>
      <Tags tags={trip.tags} /> {trip.notes}
    </span>
  )
}

export const TRIP_COLUMNS: readonly Column<RoundTrip>[] = [
  { key: 'closed', label: 'Closed', width: '10.5em', sort: (row) => row.closed_at ?? '', cell: (row) => (row.closed_at ? <Time at={row.closed_at} brief /> : <Badge tone="good">open</Badge>) },
  { key: 'instrument', label: 'Instrument', width: '7.5em', sort: (row) => row.instrument, cell: (row) => <a href={positionHref(row)}>{row.instrument}</a> },
  { key: 'strategy', label: 'Strategy', width: '7em', isWide: true, sort: (row) => row.strategy, cell: (row) => row.strategy || NOTHING },
  { key: 'side', label: 'Side', width: '5em', isMiddle: true, sort: (row) => row.direction, cell: (row) => <SideBadge isLong={row.direction === 'long'} /> },
  { key: 'quantity', label: 'Quantity', align: 'right', width: '7em', isWide: true, isNumber: true, sort: (row) => row.quantity, cell: (row) => <Quantity value={row.quantity} instrument={row.instrument} /> },
  { key: 'entry', label: 'Entry', align: 'right', width: '7em', isWide: true, cell: (row) => <Price value={row.entry_price} instrument={row.instrument} /> },
  { key: 'exit', label: 'Exit', align: 'right', width: '7em', isWide: true, cell: (row) => <Price value={row.exit_price} instrument={row.instrument} /> },
  { key: 'held', label: 'Held', align: 'right', width: '4.5em', isMiddle: true, isNumber: true, sort: (row) => String(Math.round(heldOf(row))), cell: (row) => <span class="num">{span(heldOf(row))}</span> },
  { key: 'net', label: 'Net', align: 'right', width: '8em', isNumber: true, sort: (row) => row.net, cell: (row) => <Money value={row.net} currency={row.currency} signed bare /> },
  { key: 'currency', label: 'Ccy', width: '3.5em', isWide: true, cell: (row) => row.currency },
  { key: 'reason', label: 'Ended by', width: '8em', isWide: true, sort: (row) => row.close_reason, cell: (row) => row.close_reason.replaceAll('_', ' ') || NOTHING },
  { key: 'notes', label: 'Notes', isWide: true, cell: (row) => <Noted trip={row} /> },
]

export function Trips(props: { rows: readonly RoundTrip[]; onChanged: () => void; maxHeight?: string; empty?: string }) {
  const [open, setOpen] = useState<number | null>(null)
  const trip = props.rows.find((row) => row.id === open)
  return (
    <>
      <Table
        label="Round trips"
        columns={TRIP_COLUMNS}
        rows={props.rows}
        keyOf={(row) => `${row.id} ${row.account} ${row.strategy} ${row.leg}`}
        onOpen={(row) => setOpen(row.id)}
        empty={props.empty ?? 'No round trips'}
        {...(props.maxHeight ? { maxHeight: props.maxHeight } : {})}
      />
      {trip && <TripDialog trip={trip} onClose={() => setOpen(null)} onChanged={props.onChanged} />}
    </>
  )
}

/** The signal that a round trip followed. */
async function signalOf(trip: RoundTrip, stop: AbortSignal): Promise<JournalEntry['signal']> {
  if (!trip.signal_id || !trip.closed_at) return null
  const until = new Date(epoch(trip.closed_at) + 1).toISOString()
  const query = { instrument: trip.instrument, account: trip.account, since: trip.closed_at, until, limit: 100 }
  const page = await read<Page<JournalEntry>>('/v1/journal', query, stop)
  return page.items.find((item) => item.round_trip.id === trip.id)?.signal ?? null
}

function TripDialog({ trip, onClose, onChanged }: { trip: RoundTrip; onClose: () => void; onChanged: () => void }) {
  const reading = useFetched(`${trip.id}`, (stop) => signalOf(trip, stop))
  const { instrument, currency } = trip
  const money = (value: string) => <Money value={value} currency={currency} signed />
  const price = (value: string | null) => <Price value={value} instrument={instrument} />
  const found = reading.data
  return (
    <Dialog title={`${instrument} ${trip.direction}, ${trip.strategy || 'no strategy'}`} class="trip" onClose={onClose}>
      <div class="two">
        <Pairs
          rows={[
            ['Opened', <Time at={trip.opened_at} />],
            ['Closed', trip.closed_at ? <Time at={trip.closed_at} /> : 'open'],
            ['Held', span(heldOf(trip))],
            ['Quantity', <Quantity value={trip.quantity} instrument={instrument} />],
            ['Entry', price(trip.entry_price)],
            ['Exit', price(trip.exit_price)],
            ['Stop, target', <>{price(trip.stop_loss)} {price(trip.take_profit)}</>],
            ['Lowest, highest', <>{price(trip.lowest)} {price(trip.highest)}</>],
          ]}
        />
        <Pairs
          rows={[
            ['Net', money(trip.net)],
            ['Gross', money(trip.gross)],
            ['Fees', <Money value={trip.fees} currency={currency} />],
            ['Funding', money(trip.funding)],
            ['Income', money(trip.income)],
            ['At risk', <Money value={trip.risk_amount} currency={currency} />],
            ['Ended by', trip.close_reason.replaceAll('_', ' ') || NOTHING],
            ['Entry of the log', <a href={href('events', [], { after: String(trip.id - 1) })} onClick={onClose}>{trip.id}</a>],
          ]}
        />
      </div>
      {reading.isLoading && trip.signal_id && !found && <Skeleton lines={2} />}
      {found && (
        <p class="entry">
          Signal {found.action} {found.timeframe} of <Time at={found.occurred_at} />
          {found.price && <> at {price(found.price)}</>}
          {found.confidence && <>, confidence {found.confidence}</>}
          {found.confluences.length > 0 && <>: {found.confluences.join('; ')}</>}
        </p>
      )}
      <Writing trip={trip} onChanged={onChanged} onClose={onClose} />
    </Dialog>
  )
}

const LONGEST_NOTE = 4_000

function tagsOf(text: string): string[] {
  return [...new Set(text.split(',').map((tag) => tag.trim()).filter(Boolean))]
}

function Writing({ trip, onChanged, onClose }: { trip: RoundTrip; onChanged: () => void; onClose: () => void }) {
  const [notes, setNotes] = useState(trip.notes)
  const [tags, setTags] = useState(trip.tags.join(', '))
  const [problem, setProblem] = useState<Problem | null>(null)
  const [isRunning, setRunning] = useState(false)
  const role = session.value?.role
  const isPast = live.connection.value === 'off'
  const why = isPast ? 'The past cannot be changed: go back to now.' : whyNot(role, 'annotate')
  const isSame = notes === trip.notes && tagsOf(tags).join() === trip.tags.join()
  const save = async () => {
    setRunning(true)
    setProblem(null)
    try {
      await patch(`/v1/round-trips/${trip.id}`, { notes, tags: tagsOf(tags) })
      say(`The note on ${trip.instrument} is in the log.`, 'good')
      onChanged()
      onClose()
    } catch (error) {
      const found = problemOf(error)
      turnedAway(found)
      setProblem(found)
    }
    setRunning(false)
  }
  return (
    <form
      class="writing"
      onSubmit={(event) => {
        event.preventDefault()
        if (!why && !isSame && !isRunning) void save()
      }}
    >
      <label>
        <span>Notes</span>
        <textarea rows={3} maxLength={LONGEST_NOTE} value={notes} readOnly={!!why} onInput={(event) => setNotes(event.currentTarget.value)} />
      </label>
      <label>
        <span>Tags, with commas between</span>
        <input type="text" value={tags} readOnly={!!why} maxLength={500} onInput={(event) => setTags(event.currentTarget.value)} />
      </label>
      {problem && <Failed problem={problem} />}
      <footer>
        {why && <span class="hint">{why}</span>}
        <button type="button" onClick={onClose}>Close</button>
        {(may(role, 'annotate') || !role) && <button type="submit" class="strong accent" disabled={!!why || isSame || isRunning}>Save</button>}
      </footer>
    </form>
  )
}
