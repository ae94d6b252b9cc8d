-- name: series_of
-- The number of an instrument in a timeframe.
SELECT id FROM series WHERE instrument = ? AND timeframe = ?

-- name: bars
-- Bars that opened in a stretch, oldest first.
SELECT opened_ns, at_ns, open, high, low, close, volume, is_final
FROM bars
WHERE series = ? AND opened_ns >= ? AND opened_ns < ?
ORDER BY opened_ns
LIMIT ?

-- name: newest
-- The newest bars that opened before a moment, newest first.
SELECT opened_ns, at_ns, open, high, low, close, volume, is_final
FROM bars
WHERE series = ? AND opened_ns < ?
ORDER BY opened_ns DESC
LIMIT ?

-- name: covered
-- Known stretches that overlap or touch another; the first condition bounds where the search begins.
SELECT from_ns, to_ns
FROM covered
WHERE
    series = ?1
    AND from_ns >= coalesce((SELECT max(from_ns) FROM covered WHERE series = ?1 AND from_ns <= ?2), ?2)
    AND from_ns <= ?3
    AND to_ns >= ?2
ORDER BY from_ns

-- name: all_series
-- Every series with its counts.
SELECT id, instrument, timeframe, bars, changed FROM series ORDER BY instrument, timeframe

-- name: ends
-- When the first bar of a series opened, and the last one.
SELECT
    (SELECT min(opened_ns) FROM bars WHERE series = ?1),
    (SELECT max(opened_ns) FROM bars WHERE series = ?1)

-- name: count_covered
-- How many known stretches there are.
SELECT count(*) FROM covered
