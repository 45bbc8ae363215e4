"""The demo as a user has it: its counts are a separate reader's, its lines can be pasted, nothing outlives it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import orjson
import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
SUPPLIERS = ("demo-jd", "demo-office", "demo-slow")
FEW = ("--articles", "60", "--skus", "60")
"""Goods of the suppliers, where their number does not matter."""

PROGRAM = (sys.executable, "-m", "gateway")

MISSING = [tool for tool in ("bash", "curl") if shutil.which(tool) is None]

pytestmark = [pytest.mark.engines, pytest.mark.timeout(240)]


@contextmanager
def demo(
    home: Path, *arguments: str, port: int = 0, program: tuple[str, ...] = PROGRAM, paths: str = ""
) -> Iterator[subprocess.Popen[str]]:
    """A demo with its temporary files below `home`; killed at the end of the block at the latest.

    paths: where else its modules are looked for.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLGATE_")}
    with (
        (home / "stderr").open("w") as stderr,
        subprocess.Popen(
            [*program, "demo", "--port", str(port), *arguments],
            cwd=home if paths else ROOT,
            env=environment | {"TMPDIR": str(home), "COLUMNS": "100", "PYTHONPATH": paths},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def stdout(process: subprocess.Popen[str]) -> IO[str]:
    """What it prints."""
    assert process.stdout is not None
    return process.stdout


def until(process: subprocess.Popen[str], words: str) -> str:
    """What it prints, up to the line that has these words."""
    shown = ""
    while words not in shown:
        line = stdout(process).readline()
        assert line, f"it ended before it said {words!r}: {shown}"
        shown += line
    return shown


def account_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The one line that --json prints, as soon as it is there."""
    found: dict[str, Any] = orjson.loads(stdout(process).readline())
    return found


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The demo and every process below it: the engines, the simulated suppliers and what holds their leashes."""
    demo_itself = psutil.Process(process.pid)
    return [demo_itself, *demo_itself.children(recursive=True)]


def assert_gone(processes: list[psutil.Process]) -> None:
    """Nothing of them runs any more."""
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert [each.cmdline() for each in alive if each.is_running() and each.status() != psutil.STATUS_ZOMBIE] == []


def left_in(home: Path) -> list[str]:
    """Names of what a demo left among the temporary files."""
    return sorted(path.name for path in home.iterdir() if path.name != "stderr")


def counted_separately(home: Path) -> dict[str, Any]:
    """What Kafka and PostgreSQL hold, by a reader that has no code of the gateway."""
    (note,) = home.glob("mallgate-demo-*/instance.json")
    command = [sys.executable, "-m", "tests.reader", str(note)]
    counted = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found: dict[str, Any] = orjson.loads(counted)
    return found


def written(home: Path, name: str) -> list[dict[str, Any]]:
    """The lines of a file that a demo's supplier writes."""
    (path,) = home.glob(f"mallgate-demo-*/{name}.jsonl")
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def commands(processes: list[psutil.Process]) -> str:
    """How they were started, a line each."""
    return "\n".join(" ".join(each.cmdline()) for each in processes)


def test_its_counts_are_those_of_a_separate_reader_and_ctrl_c_ends_all_of_it(tmp_path: Path) -> None:
    with demo(tmp_path, "--json") as process:
        told = account_of(process)
        counted = counted_separately(tmp_path)
        ledgers = {name: written(tmp_path, f"{name}.ledger") for name in SUPPLIERS}
        calls = {name: written(tmp_path, f"{name}.calls") for name in ("demo-jd", "demo-slow")}
        processes = family(process)
        assert commands(processes).count("-m contrib.simulators.jd_vop") == 2
        assert commands(processes).count("-m contrib.simulators.native") == 1
        process.send_signal(signal.SIGINT)
        assert (process.wait(60), stdout(process).read()) == (0, "")
    assert_gone(processes)
    assert left_in(tmp_path) == []
    submitted = told["items"].pop("submitted")
    assert {name: count for name, count in told["items"].items() if count} == counted["items"]
    assert (submitted, len(told["feeds"]), told["topics"]) == (
        counted["submitted"],
        counted["feeds"],
        counted["topics"],
    )
    assert told["items"] == {
        "normalized": 10_500 + 4 * 2_000 + 1,
        "unchanged": 5_000,
        "stale": 500,
        "rejected": 55,
        "held": 0,
        "cancelled": 0,
    }
    assert_pulled(told)
    assert_ordered(told["orders"], counted["orders"], ledgers, calls)
    assert_served(told, ledgers)


def assert_pulled(told: dict[str, Any]) -> None:
    """One supplier was swept with no call too many, its change of a price came through; the other one was contained."""
    [(supplier, sweeps)] = told["pulled"].items()
    assert supplier == "demo-jd"
    assert {facet: sweep.get("normalized") for facet, sweep in sweeps.items()} == {
        **dict.fromkeys(("product", "price", "stock", "listing"), 2_000),
        "list": None,
    }
    # 20 questions of 100 skus; pictures come by the question, details one by one; one list of 8 pools serves all four.
    assert {facet: sweep["calls"] for facet, sweep in sweeps.items()} == {
        "product": 2_020,
        "price": 20,
        "stock": 40,
        "listing": 40,
        "list": 9,
    }
    change = told["price_change"]
    assert (change["seen_on_topic"], change["before"] != change["after"]) == (True, True)
    hanging = told["hanging"]
    assert (hanging["supplier"], set(hanging["facets"].values())) == ("demo-slow", {"listing"})
    assert hanging["breakers"]
    slow = [feed for feed in told["feeds"] if feed["supplier"] == "demo-slow"]
    assert [(feed["origin"], feed["state"], feed["items"]) for feed in slow] == [("sweep", "admitted", {})] * 4


STANDS = (
    ("order.cancelled", "cancelled"),
    ("shipment.delivered", "delivered"),
    ("order.confirmed", "confirmed"),
    ("order.accepted", "reserved"),
    ("order.refused", "refused"),
    ("order.parked", "parked"),
)
"""Where an order stands that was told this, the last word first."""

WRITES = ("order/submitOrder", "order/confirmOrder", "order/cancel")


def state_of(kinds: list[str]) -> str:
    """Where an order stands by the kinds of its events."""
    return next(state for kind, state in STANDS if kind in kinds)


def assert_ordered(
    told: dict[str, Any],
    orders: dict[str, dict[str, Any]],
    ledgers: dict[str, list[dict[str, Any]]],
    calls: dict[str, list[dict[str, Any]]],
) -> None:
    """What it says of orders is what stands on the topics, in the suppliers' ledgers and in their logs."""
    submitted = {
        name: [entry.get("thirdOrder") or entry["order_no"] for entry in entries if entry["effect"] == "submit"]
        for name, entries in ledgers.items()
    }
    for name, part in told["suppliers"].items():
        states = Counter(state_of(each["events"]) for each in orders.values() if each["supplier"] == name)
        assert (part["by_state"], part["ledger_effects"]) == (states, len(submitted[name])), name
        sent = [call["operation"] in WRITES for call in calls.get(name, [])]
        fetched = [
            entry["message_id"] is not None and entry["operation"].startswith("order.")
            for entry in ledgers[name]
            if name == "demo-office"
        ]
        assert part["attempts"] == sum(sent) + sum(fetched), name
        assert set(submitted[name]) == {
            order_no
            for order_no, each in orders.items()
            if each["supplier"] == name and "order.refused" not in each["events"][:1]
        }
    assert {name: part["placed"] for name, part in told["suppliers"].items()} == {
        "demo-jd": 10,
        "demo-office": 10,
        "demo-slow": 3,
    }
    done = [order_no for each in submitted.values() for order_no in each]
    assert (told["placed"], told["ledger_effects"], len(set(done))) == (len(orders), len(done), len(done))
    assert told["ledger_effects"] + told["refused"] == told["placed"]
    assert (told["refused"], told["duplicates"], told["lost"], told["violations"]) == (1, 0, 0, [])
    # One answer was lost, after the order had been made: it was sent once more, and looked up.
    [lost] = [call["form"]["thirdOrder"] for call in calls["demo-jd"] if call["fault"] == ["reset"]]
    of_lost = [call["operation"] for call in calls["demo-jd"] if call["form"].get("thirdOrder") == lost]
    assert of_lost == ["order/submitOrder", "order/submitOrder", "order/selectJdOrderIdByThirdOrder"]
    assert told["lookups_that_prevented_a_duplicate"] == 1
    assert told["commands"] > told["placed"]
    # Nobody knows of those at the supplier that hangs whether it made them: a person decides, and none is made twice.
    assert (told["suppliers"]["demo-slow"]["by_state"], told["waiting"]) == ({"parked": 3}, 3)


def assert_served(told: dict[str, Any], ledgers: dict[str, list[dict[str, Any]]]) -> None:
    """What it says of contracts, invoices and after-sale is what stands in the suppliers' ledgers."""
    office, both = ledgers["demo-office"], [*ledgers["demo-jd"], *ledgers["demo-office"]]
    done = Counter(entry["effect"] for entry in both)
    served = {name: told[name] for name in ("contracts", "invoices", "aftersales")}
    assert [(each["duplicates"], each["lost"], each["violations"]) for each in served.values()] == [(0, 0, [])] * 3
    contracts, invoices, after_sales = served.values()
    taken, refused = done["issue_contract"], done["refuse_contract"]
    assert (contracts["issued"], contracts["signed"], contracts["refused"]) == (taken + refused, taken, refused)
    assert (refused, taken > 0, done["sign_contract"]) == (1, True, taken)
    # The vendor was a cent wrong in one invoice: it was held, and all others came through.
    off = [
        entry["mark_id"]
        for entry in office
        if entry["effect"] == "invoice_issue"
        and sum(Decimal(each[part]) for each in entry["event"]["payload"]["invoices"] for part in ("net", "tax"))
        != sum(Decimal(each["gross"]) for each in entry["event"]["payload"]["invoices"])
    ]
    assert (len(off), invoices["held"], invoices["requested"]) == (1, 1, done["invoice"])
    assert (invoices["issued"], done["invoice_issue"]) == (done["invoice"] - 1, done["invoice"])
    assert (after_sales["requested"], after_sales["settled"]) == (done["after_sale"], done["refund"])
    assert done["refund"] == done["after_sale"] > 1


def test_killing_it_outright_leaves_no_process(tmp_path: Path) -> None:
    with demo(tmp_path, "--json", *FEW) as process:
        account_of(process)
        processes = family(process)
        assert commands(processes).count("-m contrib.simulators.jd_vop") == 2
        assert commands(processes).count("-m contrib.simulators.native") == 1
        process.kill()
        assert process.wait(10) == -signal.SIGKILL
        assert_gone(processes)


@pytest.mark.parametrize("step", ["pushing", "one answer is lost"])
def test_ctrl_c_before_the_end_is_an_interruption(tmp_path: Path, step: str) -> None:
    with demo(tmp_path, "--once", *FEW) as process:
        until(process, step)
        processes = family(process)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert_gone(processes)
    assert left_in(tmp_path) == []


def test_once_ends_by_itself_and_its_last_line_is_one_object(tmp_path: Path) -> None:
    with demo(tmp_path, "--once", "--json", *FEW) as process:
        printed, _ = process.communicate(timeout=220)
    assert process.returncode == 0, (tmp_path / "stderr").read_text()
    told = orjson.loads(printed.splitlines()[-1])
    parts = ("engines", "feeds", "items", "topics", "pulled", "price_change", "hanging", "orders")
    assert list(told) == [*parts, "contracts", "invoices", "aftersales", "seconds"]
    assert {told["orders"][name] for name in ("duplicates", "lost")} == {0}
    assert told["items"]["submitted"] == sum(feed["records"] or 0 for feed in told["feeds"])
    assert left_in(tmp_path) == []


def test_where_no_simulator_is_installed_it_says_so_and_goes_on(tmp_path: Path) -> None:
    home, wheel = tmp_path / "home", tmp_path / "wheel"
    for directory in (home, wheel):
        directory.mkdir()
    for package in ("gateway", "adapters", "schemas"):
        (wheel / package).symlink_to(ROOT / package)
    # -S: what points to this tree, where the simulators are, is not followed.
    paths = os.pathsep.join([str(wheel), str(Path(pytest.__file__).parents[1])])
    with demo(home, "--once", "--json", *FEW, program=(sys.executable, "-S", "-m", "gateway"), paths=paths) as process:
        printed, _ = process.communicate(timeout=220)
    said = (home / "stderr").read_text()
    assert process.returncode == 0, said
    assert said.count("no simulator is installed") == 1
    told = orjson.loads(printed.splitlines()[-1])
    assert list(told) == ["engines", "feeds", "items", "topics", "seconds"]
    assert len(told["feeds"]) == 5
    assert left_in(home) == []


def test_a_port_that_is_taken_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with demo(tmp_path, port=port) as process:
            assert process.wait(90) == 78
    # The two ports after it are taken at times as well: of whatever connects at that moment.
    first, *others = (tmp_path / "stderr").read_text().splitlines()
    assert re.fullmatch(rf"mallgate: 127\.0\.0\.1:{port} cannot be listened on .*--port.*", first)
    assert all(re.search(r"cannot be listened on .*MALLGATE_(ADMIN|OPS)_PORT", other) for other in others)
    assert left_in(tmp_path) == []


@pytest.mark.skipif(bool(MISSING), reason=f"the demo's lines need {MISSING}")
def test_the_lines_it_prints_can_be_pasted(tmp_path: Path) -> None:
    with demo(tmp_path, *FEW) as process:
        _, _, following = until(process, "Ctrl-C").partition("where to look next")
        lines = re.findall(r"^  (?:curl|export|\S*mallgate|\S*python) .*$", following, flags=re.MULTILINE)
        pages = re.findall(r"http://\S+/(?:docs|metrics|readyz)", following)
        assert (len(lines), len(pages)) == (13, 3)
        # What hangs is told by the status of `suppliers check`, too.
        lines = [f"{line} || [ $? = 1 ]" if "suppliers check" in line else line for line in lines]
        script = "\n".join([*lines, *(f"curl -s -o /dev/null -w '%{{http_code}}\\n' {page}" for page in pages)])
        pasted = subprocess.run(["bash", "-e"], input=script, cwd=ROOT, capture_output=True, text=True, check=False)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert (pasted.returncode, pasted.stderr) == (0, "")
    assert '"facet":"price","mode":"upsert"' in pasted.stdout
    rejected = re.search(r'^"60","61","ZZ-00001","rejected","error","invalid_decimal"', pasted.stdout, re.MULTILINE)
    assert rejected, pasted.stdout
    assert '"sku":"ZZ-00001","facet":"price","keys":[' in pasted.stdout
    assert re.search(r"invalid_decimal +/price", pasted.stdout)
    assert re.search(r"^ ?list +problem .*did not answer", pasted.stdout, re.MULTILINE)
    assert len(re.findall(r"mall\.catalog\.price\.v1 \d+ \{", pasted.stdout)) == 6
    before, _, after = re.findall(r"demo-jd:\S+ mall\S+ \d+ \{.*?agreement_price\":\"([\d.]+)\"", pasted.stdout)
    assert before == after
    assert pasted.stdout.endswith("200\n" * 3)
