"""Reads a file of models again and again, and serves what it says."""

import logging
import os
import threading

from serving import errors
from serving import model_config
from serving import model_versions

_log = logging.getLogger(__name__)


class ConfigFilePoller:
    """Keeps a server at what a `--model_config_file` says.

    A file that cannot be read, or breaks a rule, is logged and changes
    nothing; neither does an empty one, as while it is being written.

    Owns a thread from `start` to `close`.

    Args:
        path: file.
        versions: `ModelVersions`, configured from the file already.
        seconds: float > 0. Between two readings.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        versions: model_versions.ModelVersions,
        seconds: float,
    ):
        self._path = path
        self._versions = versions
        self._seconds = seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        """Begins to read the file."""
        self._thread.start()

    def close(self):
        """Stops reading the file."""
        self._stopped.set()
        self._thread.join()

    def poll(self):
        """Reads the file once."""
        try:
            configs = model_config.read(self._path)
            if configs is not None:
                self._versions.configure(configs)
        except errors.ServingError as error:
            _log.warning("The models stay as they are: %s", error)
        except Exception:
            # Whatever it is: the next file may be better.
            _log.exception("The models stay as they are")

    def _run(self):
        while not self._stopped.wait(self._seconds):
            self.poll()
