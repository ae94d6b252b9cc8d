-- name: series
-- One instrument in one timeframe. The counts are kept by the triggers below.
CREATE TABLE series (
    id         INTEGER PRIMARY KEY,
    instrument TEXT NOT NULL,
    timeframe  TEXT NOT NULL,
    bars       INTEGER NOT NULL DEFAULT 0,
    changed    INTEGER NOT NULL DEFAULT 0,
    UNIQUE (instrument, timeframe)
) STRICT;

-- name: bars
-- Prices and volume as decimal text, exactly; the key is the order in which bars are asked for.
CREATE TABLE bars (
    series    INTEGER NOT NULL REFERENCES series (id),
    opened_ns INTEGER NOT NULL,
    at_ns     INTEGER NOT NULL CHECK (at_ns > opened_ns),
    open      TEXT NOT NULL,
    high      TEXT NOT NULL,
    low       TEXT NOT NULL,
    close     TEXT NOT NULL,
    volume    TEXT NOT NULL,
    is_final  INTEGER NOT NULL CHECK (is_final IN (0, 1)),
    PRIMARY KEY (series, opened_ns)
) STRICT, WITHOUT ROWID;

-- name: covered
-- Stretches of which every bar that opened in them is known. They neither overlap nor touch.
CREATE TABLE covered (
    series  INTEGER NOT NULL REFERENCES series (id),
    from_ns INTEGER NOT NULL,
    to_ns   INTEGER NOT NULL CHECK (to_ns > from_ns),
    PRIMARY KEY (series, from_ns)
) STRICT, WITHOUT ROWID;

-- name: bars_counted
-- A bar more.
CREATE TRIGGER bars_counted AFTER INSERT ON bars
BEGIN UPDATE series SET bars = bars + 1 WHERE id = new.series; END;

-- name: bars_uncounted
-- A bar less.
CREATE TRIGGER bars_uncounted AFTER DELETE ON bars
BEGIN UPDATE series SET bars = bars - 1 WHERE id = old.series; END;

-- name: bars_changed
-- A bar that was final has got other content.
CREATE TRIGGER bars_changed AFTER UPDATE ON bars WHEN old.is_final = 1
BEGIN UPDATE series SET changed = changed + 1 WHERE id = old.series; END;
