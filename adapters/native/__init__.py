"""The gateway's own push format, for suppliers who write their feeds to our documentation."""

from adapters.native.adapter import Adapter

__all__ = ["Adapter"]
