-- name: head
-- The newest entry.
SELECT sequence, hash FROM entries ORDER BY sequence DESC LIMIT 1

-- name: entries
-- Entries after a sequence.
SELECT sequence, body, hash FROM entries WHERE sequence > ? ORDER BY sequence LIMIT ?

-- name: entry
-- One entry.
SELECT sequence, body, hash FROM entries WHERE sequence = ?

-- name: scope
-- The number of an identity space.
SELECT id FROM scopes WHERE name = ?

-- name: identities
-- Who holds an id.
SELECT sequence, ordinal FROM identities WHERE scope = ? AND key = ? AND sequence <= ? ORDER BY sequence, ordinal

-- name: identities_of
-- Who holds any of many ids, given as JSON: [[scope, key], ...].
SELECT i.scope, i.key, i.sequence, i.ordinal
FROM json_each(?) AS wanted
JOIN identities AS i ON i.scope = wanted.value ->> 0 AND i.key = wanted.value ->> 1
ORDER BY i.sequence, i.ordinal

-- name: ledgers
-- All ledgers.
SELECT id, account, instrument, kind FROM ledgers ORDER BY id

-- name: positions_of
-- The positions of a ledger.
SELECT ledger, strategy, leg, is_open, is_unvalued, sequence, state,
    last_ns, last_rank, last_tie, last_sequence, last_ordinal, entry_price, exit_price
FROM positions WHERE ledger = ? ORDER BY strategy, leg

-- name: positions_all
-- All positions, flat ones too.
SELECT ledger, strategy, leg, is_open, is_unvalued, sequence, state,
    last_ns, last_rank, last_tie, last_sequence, last_ordinal, entry_price, exit_price
FROM positions ORDER BY ledger, strategy, leg

-- name: positions_open
-- Open positions.
SELECT ledger, strategy, leg, is_open, is_unvalued, sequence, state,
    last_ns, last_rank, last_tie, last_sequence, last_ordinal, entry_price, exit_price
FROM positions INDEXED BY positions_open WHERE is_open = 1 ORDER BY ledger, strategy, leg

-- name: positions_unvalued
-- Positions with something that waits for a rate.
SELECT ledger, strategy, leg, is_open, is_unvalued, sequence, state,
    last_ns, last_rank, last_tie, last_sequence, last_ordinal, entry_price, exit_price
FROM positions INDEXED BY positions_unvalued WHERE is_unvalued = 1 ORDER BY ledger, strategy, leg

-- name: movements
-- A ledger's movements that stand now, after a place.
SELECT occurred_ns, rank, tie, sequence, ordinal, known_from, content,
    strategy, leg, kind, quantity, price, fee, fee_currency, data
FROM movements
WHERE ledger = ?1 AND (occurred_ns, rank, tie, sequence, ordinal) > (?2, ?3, ?4, ?5, ?6)
    AND known_until IS NULL AND occurred_ns <= ?8
ORDER BY occurred_ns, rank, tie, sequence, ordinal LIMIT ?7

-- name: movements_known
-- A ledger's movements as they stood at a sequence, after a place.
SELECT occurred_ns, rank, tie, sequence, ordinal, known_from, content,
    strategy, leg, kind, quantity, price, fee, fee_currency, data
FROM movements
WHERE ledger = ?1 AND (occurred_ns, rank, tie, sequence, ordinal) > (?2, ?3, ?4, ?5, ?6)
    AND occurred_ns <= ?8 AND known_from <= ?9 AND (known_until IS NULL OR known_until > ?9)
ORDER BY occurred_ns, rank, tie, sequence, ordinal LIMIT ?7

-- name: moved
-- Whose fills a ledger ever had by a sequence, up to a time, those included that no longer stand.
SELECT DISTINCT strategy, leg FROM movements
WHERE ledger = ?1 AND known_from <= ?2 AND occurred_ns <= ?3 AND kind = 'fill'
ORDER BY strategy, leg

-- name: movement
-- The movement that stands at a place.
SELECT occurred_ns, rank, tie, sequence, ordinal, known_from, content,
    strategy, leg, kind, quantity, price, fee, fee_currency, data
FROM movements
WHERE ledger = ? AND occurred_ns = ? AND rank = ? AND tie = ? AND sequence = ? AND ordinal = ?
    AND known_until IS NULL

-- name: last_movement
-- The newest movement of a ledger.
SELECT occurred_ns, rank, tie, sequence, ordinal FROM movements
WHERE ledger = ? AND known_until IS NULL
ORDER BY occurred_ns DESC, rank DESC, tie DESC, sequence DESC, ordinal DESC LIMIT 1

-- name: last_shared
-- The newest movement of a ledger that looks at several positions.
SELECT occurred_ns, rank, tie, sequence, ordinal FROM movements
WHERE ledger = ? AND known_until IS NULL
    AND (kind IN ('split', 'dividend', 'reassign', 'payment', 'settlement')
        OR (kind = 'funding' AND json_extract(data, '$.shared')))
ORDER BY occurred_ns DESC, rank DESC, tie DESC, sequence DESC, ordinal DESC LIMIT 1

-- name: count_since
-- How many movements stand after a place.
SELECT count(*) FROM movements
WHERE ledger = ? AND (occurred_ns, rank, tie, sequence, ordinal) > (?, ?, ?, ?, ?) AND known_until IS NULL

-- name: point
-- The newest fold point before a place.
SELECT occurred_ns, rank, tie, sequence, ordinal, state FROM fold_points
WHERE ledger = ? AND (occurred_ns, rank, tie, sequence, ordinal) < (?, ?, ?, ?, ?) AND known_until IS NULL
ORDER BY occurred_ns DESC, rank DESC, tie DESC, sequence DESC, ordinal DESC LIMIT 1

-- name: point_known
-- The newest fold point before a place, as they stood at a sequence.
SELECT occurred_ns, rank, tie, sequence, ordinal, state FROM fold_points
WHERE ledger = ?1 AND (occurred_ns, rank, tie, sequence, ordinal) < (?2, ?3, ?4, ?5, ?6)
    AND known_from <= ?7 AND (known_until IS NULL OR known_until > ?7)
ORDER BY occurred_ns DESC, rank DESC, tie DESC, sequence DESC, ordinal DESC LIMIT 1

-- name: trips
-- Ended round trips after a place and before a time, as they stood at a sequence. One lower bound, so that the index
-- is entered where they begin.
SELECT ledger, id, strategy, leg, opened_ns, closed_ns, data FROM closed_trips
WHERE (closed_ns, id) > (?1, ?2) AND closed_ns < ?3
    AND known_from <= ?4 AND (known_until IS NULL OR known_until > ?4)
ORDER BY closed_ns, id LIMIT ?5

-- name: trips_of
-- The same of one ledger.
SELECT ledger, id, strategy, leg, opened_ns, closed_ns, data FROM closed_trips
WHERE ledger = ?6 AND (closed_ns, id) > (?1, ?2) AND closed_ns < ?3
    AND known_from <= ?4 AND (known_until IS NULL OR known_until > ?4)
ORDER BY closed_ns, id LIMIT ?5

-- name: days
-- Daily rows of a span.
SELECT day, account, strategy, currency, gross, fees, funding, income, fills, round_trips, restated
FROM day_rows
WHERE level = ?1 AND basis = ?2 AND day >= ?3 AND day < ?4
    AND (?5 IS NULL OR account = ?5) AND (?6 IS NULL OR strategy = ?6) AND (?7 IS NULL OR currency = ?7)
ORDER BY day, account, strategy, currency

-- name: day
-- One daily row.
SELECT gross, fees, funding, income, fills, round_trips, restated FROM day_rows
WHERE level = ? AND basis = ? AND day = ? AND account = ? AND strategy = ? AND currency = ?

-- name: record
-- The standing version of a record: its newest one, found from the end, however many there were.
SELECT occurred_ns, body, instrument, strategy, status, known_from FROM records
WHERE kind = ? AND account = ? AND id = ? AND known_until IS NULL
ORDER BY known_from DESC LIMIT 1

-- name: record_known
-- A record as it stood at a sequence.
SELECT occurred_ns, body, instrument, strategy, status, known_from FROM records
WHERE kind = ?1 AND account = ?2 AND id = ?3
    AND known_from <= ?4 AND (known_until IS NULL OR known_until > ?4)
ORDER BY known_from DESC LIMIT 1

-- name: records_under
-- Records of a kind that belong to no account, from behind one id up to another, in the order of ids, as they stood at
-- a sequence. Each id is found by a jump from the one before, and its version from the end: how many versions there were
-- costs nothing. The recursion hands its rows on one by one, so the limit ends it.
WITH RECURSIVE ids (id) AS (
    SELECT min(id) FROM records WHERE kind = ?1 AND account = '' AND id > ?2 AND id < ?3
    UNION ALL
    SELECT (SELECT min(r.id) FROM records AS r WHERE r.kind = ?1 AND r.account = '' AND r.id > ids.id AND r.id < ?3)
    FROM ids WHERE ids.id IS NOT NULL
)
SELECT r.id, r.occurred_ns, r.body, r.instrument, r.strategy, r.status, r.known_from
FROM ids CROSS JOIN records AS r ON r.kind = ?1 AND r.account = '' AND r.id = ids.id AND r.known_from = (
    SELECT max(v.known_from) FROM records AS v
    WHERE v.kind = ?1 AND v.account = '' AND v.id = ids.id AND v.known_from <= ?4
)
LIMIT ?5

-- name: records
-- A kind's records in time, as they stood at a sequence.
SELECT account, id, occurred_ns, body, instrument, strategy, status, known_from FROM records
WHERE kind = ?1 AND (occurred_ns, account, id) > (?2, ?3, ?4)
    AND known_from <= ?5 AND (known_until IS NULL OR known_until > ?5)
ORDER BY occurred_ns, account, id LIMIT ?6

-- name: open_orders
-- Orders of an instrument that may still fill.
SELECT account, id, occurred_ns, body, instrument, strategy, status, known_from FROM records INDEXED BY records_open
WHERE kind = 'order' AND known_until IS NULL AND account = ? AND instrument = ?
    AND status NOT IN ('denied', 'rejected', 'canceled', 'expired', 'filled')
ORDER BY occurred_ns, id

-- name: open_orders_of
-- Orders of an account that may still fill.
SELECT account, id, occurred_ns, body, instrument, strategy, status, known_from FROM records INDEXED BY records_open
WHERE kind = 'order' AND known_until IS NULL AND account = ?
    AND status NOT IN ('denied', 'rejected', 'canceled', 'expired', 'filled')
ORDER BY occurred_ns, id

-- name: open_orders_all
-- All orders that may still fill.
SELECT account, id, occurred_ns, body, instrument, strategy, status, known_from FROM records INDEXED BY records_open
WHERE kind = 'order' AND known_until IS NULL
    AND status NOT IN ('denied', 'rejected', 'canceled', 'expired', 'filled')
ORDER BY occurred_ns, account, id

-- name: open_breaks
-- How many differences of an instrument wait for somebody.
SELECT count(*) FROM records INDEXED BY breaks_open
WHERE kind = 'break' AND known_until IS NULL AND status = 'open' AND account = ? AND instrument = ?

-- name: rate
-- The newest rate of a pair at or before a moment, not older than another, as known at a sequence.
SELECT price, at_ns, source FROM rates
WHERE base = ?1 AND quote = ?2 AND at_ns <= ?3 AND at_ns >= ?4 AND known_from <= ?5
ORDER BY at_ns DESC, source DESC LIMIT 1

-- name: rate_pairs
-- All pairs that have rates.
SELECT DISTINCT base, quote FROM rates WHERE known_from <= ?

-- name: tally
-- The counters.
SELECT name, count FROM tally

-- name: marks
-- The newest marks.
SELECT instrument, price, at_ns, source, written_ns FROM marks

-- name: mark_at
-- The newest sample at or before a moment, or the newest mark where that is not after it.
SELECT price, at_ns FROM (
    SELECT price, at_ns FROM (
        SELECT price, at_ns FROM mark_samples WHERE instrument = ?1 AND minute <= ?2 AND at_ns <= ?3
        ORDER BY minute DESC LIMIT 1
    )
    UNION ALL
    SELECT price, at_ns FROM marks WHERE instrument = ?1 AND at_ns <= ?3
)
ORDER BY at_ns DESC LIMIT 1

-- name: mark_after
-- The first sample at or after a moment.
SELECT price, at_ns FROM mark_samples WHERE instrument = ? AND minute >= ? AND at_ns >= ?
ORDER BY minute LIMIT 1

-- name: marks_between
-- The samples at or after a moment and before another, oldest first.
SELECT price, at_ns FROM mark_samples
WHERE instrument = ?1 AND minute >= ?2 AND minute <= ?3 AND at_ns >= ?4 AND at_ns < ?5
ORDER BY minute LIMIT ?6

-- name: about
-- What is kept about this file.
SELECT name, value FROM about

-- name: digest_identities
-- All rows, for comparison.
SELECT s.name, i.key, i.sequence, i.ordinal FROM identities AS i JOIN scopes AS s ON s.id = i.scope

-- name: digest_ledgers
-- All rows, for comparison.
SELECT id, account, instrument, kind FROM ledgers

-- name: digest_movements
-- All rows, for comparison.
SELECT ledger, occurred_ns, rank, tie, sequence, ordinal, known_from, content, strategy, leg, kind,
    quantity, price, fee, fee_currency, data, known_until
FROM movements

-- name: digest_positions
-- All rows, for comparison.
SELECT ledger, strategy, leg, is_open, is_unvalued, sequence, state,
    last_ns, last_rank, last_tie, last_sequence, last_ordinal, entry_price, exit_price
FROM positions

-- name: digest_points
-- All rows, for comparison.
SELECT ledger, occurred_ns, rank, tie, sequence, ordinal, known_from, state, known_until FROM fold_points

-- name: digest_trips
-- All rows, for comparison.
SELECT closed_ns, id, ledger, strategy, leg, known_from, opened_ns, data, known_until FROM closed_trips

-- name: digest_days
-- All rows, for comparison.
SELECT level, basis, day, account, strategy, currency, gross, fees, funding, income, fills, round_trips, restated
FROM day_rows

-- name: digest_records
-- All rows, for comparison.
SELECT kind, account, id, known_from, occurred_ns, instrument, strategy, status, body, known_until FROM records

-- name: digest_tally
-- All rows, for comparison.
SELECT name, count FROM tally

-- name: digest_rates
-- All rows, for comparison.
SELECT base, quote, at_ns, source, price, known_from FROM rates
