-- name: entries
-- The log. One row an entry; body is the exact JSON that was hashed, hash covers the one before and the body.
CREATE TABLE entries (
    sequence INTEGER PRIMARY KEY,
    body     TEXT NOT NULL,
    hash     BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

-- name: entries_no_update
-- Facts are never edited.
CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'the log is never edited: record a correction instead'); END;

-- name: entries_no_delete
-- Facts are never removed.
CREATE TRIGGER entries_no_delete BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'the log is never shortened: record a correction instead'); END;

-- name: entries_in_order
-- Sequences have no gaps.
CREATE TRIGGER entries_in_order BEFORE INSERT ON entries
WHEN new.sequence <> (SELECT coalesce(max(sequence), 0) + 1 FROM entries)
BEGIN SELECT RAISE(ABORT, 'the log has no gaps: the next sequence must follow the last'); END;

-- name: scopes
-- Numbers for the spaces in which identities are unique.
CREATE TABLE scopes (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- name: identities
-- Which fact holds which id.
CREATE TABLE identities (
    scope    INTEGER NOT NULL REFERENCES scopes (id),
    key      TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    ordinal  INTEGER NOT NULL,
    PRIMARY KEY (scope, key, sequence, ordinal)
) STRICT, WITHOUT ROWID;

-- name: ledgers
-- One instrument (or one currency, kind cash) in one account.
CREATE TABLE ledgers (
    id         INTEGER PRIMARY KEY,
    account    TEXT NOT NULL,
    instrument TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('position', 'cash')),
    UNIQUE (account, kind, instrument)
) STRICT;

-- name: movements
-- What folds, by ledger and in the order in which it counts. known_until closes a version.
CREATE TABLE movements (
    ledger       INTEGER NOT NULL REFERENCES ledgers (id),
    occurred_ns  INTEGER NOT NULL,
    rank         INTEGER NOT NULL,
    tie          TEXT NOT NULL,
    sequence     INTEGER NOT NULL,
    ordinal      INTEGER NOT NULL,
    known_from   INTEGER NOT NULL CHECK (known_from >= sequence),
    known_until  INTEGER CHECK (known_until >= known_from),
    content      INTEGER NOT NULL,
    strategy     TEXT NOT NULL,
    leg          TEXT NOT NULL,
    kind         TEXT NOT NULL,
    quantity     TEXT,
    price        TEXT,
    fee          TEXT,
    fee_currency TEXT,
    data         TEXT,
    PRIMARY KEY (ledger, occurred_ns, rank, tie, sequence, ordinal, known_from)
) STRICT, WITHOUT ROWID;

-- name: positions
-- The state of every position at the head of the log, and of every cash ledger; the prices, exact text for the
-- views, are those of the open round trip.
CREATE TABLE positions (
    ledger        INTEGER NOT NULL REFERENCES ledgers (id),
    strategy      TEXT NOT NULL,
    leg           TEXT NOT NULL,
    is_open       INTEGER NOT NULL CHECK (is_open IN (0, 1)),
    is_unvalued   INTEGER NOT NULL CHECK (is_unvalued IN (0, 1)),
    sequence      INTEGER NOT NULL,
    state         TEXT NOT NULL,
    last_ns       INTEGER NOT NULL,
    last_rank     INTEGER NOT NULL,
    last_tie      TEXT NOT NULL,
    last_sequence INTEGER NOT NULL,
    last_ordinal  INTEGER NOT NULL,
    entry_price   TEXT,
    exit_price    TEXT,
    PRIMARY KEY (ledger, strategy, leg)
) STRICT, WITHOUT ROWID;

-- name: positions_open
-- Open positions without reading the flat ones.
CREATE INDEX positions_open ON positions (ledger) WHERE is_open = 1;

-- name: positions_unvalued
-- What waits for a rate.
CREATE INDEX positions_unvalued ON positions (ledger) WHERE is_unvalued = 1;

-- name: fold_points
-- States along the way, so that folding again need not begin at zero.
CREATE TABLE fold_points (
    ledger      INTEGER NOT NULL REFERENCES ledgers (id),
    occurred_ns INTEGER NOT NULL,
    rank        INTEGER NOT NULL,
    tie         TEXT NOT NULL,
    sequence    INTEGER NOT NULL,
    ordinal     INTEGER NOT NULL,
    known_from  INTEGER NOT NULL,
    known_until INTEGER,
    state       TEXT NOT NULL,
    PRIMARY KEY (ledger, occurred_ns, rank, tie, sequence, ordinal, known_from)
) STRICT, WITHOUT ROWID;

-- name: closed_trips
-- Round trips that ended.
CREATE TABLE closed_trips (
    closed_ns   INTEGER NOT NULL,
    id          INTEGER NOT NULL,
    ledger      INTEGER NOT NULL REFERENCES ledgers (id),
    strategy    TEXT NOT NULL,
    leg         TEXT NOT NULL,
    known_from  INTEGER NOT NULL,
    known_until INTEGER,
    opened_ns   INTEGER NOT NULL,
    data        TEXT NOT NULL,
    PRIMARY KEY (closed_ns, id, ledger, strategy, leg, known_from)
) STRICT, WITHOUT ROWID;

-- name: closed_trips_by_ledger
-- Round trips of one instrument.
CREATE INDEX closed_trips_by_ledger ON closed_trips (ledger, closed_ns, id);

-- name: day_rows
-- Daily P&L by the book's own zone and roll: level 0 an account's total, 1 a strategy's.
CREATE TABLE day_rows (
    level       INTEGER NOT NULL CHECK (level IN (0, 1)),
    basis       TEXT NOT NULL CHECK (basis IN ('native', 'base')),
    day         TEXT NOT NULL,
    account     TEXT NOT NULL,
    strategy    TEXT NOT NULL CHECK (level = 1 OR strategy = ''),
    currency    TEXT NOT NULL,
    gross       TEXT NOT NULL,
    fees        TEXT NOT NULL,
    funding     TEXT NOT NULL,
    income      TEXT NOT NULL,
    fills       INTEGER NOT NULL,
    round_trips INTEGER NOT NULL,
    restated    INTEGER NOT NULL CHECK (restated IN (0, 1)),
    PRIMARY KEY (level, basis, day, account, strategy, currency)
) STRICT, WITHOUT ROWID;

-- name: records
-- Versions of everything else: orders, signals, transfers, definitions, rates, breaks, notes.
CREATE TABLE records (
    kind        TEXT NOT NULL,
    account     TEXT NOT NULL,
    id          TEXT NOT NULL,
    known_from  INTEGER NOT NULL,
    known_until INTEGER CHECK (known_until >= known_from),
    occurred_ns INTEGER NOT NULL,
    instrument  TEXT NOT NULL,
    strategy    TEXT NOT NULL,
    status      TEXT NOT NULL,
    body        TEXT NOT NULL,
    PRIMARY KEY (kind, account, id, known_from)
) STRICT, WITHOUT ROWID;

-- name: records_by_time
-- A kind's records in time.
CREATE INDEX records_by_time ON records (kind, occurred_ns, account, id);

-- name: records_open
-- Orders that may still fill.
CREATE INDEX records_open ON records (account, instrument)
WHERE kind = 'order' AND known_until IS NULL
    AND status NOT IN ('denied', 'rejected', 'canceled', 'expired', 'filled');

-- name: rates
-- Published exchange rates: units of quote for one base.
CREATE TABLE rates (
    base       TEXT NOT NULL,
    quote      TEXT NOT NULL,
    at_ns      INTEGER NOT NULL,
    source     TEXT NOT NULL,
    price      TEXT NOT NULL,
    known_from INTEGER NOT NULL,
    PRIMARY KEY (base, quote, at_ns, source)
) STRICT, WITHOUT ROWID;

-- name: tally
-- Counters: fills without identity, conflicts.
CREATE TABLE tally (
    name  TEXT PRIMARY KEY,
    count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- name: marks
-- The newest price per instrument: an observation, outside the log.
CREATE TABLE marks (
    instrument TEXT PRIMARY KEY,
    price      TEXT NOT NULL,
    at_ns      INTEGER NOT NULL,
    source     TEXT NOT NULL,
    written_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- name: mark_samples
-- The last price of each minute for what was held.
CREATE TABLE mark_samples (
    instrument TEXT NOT NULL,
    minute     INTEGER NOT NULL,
    price      TEXT NOT NULL,
    at_ns      INTEGER NOT NULL,
    PRIMARY KEY (instrument, minute)
) STRICT, WITHOUT ROWID;

-- name: about
-- What this file is: its epoch, and when it was made and backed up.
CREATE TABLE about (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
