-- name: subscribers
-- Who reads the log, and how far they got: outside the log, no figure depends on it.
CREATE TABLE subscribers (
    name           TEXT PRIMARY KEY,
    sequence       INTEGER NOT NULL CHECK (sequence >= 0),
    ordinal        INTEGER NOT NULL,
    state          TEXT NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'halted', 'skipping')),
    attempts       INTEGER NOT NULL DEFAULT 0,
    generation     INTEGER NOT NULL DEFAULT 0,
    handled        INTEGER NOT NULL DEFAULT 0,
    errors         INTEGER NOT NULL DEFAULT 0,
    last_error     TEXT NOT NULL DEFAULT '',
    last_error_ns  INTEGER NOT NULL DEFAULT 0,
    holder         TEXT NOT NULL DEFAULT '',
    lease_until_ns INTEGER NOT NULL DEFAULT 0,
    updated_ns     INTEGER NOT NULL DEFAULT 0,
    rate           REAL NOT NULL DEFAULT 0,
    mean_seconds   REAL NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- name: dead_letters
-- Events that a subscriber could not handle.
CREATE TABLE dead_letters (
    subscriber TEXT NOT NULL REFERENCES subscribers (name) ON DELETE CASCADE,
    sequence   INTEGER NOT NULL,
    ordinal    INTEGER NOT NULL,
    type       TEXT NOT NULL,
    reason     TEXT NOT NULL,
    attempts   INTEGER NOT NULL,
    at_ns      INTEGER NOT NULL,
    again      INTEGER NOT NULL DEFAULT 0 CHECK (again IN (0, 1)),
    PRIMARY KEY (subscriber, sequence, ordinal)
) STRICT, WITHOUT ROWID;

-- name: heartbeats
-- The newest sign of life of each running bot.
CREATE TABLE heartbeats (
    strategy TEXT PRIMARY KEY,
    every_ns INTEGER NOT NULL CHECK (every_ns > 0),
    at_ns    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
