"""Tests for tf_simmim.compression.table."""

import pytest

from tests.compression import reports
from tf_simmim.compression import table


def test_a_table_sets_both_side_by_side():
    text = table.format_report(reports.report())
    rows, _, closing = text.partition("\n\n")
    assert [row.split() for row in rows.splitlines()] == [
        ["classifier,", "prune", "original", "smaller"],
        ["accuracy", "0.9639", "0.9611", "-0.0028"],
        ["weights", "450,634", "117,000", "0.260"],
        ["operations,", "backbone", "53,000,000", "15,000,000", "0.283"],
        ["file", "1.80", "MB", "468.00", "kB", "0.260"],
        [
            *("ms,", "batch", "1", "2.50", "(2.25-3.00)"),
            *("1.25", "(1.00-1.50)", "2.00x", "as", "fast"),
        ],
        [
            *("ms,", "batch", "8", "12.00", "(11.00-14.00)"),
            *("6.00", "(5.00-7.00)", "2.00x", "as", "fast"),
        ],
    ]
    assert closing == (
        "KL of predictions 0.00030, the same best answer for 99.7 %, CKA of "
        "features 0.9991: 360 images, builtin:digits, test.\n"
        "Latency: median and middle half of 40 runs in turn, TensorFlow, "
        "threads: 2."
    )


def test_what_is_not_there_is_left_out():
    text = table.format_report(
        reports.report(
            original=reports.measurement(scores={}, peak_memory=None),
            compressed=reports.measurement(scores={}),
        )
    )
    assert "accuracy" not in text
    assert "memory" not in text


@pytest.mark.parametrize(
    "number, text",
    [
        (999, "999 bytes"),
        (1000, "1.00 kB"),
        (2.5e6, "2.50 MB"),
        (3e9, "3.00 GB"),
    ],
)
def test_bytes_are_told_in_units_that_fit(number, text):
    assert table.format_bytes(int(number)) == text
