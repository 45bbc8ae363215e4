"""The sdk is what it exports: names, their words, and nothing by accident."""

import inspect
from types import ModuleType

from gateway import sdk
from gateway.sdk import errors, problems


def test_all_names_exactly_what_is_public():
    public = {
        name for name, value in vars(sdk).items() if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert len(sdk.__all__) == len(public)
    assert set(sdk.__all__) == public


def test_every_error_says_by_itself_what_happened():
    for name, error in inspect.getmembers(errors, inspect.isclass):
        if not issubclass(error, errors.GatewayError):
            continue
        assert name.endswith("Error")
        assert error.__doc__
        if error not in (errors.ConfigError, errors.InvalidMessageError):
            assert str(error()) == error.__doc__.split("\n", 1)[0]
            assert str(error("disk full")) == "disk full"


def test_the_tree_at_the_top_of_the_module_is_the_tree():
    for name, error in inspect.getmembers(errors, inspect.isclass):
        if issubclass(error, errors.GatewayError):
            assert name in (errors.__doc__ or "")


def test_errors_carry_what_the_next_action_needs():
    issue = errors.Issue("validation_failed", "/a")
    assert errors.InvalidMessageError(issue, errors.Issue("malformed_json")).issues[0] is issue
    assert str(errors.InvalidMessageError(issue)) == "validation_failed at /a"
    assert errors.ConfigError(["a", "b"]).problems == ("a", "b")
    assert errors.OverloadedError(retry_after=3).retry_after == 3
    assert errors.RateLimitError(retry_after=5, operation="orders.submit").operation == "orders.submit"
    assert errors.RejectedError(supplier_code="3001", status=200).supplier_code == "3001"


def test_every_problem_is_said_in_both_languages_with_a_usable_status():
    assert all(code == problem.code for code, problem in problems.PROBLEMS.items())
    for problem in problems.PROBLEMS.values():
        assert problem.en.endswith(".")
        assert problem.zh.endswith("。")
        assert problem.status == 200 or 400 <= problem.status < 600
    assert len({problem.en for problem in problems.PROBLEMS.values()}) == len(problems.PROBLEMS)


def test_words_of_a_supplier_can_be_kept_in_a_row():
    for kind in (errors.RejectedError, errors.ContractError, errors.AuthError, errors.UnavailableError):
        error = kind("no\0 \ud800!", supplier_code="\0")
        assert (str(error), error.supplier_code) == ("no\ufffd \ufffd!", "\ufffd")
    assert str(errors.RateLimitError("\0")) == "\ufffd"
