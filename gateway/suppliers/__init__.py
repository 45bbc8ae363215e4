"""Suppliers: rows of data with every revision kept, their secrets and credentials, and what a process knows of them.

Operators change suppliers through `Suppliers` and `Keys`; running processes follow through `watch_suppliers`.
"""

from gateway.suppliers.cache import Live, SupplierCache, watch_suppliers
from gateway.suppliers.config import Limits, SupplierConfig
from gateway.suppliers.keyring import Caller, InvalidCredentialError, Keyring, Standing, WebhookKey, standing
from gateway.suppliers.keys import SCOPES, IssuedKey, Key, KeyKind, Keys, TooManyKeysError, UnknownKeyError
from gateway.suppliers.rows import (
    Applied,
    Change,
    Revision,
    State,
    StoredSecret,
    Supplier,
    SupplierDetail,
    Suppliers,
    UnknownSupplierError,
    brakes_of,
    lease_of,
    webhook_lease_of,
)
from gateway.suppliers.sealed import (
    SEALED_BY_SUPPLIERS,
    ResealReport,
    SealedTable,
    UnreadableSecret,
    count_sealed,
    reseal,
    rotated_at,
)
from gateway.suppliers.secrets import SecretBox, SecretUnreadableError, load_or_create_key

__all__ = [
    "SCOPES",
    "SEALED_BY_SUPPLIERS",
    "Applied",
    "Caller",
    "Change",
    "InvalidCredentialError",
    "IssuedKey",
    "Key",
    "KeyKind",
    "Keyring",
    "Keys",
    "Limits",
    "Live",
    "ResealReport",
    "Revision",
    "SealedTable",
    "SecretBox",
    "SecretUnreadableError",
    "Standing",
    "State",
    "StoredSecret",
    "Supplier",
    "SupplierCache",
    "SupplierConfig",
    "SupplierDetail",
    "Suppliers",
    "TooManyKeysError",
    "UnknownKeyError",
    "UnknownSupplierError",
    "UnreadableSecret",
    "WebhookKey",
    "brakes_of",
    "count_sealed",
    "lease_of",
    "load_or_create_key",
    "reseal",
    "rotated_at",
    "standing",
    "watch_suppliers",
    "webhook_lease_of",
]
