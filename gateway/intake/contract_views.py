"""What vendors are answered about contracts: models that the OpenAPI document is generated from."""

from __future__ import annotations

from pydantic import Field

from gateway.intake.views import View
from gateway.relay.contract_answer_service import AnswerReceipt
from schemas.contracts.events import ContractKind
from schemas.contracts.states import AnswerState as ContractAnswerState
from schemas.contracts.states import ContractState


class ContractTakenView(View):
    """What an answer of the vendor came to."""

    contract_no: str = Field(description="The mall's number of the contract.")
    event: ContractKind | None = Field(description="What the mall was told; null: it knew that already.")
    state: ContractState = Field(description="Where the contract stands.")
    answer: ContractAnswerState = Field(description="What you have said of its text, from then on.")
    answers: tuple[str, ...] = Field(description="Ids of the messages that count as acknowledged by it.")


def taken_view(contract_no: str, taken: AnswerReceipt) -> ContractTakenView:
    """The answer about an answer."""
    return ContractTakenView(
        contract_no=contract_no, event=taken.event, state=taken.state, answer=taken.answer, answers=taken.answers
    )
