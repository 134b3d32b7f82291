"""A folder that record files are written into, resumable at any moment."""

import contextlib
import fcntl
import json
import os
import pathlib
import shutil

import tensorflow as tf

from tf_simmim import atomic_file
from tf_simmim.data.sources import record_index

_SETTINGS = "settings.json"


class UnfinishedFolder:
    """What has been written so far, and what it was made from.

    A shard is written under `.unfinished/`, flushed to the disk and renamed;
    then its facts are written beside the settings. What has no facts is
    written again. Last comes the index, and `.unfinished/` goes.

    Args:
        path: str or path of the folder: new, empty, or one that the same
            settings began.
        settings: dict, JSON-able. All that decides a byte of the files.

    Attributes:
        path: path.
        index: `RecordIndex`, or None before it is finished.

    Raises:
        ValueError: other files lie in the folder, other settings began it, it
            cannot be written to, or another process is writing to it.
    """

    def __init__(self, path, settings):
        self.path = pathlib.Path(path).expanduser()
        self._settings = settings
        self._own = self.path / record_index.UNFINISHED
        self.index = None
        self._descriptor = None
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock()
            self._open()
        except OSError as error:
            self.close()
            raise ValueError(
                "`out` must be a folder that can be written to. "
                f"Received: {self.path} ({error.strerror})."
            ) from error
        except BaseException:
            self.close()
            raise

    def _lock(self):
        # On the folder itself: it leaves no file, and goes with the process.
        self._descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(
                "`out` must be a folder that no other process prepares images "
                f"in. Received: {self.path}. Wait until it is done, or stop it."
            ) from error
        except OSError:
            pass  # a file system without locks

    def _open(self):
        atomic_file.remove_leftovers(self.path, record_index.FILE)
        if (self.path / record_index.FILE).exists():
            self.index = record_index.read(self.path)
            self._require_same(self.index.made_from)
            # It may have been stopped between the two.
            shutil.rmtree(self._own, ignore_errors=True)
            return
        settings = self._own / _SETTINGS
        if settings.exists():
            self._require_same(json.loads(atomic_file.read_bytes(settings)))
        else:
            # Without settings, nothing has been written into it.
            shutil.rmtree(self._own, ignore_errors=True)
            others = sorted(entry.name for entry in self.path.iterdir())
            if others:
                raise ValueError(
                    "`out` must be a new or an empty folder, or one that the "
                    f"same settings began. Received: {self.path}, in which "
                    f"there is {others[0]}."
                )
            self._own.mkdir()
            self._write_json(settings, self._settings)

    def _require_same(self, before):
        now = json.loads(json.dumps(self._settings))
        if before == now:
            return
        names = sorted(
            key
            for key in before.keys() | now.keys()
            if before.get(key) != now.get(key)
        )
        raise ValueError(
            f"{self.path} was begun with other settings: name another `out` "
            "for these. Then: "
            f"{', '.join(f'{key}={before.get(key)}' for key in names)}. "
            "Received: "
            f"{', '.join(f'{key}={now.get(key)}' for key in names)}."
        )

    def facts(self, file: str) -> dict | None:
        """Returns the facts of a shard, or None if it is not written yet.

        Args:
            file: str, name of the shard.
        """
        path = self._own / f"{file}.json"
        if not path.exists():
            return None
        facts = json.loads(atomic_file.read_bytes(path))
        shard = self.path / file
        is_there = shard.exists() and shard.stat().st_size == facts["bytes"]
        return facts if is_there else None

    def write_shard(self, file: str, records) -> dict:
        """Writes one shard; it counts from `finish_shard` on.

        Args:
            file: str, its name.
            records: iterable of bytes.

        Returns:
            dict: `records`, `bytes` and `sha256`.

        Raises:
            ValueError: it cannot be written; what is there stays.
        """
        # Only what is written here: an error of `records` is no disk's.
        temporary, count = self._own / file, 0
        with self._writing():
            writer = tf.io.TFRecordWriter(str(temporary))
        try:
            for record in records:
                with self._writing():
                    writer.write(record)
                count += 1
        except BaseException:
            with contextlib.suppress(tf.errors.OpError):
                writer.close()
            raise
        with self._writing():
            writer.close()
            atomic_file.sync(temporary)
            facts = {
                "records": count,
                "bytes": temporary.stat().st_size,
                "sha256": record_index.sha256_of(str(temporary)),
            }
            os.replace(temporary, self.path / file)
            atomic_file.sync(self.path)
        return facts

    def finish_shard(self, file: str, facts: dict) -> None:
        """Notes the facts of a shard: from now on it is not written again."""
        with self._writing():
            self._write_json(self._own / f"{file}.json", facts)

    def finish(self, index) -> None:
        """Writes the index, and removes what was there for going on.

        Args:
            index: `RecordIndex`.
        """
        with self._writing():
            index.write(self.path)
            shutil.rmtree(self._own)
            atomic_file.sync(self.path)
        self.index = index

    def close(self) -> None:
        """Lets another process, or another object, have the folder."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None

    @contextlib.contextmanager
    def _writing(self):
        """Turns an error of the disk into a sentence."""
        try:
            yield
        except (OSError, tf.errors.OpError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise ValueError(
                "`out` must be a folder with room for the images. Received: "
                f"{self.path} ({why}). The same command goes on where it "
                "stopped."
            ) from error

    def _write_json(self, path, content):
        with atomic_file.replacing(path) as file:
            file.write(json.dumps(content).encode() + b"\n")
