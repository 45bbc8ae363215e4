"""PostgreSQL: connections, transactions, migrations, leases."""

from gateway.store.batcher import Batcher
from gateway.store.cluster import ForeignClusterError, pin_cluster
from gateway.store.lease import Lease, LeaseLostError, holding_off_owners
from gateway.store.migrate import migrate
from gateway.store.pool import (
    Connection,
    Pool,
    Row,
    RowLockedError,
    StoreUnavailableError,
    acquired,
    connect,
    listening,
    open_pool,
    ping,
    transaction,
    translate,
)
from gateway.store.shares import ShareBusyError, SharedPool

__all__ = [
    "Batcher",
    "Connection",
    "ForeignClusterError",
    "Lease",
    "LeaseLostError",
    "Pool",
    "Row",
    "RowLockedError",
    "ShareBusyError",
    "SharedPool",
    "StoreUnavailableError",
    "acquired",
    "connect",
    "holding_off_owners",
    "listening",
    "migrate",
    "open_pool",
    "pin_cluster",
    "ping",
    "transaction",
    "translate",
]
