"""One gateway and one simulated supplier that takes orders, both real, on engines of the test's own."""

from __future__ import annotations

from tests.integration.pulled.conftest import Ground, ground

__all__ = ["Ground", "ground"]
