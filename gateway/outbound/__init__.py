"""Every HTTP request that the gateway makes."""

from gateway.outbound.client import AdminClient, GatewayAwayError, RefusedError
from gateway.outbound.vendor import VendorClient

__all__ = ["AdminClient", "GatewayAwayError", "RefusedError", "VendorClient"]
