// Keys that work everywhere: `g` and a letter goes to a page, `/` filters, `t` travels, `?` shows them.

import { signal } from '@preact/signals'
import { asOf } from '../link/api'
import { href, PAGES } from '../model/routes'
import { go } from '../router'
import { Dialog } from './dialog'
import { isMachineOpen, travel } from './timemachine'

const isShown = signal(false)
const SECOND_MS = 1_200
let waitsUntil = 0

const KEYS: readonly (readonly [string, string])[] = [
  ...PAGES.filter((page) => page.isListed).map((page) => [`g ${page.key}`, page.title] as const),
  ['j  k', 'next and previous row'],
  ['Enter', 'open the row'],
  ['/', 'filter'],
  ['t', 'time machine'],
  ['Esc', 'close; back to now'],
  ['?', 'this list'],
]

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName))
}

const DEEDS: Record<string, () => void> = {
  '?': () => (isShown.value = true),
  t: () => (isMachineOpen.value = !isMachineOpen.value),
  '/': () => document.querySelector<HTMLElement>('[data-filter]')?.focus(),
  j: focusTable,
  k: focusTable,
}

function focusTable(): void {
  document.querySelector<HTMLElement>('[data-keys] tr[tabindex="0"]')?.focus()
}

export function startKeys(): void {
  addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return
    if (document.querySelector('dialog[open]')) return
    if (event.key === 'Escape') {
      if (isTyping(event.target)) (event.target as HTMLElement).blur()
      else if (isMachineOpen.value) isMachineOpen.value = false
      else if (asOf.value) travel(null)
      return
    }
    if (isTyping(event.target)) return
    const page = Date.now() < waitsUntil && PAGES.find((item) => item.key === event.key)
    waitsUntil = event.key === 'g' && !page ? Date.now() + SECOND_MS : 0
    if (page) go(href(page.page))
    const deed = page ? undefined : DEEDS[event.key]
    deed?.()
    if (page || deed) event.preventDefault()
  })
}

export function showKeys(): void {
  isShown.value = true
}

export function KeysHost() {
  if (!isShown.value) return null
  return (
    <Dialog title="Keys" onClose={() => (isShown.value = false)}>
      <dl class="keys">
        {KEYS.map(([key, what]) => (
          <div key={key}>
            <dt>{key.split(/\s+/).map((part) => <kbd key={part}>{part}</kbd>)}</dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  )
}
