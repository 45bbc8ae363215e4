"""The Kafka cluster that a database belongs to: offsets kept here mean nothing on another one."""

from __future__ import annotations

from gateway.sdk.errors import ConfigError
from gateway.store.pool import Pool, transaction

PIN = "INSERT INTO kafka_cluster (cluster_id) VALUES ($1) ON CONFLICT DO NOTHING"
PINNED = "SELECT cluster_id FROM kafka_cluster"


class ForeignClusterError(ConfigError):
    """The database belongs to another Kafka cluster."""


async def pin_cluster(pool: Pool, cluster_id: str) -> None:
    """Tie the database to this cluster, permanently. Raises ForeignClusterError when it is tied to another one."""
    async with transaction(pool) as connection:
        await connection.execute(PIN, cluster_id)
        pinned = await connection.fetchval(PINNED)
    if pinned != cluster_id:
        raise ForeignClusterError([f"the database belongs to Kafka cluster {pinned}, this is {cluster_id}"])
