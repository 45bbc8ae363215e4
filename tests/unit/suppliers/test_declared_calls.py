"""What a row says of how its supplier is called: it narrows the adapter's facts, and opens no door by itself."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gateway.registry import Registry
from gateway.sdk.errors import ConfigError
from gateway.suppliers.declarations import parse

MANIFEST = """
id = "puller"
name = "An interface that is pulled"
docs = "README.md"
capabilities = ["normalises_feeds", "pulls_feeds", "obtains_tokens"]
facets = ["price", "stock"]
pulls = { price = 100 }

[http]
timeout_seconds = 10
rate_per_second = 20
concurrency = 8

[auth]
scheme = "token"
secrets = ["app_key", "app_secret"]

[operations]
list_skus = { path = "/skus" }
"""

CODE = """
from gateway.sdk.adapter import Adapter as Base

class Adapter(Base):
    def normalise(self, record): ...
    async def list_skus(self, http, cursor): ...
    def areas(self, facet): ...
    async def read(self, http, facet, skus, area): ...
    async def obtain_token(self, http, secrets, held, now): ...
"""

SECRETS = {"app_key": "k", "app_secret": "hunter2"}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Two adapters: `puller`, whose suppliers each have an address of their own, and `pusher`, which calls nobody."""
    shelf = tmp_path_factory.mktemp("shelf")
    put(shelf, "puller", MANIFEST, CODE)
    pushes = 'id = "pusher"\nname = "Push"\ndocs = "x"\ncapabilities = ["normalises_feeds"]\nfacets = ["price"]\n'
    put(shelf, "pusher", pushes, CODE.split("    async", maxsplit=1)[0])
    (shelf / "shelf_of_calls" / "__init__.py").write_text("", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(shelf))
        found = Registry(package="shelf_of_calls", group="none")
        found.check(["puller", "pusher"])
    return found


def put(shelf: Path, name: str, manifest: str, code: str) -> None:
    folder = shelf / "shelf_of_calls" / name
    folder.mkdir(parents=True)
    (folder / "manifest.toml").write_text(manifest, encoding="utf-8")
    (folder / "__init__.py").write_text(code, encoding="utf-8")


def problems_of(registry: Registry, *, adapter: str = "puller", **members: Any) -> list[str]:
    """What is wrong with a supplier that is valid but for some members."""
    valid: dict[str, Any] = {"name": "Acme", "adapter": adapter, "facets": ["price"]}
    if adapter == "puller":
        valid |= {"http": {"base_url": "https://api.example.com"}, "secrets": SECRETS}
    try:
        parse({"suppliers": {"acme": {**valid, **members}}}, registry, date(2026, 1, 1))
    except ConfigError as error:
        return list(error.problems)
    return []


def test_a_supplier_may_be_called_less_than_the_adapter_allows(registry: Registry) -> None:
    http = {"base_url": "https://api.example.com", "timeout_seconds": 5, "rate_per_second": 20, "concurrency": 1}
    assert problems_of(registry, http=http, pulls={"price": "24h"}) == []


def test_a_row_cannot_widen_what_the_interface_allows(registry: Registry) -> None:
    http = {"base_url": "https://api.example.com", "timeout_seconds": 11, "rate_per_second": 20.5, "concurrency": 9}
    assert problems_of(registry, http=http) == [
        "suppliers.acme.http.timeout_seconds: 11 exceeds 10, the most that the adapter allows",
        "suppliers.acme.http.rate_per_second: 20.5 exceeds 20, the most that the adapter allows",
        "suppliers.acme.http.concurrency: 9 exceeds 8, the most that the adapter allows",
    ]


@pytest.mark.parametrize("url", ["http://api.example.com", "https://127.0.0.1", "https://①②⑦.0.0.1", "https://a@b.cn"])
def test_an_address_that_may_not_be_called_is_refused_when_it_is_declared(registry: Registry, url: str) -> None:
    [problem] = problems_of(registry, http={"base_url": url})
    assert problem.startswith("suppliers.acme.http.base_url: url_forbidden: ")


def test_an_intranet_is_opened_for_one_supplier_by_its_own_row(registry: Registry) -> None:
    http = {"base_url": "http://10.0.0.5:8080", "allow_private": True}
    assert problems_of(registry, http=http) == []


def test_everything_that_keeps_a_supplier_from_being_called_is_said_at_once(registry: Registry) -> None:
    problems = problems_of(
        registry, facets=["price", "stock"], pulls={"stock": "1h"}, http={}, secrets={"app_key": "k"}
    )
    assert problems == [
        "suppliers.acme.pulls.stock: adapter puller does not pull stock",
        "suppliers.acme.http.base_url: is missing; the adapter has none that all suppliers share",
        "suppliers.acme.secrets.app_secret: is missing; adapter puller needs it",
    ]


def test_an_adapter_that_calls_nobody_takes_no_calls(registry: Registry) -> None:
    assert problems_of(registry, adapter="pusher") == []
    assert problems_of(registry, adapter="pusher", http={"concurrency": 2}, pulls={"price": "1h"}) == [
        "suppliers.acme.pulls.price: adapter pusher does not pull price",
        "suppliers.acme.http: adapter pusher calls nobody",
    ]


SIGNING = "whsec_" + "c2VjcmV0" * 4
"""32 letters of base64: 24 bytes, the least that Standard Webhooks allows."""


def declared_webhook(registry: Registry, url: str, **more: Any) -> list[str]:
    """What is wrong with a supplier that is sent messages at this address."""
    secrets = {"webhook": SIGNING} if "secrets" not in more else more.pop("secrets")
    return problems_of(registry, adapter="pusher", webhook={"url": url, **more}, secrets=secrets)


def test_a_vendor_that_fetches_may_be_sent_messages_too(registry: Registry) -> None:
    assert declared_webhook(registry, "https://vendor.example.com/hook") == []
    assert declared_webhook(registry, "http://127.0.0.1:9000/hook", allow_private=True) == []
    two = {"webhook": SIGNING, "webhook_former": SIGNING}
    assert declared_webhook(registry, "https://vendor.example.com/hook", secrets=two) == []


@pytest.mark.parametrize(
    "url",
    [
        "http://vendor.example.com/hook",
        "https://127.0.0.1/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://localhost/hook",
        "https://vendor.example.com:22/hook",
        "https://user:pass@vendor.example.com/hook",
    ],
)
def test_a_webhook_that_may_not_be_called_is_refused_when_it_is_declared(registry: Registry, url: str) -> None:
    [problem] = declared_webhook(registry, url)
    assert problem.startswith("suppliers.acme.webhook.url: url_forbidden: ")


@pytest.mark.parametrize("secret", ["secret", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!", "whsec_" + "c2VjcmV0" * 12])
@pytest.mark.parametrize("name", ["webhook", "webhook_former"])
def test_a_secret_that_is_not_one_of_the_standard_is_refused_and_not_quoted(
    registry: Registry, name: str, secret: str
) -> None:
    secrets = {"webhook": SIGNING, name: secret}
    [problem] = declared_webhook(registry, "https://vendor.example.com/hook", secrets=secrets)
    assert problem == f"suppliers.acme.secrets.{name}: should be whsec_ and the base64 of 24 to 64 bytes"


def test_a_webhook_needs_a_secret_and_a_vendor_that_fetches(registry: Registry) -> None:
    webhook = {"url": "https://vendor.example.com/hook"}
    [missing] = problems_of(registry, adapter="pusher", webhook=webhook)
    assert missing.startswith("suppliers.acme.secrets.webhook: is missing")
    [called] = problems_of(registry, webhook=webhook, secrets={**SECRETS, "webhook": SIGNING})
    assert called == "suppliers.acme.webhook: adapter puller calls the supplier itself"
