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
    assert versions.configs is None
    assert "No such file" in caplog.text
    assert "Error parsing text-format" in caplog.text
