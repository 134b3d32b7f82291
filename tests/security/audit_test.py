"""Tests for .ci/audit.py: what is not explained is not green."""

import datetime
import importlib.util
import pathlib
import subprocess

import pytest
from packaging import specifiers

ROOT = pathlib.Path(__file__).parents[2]
_spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci/audit.py")
audit = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(audit)

SETTINGS = {
    "checked": datetime.date(2026, 11, 21),
    "advisory": [
        {
            "id": "CVE-1",
            "aliases": ["PYSEC-1"],
            "package": "keras",
            "affected": "<3",
        },
        {"id": "CVE-2", "package": "keras", "affected": ">=3"},
    ],
    "accepted": [{"id": "CVE-1"}, {"package": "our_own"}],
}
INSTALLED = {"keras": "2.15.0", "numpy": "1.26.4", "our-own": "0.1.0"}


def dependency(name, *ids, skipped=False):
    if skipped:
        return {"name": name, "skip_reason": "not found"}
    return {
        "name": name,
        "version": "1",
        "vulns": [{"id": id, "aliases": []} for id in ids],
    }


CLEAN = [
    dependency("keras", "PYSEC-1"),
    dependency("numpy"),
    dependency("our-own", skipped=True),
]


def judge(report, installed=INSTALLED, settings=SETTINGS):
    code, lines = audit.judge(report, installed, settings)
    return code, "\n".join(lines)


def test_audited_with_accepted_findings_is_green():
    code, text = judge(CLEAN)
    assert code == audit.OK
    assert "NOT" not in text and "NO LONGER" not in text
    assert "accepted: keras 2.15.0: CVE-1, PYSEC-1" in text
    assert "2 packages audited" in text


def test_a_finding_that_is_not_accepted_is_red():
    code, text = judge([*CLEAN, dependency("numpy", "CVE-9")])
    assert code == audit.FAILED
    assert "NOT ACCEPTED: numpy 1.26.4: CVE-9" in text


def test_a_skipped_package_is_red_where_others_are_audited():
    code, text = judge([*CLEAN, dependency("pillow", skipped=True)])
    assert code == audit.FAILED
    assert "NOT ACCEPTED: pillow was skipped" in text


@pytest.mark.parametrize(
    "report",
    [
        None,
        [],
        [dependency(name, skipped=True) for name in INSTALLED],
    ],
    ids=["unreachable", "empty", "all skipped"],
)
def test_without_advisory_data_it_says_so_and_is_neither_green_nor_red(report):
    code, text = judge(report)
    assert code == audit.NOT_AUDITED
    assert "NOT AUDITED: 3 packages" in text and "2026-11-21" in text


def test_our_own_list_is_red_without_the_service():
    code, text = judge(None, {**INSTALLED, "keras": "3.1.0"})
    assert code == audit.FAILED
    assert "NOT ACCEPTED: keras 3.1.0: CVE-2" in text
    assert "NO LONGER NEEDED in .ci/audit.toml: the exception for CVE-1" in text


def test_an_exception_that_nothing_needs_is_told():
    settings = {
        **SETTINGS,
        "accepted": [*SETTINGS["accepted"], {"id": "CVE-7"}],
    }
    code, text = judge(CLEAN, settings=settings)
    assert code == audit.OK
    assert "NO LONGER NEEDED in .ci/audit.toml: the exception for CVE-7" in text


@pytest.mark.parametrize(
    "stdout, stderr, expected",
    [
        ('{"dependencies": [1]}', "", [1]),
        ("", "Traceback\nrequests.exceptions.ConnectionError: no\n", None),
        ("", "pip_audit._service.interface.ServiceError: 503\n", None),
    ],
)
def test_what_pip_audit_says_is_read(stdout, stderr, expected, monkeypatch):
    result = subprocess.CompletedProcess([], 1, stdout, stderr)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: result)
    assert audit.run_pip_audit() == expected


def test_a_failure_of_pip_audit_itself_is_red(monkeypatch):
    result = subprocess.CompletedProcess([], 2, "", "usage: no such flag\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: result)
    with pytest.raises(SystemExit, match="pip-audit failed: usage"):
        audit.run_pip_audit()


def test_the_list_is_complete_and_documented():
    text = audit.SETTINGS.read_text()
    settings = audit.tomllib.loads(text)
    document = (ROOT / "docs" / "security.md").read_text()
    assert str(settings["checked"]) in document
    for advisory in settings["advisory"]:
        specifiers.SpecifierSet(advisory["affected"])
        assert advisory["id"] in document
    for entry in settings["accepted"]:
        assert entry["reason"] and entry["until"]
        assert isinstance(entry["date"], datetime.date)
        assert f"| {entry.get('id') or entry['package']} |" in document
