"""A supplier's interface. to-do: say in one line whose, and what suppliers of it have in common."""

from gateway.sdk.template.adapter import Adapter

__all__ = ["Adapter"]
