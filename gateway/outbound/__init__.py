"""Every HTTP request that the gateway makes."""

from gateway.outbound.client import AdminClient, GatewayAwayError, RefusedError
from gateway.outbound.faults import AddressBlockedError
from gateway.outbound.prepare import Credential, Prepared, prepare
from gateway.outbound.simulator import SimulatorClient
from gateway.outbound.supplier import HttpLimits, SupplierClient
from gateway.outbound.vendor import VendorClient

__all__ = [
    "AddressBlockedError",
    "AdminClient",
    "Credential",
    "GatewayAwayError",
    "HttpLimits",
    "Prepared",
    "RefusedError",
    "SimulatorClient",
    "SupplierClient",
    "VendorClient",
    "prepare",
]
