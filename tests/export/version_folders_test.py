"""Tests for tf_simmim.export.version_folders; numbers: writer_test."""

import fcntl
import os
import subprocess
import sys

from tf_simmim.export import version_folders


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_what_a_killed_export_has_left_is_removed_and_no_more(tmp_path):
    for name in (".1.4711.tmp", ".2.4711.0a1b2c3d.tmp"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").write_text("half")
    others = [".1.4711.tmpx", ".x.4711.tmp", "3", ".4.1.tmp"]
    for name in others[:-1]:
        (tmp_path / name).mkdir()
    (tmp_path / others[-1]).write_text("No folder.")
    with version_folders.writing(tmp_path, 5) as live:
        (live / "saved_model.pb").write_text("half")
        version_folders.sweep(tmp_path)
        assert names(tmp_path) == sorted([*others, live.name])
        assert (live / "saved_model.pb").read_text() == "half"
    assert names(tmp_path) == sorted(others)


def test_the_lock_goes_with_the_process(tmp_path):
    # Without TensorFlow: the lock is all that counts here.
    code = (
        "import fcntl, os, sys; "
        "fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX); "
        "print('locked', flush=True); sys.stdin.read()"
    )
    path = tmp_path / ".7.1.0a.tmp"
    path.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "locked\n"
        version_folders.sweep(tmp_path)
        assert names(tmp_path) == [path.name]
        process.kill()
        process.wait()
    version_folders.sweep(tmp_path)
    assert names(tmp_path) == []


def test_a_folder_that_is_removed_before_its_lock_is_made_again(
    tmp_path, monkeypatch
):
    locked = fcntl.flock
    seen = []

    def flock(descriptor, how):
        if not seen:
            (path,) = tmp_path.iterdir()
            os.rmdir(path)
            seen.append(path)
        locked(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with version_folders.writing(tmp_path, 1) as path:
        assert path.is_dir() and path not in seen
        version_folders.sweep(tmp_path)
        assert path.is_dir()


def test_a_version_can_be_read_by_whoever_may_read_its_folder(tmp_path):
    """As a server of another user must."""
    (tmp_path / "ordinary").mkdir()
    with version_folders.writing(tmp_path, 1) as path:
        final = version_folders.rename(path, tmp_path, None, 1, None)
    assert final == tmp_path / "1"
    mode = (tmp_path / "ordinary").stat().st_mode
    assert final.stat().st_mode == mode
