-- name: observations
-- What somebody saw and wants to find again after a restart: outside the log, no figure depends on it.
CREATE TABLE observations (
    kind  TEXT NOT NULL,
    name  TEXT NOT NULL,
    value TEXT NOT NULL,
    at_ns INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

-- name: breaks_open
-- Differences that wait for somebody.
CREATE INDEX breaks_open ON records (account, instrument)
WHERE kind = 'break' AND known_until IS NULL AND status = 'open';
