"""The core: record, correct, query, as of, explain, verify. It knows no feed, market or trading."""
