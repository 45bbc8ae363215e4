"""Every metric is declared once, says what it means and what to do, and can be read by Prometheus."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.telemetry import metrics

HIGH_CARDINALITY = {"sku", "feed", "feed_no", "key", "partition", "path", "url", "offset"}


def test_names_are_declared_once_under_one_prefix() -> None:
    names = [declared.name for declared in metrics.DECLARED]
    assert len(set(names)) == len(names)
    assert all(name.startswith("mallgate_") for name in names)


@pytest.mark.parametrize("declared", metrics.DECLARED, ids=lambda declared: declared.name)
def test_a_metric_says_what_it_means_and_what_to_do(declared: metrics.Declared) -> None:
    assert declared.meaning.endswith(".")
    assert declared.remedy.endswith(".")
    assert declared.meaning != declared.remedy


@pytest.mark.parametrize("declared", metrics.DECLARED, ids=lambda declared: declared.name)
def test_names_follow_the_habits_of_prometheus(declared: metrics.Declared) -> None:
    suffix = {"counter": "_total", "histogram": "_seconds", "gauge": ""}[declared.kind]
    assert declared.name.endswith(suffix)


@pytest.mark.parametrize("declared", metrics.DECLARED, ids=lambda declared: declared.name)
def test_no_label_has_many_values(declared: metrics.Declared) -> None:
    assert not HIGH_CARDINALITY & set(declared.labels)


def test_the_exposition_holds_what_was_counted_and_nothing_undeclared() -> None:
    metrics.dead_letters_total.labels(stage="test", code="counted").inc(3)
    families = {family.name: family for family in text_string_to_metric_families(metrics.exposition().decode())}
    declared = {declared.name.removesuffix("_total") for declared in metrics.DECLARED}
    assert set(families) == declared
    samples = families["mallgate_dead_letters"].samples
    assert [sample.value for sample in samples if sample.labels["code"] == "counted"] == [3]


def test_the_documentation_has_a_row_for_every_metric() -> None:
    head, rule, *rows = metrics.documentation().splitlines()
    assert head.count("|") == rule.count("|") == 6
    assert [row.split("`")[1] for row in rows] == [declared.name for declared in metrics.DECLARED]
    assert all(row.count("|") == 6 for row in rows)


def test_metrics_are_rendered_once_a_second_however_many_ask() -> None:
    now = 10.0
    exposition = metrics.Exposition(lambda: now)
    first = exposition.body()
    metrics.withdrawals_total.labels(facet="price").inc()
    assert exposition.body() is first
    now = 11.0
    assert exposition.body() != first
