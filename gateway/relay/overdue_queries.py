"""Statements about commands that nobody ended though their time is over. Lock order: the lease, then commands."""

from __future__ import annotations

SUPPLIERS = """
    SELECT DISTINCT supplier FROM commands
     WHERE ended_at IS NULL AND deadline <= $1
       AND state IN ('waiting', 'retry', 'sending', 'looking_up', 'unknown', 'parked')
     ORDER BY supplier
"""

ORDERS = """
    SELECT DISTINCT order_no FROM commands
     WHERE supplier = $1 AND ended_at IS NULL AND deadline <= $2 AND order_no > $3 AND order_no <> ALL($5::text[])
       AND state IN ('waiting', 'retry', 'sending', 'looking_up', 'unknown', 'parked')
     ORDER BY order_no
     LIMIT $4
"""
