"""Programs that write files under kill -9: whole files, or none of a name."""

import signal

import pytest

from tests.golden import runs_test
from tests.integration import killing
from tests.integration import prepare_test
from tf_simmim.export import manifest

pytestmark = pytest.mark.slow

KILLED = -signal.SIGKILL


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return prepare_test.write_images(tmp_path_factory.mktemp("images"))


def start(program, folder, notes, kill, arguments):
    """Starts a program that may kill itself; returns its exit code."""
    notes.mkdir(exist_ok=True)
    return killing.start_once(program, folder, notes, kill, arguments)


def test_prepare_goes_on_after_a_kill_at_every_operation(images, tmp_path):
    out, whole = tmp_path / "out", tmp_path / "whole"
    arguments = prepare_test.arguments(images, out)
    code = start(
        "prepare.py",
        whole,
        tmp_path / "watched",
        "",
        prepare_test.arguments(images, whole),
    )
    assert code == 0
    wanted = prepare_test.contents(whole)
    operations = killing.operations(tmp_path / "watched")
    # Some shards further each time, and the last of them ends it.
    for n, operation in enumerate(operations):
        kill = f"{('before', 'after')[n % 2]} {operation} 1"
        code = start("prepare.py", out, tmp_path / "killed", kill, arguments)
        assert code == KILLED, kill
        found = {
            name: content
            for name, content in prepare_test.contents(out).items()
            if not name.startswith(".")
        }
        assert found.items() <= wanted.items(), kill
    assert start("prepare.py", out, tmp_path / "last", "", arguments) == 0
    assert prepare_test.contents(out) == wanted


def test_an_export_that_is_killed_is_no_version_and_is_swept(tmp_path):
    out, notes = tmp_path / "export", tmp_path / "notes"
    run = runs_test.RELEASES[0] / "finetune"
    arguments = (f"--run={run}", f"--export_dir={out}", "--noverify")

    def versions():
        folders = [p for p in out.glob("*") if not p.name.startswith(".")]
        for folder in folders:
            assert manifest.problems(folder, manifest.read(folder)) == []
        return sorted(int(folder.name) for folder in folders)

    for kill, expected in (
        ("during save .N.N.N.tmp 1", []),
        ("before replace .N.N.N.tmp/.manifest.json.N.tmp 1", []),
        ("before rename .N.N.N.tmp 1", []),
        ("after rename .N.N.N.tmp 1", [1]),
    ):
        assert start("export.py", out, notes, kill, arguments) == KILLED, kill
        assert versions() == expected, kill
    assert start("export.py", out, notes, "", arguments) == 0
    assert versions() == [1, 2]
    assert [path.name for path in out.glob(".*")] == []
