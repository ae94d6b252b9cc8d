// Says when lists that were read have to be read again, because the log went on.

import { useEffect, useState } from 'preact/hooks'
import { live } from '../live'
import type { Envelope } from '../model/types'

const REST_MS = 1_000

/** Return a number that grows when entries came that concern the reader: at most once a second. */
export function useTouched(concerns: (event: Envelope) => boolean, key: unknown = ''): number {
  const [turn, setTurn] = useState(0)
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const end = live.listen((events) => {
      if (timer !== undefined || !events.some((event) => event.id && concerns(event))) return
      timer = setTimeout(() => {
        timer = undefined
        setTurn((count) => count + 1)
      }, REST_MS)
    })
    return () => {
      end()
      clearTimeout(timer)
    }
  }, [key])
  return turn
}
