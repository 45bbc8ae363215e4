"""Every check of the conformance kit, by name: the names that a manifest's waivers use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from gateway.sdk.manifest import FILE, Waiver
from gateway.sdk.testing.conduct import damage_borne, deterministic, golden, sound, unknown_messages_wait
from gateway.sdk.testing.facts import (
    cases_suffice,
    limits_respected,
    manifest_true,
    nothing_to_do,
    operations_shown,
    options_strict,
)
from gateway.sdk.testing.faults import faults_mapped
from gateway.sdk.testing.secrets import secrets_kept
from gateway.sdk.testing.subject import Subject, Trial

Verdict: TypeAlias = Literal["passed", "failed", "waived"]


@dataclass(frozen=True, slots=True)
class Check:
    """One check. zh: what it finds out, in Chinese; each_case: it looks at one case at a time."""

    run: Callable[[Subject], Iterator[Trial]]
    zh: str
    each_case: bool = False

    @property
    def en(self) -> str:
        """What it finds out: the first line of the function's docstring."""
        return (self.run.__doc__ or "").split("\n", 1)[0]


@dataclass(frozen=True, slots=True)
class Result:
    """What a check found. trials: how many things it tried; found: those of them that have problems.

    waiver: the reason that its manifest gives for not passing.
    """

    check: str
    en: str
    zh: str
    verdict: Verdict
    trials: int
    found: tuple[Trial, ...]
    waiver: str | None = None


CHECKS: Mapping[str, Check] = {
    check.run.__name__: check
    for check in (
        Check(manifest_true, "清单声明与代码实现一致，所列文档存在。"),
        Check(operations_shown, "清单中的每个接口均有用例，路径参数填写完整，无未声明的接口。"),
        Check(limits_respected, "单次查询的商品数不超过清单上限，仅使用已声明的消息池和区域。"),
        Check(cases_suffice, "每项能力、每类数据均有成功用例和失败用例。"),
        Check(options_strict, "配置项拒绝未知名称，且不以明文保存密钥。"),
        Check(nothing_to_do, "模板中的待办事项已全部完成。"),
        Check(sound, "每个用例的结果符合规范、可以发布，且覆盖所查询的商品。", each_case=True),
        Check(golden, "每个用例的请求、结果或错误与预期完全一致，录制的交互全部用到。", each_case=True),
        Check(deterministic, "相同输入得到相同结果，与应答到达的顺序无关。", each_case=True),
        Check(damage_borne, "报文任意一处损坏时，得到合规结果或约定的错误，不会出现其他异常。", each_case=True),
        Check(unknown_messages_wait, "未知类型的消息保留在供应商侧，不予删除。", each_case=True),
        Check(faults_mapped, "凭证失效、限流、服务中断、非接口应答均映射为正确的错误类别。", each_case=True),
        Check(secrets_kept, "密钥和令牌不出现在错误、日志、输出、结果及业务请求中。"),
    )
}

_WAIVERS = ("waivers_used", "Every waiver is of a check that there is and that does not pass without it.",
            "每项豁免均对应一项未通过的检查。")  # fmt: skip


def examine(subject: Subject) -> tuple[Result, ...]:
    """Every check of an adapter, and whether its waivers are needed."""
    waivers = {waiver.check: waiver for waiver in subject.manifest.waivers}
    results = [_waived(_result(name, check, subject), waivers.get(name)) for name, check in CHECKS.items()]
    return (*results, _waivers_used(subject.manifest.waivers, results))


def unreadable(problems: Sequence[str]) -> Result:
    """The result of an adapter that cannot even be examined."""
    words = "The manifest and every case can be read, and the code can be imported."
    trial = Trial(FILE, tuple(problems))
    return Result("readable", words, "清单、用例可以读取，代码可以加载。", "failed", len(problems), (trial,))


def _result(name: str, check: Check, subject: Subject) -> Result:
    trials, found = 0, []
    for trial in check.run(subject):
        trials += 1
        if trial.problems:
            found.append(trial)
    return Result(name, check.en, check.zh, "failed" if found else "passed", trials, tuple(found))


def _waived(result: Result, waiver: Waiver | None) -> Result:
    if waiver is None or result.verdict == "passed":
        return result
    return replace(result, verdict="waived", waiver=waiver.reason)


def _waivers_used(waivers: Sequence[Waiver], results: Sequence[Result]) -> Result:
    verdicts = {result.check: result.verdict for result in results}
    name, en, zh = _WAIVERS
    found = tuple(
        Trial(FILE, (f"waiver of {waiver.check}: {_needless(verdicts.get(waiver.check))}",))
        for waiver in waivers
        if verdicts.get(waiver.check) != "waived"
    )
    return Result(name, en, zh, "failed" if found else "passed", len(waivers), found)


def _needless(verdict: Verdict | None) -> str:
    return "there is no such check" if verdict is None else "the check passes, take the waiver out"
