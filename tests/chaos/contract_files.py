"""Documents of contracts at the mall core's file server; some are changed after the contract was issued."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiohttp import web

from tests.supplier_site import Site

CHANGED = 0.15
"""Share of the documents of which other bytes are served than were announced."""


@dataclass
class ContractFiles:
    """What the core's file server has, by path."""

    site: Site
    rng: Random
    _served: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.site.answer = self._answer

    @property
    def host(self) -> str:
        """Host and port, as the gateway has to allow them."""
        return f"127.0.0.1:{self.site.port}"

    def announced(self, contract_no: str, revision: int) -> Mapping[str, Any]:
        """A document as a command of the contract names it."""
        path = f"/{contract_no}-{revision}.pdf"
        content = f"合同 {contract_no} 第 {revision} 版\n".encode() * self.rng.randint(1, 2000)
        changed = content[:-1] + b"!" if self.rng.random() < CHANGED else content
        self._served.setdefault(path, changed)
        found = {"url": f"http://{self.host}{path}", "size": len(content), "media_type": "application/pdf"}
        return {**found, "sha256": hashlib.sha256(content).hexdigest()}

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        content = self._served.get(request.path)
        return web.Response(status=404) if content is None else web.Response(body=content)
