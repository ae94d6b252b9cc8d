// What this browser remembers for its reader. No figure is ever kept.

import { effect, signal } from '@preact/signals'

export type Theme = 'auto' | 'light' | 'dark'

function kept(name: string, otherwise: string): string {
  try {
    return localStorage.getItem(`onebook.${name}`) ?? otherwise
  } catch {
    return otherwise // private windows may refuse
  }
}

export function keep(name: string, value: string): void {
  try {
    localStorage.setItem(`onebook.${name}`, value)
  } catch {
    // then it holds until the page is closed
  }
}

function themeOf(text: string): Theme {
  return text === 'light' || text === 'dark' ? text : 'auto'
}

export const theme = signal<Theme>(themeOf(kept('theme', 'auto')))

const prefersDark = matchMedia('(prefers-color-scheme: dark)')
export const isDark = signal(false)

export function nextTheme(): void {
  theme.value = theme.value === 'auto' ? (prefersDark.matches ? 'light' : 'dark') : theme.value === 'dark' ? 'light' : 'dark'
  keep('theme', theme.value)
}

/** Put the theme on the page, and again when the system changes its mind. */
export function startTheme(): void {
  const look = signal(prefersDark.matches)
  prefersDark.addEventListener('change', () => (look.value = prefersDark.matches))
  effect(() => {
    isDark.value = theme.value === 'dark' || (theme.value === 'auto' && look.value)
    if (theme.value === 'auto') delete document.documentElement.dataset['theme']
    else document.documentElement.dataset['theme'] = theme.value
  })
}

/** Return something remembered, with what it is at first. */
export function remembered(name: string, otherwise: string): ReturnType<typeof signal<string>> {
  const found = signal(kept(name, otherwise))
  effect(() => {
    const value = found.value
    if (value !== undefined && value !== kept(name, otherwise)) keep(name, value)
  })
  return found
}
