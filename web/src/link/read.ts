// A read of the service as a hook: old data stands while new data comes, and the point of the past is followed.

import { useCallback, useEffect, useState } from 'preact/hooks'
import { address, asOf, isAbort, type Problem, problemOf, type Query, read } from './api'
import { turnedAway } from './session'

export interface Reading<T> {
  /** The newest answer; undefined until the first. */
  data: T | undefined
  problem: Problem | null
  isLoading: boolean
  reload(): void
}

/** Read `path`, and again when it, its query, the point of the past or `again` changes. A null path reads nothing. */
export function useRead<T>(path: string | null, query: Query = {}, again: unknown = 0): Reading<T> {
  return useFetched<T>(path === null ? null : address(path, query), (signal) => read<T>(path ?? '', query, signal), again)
}

/** The same for anything that is fetched; `key` says when to fetch again, null not at all. */
export function useFetched<T>(key: string | null, get: (signal: AbortSignal) => Promise<T>, again: unknown = 0): Reading<T> {
  const [found, setFound] = useState<Omit<Reading<T>, 'reload'>>({ data: undefined, problem: null, isLoading: true })
  const [turn, setTurn] = useState(0)
  const point = JSON.stringify(asOf.value)
  useEffect(() => {
    if (key === null) return undefined
    const abort = new AbortController()
    setFound((before) => ({ ...before, isLoading: true }))
    get(abort.signal).then(
      (data) => abort.signal.aborted || setFound({ data, problem: null, isLoading: false }),
      (error: unknown) => {
        if (isAbort(error) || abort.signal.aborted) return
        const problem = problemOf(error)
        turnedAway(problem)
        setFound((before) => ({ ...before, problem, isLoading: false }))
      },
    )
    return () => abort.abort()
  }, [key, turn, point, again])
  const reload = useCallback(() => setTurn((count) => count + 1), [])
  return { ...found, reload }
}
