"""Real Kafka and PostgreSQL servers that belong to one program: on loopback, in its directory, gone when it is gone."""

from gateway.embedded.engine import Engine
from gateway.embedded.engines import Engines, open_engines
from gateway.embedded.errors import (
    CacheUnsafeError,
    DataDirectoryInUseError,
    DataDirectoryOwnerError,
    DataDirectoryVersionError,
    DiskFullError,
    DownloadError,
    EngineError,
    EngineStartError,
    JavaMissingError,
    PortTakenError,
    UnsupportedPlatformError,
)
from gateway.embedded.kafka import EmbeddedKafka
from gateway.embedded.postgres import EmbeddedPostgres
from gateway.embedded.progress import Progress, Stage, Step

__all__ = [
    "CacheUnsafeError",
    "DataDirectoryInUseError",
    "DataDirectoryOwnerError",
    "DataDirectoryVersionError",
    "DiskFullError",
    "DownloadError",
    "EmbeddedKafka",
    "EmbeddedPostgres",
    "Engine",
    "EngineError",
    "EngineStartError",
    "Engines",
    "JavaMissingError",
    "PortTakenError",
    "Progress",
    "Stage",
    "Step",
    "UnsupportedPlatformError",
    "open_engines",
]
