"""A vendor's webhook: takes messages of the gateway, stores each once, and acknowledges it. See /docs/webhooks.

It needs Python and the public `standardwebhooks` library. Behind a proxy that ends TLS:

    export WEBHOOK_SECRET=whsec_…          # while it is rotated, both: whsec_new whsec_old
    python webhook_receiver.py --port 9000 --database messages.sqlite
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

LARGEST = 4 * 1024 * 1024
"""Bytes of a message."""

SECONDS = 10.0
"""For one request: the gateway gives up after 15."""


class Messages:
    """Where messages are stored. The program that works on orders reads them there, and answers the gateway."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with closing(self._open()) as database:
            database.execute("CREATE TABLE IF NOT EXISTS messages (id TEXT PRIMARY KEY, type TEXT, body BLOB)")
            database.commit()

    def store(self, message_id: str, kind: str, body: bytes) -> bool:
        """Store a message durably; False for one that is there already, which is no fault."""
        with closing(self._open()) as database:
            row = (message_id, kind, body)
            new = database.execute("INSERT OR IGNORE INTO messages VALUES (?, ?, ?)", row).rowcount == 1
            database.commit()
        return new

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=SECONDS)


def verified(secrets: Sequence[str], headers: dict[str, str], body: bytes) -> Any:
    """What a message says, as JSON. Raises WebhookVerificationError: it is not the gateway's, or too old."""
    for secret in secrets[:-1]:
        try:
            return Webhook(secret).verify(body, headers)
        except WebhookVerificationError:
            continue
    return Webhook(secrets[-1]).verify(body, headers)


class Receiver(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"
    timeout = SECONDS
    secrets: Sequence[str] = ()
    messages: Messages

    def do_POST(self) -> None:
        """Take a message: 204 once it is stored, 400 for what is not the gateway's."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LARGEST:
            self._answer(HTTPStatus.BAD_REQUEST)
            return
        body = self.rfile.read(int(length))
        try:
            message = verified(self.secrets, dict(self.headers), body)
        except WebhookVerificationError:
            self._answer(HTTPStatus.BAD_REQUEST)
            return
        # A test asks for nothing. Anything else is stored first and answered then: a 2xx says that we have it.
        if message["type"] != "webhook.test":
            new = self.messages.store(message["id"], message["type"], body)
            print(json.dumps({"id": message["id"], "type": message["type"], "new": new}), flush=True)
        self._answer(HTTPStatus.NO_CONTENT)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- named by http.server
        """Say nothing: what is received is printed."""

    def _answer(self, status: HTTPStatus) -> None:
        self.send_response(status)
        if status is not HTTPStatus.NO_CONTENT:
            self.close_connection = True
            self.send_header("Content-Length", "0")
        self.end_headers()


def main() -> None:
    """Serve until it is ended."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--database", type=Path, default=Path("messages.sqlite"))
    asked = parser.parse_args()
    Receiver.secrets = os.environ.get("WEBHOOK_SECRET", "").split()
    if not Receiver.secrets:
        sys.exit("WEBHOOK_SECRET is not set")
    Receiver.messages = Messages(asked.database)
    with ThreadingHTTPServer((asked.host, asked.port), Receiver) as server:
        print(json.dumps({"port": server.server_address[1]}), flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
