"""README's quick start, pasted line by line into a shell that stands in a fresh clone."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import orjson
import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {"MALLGATE_PORT": "8080", "MALLGATE_ADMIN_PORT": "8081", "MALLGATE_OPS_PORT": "8082"}
SIMULATOR_PORT = "8900"
README_PORTS = (*SETTINGS.values(), SIMULATOR_PORT)

MISSING = [tool for tool in ("bash", "curl", "git") if shutil.which(tool) is None]

pytestmark = [pytest.mark.engines, pytest.mark.timeout(240)]


def quick_start(readme: str) -> str:
    """The shell lines from README's heading to its next chapter."""
    chapter = readme.partition("\n## Quick start\n")[2].partition("\n## ")[0]
    return "".join(re.findall(r"^```sh\n(.+?)^```$", chapter, flags=re.MULTILINE | re.DOTALL))


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What git has of this tree, with a .venv of its own program that borrows our packages: nothing is downloaded."""
    tree = tmp_path / "mallgate"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(tree)], check=True)
    venv.create(tree / ".venv", symlinks=True)
    packages = tree / ".venv" / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    (packages / "borrowed.pth").write_text(f"{tree}\n{Path(pytest.__file__).parents[1]}\n", encoding="utf-8")
    program = tree / ".venv" / "bin" / "mallgate"
    program.write_text(f"#!{tree}/.venv/bin/python\nfrom gateway.__main__ import main\nmain()\n", encoding="utf-8")
    program.chmod(0o755)
    (tree / ".venv" / ".installed").touch()
    return tree


@pytest.fixture
def ports() -> dict[str, str]:
    """README's ports, of the gateway's servers and of the simulator, may be taken here; these are not."""
    with ExitStack() as stack:
        free = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in README_PORTS]
        return {name: str(each.getsockname()[1]) for name, each in zip(README_PORTS, free, strict=True)}


def pasted(lines: str, directory: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Type lines into a shell: its status, and what all of it printed."""
    with subprocess.Popen(
        ["bash"],
        cwd=directory,
        env={name: value for name, value in os.environ.items() if not name.startswith("MALLGATE_")} | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as shell:
        printed, _ = shell.communicate(lines, timeout=220)
    return shell.returncode, printed


@pytest.fixture
def nothing_remains(clone: Path) -> Iterator[None]:
    """Whatever runs in the clone at the end is ended, and the test fails for it."""
    yield
    left = [each for each in psutil.process_iter(["cmdline"]) if str(clone) in " ".join(each.info["cmdline"] or ())]
    for process in left:
        process.send_signal(signal.SIGKILL)
    assert left == []


@pytest.mark.skipif(bool(MISSING), reason=f"README's lines need {MISSING}")
@pytest.mark.usefixtures("nothing_remains")
def test_the_quick_start_can_be_pasted(clone: Path, ports: dict[str, str]) -> None:
    lines = quick_start((clone / "README.md").read_text(encoding="utf-8"))
    assert lines.rstrip().endswith("kill %1 %2 %3")
    row = clone / "contrib" / "examples" / "pulled.toml"
    row.write_text(row.read_text(encoding="utf-8").replace(SIMULATOR_PORT, ports[SIMULATOR_PORT]), encoding="utf-8")
    lines = re.sub("|".join(ports), lambda found: ports[found[0]], lines)
    environment = {setting: ports[port] for setting, port in SETTINGS.items()}
    status, printed = pasted(lines + "wait %3 && wait %2 && wait %1\n", clone, environment)
    story = printed + (clone / "mallgate.log").read_text(encoding="utf-8")
    assert status == 0, story
    answers = [orjson.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert len(answers) == 8, story
    ready, pushed, done, rejected, item, signed, full, changed = answers
    assert ready["ready"] is True
    assert (pushed["state"], pushed["records"]) == ("produced", 2)
    assert (done["feed"], done["items"]) == (pushed["feed"], {"normalized": 1, "rejected": 1})
    assert (rejected["sku"], rejected["outcome"], rejected["line"]) == ("A-200", "rejected", 2), story
    assert item["sku"] == "A-100", story
    assert (signed["state"], signed["items"]) == ("done", {"normalized": 1})
    assert (full["mode"], full["state"], full["withdrawn"]) == ("full", "done", 0)
    assert re.search(r'shop:A-100:\S* .*"agreement_price":"1299\.00"', printed), story
    assert re.search(r"invalid_decimal +/price", printed), story
    assert_pulled(printed, changed, story)
    assert_ordered(printed, story)


def assert_pulled(printed: str, changed: dict[str, object], story: str) -> None:
    """What the section about a supplier that is pulled made of it."""
    sku = changed["sku"]
    assert re.search(r"^ jd +active +\S+ +500 +listing +\d+[sm] ", printed, re.MULTILINE), story
    assert len(re.findall(r"^ (?:token|list|read \w+|pool feeds) +ok ", printed, re.MULTILINE)) == 7, story
    prices = re.findall(rf'jd:{sku}:\S* .*"agreement_price":"([\d.]+)"', printed)
    assert (len(prices), prices[-1]) == (2, "12.30"), story
    assert prices[0] != "12.30"


def assert_ordered(printed: str, story: str) -> None:
    """What the section about orders made of the one that it places."""
    told = re.findall(r"^\d{4}-\d\d-\d\dT\S+ ((?:order|shipment)\.\w+) ", printed, re.MULTILINE)
    assert told == ["order.accepted", "order.confirmed", "shipment.created", "shipment.delivered"], story
    placed = re.search(r"^EX-[0-9a-f]{12}$", printed, re.MULTILINE)
    assert placed, story
    assert re.search(rf"^order +{placed[0]} *$", printed, re.MULTILINE), story
