from __future__ import annotations
import asyncio, fcntl, os, pty, struct, subprocess, sys, termios
from tests.integration.relayed.conftest import Market
from tests.program import ADMIN_TOKEN
from tests.eventually import eventually

def shown(url: str, columns: int, *words: str) -> str:
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    env = {**os.environ, "MALLGATE_ADMIN_URL": url, "MALLGATE_ADMIN_TOKEN": ADMIN_TOKEN, "NO_COLOR": "1", "TERM": "dumb"}
    env.pop("COLUMNS", None)
    p = subprocess.Popen([sys.executable, "-m", "gateway", *words], stdin=side, stdout=side, stderr=side, env=env)
    os.close(side)
    out = b""
    while True:
        try:
            piece = os.read(main, 65536)
        except OSError:
            break
        if not piece: break
        out += piece
    p.wait()
    return out.decode().replace("\r\n", "\n")

async def test_play(market: Market) -> None:
    url = market.operator.url
    def both(title, *words):
        with open("/tmp/relay_operate/shown.txt", "a") as f:
            for columns in (80, 120):
                f.write(f"===== {title} at {columns}: mallgate {' '.join(words)}\n{shown(url, columns, *words)}\n")
    open("/tmp/relay_operate/shown.txt", "w").close()
    await market.fault("reset", "order/submitOrder", times=1)
    placed = market.order(1)
    await market.core.send(placed)
    await market.core.ended(placed)
    await market.core.send(sure := market.confirm(1))
    await market.core.ended(sure)
    await asyncio.to_thread(both, "lost, found, confirmed", "orders", "show", market.number())
    await market.fault("reset", "order/submitOrder", times=1)
    await market.fault("status", "order/selectJdOrderIdByThirdOrder", times=200, status=503)
    await market.core.send(second := market.order(2))
    async def unknown():
        found = (await market.operator.ask("GET", f"orders?supplier={market.supplier}"))["commands"]
        return bool(found)
    await eventually(unknown)
    await asyncio.sleep(4)
    await asyncio.to_thread(both, "lost, not known yet", "orders", "show", market.number(2))
    await asyncio.to_thread(both, "list", "orders", "list", "--supplier", market.supplier)
