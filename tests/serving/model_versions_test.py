"""Tests for serving.model_versions, with engines that only say their path."""

import contextlib
import pathlib
import threading
import time

import pytest

from serving import errors
from serving import model_config
from serving import model_versions
from serving import version_policy


class FakeEngine:
    """An engine that knows its path and whether it is closed."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        if (self.path / "damaged").exists():
            raise errors.ServingError("NOT_FOUND", "damaged")
        self.is_closed = False

    def close(self):
        self.is_closed = True


@pytest.fixture
def base(tmp_path):
    (tmp_path / "m/1").mkdir(parents=True)
    return tmp_path / "m"


@pytest.fixture
def make():
    """Makes `ModelVersions` of quick retries, closed in the end."""
    with contextlib.ExitStack() as stack:

        def make(load=FakeEngine, **kwargs):
            kwargs = {"load_retry_interval_seconds": 0.01, **kwargs}
            versions = model_versions.ModelVersions(load, **kwargs)
            stack.callback(versions.close)
            return versions

        yield make


def config(base, *policy, name="m", labels=None):
    return model_config.ModelConfig(
        name, str(base), version_policy.VersionPolicy(*policy), labels or {}
    )


def states(versions, name="m"):
    return {each.version: each.state for each in versions.status(name)}


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_highest_version_is_served_under_every_way_to_ask(make, base):
    for name in ("2", "00000010"):
        (base / name).mkdir()
    versions = make(allow_version_labels_for_unavailable_models=True)
    versions.configure([config(base, "all", labels={"old": 2})])
    versions.wait_until_available()
    for request, want in (
        ({}, 10),
        ({"version": 1}, 1),
        ({"label": "old"}, 2),
    ):
        with versions.using("m", **request) as (version, engine):
            assert version == want
            assert int(engine.path.name) == want
            assert versions.folder("m", version) == engine.path
    assert states(versions) == dict.fromkeys((10, 2, 1), "AVAILABLE")
    assert list(states(versions)) == [10, 2, 1]
    with pytest.raises(errors.ServingError, match="version 3 of model m"):
        versions.folder("m", 3)


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        ({"name": "n"}, "NOT_FOUND", r"Latest\(n\)"),
        ({"name": "m", "version": 2}, "NOT_FOUND", r"Specific\(m, 2\)"),
        ({"name": "m", "label": "x"}, "INVALID_ARGUMENT", "label: x"),
        ({"name": "n", "label": "x"}, "INVALID_ARGUMENT", "label: x"),
    ],
)
def test_what_is_not_there_is_told(make, base, request_, code, message):
    versions = make()
    versions.configure([config(base)])
    versions.wait_until_available()
    with pytest.raises(errors.ServingError, match=message) as caught:
        with versions.using(**request_):
            pass
    assert caught.value.code == code


def test_a_new_version_takes_over_and_the_old_one_is_freed(make, base):
    versions = make()
    versions.configure([config(base)])
    versions.wait_until_available()
    with versions.using("m") as (_, old):
        pass
    (base / "2").mkdir()
    versions.start_polling(0.01)
    wait_for(lambda: states(versions) == {2: "AVAILABLE", 1: "END"})
    assert old.is_closed
    assert versions.unavailable() == []


def test_no_fault_ends_the_looking(make, base, caplog, monkeypatch):
    versions = make()
    versions.configure([config(base)])
    versions.wait_until_available()
    look = version_policy.find_versions
    faults = iter([ZeroDivisionError("of our own")])

    def find(path):
        for fault in faults:
            raise fault
        return look(path)

    monkeypatch.setattr(version_policy, "find_versions", find)
    (base / "2").mkdir()
    versions.start_polling(0.01)
    wait_for(lambda: states(versions) == {2: "AVAILABLE", 1: "END"})
    assert "of our own" in caplog.text


def test_a_request_keeps_its_version_until_it_is_answered(make, base):
    versions = make()
    versions.configure([config(base)])
    versions.wait_until_available()
    with versions.using("m") as (version, old):
        (base / "2").mkdir()
        versions.poll()
        wait_for(lambda: states(versions).get(2) == "AVAILABLE")
        assert (version, old.is_closed) == (1, False)
        assert states(versions)[1] == "UNLOADING"
        with versions.using("m") as (newer, _):
            assert newer == 2
        with pytest.raises(errors.ServingError, match="Specific"):
            with versions.using("m", version=1):
                pass
    assert old.is_closed
    assert states(versions)[1] == "END"


def test_a_version_that_does_not_load_leaves_the_old_one_in_place(make, base):
    versions = make(max_num_load_retries=2)
    versions.configure([config(base)])
    versions.wait_until_available()
    (base / "2/damaged").mkdir(parents=True)
    versions.poll()
    wait_for(lambda: states(versions).get(2) == "END")
    newest, oldest = versions.status("m")
    assert newest.error.message == "damaged"
    assert oldest.state == "AVAILABLE"
    # It is not tried again as it is, but when it has been away.
    (base / "2/damaged").rmdir()
    versions.poll()
    assert states(versions) == {2: "END", 1: "AVAILABLE"}
    (base / "2").rename(base / "away")
    versions.poll()
    (base / "away").rename(base / "2")
    versions.poll()
    wait_for(lambda: states(versions) == {2: "AVAILABLE", 1: "END"})


def test_loading_is_tried_as_often_as_was_said(make, base):
    attempts = []

    def load(path):
        attempts.append(path)
        if len(attempts) < 3:
            raise errors.ServingError("NOT_FOUND", "not yet")
        return FakeEngine(path)

    versions = make(load, max_num_load_retries=2)
    versions.configure([config(base)])
    versions.wait_until_available()
    (status,) = versions.status("m")
    assert (status.state, status.error, len(attempts)) == ("AVAILABLE", None, 3)


def test_a_start_without_any_version_that_loads_fails(make, base):
    (base / "1/damaged").mkdir()
    versions = make(max_num_load_retries=1)
    versions.configure([config(base)])
    with pytest.raises(
        errors.ServingError,
        match=r"UNKNOWN: 1 model\(s\) did not become available: \{\{name: m "
        r"version: 1 due to error: NOT_FOUND: damaged\}\}",
    ):
        versions.wait_until_available()
    assert versions.unavailable() == ["m"]


def test_an_unforeseen_error_of_loading_counts_as_internal(make, base, caplog):
    def load(path):
        raise KeyError("x")

    versions = make(load, max_num_load_retries=0)
    versions.configure([config(base)])
    with pytest.raises(errors.ServingError, match="INTERNAL"):
        versions.wait_until_available()
    assert "Traceback" in caplog.text


def test_a_start_without_versions_on_disk_says_where_it_looked(make, tmp_path):
    versions = make()
    versions.configure([config(tmp_path)])
    with pytest.raises(
        errors.ServingError,
        match=f"numerical version path for servable m at: {tmp_path}",
    ):
        versions.wait_until_available()


def test_a_folder_that_cannot_be_read_changes_nothing(make, base):
    versions = make()
    versions.configure([config(base)])
    versions.wait_until_available()
    base.rename(base.parent / "unplugged")
    versions.poll()
    assert states(versions) == {1: "AVAILABLE"}


def test_the_last_version_on_disk_is_retired_when_it_is_removed(make, base):
    versions = make()
    versions.configure([config(base)])
    versions.wait_until_available()
    (base / "1").rmdir()
    versions.poll()
    assert states(versions) == {1: "END"}
    assert versions.unavailable() == ["m"]
    (base / "1").mkdir()
    versions.poll()
    versions.wait_until_available()
    assert states(versions) == {1: "AVAILABLE"}


def test_a_version_that_is_taken_back_while_it_loads_is_not_served(make, base):
    go_on = threading.Event()
    loading = threading.Event()

    def load(path):
        loading.set()
        assert go_on.wait(20)
        return FakeEngine(path)

    versions = make(load)
    versions.configure([config(base)])
    assert loading.wait(20)
    assert states(versions) == {1: "LOADING"}
    (base / "1").rmdir()
    versions.poll()
    go_on.set()
    wait_for(lambda: states(versions) == {1: "END"})


def test_a_new_list_of_models_replaces_the_old_one(make, base, tmp_path):
    (tmp_path / "n/5").mkdir(parents=True)
    versions = make()
    versions.configure([config(base)])
    versions.wait_until_available()
    versions.configure([config(tmp_path / "n", name="n")])
    versions.wait_until_available()
    assert states(versions, "n") == {5: "AVAILABLE"}
    assert states(versions, "m") == {1: "END"}
    assert versions.unavailable() == []
    versions.poll()
    assert states(versions, "m") == {1: "END"}
    versions.configure([config(base), config(tmp_path / "n", name="n")])
    versions.wait_until_available()
    assert states(versions, "m") == {1: "AVAILABLE"}


def test_a_label_moves_only_to_a_version_that_is_served(make, base):
    (base / "2").mkdir()
    versions = make()
    first = config(base, "all")
    with pytest.raises(errors.ServingError, match="not currently available"):
        versions.configure([config(base, "all", labels={"stable": 1})])
    assert versions.unavailable() == []  # nothing was configured
    versions.configure([first])
    wait_for(lambda: set(states(versions).values()) == {"AVAILABLE"})
    for version in (1, 2):
        versions.configure([config(base, "all", labels={"stable": version})])
        with versions.using("m", label="stable") as (found, _):
            assert found == version
    with pytest.raises(errors.ServingError) as caught:
        versions.configure([config(base, "all", labels={"stable": 3})])
    assert caught.value.code == "FAILED_PRECONDITION"
    with versions.using("m", label="stable") as (found, _):
        assert found == 2


def test_a_label_may_be_new_but_not_moved_to_what_is_not_served(make, base):
    versions = make(allow_version_labels_for_unavailable_models=True)
    versions.configure([config(base, "all", labels={"next": 9})])
    versions.wait_until_available()
    with pytest.raises(errors.ServingError, match=r"Specific\(m, 9\)"):
        with versions.using("m", label="next"):
            pass
    with pytest.raises(errors.ServingError, match="not currently available"):
        versions.configure([config(base, "all", labels={"next": 8})])


def test_closing_frees_all_and_waits_for_threads(base):
    engines = []

    def load(path):
        engines.append(FakeEngine(path))
        return engines[-1]

    versions = model_versions.ModelVersions(load)
    versions.configure([config(base)])
    versions.wait_until_available()
    versions.start_polling(0.01)
    versions.close()
    assert [engine.is_closed for engine in engines] == [True]
    with pytest.raises(errors.ServingError):
        with versions.using("m"):
            pass
