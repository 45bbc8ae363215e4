"""The plugin that makes skips fail in CI, run on small test suites of its own."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

SKIPPED_TEST = """
    import pytest

    def test_runs():
        pass

    @pytest.mark.skip(reason="no broker")
    def test_skips():
        pass
"""
SKIPPED_MODULE = """
    import pytest

    pytest.skip("no broker", allow_module_level=True)
"""
EXPECTED_FAILURE = """
    import pytest

    @pytest.mark.xfail(strict=True, reason="known")
    def test_fails():
        assert False
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """An empty test suite that loads the plugin, outside CI until a test says otherwise."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return pytester


def run(suite: pytest.Pytester, source: str) -> pytest.RunResult:
    """Run one test module in an interpreter of its own."""
    suite.makepyfile(source)
    suite.makeini("[pytest]")  # or the next configuration further up would be taken, whoever's that is
    return suite.runpytest_subprocess("-p", "tests.no_skips", timeout=60)


def test_a_skip_is_only_reported_on_a_developers_machine(suite: pytest.Pytester) -> None:
    result = run(suite, SKIPPED_TEST)
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=1, skipped=1)


def test_a_skip_fails_the_run_in_ci(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    result = run(suite, SKIPPED_TEST)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*skips fail in CI: *no broker*"])


def test_a_module_that_skips_itself_fails_the_run_in_ci(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    result = run(suite, SKIPPED_MODULE)
    assert result.ret != pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*skips fail in CI: *no broker*"])


def test_an_expected_failure_is_no_skip(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    result = run(suite, EXPECTED_FAILURE)
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(xfailed=1)
