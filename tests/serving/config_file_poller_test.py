"""Tests for serving.config_file_poller."""

import contextlib
import threading

from serving import config_file_poller
from serving import model_config


class FakeVersions:
    """Takes models, and says when."""

    def __init__(self):
        self.configured = threading.Event()
        self.configs = None

    def configure(self, configs):
        model_config.validate(configs)
        self.configs = configs
        self.configured.set()


def write(path, name):
    path.write_text(
        f'model_config_list {{ config {{ name: "{name}" base_path: "/x" '
        'model_platform: "tensorflow" } }'
    )


def test_the_file_is_read_again_and_again(tmp_path):
    path, versions = tmp_path / "models.config", FakeVersions()
    write(path, "a")
    poller = config_file_poller.ConfigFilePoller(path, versions, 0.01)
    poller.start()
    with contextlib.closing(poller):
        for name in ("a", "b"):
            write(path, name)
            versions.configured.clear()
            # The first reading may have begun before.
            for _ in range(2):
                assert versions.configured.wait(20)
                versions.configured.clear()
            assert [config.name for config in versions.configs] == [name]


def test_a_file_that_is_wrong_changes_nothing_and_is_told(tmp_path, caplog):
    path, versions = tmp_path / "models.config", FakeVersions()
    poller = config_file_poller.ConfigFilePoller(path, versions, 10.0)
    poller.poll()
    path.write_text("improper")
    poller.poll()
    write(path, "a")
    path.write_text(path.read_text().replace("/x", "//[x"))
    poller.poll()
    assert versions.configs is None
    assert "No such file" in caplog.text
    assert "Error parsing text-format" in caplog.text
    assert "to have the path of a folder" in caplog.text


def test_an_empty_file_changes_nothing_and_an_empty_list_takes_all_away(
    tmp_path,
):
    path, versions = tmp_path / "models.config", FakeVersions()
    poller = config_file_poller.ConfigFilePoller(path, versions, 10.0)
    write(path, "a")
    poller.poll()
    # As an editor does before it writes.
    path.write_text("")
    poller.poll()
    assert [config.name for config in versions.configs] == ["a"]
    path.write_text("model_config_list {}")
    poller.poll()
    assert versions.configs == []


def test_no_fault_ends_the_reading(tmp_path, caplog):
    class Faulty(FakeVersions):
        def configure(self, configs):
            if configs[0].name == "bad":
                self.configured.set()
                raise ZeroDivisionError("of our own")
            super().configure(configs)

    path, versions = tmp_path / "models.config", Faulty()
    write(path, "bad")
    poller = config_file_poller.ConfigFilePoller(path, versions, 0.01)
    poller.start()
    with contextlib.closing(poller):
        assert versions.configured.wait(20)
        write(path, "good")
        for _ in range(3):
            versions.configured.clear()
            assert versions.configured.wait(20)
    assert [config.name for config in versions.configs] == ["good"]
    assert "of our own" in caplog.text
