// A person is called: a note of the system, and a sound. Both are off until somebody switches them on, here.

import { effect, signal } from '@preact/signals'
import { asOf } from '../link/api'
import { askPermission, note, permission } from '../link/worker'
import { live } from '../live'
import { alertOf, type Alert } from '../model/alerts'
import type { Envelope } from '../model/types'
import { remembered } from '../settings'
import { Dialog } from './dialog'
import { BellIcon } from './icons'
import { say } from './toast'

const notes = remembered('alerts', 'off')
const sound = remembered('sound', 'off')
const may = signal(permission())
const isOpen = signal(false)

const REST_MS = 4_000
const LOST_MS = 30_000

// ---- sound: two short tones, made here; no file is fetched ----

let audio: AudioContext | null = null

/** Browsers let a page sound only after somebody touched it. */
function wakeSound(): void {
  if (sound.peek() !== 'on') return
  audio ??= new AudioContext()
  if (audio.state === 'suspended') void audio.resume()
}

function ring(): void {
  wakeSound()
  if (!audio || audio.state !== 'running') return
  for (const [index, pitch] of [880, 660].entries()) {
    const [tone, volume, at] = [audio.createOscillator(), audio.createGain(), audio.currentTime + index * 0.18]
    tone.frequency.value = pitch
    volume.gain.setValueAtTime(0.0001, at)
    volume.gain.exponentialRampToValueAtTime(0.15, at + 0.02)
    volume.gain.exponentialRampToValueAtTime(0.0001, at + 0.16)
    tone.connect(volume).connect(audio.destination)
    tone.start(at)
    tone.stop(at + 0.17)
  }
}

// ---- calling: at most once in a few seconds, what came together told together ----

let held: Alert[] = []
let timer: ReturnType<typeof setTimeout> | undefined

function call(alerts: readonly Alert[]): void {
  if (!alerts.length || (notes.peek() !== 'on' && sound.peek() !== 'on')) return
  held = [...held, ...alerts].slice(-50)
  if (timer === undefined) tell()
}

function tell(): void {
  const [first, ...others] = held
  held = []
  timer = undefined
  if (!first) return
  timer = setTimeout(tell, REST_MS)
  if (sound.peek() === 'on') ring()
  if (notes.peek() !== 'on') return
  const more = others.length ? `${first.body ? `${first.body}. ` : ''}And ${others.length} more: ${others.slice(0, 3).map((item) => item.title).join('; ')}` : first.body
  void note(first.title, more, first.tag)
}

function heard(events: readonly Envelope[]): void {
  const now = live.now.peek()
  call(events.flatMap((event) => alertOf(event, now) ?? []))
}

/** Begin to listen; nothing is asked of anybody by this. */
export function startAlerts(): void {
  live.listen(heard)
  addEventListener('pointerdown', wakeSound)
  addEventListener('keydown', wakeSound)
  let isLost: ReturnType<typeof setTimeout> | undefined
  effect(() => {
    const state = live.connection.value
    clearTimeout(isLost)
    if (state !== 'lost' || asOf.peek()) return
    isLost = setTimeout(() => call([{ title: 'The service does not answer', body: 'The page has heard nothing for half a minute.', tag: 'connection' }]), LOST_MS)
  })
}

// ---- switching ----

async function switchNotes(): Promise<void> {
  if (notes.peek() === 'on') {
    notes.value = 'off'
    return
  }
  may.value = await askPermission()
  notes.value = may.value === 'granted' ? 'on' : 'off'
  if (may.value === 'denied') say('The browser keeps notes of this page away; its settings of the site let them in.', 'warn')
}

function switchSound(): void {
  sound.value = sound.peek() === 'on' ? 'off' : 'on'
  wakeSound()
}

function Switch({ label, isOn, onPress, why }: { label: string; isOn: boolean; onPress: () => void; why?: string }) {
  return (
    <p class="switch">
      <button type="button" role="switch" aria-checked={isOn} disabled={!!why} onClick={onPress}>
        <i aria-hidden="true" />{label}
      </button>
      {why && <span class="hint">{why}</span>}
    </p>
  )
}

function tryIt(): void {
  const is = [notes.peek() === 'on', sound.peek() === 'on']
  if (is[1]) ring()
  if (is[0]) void note('onebook', 'This is how a call looks.', 'try')
  if (!is[0] && !is[1]) say('Both are off.')
}

/** The two switches, with what they do. */
export function AlertSettings() {
  const none = may.value === 'none' ? 'This browser shows none at this address: it takes TLS, or this machine.' : ''
  const denied = may.value === 'denied' ? 'The browser keeps them away: see its settings of this site.' : ''
  const why = none || denied
  return (
    <div class="alert-settings">
      <p class="hint">
        For a halt, a reached limit or stop, a silent bot, a break, an alert, or when the service falls silent. While
        this page is open, also in the background; not of the past.
      </p>
      <Switch label="Notes of the system" isOn={notes.value === 'on' && !why} onPress={() => void switchNotes()} {...(why ? { why } : {})} />
      <Switch label="A sound" isOn={sound.value === 'on'} onPress={switchSound} />
      <button type="button" onClick={tryIt}>Try it</button>
    </div>
  )
}

/** Stands in the bar: pressed while somebody would be called. */
export function AlertButton() {
  const isOn = notes.value === 'on' || sound.value === 'on'
  return (
    <button type="button" class="plain" aria-pressed={isOn} title={isOn ? 'Alerts are on' : 'Alerts are off'} onClick={() => (isOpen.value = true)}>
      <BellIcon /><span class="sr">Alerts</span>
    </button>
  )
}

export function AlertHost() {
  if (!isOpen.value) return null
  return (
    <Dialog title="Alerts in this browser" onClose={() => (isOpen.value = false)}>
      <AlertSettings />
    </Dialog>
  )
}
