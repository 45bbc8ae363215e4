"""PostgreSQL over TLS: a server is asked only when it can prove who it is."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.embedded import Engines
from gateway.sdk.errors import ConfigError
from gateway.store import connect, open_pool
from tests.certificates import Authority


@asynccontextmanager
async def tls_before(port: int, certificate: str, key: str, directory: Path) -> AsyncIterator[int]:
    """The port of a front that speaks TLS as PostgreSQL does, for a server that was built without it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    chain = directory / "server.pem"
    chain.write_text(key + certificate)
    context.load_cert_chain(chain)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readexactly(8)  # "may we speak TLS?"
            writer.write(b"S")
            await writer.start_tls(context)
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_pass(reader, inner_writer), _pass(inner_reader, writer))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("the mall's authority")


@pytest.fixture
async def url(engines: Engines, authority: Authority, tmp_path: Path) -> AsyncIterator[str]:
    """Of a server that goes by 127.0.0.1 alone; the certificate of its authority is still to be named."""
    parts = urlsplit(engines.database_url)
    async with tls_before(parts.port or 0, *authority.vouch("127.0.0.1"), tmp_path) as port:
        yield f"{engines.database_url.replace(f':{parts.port}/', f':{port}/')}?sslmode=verify-full"


async def test_a_server_that_proves_who_it_is_is_asked(url: str, authority: Authority, tmp_path: Path) -> None:
    trusted = f"{url}&sslrootcert={authority.write(tmp_path / 'ca.pem')}"
    async with connect(trusted, name="tests") as connection:
        assert await connection.fetchval("SELECT 1") == 1
    async with open_pool(trusted, name="tests", size=1):
        pass


async def refused(url: str) -> str:
    """What is said at once, and not only when patience is over."""
    with pytest.raises(ConfigError) as raised:
        async with connect(url, name="tests", wait_seconds=300.0):
            pass
    message = str(raised.value)
    assert "\n" not in message
    assert message.startswith("DATABASE_URL")
    return message


async def test_another_authority_is_refused(url: str, tmp_path: Path) -> None:
    stranger = Authority("somebody else's").write(tmp_path / "ca.pem")
    assert "not to be trusted" in await refused(f"{url}&sslrootcert={stranger}")


async def test_another_name_is_refused(url: str, authority: Authority, tmp_path: Path) -> None:
    trusted = f"{url}&sslrootcert={authority.write(tmp_path / 'ca.pem')}"
    assert "localhost" in await refused(trusted.replace("@127.0.0.1", "@localhost"))


async def test_a_missing_authority_is_told(url: str, tmp_path: Path) -> None:
    assert "nowhere.pem" in await refused(f"{url}&sslrootcert={tmp_path / 'nowhere.pem'}")


async def test_a_file_that_holds_no_authority_is_told(url: str, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate\n")
    assert "certificates" in await refused(f"{url}&sslrootcert={tmp_path / 'ca.pem'}")


@pytest.mark.parametrize("host", ["db.example", "10.0.0.7", "127.0.0.1,db.example", "[2001:db8::1]"])
async def test_a_server_elsewhere_is_not_asked_before_somebody_says_how(host: str) -> None:
    assert "sslmode" in await refused(f"postgresql://mall:hush@{host}/mall")
