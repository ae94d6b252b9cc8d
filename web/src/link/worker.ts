// The page as an app: a worker that keeps the page's own files, and notes that the system shows.

let found: ServiceWorkerRegistration | null = null

/** Begin to keep the page's files, where the browser lets it: over TLS, or on this machine. */
export function startWorker(): void {
  if (!('serviceWorker' in navigator)) return
  navigator.serviceWorker.register('/sw.js').then(
    (registration) => (found = registration),
    () => undefined, // the page works without
  )
}

export type Permission = 'granted' | 'denied' | 'default' | 'none'

/** Return whether the system may show notes of this page; `none`: this browser has none, or not over this address. */
export function permission(): Permission {
  return typeof Notification === 'undefined' || !isSecureContext ? 'none' : Notification.permission
}

/** Ask for it; only ever after a click. */
export async function askPermission(): Promise<Permission> {
  return permission() === 'default' ? Notification.requestPermission() : permission()
}

/** Show a note; phones take it through the worker only. */
export async function note(title: string, body: string, tag: string): Promise<void> {
  if (permission() !== 'granted') return
  const options = { body, tag, icon: '/icons/onebook-192.png' }
  if (found) await found.showNotification(title, options)
  else new Notification(title, options)
}
