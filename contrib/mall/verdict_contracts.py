"""The verdict on contracts: what was told of them stands in the ledger of the vendor who signs. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from contrib.mall.orders import Event
from contrib.mall.recorded import Finding, Record, lost, parked, repeated_effects

SIGNED, REFUSED = "sign_contract", "refuse_contract"
_TAKEN = ("issue_contract", "amend_contract", "terminate_contract", "note_contract", REFUSED)
_SINGLE = (*_TAKEN[:3], SIGNED, REFUSED)


def contract_effects_are_single(record: Record) -> Finding:
    """No text of a contract is taken, signed or refused twice, and none is both signed and refused."""
    found = repeated_effects(record, _SINGLE)
    violations = [f"{no}: {kind} {times} times at {who}" for (who, kind, no), times in found.items() if times > 1]
    violations += [
        f"{no}: signed and refused at {who}"
        for who, kind, no in found
        if kind == SIGNED and (who, REFUSED, no) in found
    ]
    return Finding(len(found), violations)


def contract_answers_are_in_the_ledger(record: Record) -> Finding:
    """What is told as delivered, signed, or refused by the supplier is so in the vendor's ledger."""
    there = {(each.supplier, each.kind, each.number) for each in record.effects}
    judged = [(event, kinds) for event in record.events_in_order if (kinds := _effects_of(event))]
    return Finding(
        len(judged),
        [
            f"{_number(event)}: {event.kind}, and no such effect at {event.content['supplier']}"
            for event, kinds in judged
            if not any((event.content["supplier"], kind, _number(event)) in there for kind in kinds)
        ],
    )


def signatures_are_reported(record: Record) -> Finding:
    """What the vendor signed or refused, the core is told of."""
    reported = {
        (event.content.get("supplier"), kind, _number(event))
        for event in record.events_in_order
        for kind in _answer(event)
    }
    judged = [each for each in record.effects if each.kind in (SIGNED, REFUSED)]
    return Finding(
        len(judged),
        [
            f"{each.number}: {each.kind} at {each.supplier}, and the core was not told"
            for each in judged
            if (each.supplier, each.kind, each.number) not in reported
        ],
    )


def _number(event: Event) -> str:
    return f"{event.key}/{event.content.get('revision')}"


def _answer(event: Event) -> tuple[str, ...]:
    """The effect that the vendor's word tells of."""
    if event.kind == "contract.signed":
        return (SIGNED,)
    by_supplier = event.kind == "contract.refused" and event.content["payload"].get("by") == "supplier"
    return (REFUSED,) if by_supplier else ()


def _effects_of(event: Event) -> tuple[str, ...]:
    return _TAKEN if event.kind == "contract.delivered" else _answer(event)


CHECKS: tuple[Callable[[Record], Finding], ...] = (
    contract_effects_are_single,
    contract_answers_are_in_the_ledger,
    signatures_are_reported,
)


def counts(record: Record) -> Mapping[str, Any]:
    """issued: contracts that the vendor was given; signed, refused: by his answer, refused by the gateway too."""
    kinds = ("contract.delivered", "contract.signed", "contract.refused")
    issued, signed, refused = ({event.key for event in record.events_in_order if event.kind == kind} for kind in kinds)
    found = repeated_effects(record, _SINGLE)
    return {
        "issued": len(issued),
        "signed": len(signed),
        "refused": len(refused),
        "duplicates": sum(times - 1 for times in found.values()),
        "lost": lost(record),
        "waiting": len(parked(record)),
    }
