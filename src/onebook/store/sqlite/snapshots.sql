-- name: versions_identities
-- Ids by key, after one, that facts up to a sequence hold.
SELECT i.scope, i.key, i.sequence, i.ordinal, s.name FROM identities AS i JOIN scopes AS s ON s.id = i.scope
WHERE (i.scope, i.key, i.sequence, i.ordinal) > (?2, ?3, ?4, ?5) AND i.sequence <= ?1
ORDER BY i.scope, i.key, i.sequence, i.ordinal LIMIT ?6

-- name: versions_movements
-- Versions by key, after one, made up to a sequence.
SELECT ledger, occurred_ns, rank, tie, sequence, ordinal, known_from, content, strategy, leg, kind,
    quantity, price, fee, fee_currency, data, known_until
FROM movements
WHERE (ledger, occurred_ns, rank, tie, sequence, ordinal, known_from) > (?2, ?3, ?4, ?5, ?6, ?7, ?8)
    AND known_from <= ?1
ORDER BY ledger, occurred_ns, rank, tie, sequence, ordinal, known_from LIMIT ?9

-- name: versions_points
-- Versions by key, after one, made up to a sequence.
SELECT ledger, occurred_ns, rank, tie, sequence, ordinal, known_from, state, known_until FROM fold_points
WHERE (ledger, occurred_ns, rank, tie, sequence, ordinal, known_from) > (?2, ?3, ?4, ?5, ?6, ?7, ?8)
    AND known_from <= ?1
ORDER BY ledger, occurred_ns, rank, tie, sequence, ordinal, known_from LIMIT ?9

-- name: versions_trips
-- Versions by key, after one, made up to a sequence.
SELECT closed_ns, id, ledger, strategy, leg, known_from, opened_ns, data, known_until FROM closed_trips
WHERE (closed_ns, id, ledger, strategy, leg, known_from) > (?2, ?3, ?4, ?5, ?6, ?7) AND known_from <= ?1
ORDER BY closed_ns, id, ledger, strategy, leg, known_from LIMIT ?8

-- name: versions_records
-- Versions by key, after one, made up to a sequence.
SELECT kind, account, id, known_from, occurred_ns, instrument, strategy, status, body, known_until FROM records
WHERE (kind, account, id, known_from) > (?2, ?3, ?4, ?5) AND known_from <= ?1
ORDER BY kind, account, id, known_from LIMIT ?6

-- name: versions_rates
-- Rates by key, after one, recorded up to a sequence.
SELECT base, quote, at_ns, source, price, known_from FROM rates
WHERE (base, quote, at_ns, source) > (?2, ?3, ?4, ?5) AND known_from <= ?1
ORDER BY base, quote, at_ns, source LIMIT ?6

-- name: begin_reading
-- What follows sees one moment.
BEGIN

-- name: end_reading
-- What follows sees the newest again.
COMMIT

-- name: cut_identities
-- Forget ids of facts after a sequence.
DELETE FROM identities WHERE sequence > ?

-- name: cut_identity
-- Forget an id that a fact came by later.
DELETE FROM identities WHERE scope = ? AND key = ? AND sequence = ? AND ordinal = ?

-- name: cut_scopes
-- Forget spaces without ids.
DELETE FROM scopes WHERE id NOT IN (SELECT scope FROM identities)

-- name: cut_movements
-- Forget versions made after a sequence.
DELETE FROM movements WHERE known_from > ?

-- name: cut_points
-- Forget versions made after a sequence.
DELETE FROM fold_points WHERE known_from > ?

-- name: cut_trips
-- Forget versions made after a sequence.
DELETE FROM closed_trips WHERE known_from > ?

-- name: cut_records
-- Forget versions made after a sequence.
DELETE FROM records WHERE known_from > ?

-- name: cut_rates
-- Forget rates recorded after a sequence.
DELETE FROM rates WHERE known_from > ?

-- name: reopen_movements
-- Let versions stand again that were closed after a sequence.
UPDATE movements SET known_until = NULL WHERE known_until > ?

-- name: reopen_points
-- Let versions stand again that were closed after a sequence.
UPDATE fold_points SET known_until = NULL WHERE known_until > ?

-- name: reopen_trips
-- Let versions stand again that were closed after a sequence.
UPDATE closed_trips SET known_until = NULL WHERE known_until > ?

-- name: reopen_records
-- Let versions stand again that were closed after a sequence.
UPDATE records SET known_until = NULL WHERE known_until > ?

-- name: drop_ledgers
-- Forget the ledgers that are not among these, given as JSON: [id, ...].
DELETE FROM ledgers WHERE id NOT IN (SELECT value FROM json_each(?))
