// Exact arithmetic and display of decimals that came as text. No figure passes through a float.

interface Parts {
  /** The number times ten to the power of `scale`. */
  digits: bigint
  scale: number
}

const PLAIN = /^([+-]?)(\d+)(?:\.(\d+))?$/
export const MINUS = '−'

/** Return the parts of a decimal in plain notation; anything else is refused. */
function parse(text: string): Parts {
  const found = PLAIN.exec(text)
  if (!found) throw new RangeError(`${JSON.stringify(text)} is no decimal`)
  const [, sign, whole, fraction = ''] = found
  const digits = BigInt(`${whole}${fraction}`)
  return { digits: sign === '-' ? -digits : digits, scale: fraction.length }
}

function plain({ digits, scale }: Parts): string {
  const isNegative = digits < 0n
  const text = (isNegative ? -digits : digits).toString().padStart(scale + 1, '0')
  const whole = text.slice(0, text.length - scale)
  const fraction = text.slice(text.length - scale).replace(/0+$/, '')
  const shown = fraction ? `${whole}.${fraction}` : whole
  return isNegative && digits !== 0n ? `-${shown}` : shown
}

function aligned(a: string, b: string): [bigint, bigint, number] {
  const [x, y] = [parse(a), parse(b)]
  const scale = Math.max(x.scale, y.scale)
  return [x.digits * 10n ** BigInt(scale - x.scale), y.digits * 10n ** BigInt(scale - y.scale), scale]
}

export function add(a: string, b: string): string {
  const [x, y, scale] = aligned(a, b)
  return plain({ digits: x + y, scale })
}

export function subtract(a: string, b: string): string {
  const [x, y, scale] = aligned(a, b)
  return plain({ digits: x - y, scale })
}

export function multiply(a: string, b: string): string {
  const [x, y] = [parse(a), parse(b)]
  return plain({ digits: x.digits * y.digits, scale: x.scale + y.scale })
}

export function sum(values: Iterable<string>): string {
  let total = '0'
  for (const value of values) total = add(total, value)
  return total
}

/** Return -1, 0 or 1, as `a` is less than, equal to or more than `b`. */
export function compare(a: string, b: string): -1 | 0 | 1 {
  const [x, y] = aligned(a, b)
  return x < y ? -1 : x > y ? 1 : 0
}

export function sign(value: string): -1 | 0 | 1 {
  const { digits } = parse(value)
  return digits < 0n ? -1 : digits > 0n ? 1 : 0
}

export function negate(value: string): string {
  const { digits, scale } = parse(value)
  return plain({ digits: -digits, scale })
}

export function absolute(value: string): string {
  return sign(value) < 0 ? negate(value) : value
}

/** Return the value at so many places; a half goes to the even digit, as Python's Decimal does. Zeros are kept. */
export function round(value: string, places: number): string {
  const { digits, scale } = parse(value)
  let kept = digits
  if (scale > places) {
    const unit = 10n ** BigInt(scale - places)
    kept = digits / unit
    const rest = (digits < 0n ? -(digits % unit) : digits % unit) * 2n
    if (rest > unit || (rest === unit && kept % 2n !== 0n)) kept += digits < 0n ? -1n : 1n
  } else {
    kept = digits * 10n ** BigInt(places - scale)
  }
  const text = (kept < 0n ? -kept : kept).toString().padStart(places + 1, '0')
  const shown = places ? `${text.slice(0, -places)}.${text.slice(-places)}` : text
  return kept < 0n ? `-${shown}` : shown
}

/** Return how many places a decimal has: of a tick size, how precisely a price is written. */
export function placesOf(value: string): number {
  return parse(plain(parse(value))).scale
}

export interface Format {
  /** Digits behind the point; left out: as many as it has. */
  places?: number | undefined
  /** A plus before what is above zero. */
  signed?: boolean | undefined
}

/** Return a decimal for people: thousands apart, and a true minus. */
export function format(value: string, { places, signed = false }: Format = {}): string {
  const text = places === undefined ? plain(parse(value)) : round(value, places)
  const [whole = '0', fraction] = text.replace('-', '').split('.')
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',')
  const shown = fraction ? `${grouped}.${fraction}` : grouped
  if (text.startsWith('-')) return `${MINUS}${shown}`
  return signed && sign(text) > 0 ? `+${shown}` : shown
}

/** Return a decimal in few digits, for narrow places: 1.25M. Presentation only. */
export function short(value: string): string {
  const size = absolute(value)
  for (const [limit, unit, zeros] of [['1000000000', 'B', 9], ['1000000', 'M', 6], ['10000', 'k', 3]] as const) {
    if (compare(size, limit) >= 0) {
      const { digits, scale } = parse(value)
      return `${format(plain({ digits, scale: scale + zeros }), { places: zeros === 3 ? 1 : 2 })}${unit}`
    }
  }
  return format(value, { places: compare(size, '100') >= 0 ? 0 : 2 })
}

/** Return `part / whole` for the length of a bar: a float, for drawing only. */
export function ratio(part: string, whole: string): number {
  const of = Number(whole)
  return of === 0 ? (sign(part) === 0 ? 0 : 1) : Number(part) / of
}

const PLACES: Record<string, number> = { JPY: 0, KRW: 0, BTC: 8, ETH: 8 }

/** Return how many places an amount of a currency is shown with. */
export function moneyPlaces(currency: string): number {
  return PLACES[currency] ?? 2
}

const MOST_PLACES = 8

/** Return how many places prices of an instrument are shown with: of its tick, else of a price that is known. */
export function pricePlaces(tick: string | null | undefined, known: string | null | undefined): number {
  if (tick && sign(tick) > 0) return placesOf(tick)
  return known ? Math.min(Math.max(placesOf(known), 2), MOST_PLACES) : 2
}

/** Return how many places a quantity is shown with: of its lot, else its own. */
export function quantityPlaces(lot: string | null | undefined, quantity: string): number {
  const own = Math.min(placesOf(quantity), MOST_PLACES)
  return lot && sign(lot) > 0 ? Math.max(placesOf(lot), own) : own
}
