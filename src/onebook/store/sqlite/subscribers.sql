-- name: make_subscriber
-- Make a subscriber that is new.
INSERT INTO subscribers (name, sequence, ordinal, updated_ns) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING

-- name: take_lease
-- Take a lease that is free, over, or one's own.
UPDATE subscribers SET holder = ?2, lease_until_ns = ?4
WHERE name = ?1 AND (holder IN ('', ?2) OR lease_until_ns < ?3)

-- name: subscriber
-- One subscriber.
SELECT name, sequence, ordinal, state, attempts, generation, handled, errors, last_error, last_error_ns,
    holder, lease_until_ns, updated_ns, rate, mean_seconds
FROM subscribers WHERE name = ?

-- name: subscribers
-- All subscribers.
SELECT name, sequence, ordinal, state, attempts, generation, handled, errors, last_error, last_error_ns,
    holder, lease_until_ns, updated_ns, rate, mean_seconds
FROM subscribers ORDER BY name

-- name: save
-- Keep how far a subscriber got, if it is still served by whom it was and nobody moved it.
UPDATE subscribers SET
    sequence = ?4, ordinal = ?5, state = ?6, attempts = ?7, handled = handled + ?8, errors = errors + ?9,
    last_error = CASE WHEN ?11 > 0 THEN ?10 ELSE last_error END,
    last_error_ns = CASE WHEN ?11 > 0 THEN ?11 ELSE last_error_ns END,
    lease_until_ns = ?12, updated_ns = ?13, rate = ?14, mean_seconds = ?15
WHERE name = ?1 AND holder = ?2 AND generation = ?3
RETURNING 1

-- name: release
-- Give a lease back.
UPDATE subscribers SET holder = '', lease_until_ns = 0 WHERE name = ? AND holder = ?

-- name: move
-- Put a checkpoint somewhere else.
UPDATE subscribers SET
    sequence = ?2, ordinal = ?3, state = 'running', attempts = 0, generation = generation + 1, updated_ns = ?4
WHERE name = ?1

-- name: skip
-- Let it pass over the next event it wants.
UPDATE subscribers SET state = 'skipping', attempts = 0, generation = generation + 1 WHERE name = ?

-- name: remove
-- Forget a subscriber; its dead letters go with it.
DELETE FROM subscribers WHERE name = ?

-- name: put_dead_letter
-- Keep an event that could not be handled.
INSERT OR REPLACE INTO dead_letters (subscriber, sequence, ordinal, type, reason, attempts, at_ns, again)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: drop_dead_letter
-- Forget a dead letter.
DELETE FROM dead_letters WHERE subscriber = ? AND sequence = ? AND ordinal = ?

-- name: try_dead_letter
-- Let one be tried again.
UPDATE dead_letters SET again = 1 WHERE subscriber = ? AND sequence = ? AND ordinal = ? RETURNING 1

-- name: try_dead_letters
-- Let all be tried again.
UPDATE dead_letters SET again = 1 WHERE subscriber = ? RETURNING 1

-- name: wake
-- Let who serves a subscriber look at it again.
UPDATE subscribers SET generation = generation + 1 WHERE name = ?

-- name: dead_letters
-- Dead letters of one subscriber or of all, after one, at most so many.
SELECT subscriber, sequence, ordinal, type, reason, attempts, at_ns, again FROM dead_letters
WHERE (?1 IS NULL OR subscriber = ?1) AND (subscriber, sequence, ordinal) > (?2, ?3, ?4)
ORDER BY subscriber, sequence, ordinal LIMIT ?5

-- name: count_dead_letters
-- How many each subscriber has.
SELECT subscriber, count(*) FROM dead_letters GROUP BY subscriber

-- name: heartbeats
-- All signs of life.
SELECT strategy, every_ns, at_ns FROM heartbeats ORDER BY strategy

-- name: put_heartbeat
-- Keep the newest sign of life.
INSERT INTO heartbeats (strategy, every_ns, at_ns) VALUES (?, ?, ?)
ON CONFLICT (strategy) DO UPDATE SET every_ns = excluded.every_ns, at_ns = max(at_ns, excluded.at_ns)

-- name: observations
-- What was kept of a kind.
SELECT kind, name, value, at_ns FROM observations WHERE kind = ? ORDER BY name

-- name: put_observation
-- Keep the newest.
INSERT INTO observations (kind, name, value, at_ns) VALUES (?, ?, ?, ?)
ON CONFLICT (kind, name) DO UPDATE SET value = excluded.value, at_ns = excluded.at_ns

-- name: drop_observation
-- Forget one.
DELETE FROM observations WHERE kind = ? AND name = ?

-- name: drop_heartbeat
-- Forget a bot that ended on purpose.
DELETE FROM heartbeats WHERE strategy = ?
