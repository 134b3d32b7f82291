"""The checkpoints of a run that several workers train."""

import tempfile
from pathlib import Path

from tf_simmim.training.errors import CheckpointWriteError

_NONE = -1
_OUTCOMES = (None, CheckpointWriteError, FloatingPointError)


class SharedCheckpointStore:
    """A `CheckpointStore` that all workers use, and only the chief writes to.

    A checkpoint holds sums over all workers (of metrics), so each of them has
    to take part in a save; TensorFlow makes those sums while it writes. What
    the others write goes to a temporary folder of theirs and is removed.

    Every worker has to make the same calls in the same order. Each call has
    the same outcome on all, errors included. With one worker it does what
    the store does.

    Args:
        store: `CheckpointStore`, on a file system that all workers share.
        workers: `Workers`.
    """

    def __init__(self, store, workers):
        self._store = store
        self._workers = workers

    def sweep(self) -> None:
        """As `CheckpointStore.sweep`, by the chief."""
        with self._workers.sharing_errors():
            if self._workers.is_chief:
                self._store.sweep()

    def require_space(self, checkpoint) -> None:
        """As `CheckpointStore.require_space`, for the chief."""
        with self._workers.sharing_errors():
            if self._workers.is_chief:
                self._store.require_space(checkpoint)

    def latest(self):
        """As `CheckpointStore.latest`, as the chief sees it."""
        step = _NONE
        with self._workers.sharing_errors():
            if self._workers.is_chief:
                latest = self._store.latest()
                step = _NONE if latest is None else latest
        step = self._workers.exchange(step)[0]
        return None if step == _NONE else step

    def save(self, checkpoint, step, metadata) -> None:
        """As `CheckpointStore.save`; returns when the chief has finished.

        Raises:
            ValueError, FloatingPointError, CheckpointWriteError: as there.
        """
        outcome, failure = 0, None
        if self._workers.is_chief:
            try:
                self._store.save(checkpoint, step, metadata)
            except (CheckpointWriteError, FloatingPointError) as error:
                outcome, failure = _OUTCOMES.index(type(error)), error
        else:
            with tempfile.TemporaryDirectory() as folder:
                checkpoint.write(str(Path(folder) / "state"))
        outcome = self._workers.exchange(outcome)[0]
        if failure is not None:
            raise failure
        if _OUTCOMES[outcome] is FloatingPointError:
            raise FloatingPointError(
                f"The chief's checkpoint of step {step} is not finite."
            )
        if _OUTCOMES[outcome] is CheckpointWriteError:
            raise CheckpointWriteError(
                self._store.directory, step, OSError("see the chief's log")
            )

    def newest_valid(self) -> dict:
        """As `CheckpointStore.newest_valid`; the same on all workers.

        Raises:
            NoValidCheckpointError, ValueError: as there; or a worker sees
                another folder than the chief does.
        """
        return self._on_all(lambda is_chief: self._store.newest_valid())

    def restore(self, checkpoint) -> dict:
        """As `CheckpointStore.restore`; the same checkpoint on all workers.

        Raises:
            NoValidCheckpointError, ValueError: as there; or a worker sees
                another folder than the chief does.
        """
        return self._on_all(
            lambda is_chief: self._store.restore(checkpoint, set_aside=is_chief)
        )

    def _on_all(self, manifest_of):
        """Calls a function everywhere; its manifests must be of one step."""
        manifest = {}
        # The chief first: it sets damaged ones aside.
        with self._workers.sharing_errors():
            if self._workers.is_chief:
                manifest = manifest_of(True)
        step = self._workers.exchange(manifest.get("step", _NONE))[0]
        with self._workers.sharing_errors():
            if not self._workers.is_chief:
                manifest = manifest_of(False)
                if manifest["step"] != step:
                    raise ValueError(
                        "`directory` must be one folder, shared by all "
                        f"workers. Received: {self._store.directory}, where "
                        f"the newest checkpoint is of step {manifest['step']}, "
                        f"and the chief's of step {step}."
                    )
        return manifest
