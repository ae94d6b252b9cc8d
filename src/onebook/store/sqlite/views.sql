-- name: fills
-- Every fill that stands, readable: numbers are exact text.
CREATE VIEW fills AS
SELECT m.sequence, m.ordinal, l.account, l.instrument, m.strategy, m.leg,
    CASE WHEN m.quantity LIKE '-%' THEN 'sell' ELSE 'buy' END AS side,
    ltrim(m.quantity, '-') AS quantity, m.price, m.fee, m.fee_currency,
    strftime('%Y-%m-%d %H:%M:%S', m.occurred_ns / 1000000000, 'unixepoch') AS occurred_at, m.occurred_ns
FROM movements AS m JOIN ledgers AS l ON l.id = m.ledger
WHERE m.kind = 'fill' AND m.known_until IS NULL

-- name: orders
-- Every order as it stands.
CREATE VIEW orders AS
SELECT account, id AS client_order_id, instrument, strategy, status,
    json_extract(body, '$.side') AS side, json_extract(body, '$.quantity') AS quantity,
    coalesce(json_extract(body, '$.filled_quantity'), '0') AS filled_quantity,
    json_extract(body, '$.average_price') AS average_price,
    json_extract(body, '$.venue_order_id') AS venue_order_id,
    strftime('%Y-%m-%d %H:%M:%S', occurred_ns / 1000000000, 'unixepoch') AS occurred_at
FROM records WHERE kind = 'order' AND known_until IS NULL

-- name: paper_trades_exact
-- Every round trip, open and ended, with exact text; id is the sequence of the fact that opened it.
CREATE VIEW paper_trades_exact AS
WITH trips AS (
    SELECT t.id, l.account, l.instrument AS symbol,
        upper(json_extract(t.data, '$.direction')) AS direction,
        json_extract(t.data, '$.entry_value') AS entry_value,
        json_extract(t.data, '$.entry_quantity') AS entry_quantity,
        json_extract(t.data, '$.exit_value') AS exit_value,
        json_extract(t.data, '$.exit_quantity') AS exit_quantity,
        json_extract(t.data, '$.quantity') AS position_size,
        t.opened_ns, t.closed_ns,
        coalesce(json_extract(t.data, '$.close_reason'), '') AS close_reason,
        coalesce(json_extract(t.data, '$.signal_id'), '') AS signal_id,
        json_extract(t.data, '$.gross') AS gross, json_extract(t.data, '$.fees') AS fees,
        json_extract(t.data, '$.funding') AS funding, json_extract(t.data, '$.income') AS income,
        NULL AS quantity, NULL AS cost
    FROM closed_trips AS t JOIN ledgers AS l ON l.id = t.ledger
    WHERE t.known_until IS NULL
    UNION ALL
    SELECT json_extract(p.state, '$.trip[0]'), l.account, l.instrument,
        upper(json_extract(p.state, '$.trip[2]')),
        json_extract(p.state, '$.trip[5]'), json_extract(p.state, '$.trip[4]'),
        json_extract(p.state, '$.trip[7]'), json_extract(p.state, '$.trip[6]'),
        json_extract(p.state, '$.trip[3]'),
        json_extract(p.state, '$.trip[1]'), NULL, 'open',
        coalesce(json_extract(p.state, '$.trip[12]'), ''),
        NULL, NULL, NULL, NULL,
        json_extract(p.state, '$.quantity'), json_extract(p.state, '$.cost_basis')
    FROM positions AS p JOIN ledgers AS l ON l.id = p.ledger AND l.kind = 'position'
    WHERE p.is_open = 1
)
SELECT t.id, t.signal_id, t.symbol, t.direction,
    CAST(t.entry_value AS REAL) / nullif(CAST(t.entry_quantity AS REAL), 0) AS entry_price,
    t.position_size,
    json_extract(s.body, '$.stop_loss') AS stop_loss,
    json_extract(s.body, '$.take_profit') AS take_profit,
    strftime('%Y-%m-%d %H:%M:%S', t.opened_ns / 1000000000, 'unixepoch') AS entry_time,
    strftime('%Y-%m-%d %H:%M:%S', t.closed_ns / 1000000000, 'unixepoch') AS exit_time,
    CAST(t.exit_value AS REAL) / nullif(CAST(t.exit_quantity AS REAL), 0) AS exit_price,
    CASE t.close_reason WHEN '' THEN 'CLOSED' WHEN 'end_of_day' THEN 'EOD_CLOSE' ELSE upper(t.close_reason) END
        AS status,
    t.gross, t.fees, t.funding, t.income,
    CASE WHEN t.closed_ns IS NULL THEN NULL ELSE
        CAST(t.gross AS REAL) - CAST(t.fees AS REAL) + CAST(t.funding AS REAL) + CAST(t.income AS REAL)
    END AS realized_pnl,
    CASE WHEN t.closed_ns IS NULL THEN
        (CAST(k.price AS REAL) * CAST(t.quantity AS REAL))
        - CASE t.direction WHEN 'SHORT' THEN - CAST(t.cost AS REAL) ELSE CAST(t.cost AS REAL) END
    END AS unrealized_pnl,
    k.price AS current_price, t.account
FROM trips AS t
LEFT JOIN records AS s ON s.kind = 'signal' AND s.account = t.account AND s.id = t.signal_id
    AND s.known_until IS NULL AND t.signal_id <> ''
LEFT JOIN marks AS k ON k.instrument = t.symbol

-- name: paper_trades
-- The documented columns, for reading: numbers are REAL, times UTC.
CREATE VIEW paper_trades AS
SELECT id, nullif(signal_id, '') AS signal_id, symbol, direction, entry_price,
    CAST(position_size AS REAL) AS position_size,
    CAST(stop_loss AS REAL) AS stop_loss, CAST(take_profit AS REAL) AS take_profit,
    entry_time, exit_time, exit_price, status, realized_pnl, unrealized_pnl,
    CAST(current_price AS REAL) AS current_price,
    CASE WHEN stop_loss IS NULL THEN NULL
        ELSE abs(entry_price - CAST(stop_loss AS REAL)) * CAST(position_size AS REAL) END AS risk_amount,
    substr(entry_time, 1, 10) AS created_date
FROM paper_trades_exact

-- name: signals
-- The documented columns of signals, for reading.
CREATE VIEW signals AS
SELECT CAST(json_extract(body, '$.first') AS INTEGER) AS id, id AS signal_id, instrument AS crypto,
    upper(json_extract(body, '$.action')) AS action,
    CAST(json_extract(body, '$.price') AS REAL) AS entry_price,
    CAST(json_extract(body, '$.confidence') AS REAL) AS confidence,
    strftime('%Y-%m-%d %H:%M:%S', occurred_ns / 1000000000, 'unixepoch') AS timestamp,
    CAST(json_extract(body, '$.trip') AS TEXT) AS paper_trade_id,
    status, json_extract(body, '$.timeframe') AS timeframe,
    json_extract(body, '$.confluences') AS confluences
FROM records
WHERE kind = 'signal' AND known_until IS NULL AND coalesce(json_extract(body, '$.known'), 1)
