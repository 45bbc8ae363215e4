"""Statements that count what waits, for the metrics: a row for each supplier, also where nothing does."""

from __future__ import annotations

COUNTS = """
    SELECT s.supplier, count(l.place) FILTER (WHERE l.followers > 0) AS waiting,
           count(l.place) FILTER (WHERE l.stopped) AS stopped,
           coalesce(extract(epoch FROM now() - min(l.received_at)), 0)::float8 AS seconds
      FROM suppliers s
      LEFT JOIN (
           SELECT supplier, min(place) AS place, count(*) - 1 AS followers, min(received_at) AS received_at,
                  (array_agg(state ORDER BY place))[1] = ANY($1::text[]) AS stopped
             FROM commands
            WHERE ended_at IS NULL
            GROUP BY supplier, order_no) l USING (supplier)
     GROUP BY s.supplier
"""

COUNT_STATES = """
    SELECT s.supplier, open.state, coalesce(c.commands, 0) AS commands
      FROM suppliers s
     CROSS JOIN unnest($1::text[]) AS open (state)
      LEFT JOIN (
           SELECT supplier, state, count(*) AS commands FROM commands WHERE ended_at IS NULL GROUP BY supplier, state) c
           ON c.supplier = s.supplier AND c.state = open.state
"""

COUNT_REREADS = """
    SELECT s.supplier, count(r.seq) AS waiting,
           coalesce(extract(epoch FROM now() - min(r.asked_at)), 0)::float8 AS seconds
      FROM suppliers s LEFT JOIN order_rereads r USING (supplier)
     GROUP BY s.supplier
"""

COUNT_FETCHED = """
    SELECT s.supplier, count(u.command_id) FILTER (WHERE u.acknowledged_at IS NULL) AS unacknowledged,
           count(u.acknowledged_at) AS unanswered,
           coalesce(extract(epoch FROM now() - min(u.delivered_at)), 0)::float8 AS seconds
      FROM suppliers s LEFT JOIN commands_unanswered u USING (supplier)
     GROUP BY s.supplier
"""

COUNT_WEBHOOKS = """
    SELECT s.supplier,
           coalesce(w.disabled_at IS NOT NULL AND w.url = s.config #>> '{webhook,url}', false)::integer AS disabled,
           coalesce(extract(epoch FROM now() - min(c.received_at)), 0)::float8 AS seconds
      FROM suppliers s
      LEFT JOIN webhook_endpoints w USING (supplier)
      LEFT JOIN commands c ON c.supplier = s.supplier AND c.ended_at IS NULL
     WHERE s.config #>> '{webhook,url}' IS NOT NULL OR w.supplier IS NOT NULL
     GROUP BY s.supplier, s.config, w.disabled_at, w.url
"""
