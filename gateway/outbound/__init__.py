"""Every HTTP request that the gateway makes."""

from gateway.outbound.client import AdminClient, GatewayAwayError, RefusedError

__all__ = ["AdminClient", "GatewayAwayError", "RefusedError"]
