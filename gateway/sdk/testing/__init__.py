"""The conformance kit: golden cases replayed, replies damaged, faults injected, the manifest held true.

An adapter adds data, never a test: `examine` runs every check of `CHECKS` over its folder.
"""

from gateway.sdk.testing.calls import CallCase
from gateway.sdk.testing.cases import Case
from gateway.sdk.testing.checks import CHECKS, Check, Result, examine, unreadable
from gateway.sdk.testing.facts import files_of
from gateway.sdk.testing.folder import AnyCase, read_cases
from gateway.sdk.testing.report import CaseLine, Report, report, report_unreadable
from gateway.sdk.testing.subject import Subject, Trial

__all__ = [
    "CHECKS",
    "AnyCase",
    "CallCase",
    "Case",
    "CaseLine",
    "Check",
    "Report",
    "Result",
    "Subject",
    "Trial",
    "examine",
    "files_of",
    "read_cases",
    "report",
    "report_unreadable",
    "unreadable",
]
