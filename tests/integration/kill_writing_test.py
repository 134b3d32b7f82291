"""Programs that write files under kill -9: whole files, or none of a name."""

import pytest

from tests.integration import killing
from tests.integration import prepare_test

pytestmark = pytest.mark.slow


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
        *("prepare.py", whole, tmp_path / "watched", ""),
        prepare_test.arguments(images, whole),
    )
    assert code == 0
    wanted = prepare_test.contents(whole)
    operations = killing.operations(tmp_path / "watched")
    # Some shards further each time, and the last of them ends it.
    for n, operation in enumerate(operations):
        kill = f"{('before', 'after')[n % 2]} {operation} 1"
        assert start("prepare.py", out, tmp_path / "killed", kill, arguments), (
            kill
        )
        found = {
            name: content
            for name, content in prepare_test.contents(out).items()
            if not name.startswith(".")
        }
        assert found.items() <= wanted.items(), kill
    assert start("prepare.py", out, tmp_path / "last", "", arguments) == 0
    assert prepare_test.contents(out) == wanted
