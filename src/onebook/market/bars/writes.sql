-- name: new_series
-- Give an instrument in a timeframe a number.
INSERT INTO series (instrument, timeframe) VALUES (?, ?)
ON CONFLICT DO NOTHING

-- name: put
-- A running bar gives way to any; a final one only to a final one that says something else.
INSERT INTO bars (series, opened_ns, at_ns, open, high, low, close, volume, is_final)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (series, opened_ns) DO UPDATE SET
    at_ns = excluded.at_ns, open = excluded.open, high = excluded.high, low = excluded.low,
    close = excluded.close, volume = excluded.volume, is_final = excluded.is_final
WHERE
    is_final <= excluded.is_final
    AND (at_ns, open, high, low, close, volume, is_final) IS NOT (
        excluded.at_ns, excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume, excluded.is_final
    )
RETURNING 1

-- name: cover
-- A stretch is known.
INSERT INTO covered (series, from_ns, to_ns) VALUES (?, ?, ?)

-- name: uncover
-- A known stretch goes into a longer one.
DELETE FROM covered WHERE series = ? AND from_ns = ?

-- name: prune
-- Forget bars that opened before a moment, so many at once.
DELETE FROM bars
WHERE
    series = ?1
    AND opened_ns < ?2
    AND opened_ns <= (SELECT max(opened_ns) FROM (
        SELECT opened_ns FROM bars WHERE series = ?1 ORDER BY opened_ns LIMIT ?3
    ))

-- name: prune_covered
-- What lies before a moment is no longer known.
DELETE FROM covered WHERE series = ?1 AND to_ns <= ?2

-- name: cut_covered
-- Nor is the part before it of a stretch that reaches past it.
UPDATE covered SET from_ns = ?2 WHERE series = ?1 AND from_ns < ?2 AND to_ns > ?2
