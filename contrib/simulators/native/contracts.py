"""Contracts at the vendor: the document is fetched and verified first, then the contract is taken and signed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contrib.simulators.native.answers import event
from contrib.simulators.native.subjects import Contract

Entry = dict[str, Any]
Json = Mapping[str, Any]
Faults = Mapping[str, Mapping[str, Any]]

TAKEN: Mapping[str, str] = {
    "contract.issue": "issue_contract",
    "contract.amend": "amend_contract",
    "contract.terminate": "terminate_contract",
    "contract.announced": "note_contract",
    "contract.filed": "note_contract",
}
"""The effect of each command."""

TEXTS = ("contract.issue", "contract.amend")
"""Those that carry a document."""

REFUSED = "refuse_contract"


@dataclass(frozen=True, slots=True)
class Document:
    """What was fetched. sha256, size: of what came; problem: why nothing came, "" where it did."""

    sha256: str = ""
    size: int = 0
    problem: str = ""


def take(command: Json, document: Document | None, faults: Faults) -> tuple[str, Entry]:
    """The effect of a command and what the ledger has of it. A text whose document is another one is refused."""
    operation = command["operation"]
    members: Entry = {name: command[name] for name in ("contract_no", "order_no", "revision", "operation")}
    if operation not in TEXTS:
        return TAKEN[operation], members
    found = document or Document(problem="not fetched")
    members |= {"sha256": found.sha256, "size": found.size}
    if (difference := _difference(command["payload"]["document"], found)) is not None:
        return REFUSED, members | {"event": refused(command, "document", difference)}
    if "refuse" in faults:
        code_class = str(faults["refuse"].get("code_class", "terms"))
        return REFUSED, members | {"event": refused(command, code_class, "条款不能接受")}
    return TAKEN[operation], members | {"event": _answer("contract.acknowledged", command["revision"], {})}


def signed(contract: Contract) -> Entry:
    """The signature under the newest text of a contract, of the very document that was fetched."""
    signature = {"signed_by": "某某公司", "document_sha256": contract.sha256}
    return _answer("contract.signed", contract.revision, signature)


def refused(command: Json, code_class: str, reason: str) -> Entry:
    """A contract that the vendor does not take."""
    return _answer("contract.refused", command["revision"], {"code_class": code_class, "reason": reason}, "NO")


def out_of_state(entry: Json) -> Entry:
    """A signature under a text that the vendor was never given."""
    return _answer("contract.signed", entry["revision"] + 1000, {})


def apply(contracts: dict[str, Contract], entry: Json) -> None:
    """Let an entry of the ledger be so."""
    number, effect = entry["contract_no"], entry["effect"]
    if effect in ("issue_contract", "amend_contract", REFUSED):
        taken = contracts.setdefault(number, Contract(number, entry["order_no"], 0, ""))
        taken.revision, taken.sha256 = entry["revision"], entry["sha256"]
        taken.state = "refused" if effect == REFUSED else "received"
    elif (known := contracts.get(number)) is not None and effect in ("sign_contract", "terminate_contract"):
        known.state = "signed" if effect == "sign_contract" else "over"


def _difference(stated: Json, found: Document) -> str | None:
    """How what was fetched is another document than the one that is stated."""
    if found.problem:
        return f"文件不能下载: {found.problem}"
    if found.size != stated["size"]:
        return f"文件大小不符: {found.size}"
    return None if found.sha256 == stated["sha256"] else "文件摘要不符"


def _answer(kind: str, revision: int, payload: Entry, code: str = "OK") -> Entry:
    answer = event(kind, payload, code=code)
    del answer["supplier_order_nos"]
    return answer | {"revision": revision}
