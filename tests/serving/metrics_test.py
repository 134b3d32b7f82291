"""Tests for serving.metrics, serving.monitoring and its configuration."""

import pytest

from serving import errors
from serving import metrics
from serving import monitoring
from serving import monitoring_config


def test_the_page_is_in_the_form_of_tensorflow_serving():
    registry = metrics.Registry()
    requests = registry.counter(
        "/tensorflow/serving/request_count", "Requests.", ("model_name", "s")
    )
    requests.add("m", "OK")
    requests.add("m", "OK", by=2)
    requests.add('a"b\\\n\udcff', "NOT_FOUND")
    registry.counter("/b/none", "Nothing.")
    latency = registry.histogram(
        "/a/latency", "Time.", ("API",), [10, 18, 32.4]
    )
    for value in (3, 10, 11, 5000):
        latency.observe(value, "Predict")
    registry.gauge("/c/now", "Now.", lambda: 7)
    assert registry.page().splitlines() == [
        "# HELP :a:latency Time.",
        "# TYPE :a:latency histogram",
        ':a:latency_bucket{API="Predict",le="10"} 2',
        ':a:latency_bucket{API="Predict",le="18"} 3',
        ':a:latency_bucket{API="Predict",le="32.4"} 3',
        ':a:latency_bucket{API="Predict",le="+Inf"} 4',
        ':a:latency_sum{API="Predict"} 5024',
        ':a:latency_count{API="Predict"} 4',
        "# HELP :b:none Nothing.",
        "# TYPE :b:none counter",
        ":b:none{} 0",
        "# HELP :c:now Now.",
        "# TYPE :c:now gauge",
        ":c:now{} 7",
        "# HELP :tensorflow:serving:request_count Requests.",
        "# TYPE :tensorflow:serving:request_count counter",
        ":tensorflow:serving:request_count"
        '{model_name="a\\"b\\\\\\n?",s="NOT_FOUND"} 1',
        ':tensorflow:serving:request_count{model_name="m",s="OK"} 3',
    ]
    assert requests.value("m", "OK") == 3
    assert latency.count("Predict") == 4


def test_a_sum_is_written_with_all_its_digits():
    registry = metrics.Registry()
    sums = registry.histogram("/s", "Sums.", ("of",), [10])
    sums.observe(1_234_567_891, "whole numbers")
    sums.observe(1_234_567_891.25, "fractions")
    sums.observe(2.5, "halves")
    sums.observe(0.5, "halves")
    page = registry.page()
    assert ':s_sum{of="whole numbers"} 1234567891\n' in page
    assert ':s_sum{of="fractions"} 1234567891.25\n' in page
    assert ':s_sum{of="halves"} 3\n' in page


def test_limits_of_latencies_are_those_of_tensorflow_serving():
    limits = metrics.exponential(10, 1.8, 33)
    assert len(limits) == 33
    assert limits[:3] == pytest.approx([10, 18, 32.4])
    assert limits[-1] / 60e6 == pytest.approx(24.6, abs=0.1)  # minutes


class Versions:
    def is_configured(self, name):
        return name == "known"


def test_names_that_clients_invent_take_no_memory():
    before = monitoring.REQUEST_COUNT.value("", "NOT_FOUND")
    for i in range(3):
        with pytest.raises(errors.ServingError):
            with monitoring.request(Versions(), f"name{i}", "Predict", "REST"):
                raise errors.ServingError("NOT_FOUND", "x")
    assert monitoring.REQUEST_COUNT.value("", "NOT_FOUND") == before + 3
    assert "name1" not in monitoring.page()


def test_an_error_of_our_own_is_counted_as_internal():
    with pytest.raises(KeyError):
        with monitoring.request(Versions(), "known", "Predict", "REST"):
            raise KeyError
    assert monitoring.REQUEST_COUNT.value("known", "INTERNAL") == 1
    assert monitoring.REQUEST_LATENCY.count("known", "Predict", "REST") == 0


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", None),
        ("prometheus_config { path: '/x' }", None),
        ("prometheus_config { enable: true }", monitoring.DEFAULT_PATH),
        ("prometheus_config { enable: true path: '/x/y' }", "/x/y"),
    ],
)
def test_a_file_says_where_prometheus_reads(tmp_path, text, path):
    (tmp_path / "m").write_text(text)
    assert monitoring_config.read(tmp_path / "m") == path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prometheus { }", "Error parsing text-format"),
        ("prometheus_config { enable: true path: 'x' }", "must begin with /"),
        ("prometheus_config { enable: true path: '/{x}' }", "be plain"),
    ],
)
def test_a_file_that_is_wrong_is_refused(tmp_path, text, message):
    (tmp_path / "m").write_text(text)
    with pytest.raises(errors.ServingError, match=message):
        monitoring_config.read(tmp_path / "m")
