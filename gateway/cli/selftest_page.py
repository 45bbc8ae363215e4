"""The self-test report of an adapter as one HTML page in Chinese and English, to be printed and signed.

The page stands for itself: no script, no font and no picture is fetched from anywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from importlib.resources import files
from itertools import groupby
from string import Template

from gateway.cli.selftest import problems
from gateway.sdk.manifest import Manifest
from gateway.sdk.testing import CaseLine, Report, Result

SHOWN = 20
"""Problems of one check that the page tells."""

VERDICTS: Mapping[str, tuple[str, str]] = {
    "passed": ("通过", "passed"),
    "failed": ("未通过", "failed"),
    "waived": ("豁免", "waived"),
    "nothing": ("不适用", "nothing to try"),
}

FACETS: Mapping[str, str] = {"product": "商品", "price": "价格", "stock": "库存", "listing": "上下架"}

_SIGNATURE = "".join(f'<p class="blank">{escape(name)}</p>' for name in ("名称（盖章）", "签字", "日期"))


def page(report: Report) -> str:
    """The whole page."""
    template = Template((files("gateway.cli") / "selftest.html").read_text(encoding="utf-8"))
    return template.substitute(
        adapter=escape(report.adapter),
        facts="\n".join(_facts(report)),
        verdict="passed" if report.passed else "failed",
        conclusion=_conclusion(report),
        checks="\n".join(map(_check, report.results)),
        capabilities="\n".join(_capabilities(report)) or "<p>没有可用的用例。No case could be read.</p>",
        failures="\n".join(_failures(report.results))
        or "<p>无。豁免 0 项。 <span class='en'>None. 0 waivers.</span></p>",
        signature=_SIGNATURE,
        footer=_footer(report),
    )


def _facts(report: Report) -> Iterator[str]:
    manifest = report.manifest
    for zh, en, value in (
        ("适配器", "Adapter", report.adapter),
        ("接口", "Interface", manifest and manifest.name),
        ("接口文档", "Described in", manifest and manifest.docs),
        ("能力", "Capabilities", manifest and _named(manifest.capabilities, _titles(manifest))),
        ("数据类别", "Facets", manifest and _named(manifest.facets, FACETS)),
        ("检测程序", "Program", report.program),
        ("检测时间", "Tested at", f"{report.at:%Y-%m-%d %H:%M:%S %z}"),
    ):
        if value:
            yield f"<tr><th>{_both(zh, en)}</th><td>{escape(value)}</td></tr>"


def _named(names: Iterable[str], chinese: Mapping[str, str]) -> str:
    return "、".join(f"{chinese.get(name, name)} {name}" for name in names)


def _both(zh: str, en: str) -> str:
    return f'{escape(zh)} <span class="en">{escape(en)}</span>'


def _conclusion(report: Report) -> str:
    counts = Counter[str](result.verdict for result in report.results)
    passed, failed, waived = (counts[verdict] for verdict in ("passed", "failed", "waived"))
    zh = (
        f"结论：{'合格' if report.passed else '不合格'}。检查 {len(report.results)} 项，通过 {passed} 项，"
        f"未通过 {failed} 项，豁免 {waived} 项；用例 {len(report.cases)} 个，共 {report.trials:,} 次验证。"
    )
    en = (
        f"{'Passed' if report.passed else 'Not passed'}: {len(report.results)} checks, {passed} passed, "
        f"{failed} failed, {waived} waived; {len(report.cases)} cases, {report.trials:,} trials."
    )
    return _both(zh, en)


def _check(result: Result) -> str:
    return (
        f"<tr><td><code>{escape(result.check)}</code></td><td>{_both(result.zh, result.en)}</td>"
        f'<td class="number">{result.trials:,}</td><td class="number">{len(result.found):,}</td>'
        f"{_verdict(result.verdict if result.trials else 'nothing')}</tr>"
    )


def _verdict(verdict: str) -> str:
    zh, en = VERDICTS[verdict]
    return f'<td class="verdict {verdict}">{_both(zh, en)}</td>'


def _titles(manifest: Manifest) -> Mapping[str, str]:
    return {spec.name: spec.zh for spec in manifest.specs}


def _capabilities(report: Report) -> Iterator[str]:
    """A section for each capability, in the order of their table."""
    titles = _titles(report.manifest) if report.manifest else {}
    order = list(report.manifest.table if report.manifest else ())
    sorted_ = sorted(report.cases, key=lambda case: (order.index(case.capability), case.name))
    for capability, group in groupby(sorted_, key=lambda case: case.capability):
        rows = [_case(case) for case in group]
        heading = f"{titles.get(capability, '')} {capability}".strip()
        yield f"<h3>{_both(heading, f'{len(rows)} cases')}</h3><table class='cases'><thead><tr><th>用例 Case</th>"
        yield "<th>说明 Description</th><th>对象 About</th><th>结果 Result</th></tr></thead><tbody>"
        yield from rows
        yield "</tbody></table>"


def _case(case: CaseLine) -> str:
    about = _both(FACETS[case.about], case.about) if case.about in FACETS else f"<code>{escape(case.about)}</code>"
    return (
        f"<tr><td><code>{escape(case.name)}</code></td><td>{escape(case.description)}</td>"
        f"<td>{about}</td>{_verdict(case.verdict)}</tr>"
    )


def _failures(results: Iterable[Result]) -> Iterator[str]:
    for result in results:
        if result.verdict == "passed":
            continue
        zh, en = VERDICTS[result.verdict]
        yield f'<h3><code>{escape(result.check)}</code> <span class="{result.verdict}">{_both(zh, en)}</span></h3>'
        if result.waiver:
            yield f'<p class="reason">豁免理由 Reason: {escape(result.waiver)}</p>'
        lines = list(problems(result.found))
        yield '<ol class="problems">' + "".join(f"<li>{escape(line)}</li>" for line in lines[:SHOWN]) + "</ol>"
        if len(lines) > SHOWN:
            yield f"<p>{_both(f'另有 {len(lines) - SHOWN:,} 条', f'and {len(lines) - SHOWN:,} more')}</p>"


def _footer(report: Report) -> str:
    digest = f"适配器文件摘要 SHA-256 of the adapter's files: {report.digest}. " if report.digest else ""
    return escape(f"{digest}本报告由 {report.program} 生成。 Generated by {report.program}.")
