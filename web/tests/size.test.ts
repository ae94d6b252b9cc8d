import { build } from 'vite'
import { expect, test, vi } from 'vitest'
import worker from '../public/sw.js?raw'

const MOST_BYTES = 150_000

async function packed(text: string): Promise<number> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'))
  return (await new Response(stream).arrayBuffer()).byteLength
}

test('all script of the page, libraries too, is at most 150 KB compressed', { timeout: 120_000 }, async () => {
  vi.stubEnv('NODE_ENV', 'production')
  const built = await build({ logLevel: 'silent', build: { write: false } })
  if (!('output' in built)) throw new Error('one page is built')
  const scripts = built.output.filter((item) => item.type === 'chunk')
  expect(scripts.map((item) => item.name).sort()).toEqual(['base', 'pages', 'pricechart'])
  const sizes = await Promise.all([worker, ...scripts.map((item) => item.code)].map(packed))
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(MOST_BYTES)
})
