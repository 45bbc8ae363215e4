"""The adapter of the suppliers that `contrib.bench.order_suppliers` runs: an order is one call."""

from contrib.bench.bench_orders.adapter import Adapter

__all__ = ["Adapter"]
