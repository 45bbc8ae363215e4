"""A vendor without an API: fetches commands from the gateway's mailbox, acknowledges them and answers with events."""

from contrib.simulators.native.config import Config
from contrib.simulators.native.vendor import Vendor, open_vendor

__all__ = ["Config", "Vendor", "open_vendor"]
