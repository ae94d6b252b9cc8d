import { renameSync, rmSync } from 'node:fs'
import { defineConfig, type Plugin } from 'vite'

const PAGE = '../src/onebook/http/page'

/** The page is built beside, and takes the old one's place when all of it is there: a build that fails breaks nothing. */
function takesItsPlace(): Plugin {
  return {
    name: 'takes-its-place',
    apply: 'build',
    writeBundle: {
      order: 'post',
      sequential: true,
      handler() {
        rmSync(PAGE, { recursive: true, force: true })
        renameSync('dist', PAGE)
      },
    },
  }
}

// The page is built into the Python package; the service serves it from there.
export default defineConfig({
  base: '/',
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    modulePreload: { polyfill: false },
    target: 'es2022',
    // light-dark() stays as it is: these and all that came since know it.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: {
        // Few files are smaller than many, compressed: what every page shares, the pages, and the price chart alone.
        codeSplitting: {
          groups: [
            { name: 'base', test: /src\/(parts\/(?!curve|candles|pricechart)|model|link|[a-z]+\.tsx?$)|node_modules\/@?preact/ },
            { name: 'pages', test: /src\/(pages\/|parts\/candles)/ },
          ],
        },
      },
    },
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  plugins: [takesItsPlace()],
})
