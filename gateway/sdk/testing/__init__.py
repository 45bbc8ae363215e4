"""The conformance kit: an adapter's golden cases replayed, its records damaged one member at a time."""

from gateway.sdk.testing.cases import Case, Expected, read_cases
from gateway.sdk.testing.mutants import mutants
from gateway.sdk.testing.replay import CaseResult, endure, missing_cases, replay

__all__ = ["Case", "CaseResult", "Expected", "endure", "missing_cases", "mutants", "read_cases", "replay"]
