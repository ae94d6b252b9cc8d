import { expect, test } from 'vitest'

/** Every source file, by its path below src/. */
const RAW = import.meta.glob<string>('../../src/**/*.{ts,tsx}', { query: '?raw', import: 'default', eager: true })
const TEXTS = new Map(Object.entries(RAW).map(([path, text]) => [path.replace('../../src/', ''), text]))
/** From the ground up: a file imports from its own floor and those below. */
const FLOORS = ['model', 'link', 'settings', 'router', 'live', 'parts', 'pages', 'app', 'main']

function floorOf(file: string): number {
  return FLOORS.indexOf(file.split('/')[0]?.replace(/\.tsx?$/, '') ?? '')
}

/** Return what a file imports of our own, as (its own floor, the other's floor, the sentence). */
function importsOf([file, text]: [string, string]): [number, number, string][] {
  const found = [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']*)'/g)].map(([, to = '']) => to)
  return found.filter((to) => !to.endsWith('.css')).map((to) => {
    const target = new URL(to, `file:///${file}`).pathname.slice(1)
    return [floorOf(file), floorOf(target), `${file} imports ${target}`]
  })
}

const FILES = [...TEXTS]

test('every file has a floor', () => {
  expect(FILES.length).toBeGreaterThan(25)
  expect(FILES.map(([file]) => file).filter((file) => floorOf(file) < 0)).toEqual([])
})

test('imports go down only', () => {
  const all = FILES.flatMap(importsOf)
  expect(all.length).toBeGreaterThan(60)
  expect(all.filter(([own, other]) => other > own || other < 0).map(([, , said]) => said)).toEqual([])
})

test('the model knows no page, no network and no clock', () => {
  for (const [file, text] of FILES.filter(([name]) => floorOf(name) === 0)) {
    const code = text.replace(/^\s*(\/\/|\*|\/\*).*$/gm, '')
    expect(code, file).not.toMatch(/\b(document|window|fetch|localStorage|Date\.now|Math\.random|setTimeout)\b/)
  }
})

test('no page asks anything of another machine', () => {
  for (const [file, text] of FILES) {
    const found = [...text.matchAll(/(?:fetch|import|new URL|src=|url)\(?["'`]?(https?:)?\/\/[a-z]/g)]
    expect(found.map((item) => item[0]), file).toEqual([])
  }
})
