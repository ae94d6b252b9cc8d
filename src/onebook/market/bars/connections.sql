-- name: begin
-- Begin to write: others that write wait until the end.
BEGIN IMMEDIATE

-- name: keep
-- Keep what was written.
COMMIT

-- name: undo
-- Forget what was written.
ROLLBACK
