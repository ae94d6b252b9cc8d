// Small pictures, drawn with lines in the colour of the text around them.

import type { ComponentChildren } from 'preact'

function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round">
      {children}
    </svg>
  )
}

export function ClockIcon() {
  return <Icon><circle cx="8" cy="8" r="6" /><path d="M8 4.5V8l2.5 1.5" /></Icon>
}

export function SunIcon() {
  return <Icon><circle cx="8" cy="8" r="3" /><path d="M8 1.2v1.6M8 13.2v1.6M1.2 8h1.6M13.2 8h1.6M3.2 3.2l1.1 1.1M11.7 11.7l1.1 1.1M3.2 12.8l1.1-1.1M11.7 4.3l1.1-1.1" /></Icon>
}

export function MoonIcon() {
  return <Icon><path d="M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7z" /></Icon>
}

export function KeysIcon() {
  return <Icon><rect x="1.2" y="3.5" width="13.6" height="9" rx="1.5" /><path d="M4 6.5h.01M8 6.5h.01M12 6.5h.01M5 9.7h6" /></Icon>
}

export function BellIcon() {
  return <Icon><path d="M4 11V7a4 4 0 0 1 8 0v4l1.2 1.2H2.8zM6.7 14h2.6" /></Icon>
}
