"""Reading what an operator declares of suppliers; every problem is found at once, with its path.

The document is `{"suppliers": {id: {…}}}`: the members of a supplier are those of `SupplierConfig` and `secrets`, its
secrets by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pydantic import SecretStr, StringConstraints, TypeAdapter, ValidationError

from gateway.outbound.address import UrlForbiddenError, check_url
from gateway.registry import Registry
from gateway.sdk.errors import ConfigError
from gateway.sdk.manifest import HttpFacts, Manifest
from gateway.suppliers.config import Calls, SecretName, SupplierConfig
from gateway.suppliers.webhook_secrets import WEBHOOK_SECRET, WEBHOOK_SECRETS, is_webhook_secret
from schemas.directories import Directory, directories, in_force

Secrets = dict[SecretName, Annotated[SecretStr, StringConstraints(min_length=1, max_length=10_000)]]
SECRETS = TypeAdapter[Secrets](Secrets)

WORDS: Mapping[str, str] = {"extra_forbidden": "unknown key", "missing": "is missing"}
"""What we say instead of pydantic."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """One supplier as declared. secrets: name -> secret, never shown."""

    config: SupplierConfig
    secrets: Mapping[str, SecretStr]


def parse(document: object, registry: Registry, on: date) -> list[Declaration]:
    """The suppliers of a document, judged by the purchasing directory of a day.

    Raises ConfigError with everything that is wrong, as `path: problem`.
    """
    if not isinstance(document, Mapping) or not isinstance(document.get("suppliers"), Mapping):
        raise ConfigError(["suppliers: is missing; declare suppliers as [suppliers.<id>] tables"])
    problems = [f"{path_of([key])}: unknown key" for key in document if key != "suppliers"]
    declarations = []
    for supplier, table in document["suppliers"].items():
        try:
            declarations.append(_declaration(supplier, table, registry, in_force(directories(), on)))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return declarations


def path_of(parts: Sequence[str | int]) -> str:
    """Where something stands in the document, as TOML writes keys: `suppliers.acme.category_map."办公/打印机"`."""
    return ".".join(part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else f'"{part}"' for part in map(str, parts))


def _declaration(supplier: str, table: object, registry: Registry, directory: Directory | None) -> Declaration:
    here = ("suppliers", supplier)
    if not isinstance(table, Mapping):
        raise ConfigError([f"{path_of(here)}: should be a table"])
    config, problems = _config(supplier, table, here)
    try:
        secrets = SECRETS.validate_python(table.get("secrets", {}))
    except ValidationError as error:
        secrets = {}
        problems += _problems(error, (*here, "secrets"))
    if config is not None:
        problems += _against_adapter(config, secrets, registry, here)
        problems += _against_directory(config, directory, here)
    if config is None or problems:
        raise ConfigError(problems)
    return Declaration(config, secrets)


def _config(supplier: str, table: Mapping[str, Any], here: Sequence[str]) -> tuple[SupplierConfig | None, list[str]]:
    members = {name: value for name, value in table.items() if name not in ("secrets", "supplier")}
    problems = [f"{path_of((*here, 'supplier'))}: unknown key"] if "supplier" in table else []
    try:
        return SupplierConfig(supplier=supplier, **members), problems
    except ValidationError as error:
        return None, problems + list(_problems(error, here))


def _against_adapter(
    config: SupplierConfig, secrets: Mapping[str, SecretStr], registry: Registry, here: Sequence[str]
) -> Iterator[str]:
    try:
        loaded = registry.load(config.adapter)
    except ConfigError as error:
        yield from (f"{path_of((*here, 'adapter'))}: {problem}" for problem in error.problems)
        return
    for facet in config.facets:
        if facet not in loaded.manifest.facets:
            yield f"{path_of((*here, 'facets'))}: adapter {config.adapter} does not feed {facet}"
    try:
        loaded.adapter.options_model.model_validate(config.options)
    except ValidationError as error:
        yield from _problems(error, (*here, "options"))
    yield from _against_calls(config, loaded.manifest, here)
    yield from _against_webhook(config, secrets, loaded.manifest, here)
    for name in loaded.manifest.auth.secrets:
        if name not in secrets:
            yield f"{path_of((*here, 'secrets', name))}: is missing; adapter {config.adapter} needs it"


def _against_calls(config: SupplierConfig, manifest: Manifest, here: Sequence[str]) -> Iterator[str]:
    for facet in config.pulls:
        if facet not in manifest.pulls:
            yield f"{path_of((*here, 'pulls', facet))}: adapter {config.adapter} does not pull {facet}"
    if manifest.http is not None:
        yield from _narrowed(config.http, manifest.http, (*here, "http"))
    elif config.http != Calls():
        yield f"{path_of((*here, 'http'))}: adapter {config.adapter} calls nobody"


def _narrowed(calls: Calls, facts: HttpFacts, here: Sequence[str]) -> Iterator[str]:
    for name in ("timeout_seconds", "rate_per_second", "concurrency"):
        wanted, most = getattr(calls, name), getattr(facts, name)
        if wanted is not None and wanted > most:
            yield f"{path_of((*here, name))}: {wanted:g} exceeds {most:g}, the most that the adapter allows"
    url = calls.base_url or facts.base_url
    if url is None:
        yield f"{path_of((*here, 'base_url'))}: is missing; the adapter has none that all suppliers share"
        return
    try:
        check_url(url, allow_private=calls.allow_private)
    except UrlForbiddenError as error:
        yield f"{path_of((*here, 'base_url'))}: {error}"


def _against_webhook(
    config: SupplierConfig, secrets: Mapping[str, SecretStr], manifest: Manifest, here: Sequence[str]
) -> Iterator[str]:
    for name in WEBHOOK_SECRETS:
        if name in secrets and not is_webhook_secret(secrets[name].get_secret_value()):
            yield f"{path_of((*here, 'secrets', name))}: should be whsec_ and the base64 of 24 to 64 bytes"
    if config.webhook is None:
        return
    if manifest.http is not None:
        yield f"{path_of((*here, 'webhook'))}: adapter {config.adapter} calls the supplier itself"
    if WEBHOOK_SECRET not in secrets:
        yield f"{path_of((*here, 'secrets', WEBHOOK_SECRET))}: is missing; what is sent to the webhook is signed"
    try:
        check_url(config.webhook.url, allow_private=config.webhook.allow_private)
    except UrlForbiddenError as error:
        yield f"{path_of((*here, 'webhook', 'url'))}: {error}"


def _against_directory(config: SupplierConfig, directory: Directory | None, here: Sequence[str]) -> Iterator[str]:
    for category, name in config.category_map.items():
        if directory is None or directory.named(name).item is None:
            yield f"{path_of((*here, 'category_map', category))}: no directory item is called {name!r}"


def _problems(error: ValidationError, here: Sequence[str]) -> Iterator[str]:
    """One line for each error. The input itself is never quoted: it may be a secret."""
    for each in error.errors(include_input=False, include_url=False):
        parts = [part for part in each["loc"] if part != "[key]"]
        # The id of a supplier is the key of its table.
        path = here if parts == ["supplier"] else (*here, *parts)
        yield f"{path_of(path)}: {WORDS.get(each['type'], each['msg'].removeprefix('Value error, '))}"
