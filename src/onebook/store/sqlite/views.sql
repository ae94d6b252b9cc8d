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
-- Every round trip, open and ended, with exact text, as book.round_trips() says it; id is the sequence of the fact that
-- opened it. An open one's money is NULL until it ends; its unrealized_pnl is a number, made from the newest mark.
CREATE VIEW paper_trades_exact AS
WITH trips AS (
    SELECT t.id, l.account, l.instrument,
        json_extract(t.data, '$.direction') AS direction,
        json_extract(t.data, '$.quantity') AS position_size,
        json_extract(t.data, '$.entry_price') AS entry_price,
        json_extract(t.data, '$.exit_price') AS exit_price,
        t.opened_ns, t.closed_ns,
        coalesce(json_extract(t.data, '$.close_reason'), '') AS close_reason,
        coalesce(json_extract(t.data, '$.signal_id'), '') AS signal_id,
        json_extract(t.data, '$.gross') AS gross,
        json_extract(t.data, '$.fees') AS fees,
        coalesce(json_extract(t.data, '$.funding'), '0') AS funding,
        coalesce(json_extract(t.data, '$.income'), '0') AS income,
        json_extract(t.data, '$.net') AS realized_pnl,
        coalesce(json_extract(t.data, '$.contract_size'), '1') AS contract_size,
        coalesce(json_extract(t.data, '$.inverse'), 0) AS inverse,
        NULL AS held, NULL AS cost
    FROM closed_trips AS t JOIN ledgers AS l ON l.id = t.ledger
    WHERE t.known_until IS NULL
    UNION ALL
    SELECT json_extract(p.state, '$.trip[0]'), l.account, l.instrument,
        json_extract(p.state, '$.trip[2]'),
        json_extract(p.state, '$.trip[3]'),
        p.entry_price, p.exit_price,
        json_extract(p.state, '$.trip[1]'), NULL,
        'open',
        json_extract(p.state, '$.trip[12]'),
        NULL, NULL, NULL, NULL, NULL,
        coalesce(json_extract(p.state, '$.trip[13]'), '1'),
        coalesce(json_extract(p.state, '$.trip[14]'), 0),
        abs(CAST(json_extract(p.state, '$.quantity') AS REAL))
            - coalesce(CAST(json_extract(p.state, '$.unbased') AS REAL), 0),
        coalesce(CAST(json_extract(p.state, '$.cost_basis') AS REAL), 0)
    FROM positions AS p JOIN ledgers AS l ON l.id = p.ledger AND l.kind = 'position'
    WHERE p.is_open = 1
),
named AS (
    SELECT t.*, coalesce(json_extract(a.body, '$.names[#-1]'), t.instrument) AS symbol
    FROM trips AS t
    LEFT JOIN records AS a ON a.kind = 'alias' AND a.account = t.account AND a.id = t.instrument
        AND a.known_until IS NULL
)
SELECT t.id, t.signal_id, t.symbol, upper(t.direction) AS direction, t.entry_price, t.position_size,
    json_extract(s.body, '$.stop_loss') AS stop_loss,
    json_extract(s.body, '$.take_profit') AS take_profit,
    strftime('%Y-%m-%d %H:%M:%S', t.opened_ns / 1000000000, 'unixepoch') AS entry_time,
    strftime('%Y-%m-%d %H:%M:%S', t.closed_ns / 1000000000, 'unixepoch') AS exit_time,
    t.exit_price,
    CASE t.close_reason WHEN '' THEN 'CLOSED' WHEN 'end_of_day' THEN 'EOD_CLOSE' ELSE upper(t.close_reason) END
        AS status,
    t.gross, t.fees, t.funding, t.income, t.realized_pnl,
    CASE WHEN t.closed_ns IS NOT NULL THEN NULL
        WHEN t.inverse THEN
            (t.cost - t.held * CAST(t.contract_size AS REAL) / CAST(k.price AS REAL))
            * CASE t.direction WHEN 'short' THEN -1 ELSE 1 END
        ELSE
            (t.held * CAST(t.contract_size AS REAL) * CAST(k.price AS REAL) - t.cost)
            * CASE t.direction WHEN 'short' THEN -1 ELSE 1 END
    END AS unrealized_pnl,
    k.price AS current_price, t.account, t.contract_size, t.inverse
FROM named AS t
LEFT JOIN records AS s ON s.kind = 'signal' AND s.account = t.account AND s.id = t.signal_id
    AND s.known_until IS NULL AND t.signal_id <> ''
LEFT JOIN marks AS k ON k.instrument = t.symbol

-- name: paper_trades
-- The documented columns, for reading: numbers are REAL, times UTC.
CREATE VIEW paper_trades AS
SELECT id, nullif(signal_id, '') AS signal_id, symbol, direction,
    CAST(entry_price AS REAL) AS entry_price,
    CAST(position_size AS REAL) AS position_size,
    CAST(stop_loss AS REAL) AS stop_loss,
    CAST(take_profit AS REAL) AS take_profit,
    entry_time, exit_time,
    CAST(exit_price AS REAL) AS exit_price,
    status,
    CAST(realized_pnl AS REAL) AS realized_pnl,
    unrealized_pnl,
    CAST(current_price AS REAL) AS current_price,
    CASE WHEN stop_loss IS NULL OR inverse THEN NULL ELSE
        abs(CAST(entry_price AS REAL) - CAST(stop_loss AS REAL))
        * CAST(position_size AS REAL) * CAST(contract_size AS REAL)
    END AS risk_amount,
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
