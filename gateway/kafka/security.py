"""How every client of Kafka proves who it is, and has the brokers prove it."""

from __future__ import annotations

import ssl
from functools import cache
from typing import Any

from gateway.config import Bootstrap
from gateway.sdk.errors import ConfigError


def client_options(bootstrap: Bootstrap) -> dict[str, Any]:
    """What aiokafka's clients are told of where Kafka is and how to be safe with it. Raises ConfigError."""
    options: dict[str, Any] = {
        "bootstrap_servers": bootstrap.servers,
        "security_protocol": bootstrap.security_protocol,
    }
    if bootstrap.security_protocol.startswith("SASL_"):
        options |= {
            "sasl_mechanism": bootstrap.sasl_mechanism,
            "sasl_plain_username": bootstrap.sasl_username,
            "sasl_plain_password": bootstrap.sasl_password,
        }
    if bootstrap.security_protocol.endswith("SSL"):
        options["ssl_context"] = _context(bootstrap)
    return options


@cache
def _context(bootstrap: Bootstrap) -> ssl.SSLContext:
    """Certificates are verified and must name the host that was dialled; there is no way to turn that off.

    Read once: a file that goes away later disturbs nobody.
    """
    try:
        context = ssl.create_default_context(cafile=bootstrap.ssl_ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError([f"kafka_ssl_ca_file: {bootstrap.ssl_ca_file}: {error}"]) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if bootstrap.ssl_cert_file is not None:
        _show_certificate(context, bootstrap)
    return context


def _show_certificate(context: ssl.SSLContext, bootstrap: Bootstrap) -> None:
    certificate, key = bootstrap.ssl_cert_file, bootstrap.ssl_key_file
    if certificate is None or key is None:
        raise ConfigError(["kafka_ssl_cert_file and kafka_ssl_key_file belong together"])
    try:
        # An empty passphrase, or OpenSSL would ask for one at the terminal.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ssl.SSLError) as error:
        raise ConfigError([f"kafka_ssl_cert_file, kafka_ssl_key_file: {certificate}, {key}: {error}"]) from error
