// Keeps the page's own files, so that the page opens at once and without the service. Never a figure: what begins with
// /v1, and everything else that is not listed here, goes to the service as if this were not there.

const NAME = 'onebook-page-1'
const MOST = 80
const isOurs = (path) => path === '/' || path.startsWith('/assets/') || path.startsWith('/icons/') || path === '/manifest.webmanifest'

self.addEventListener('install', () => self.skipWaiting())

self.addEventListener('activate', (event) => {
  const old = async () => {
    for (const name of await caches.keys()) if (name !== NAME) await caches.delete(name)
    await self.clients.claim()
  }
  event.waitUntil(old())
})

self.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url)
  if (event.request.method !== 'GET' || url.origin !== self.location.origin || !isOurs(url.pathname)) return
  event.respondWith(url.pathname.startsWith('/assets/') ? keptFirst(event.request) : freshFirst(event.request))
})

// Hashed names never change their content.
async function keptFirst(request) {
  const found = await caches.match(request)
  return found ?? fetched(request)
}

async function freshFirst(request) {
  try {
    return await fetched(request)
  } catch (error) {
    const found = await caches.match(request)
    if (found) return found
    throw error
  }
}

async function fetched(request) {
  const answer = await fetch(request)
  if (answer.ok) {
    const cache = await caches.open(NAME)
    await cache.put(request, answer.clone())
    const keys = await cache.keys()
    for (const old of keys.slice(0, Math.max(0, keys.length - MOST))) await cache.delete(old)
  }
  return answer
}

// A note of the page was pressed: show the page, the one that is open already where there is one.
self.addEventListener('notificationclick', (event) => {
  event.notification.close()
  const show = async () => {
    const [open] = await self.clients.matchAll({ type: 'window' })
    return open ? open.focus() : self.clients.openWindow('/')
  }
  event.waitUntil(show())
})
