-- name: entries
-- Append to the log.
INSERT INTO entries (sequence, body, hash) VALUES (?, ?, ?)

-- name: new_scope
-- Number an identity space.
INSERT INTO scopes (name) VALUES (?) RETURNING id

-- name: identities
-- Let a fact hold an id.
INSERT INTO identities (scope, key, sequence, ordinal) VALUES (?, ?, ?, ?)

-- name: ledgers
-- Open a ledger.
INSERT INTO ledgers (id, account, instrument, kind) VALUES (?, ?, ?, ?)

-- name: movements
-- Add a version of a movement.
INSERT INTO movements (
    ledger, occurred_ns, rank, tie, sequence, ordinal, known_from, content,
    strategy, leg, kind, quantity, price, fee, fee_currency, data
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: movement_ends
-- Close a version of a movement.
UPDATE movements SET known_until = ?
WHERE ledger = ? AND occurred_ns = ? AND rank = ? AND tie = ? AND sequence = ? AND ordinal = ? AND known_from = ?

-- name: positions
-- Put the state of a position.
INSERT INTO positions (
    ledger, strategy, leg, is_open, is_unvalued, sequence, state,
    last_ns, last_rank, last_tie, last_sequence, last_ordinal, entry_price, exit_price
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (ledger, strategy, leg) DO UPDATE SET
    is_open = excluded.is_open, is_unvalued = excluded.is_unvalued, sequence = excluded.sequence,
    state = excluded.state, last_ns = excluded.last_ns, last_rank = excluded.last_rank,
    last_tie = excluded.last_tie, last_sequence = excluded.last_sequence, last_ordinal = excluded.last_ordinal,
    entry_price = excluded.entry_price, exit_price = excluded.exit_price

-- name: trips
-- Add an ended round trip.
INSERT OR REPLACE INTO closed_trips (closed_ns, id, ledger, strategy, leg, known_from, opened_ns, data)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: trip_ends
-- Close a version of a round trip.
UPDATE closed_trips SET known_until = ?
WHERE closed_ns = ? AND id = ? AND ledger = ? AND strategy = ? AND leg = ? AND known_until IS NULL

-- name: points
-- Add a fold point.
INSERT OR REPLACE INTO fold_points (ledger, occurred_ns, rank, tie, sequence, ordinal, known_from, state)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: point_ends
-- Close the fold points from a place on.
UPDATE fold_points SET known_until = ?1
WHERE ledger = ?2 AND known_until IS NULL
    AND (occurred_ns, rank, tie, sequence, ordinal) >= (?3, ?4, ?5, ?6, ?7)

-- name: days
-- Put a daily row.
INSERT OR REPLACE INTO day_rows (
    level, basis, day, account, strategy, currency, gross, fees, funding, income, fills, round_trips, restated
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: record_ends
-- Close the standing version of a record: its newest one, found from the end.
UPDATE records SET known_until = ?1
WHERE kind = ?2 AND account = ?3 AND id = ?4 AND known_until IS NULL AND known_from = (
    SELECT max(known_from) FROM records WHERE kind = ?2 AND account = ?3 AND id = ?4
)

-- name: records
-- Add a version of a record.
INSERT OR REPLACE INTO records (
    kind, account, id, known_from, occurred_ns, instrument, strategy, status, body, known_until
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: rates
-- Add a rate.
INSERT INTO rates (base, quote, at_ns, source, price, known_from) VALUES (?, ?, ?, ?, ?, ?)

-- name: tally
-- Add to a counter.
INSERT INTO tally (name, count) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET count = count + excluded.count

-- name: put_mark
-- Keep the newest mark of an instrument.
INSERT INTO marks (instrument, price, at_ns, source, written_ns) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (instrument) DO UPDATE SET
    price = excluded.price, at_ns = excluded.at_ns, source = excluded.source, written_ns = excluded.written_ns
WHERE excluded.at_ns >= marks.at_ns

-- name: put_mark_sample
-- Keep the last mark of a minute.
INSERT INTO mark_samples (instrument, minute, price, at_ns) VALUES (?, ?, ?, ?)
ON CONFLICT (instrument, minute) DO UPDATE SET price = excluded.price, at_ns = excluded.at_ns
WHERE excluded.at_ns >= mark_samples.at_ns

-- name: put_about
-- Keep something about this file.
INSERT OR REPLACE INTO about (name, value) VALUES (?, ?)

-- name: wipe_identities
-- Empty a read model before it is built again.
DELETE FROM identities

-- name: wipe_movements
-- Empty a read model before it is built again.
DELETE FROM movements

-- name: wipe_positions
-- Empty a read model before it is built again.
DELETE FROM positions

-- name: wipe_points
-- Empty a read model before it is built again.
DELETE FROM fold_points

-- name: wipe_trips
-- Empty a read model before it is built again.
DELETE FROM closed_trips

-- name: wipe_days
-- Empty a read model before it is built again.
DELETE FROM day_rows

-- name: wipe_records
-- Empty a read model before it is built again.
DELETE FROM records

-- name: wipe_rates
-- Empty a read model before it is built again.
DELETE FROM rates

-- name: wipe_tally
-- Empty a read model before it is built again.
DELETE FROM tally

-- name: wipe_ledgers
-- Empty a read model before it is built again.
DELETE FROM ledgers

-- name: wipe_scopes
-- Empty a read model before it is built again.
DELETE FROM scopes
