-- Read only, on the database of another program.

-- name: tables
-- Which of the documented tables there are.
SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name IN ('paper_trades', 'signals');

-- name: columns
-- The columns of one of them.
SELECT name FROM pragma_table_info(?);

-- name: paper_trades
-- Every trade, in the order of its number.
SELECT * FROM paper_trades ORDER BY id;

-- name: signals
-- Every signal, in the order of its number.
SELECT * FROM signals ORDER BY id;
