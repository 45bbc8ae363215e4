"""A vendor that is given contracts: it verifies the document, takes the contract and signs it, or refuses it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from contrib.simulators.jd_vop.faults import Rule
from contrib.simulators.native import Config, Vendor, ledger, open_vendor
from gateway.relay.contract_answers import CONTRACT_ANSWERS
from schemas.contracts.commands import ContractOperation
from schemas.contracts.events import ContractKind
from schemas.contracts.examples import COMMAND_EXAMPLES, CONTRACT_NO
from tests.eventually import eventually
from tests.played_mailbox import KEY, Mailbox, open_mailbox

TEXT = "合同正文".encode() * 1000
PLACE = f"/v1/contracts/{CONTRACT_NO}/document?message=M&expires=9&signature=ab"
ISSUE, AMEND, TERMINATE = ContractOperation.ISSUE, ContractOperation.AMEND, ContractOperation.TERMINATE


def command(operation: ContractOperation = ISSUE, **document: Any) -> Mapping[str, Any]:
    """The published example of a command, with a document that is there."""
    said: dict[str, Any] = orjson.loads(COMMAND_EXAMPLES[operation].model_dump_json())
    if "document" in said["payload"]:
        right = {"url": PLACE, "sha256": hashlib.sha256(TEXT).hexdigest(), "size": len(TEXT)}
        said["payload"]["document"] |= right | document
    return said


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    async with open_mailbox() as mailbox:
        mailbox.documents[PLACE] = 200, TEXT
        yield mailbox


@asynccontextmanager
async def vendor(mailbox: Mailbox, path: Path, *faults: Rule) -> AsyncIterator[Vendor]:
    config = Config(mailbox.url, path / "ledger.jsonl", KEY, poll_seconds=0.01, retry_seconds=0.01)
    async with open_vendor(config) as vendor:
        for rule in faults:
            vendor.faults.add(rule)
        yield vendor


async def when(holds: Callable[[], bool]) -> None:
    """Return once it holds."""

    async def asked() -> bool:
        return holds()

    await eventually(asked)


async def told(mailbox: Mailbox, count: int) -> list[Mapping[str, Any]]:
    """The first so many answers, each as the gateway takes it."""
    await when(lambda: len(mailbox.told) >= count)
    for _, _, event in mailbox.told:
        CONTRACT_ANSWERS[ContractKind(event["event"])].model_validate_json(orjson.dumps(event))
    return [*mailbox.events(CONTRACT_NO)]


def effects(path: Path) -> list[str]:
    return [entry["effect"] for entry in ledger.read(path / "ledger.jsonl") if entry["effect"] != "answer"]


async def test_a_contract_whose_document_is_right_is_taken_and_signed(mailbox, tmp_path):
    async with vendor(mailbox, tmp_path):
        mailbox.put(command())
        taken, signed = await told(mailbox, 2)
    assert [taken["event"], signed["event"]] == ["contract.acknowledged", "contract.signed"]
    assert signed["payload"]["document_sha256"] == hashlib.sha256(TEXT).hexdigest()
    assert (mailbox.waiting, effects(tmp_path)) == ({}, ["issue_contract", "sign_contract"])


@pytest.mark.parametrize(
    ("document", "answer"),
    [
        ({"sha256": "0" * 64}, (200, TEXT)),
        ({"size": 1}, (200, TEXT)),
        ({}, (200, TEXT + b".")),
        ({}, (410, b'{"retryable": false}')),
        ({}, (502, b'{"retryable": false}')),
    ],
)
async def test_a_document_that_is_another_one_or_not_to_be_had_is_refused(mailbox, tmp_path, document, answer):
    mailbox.documents[PLACE] = answer
    async with vendor(mailbox, tmp_path):
        mailbox.put(command(**document))
        [refused] = await told(mailbox, 1)
    assert (refused["event"], refused["payload"]["code_class"]) == ("contract.refused", "document")
    assert effects(tmp_path) == ["refuse_contract"]


async def test_a_document_that_cannot_be_had_yet_is_asked_for_again(mailbox, tmp_path):
    mailbox.documents[PLACE] = 503, b'{"retryable": true}'
    async with vendor(mailbox, tmp_path):
        mailbox.put(command())
        await when(lambda: mailbox.fetched >= 1)
        assert (mailbox.acknowledged, mailbox.told) == ([], [])
        mailbox.documents[PLACE] = 200, TEXT
        assert len(await told(mailbox, 2)) == 2


async def test_a_contract_is_refused_when_told_so(mailbox, tmp_path):
    async with vendor(mailbox, tmp_path, Rule("refuse", "contract.*", parameters={"code_class": "amount"})):
        mailbox.put(command())
        [refused] = await told(mailbox, 1)
    assert (refused["event"], refused["payload"]["code_class"]) == ("contract.refused", "amount")
    [entry, answered] = ledger.read(tmp_path / "ledger.jsonl")
    assert (entry["effect"], entry["contract_no"], entry["revision"]) == ("refuse_contract", CONTRACT_NO, 1)
    assert answered["status"] == 202


async def test_an_amendment_is_signed_anew_and_a_termination_and_notices_are_only_kept(mailbox, tmp_path):
    async with vendor(mailbox, tmp_path):
        mailbox.put(command())
        await told(mailbox, 2)
        mailbox.put(command(AMEND))
        signed = (await told(mailbox, 4))[-1]
        mailbox.put(command(TERMINATE))
        await when(lambda: mailbox.waiting == {})
        assert len(mailbox.told) == 4
    assert (signed["event"], signed["revision"]) == ("contract.signed", 2)
    kept = ["issue_contract", "sign_contract", "amend_contract", "sign_contract", "terminate_contract"]
    assert effects(tmp_path) == kept


async def test_a_vendor_that_crashed_signs_what_it_had_taken_once(mailbox, tmp_path):
    async with vendor(mailbox, tmp_path, Rule("crash", times=1)) as alive:
        mailbox.put(command())
        await told(mailbox, 2)
        mailbox.lapse()
        await when(lambda: mailbox.waiting == {})
        assert alive.crashes == 1
    assert effects(tmp_path) == ["issue_contract", "sign_contract"]
    assert len(mailbox.told) == 2


async def test_wrong_answers_are_told_as_ordered_and_the_right_ones_after_them(mailbox, tmp_path):
    rules = Rule("foreign_order"), Rule("out_of_state"), Rule("answer_twice")
    async with vendor(mailbox, tmp_path, *rules) as alive:
        mailbox.put(command())
        await when(lambda: alive.sent.total() == 5)
        assert alive.sent == {
            ("contract.acknowledged", 404): 1,
            ("contract.signed", 409): 1,
            ("contract.acknowledged", 202): 2,
            ("contract.signed", 202): 1,
        }
