"""Tests for serving.page.compression."""

import json

import pytest

from serving.page import compression
from tests.compression import reports
from tests.serving.page import conftest
from tf_simmim.compression import report_file

ROWS = [
    ["Accuracy", "0.9639", "0.9611"],
    ["Weights", "450,634", "117,000"],
    ["File", "1.80 MB", "0.47 MB"],
    ["Milliseconds, batch of 1", "2.50", "1.25"],
    ["Milliseconds, batch of 8", "12.00", "6.00"],
]
NOTE = (
    "KL of predictions from the original's: 0.00030; the same best answer for "
    "99.7 % (360 images, builtin:digits, test)."
)


def manifest():
    return {"compression": report_file.as_json(reports.report())}


def test_a_manifest_is_told_in_rows(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps(manifest()))
    assert compression.of_export(tmp_path) == {"rows": ROWS, "note": NOTE}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"compression": 5}',
        '{"compression": {"original": {}, "compressed": {}}}',
        json.dumps(manifest()).replace('"num_weights": 117000', '"n": 1'),
        json.dumps(manifest()).replace('"kl": 0.0003', '"kl": null'),
    ],
)
def test_what_is_damaged_or_of_no_compression_is_left_out(tmp_path, text):
    assert compression.of_export(tmp_path) is None
    (tmp_path / "manifest.json").write_text(text)
    assert compression.of_export(tmp_path) is None


def test_the_page_is_told_of_it(served):
    file = served.folder / "manifest.json"
    before = file.read_text()
    ask = lambda: served.client.ask("GET", "/page/models.json").json()  # noqa: E731
    assert ask()["models"][0]["compression"] is None
    try:
        file.write_text(json.dumps({**json.loads(before), **manifest()}))
        assert ask()["models"][0]["compression"]["rows"] == ROWS
    finally:
        file.write_text(before)


@pytest.mark.slow
def test_a_browser_shows_it(served):
    file = served.folder / "manifest.json"
    before = file.read_text()
    try:
        file.write_text(json.dumps({**json.loads(before), **manifest()}))
        with conftest.showing(served.client) as browser:
            browser.wait_until("document.body?.dataset.state === 'done'")
            cells = browser.run(
                "[...document.querySelectorAll('#compression-rows tr')].map("
                "(row) => [...row.children].map((cell) => cell.textContent))"
            )
            note = browser.run(
                "document.getElementById('compression-note').textContent"
            )
            shown = browser.run(
                "document.getElementById('compression').checkVisibility()"
            )
    finally:
        file.write_text(before)
    assert (cells, note, shown) == (ROWS, NOTE, True)
