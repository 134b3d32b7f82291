"""The versions of one model: loaded, lent to requests, retired."""

import dataclasses
import logging
import threading

from serving import errors
from serving import model_config
from serving import version_status
from serving.version_status import AVAILABLE
from serving.version_status import END
from serving.version_status import LOADING
from serving.version_status import START
from serving.version_status import UNLOADING

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Loading:
    """How versions are loaded.

    Attributes:
        load: function of a folder that returns an engine (with `close()`), or
            raises `ServingError`.
        max_num_retries: int >= 0. Attempts after a first that failed.
        retry_interval_seconds: float >= 0. Between two attempts.
        one_at_a_time: lock that is held while a version is loaded.
        stopped: event; once it is set, nothing more is loaded.
    """

    load: object
    max_num_retries: int
    retry_interval_seconds: float
    one_at_a_time: threading.Lock
    stopped: threading.Event


@dataclasses.dataclass
class _Version:
    status: version_status.VersionStatus
    path: object
    engine: object = None
    num_users: int = 0
    # It ended for another reason than that it does not load: should it be
    # wanted again, it is loaded again.
    may_return: bool = False


class ServedModel:
    """One model of a server.

    Every method must be called with `changed` held, except that threads of its
    own load versions.

    Args:
        config: `ModelConfig`. May be replaced; None once the model is not to
            be served any more.
        loading: `Loading`.
        changed: condition that guards the state and is notified of changes.
    """

    def __init__(self, config, loading, changed):
        self.config: model_config.ModelConfig | None = config
        self.wanted = set()
        self.loaders = []
        self._name = config.name
        self._loading = loading
        self._changed = changed
        self._versions = {}

    def want(self, paths):
        """Loads these versions and retires the others.

        A version that did not load is not tried again as long as it is there.

        Args:
            paths: {version: folder}.
        """
        self.wanted = set(paths)
        for number, path in sorted(paths.items()):
            version = self._versions.get(number)
            if version is None or version.may_return:
                status = version_status.VersionStatus(number)
                version = self._versions[number] = _Version(status, path)
                thread = threading.Thread(
                    target=self._load, args=(version,), daemon=True
                )
                alive = [loader for loader in self.loaders if loader.is_alive()]
                self.loaders = [*alive, thread]
                thread.start()
        for number, version in self._versions.items():
            if number not in paths and version.status.state == END:
                version.may_return = True
        self._retire()

    def find(self, version=None):
        """Returns what is served under a number, to be given to `keep_loaded`.

        Args:
            version: int, or None for the highest number.

        Returns:
            The version, with `status` and `engine`; None where there is none.
        """
        numbers = [
            number
            for number, found in self._versions.items()
            if found.status.state == AVAILABLE and version in (None, number)
        ]
        return self._versions[max(numbers)] if numbers else None

    def keep_loaded(self, version):
        """Keeps what `find` returned loaded until it is released."""
        version.num_users += 1

    def release(self, version):
        """Ends a `keep_loaded`; the last one frees a retired version."""
        version.num_users -= 1
        self._unload_unused(version)

    def folder(self, number):
        """Returns the path of a version that has been found."""
        return self._versions[number].path

    def statuses(self):
        """Returns copies of all `VersionStatus`es, the newest first."""
        return [
            dataclasses.replace(self._versions[number].status)
            for number in sorted(self._versions, reverse=True)
        ]

    def is_settled(self):
        """Whether what can be had is there.

        With something to serve, versions whose loading has failed once are
        not waited for; with nothing, until the last attempt.
        """
        unloaded = [
            version.status
            for version in self._versions.values()
            if version.status.state in (START, LOADING)
        ]
        if self.find() is None:
            return not unloaded
        return all(status.error is not None for status in unloaded)

    def _load(self, version):
        status, loading = version.status, self._loading
        gave_up = True
        for attempt in range(loading.max_num_retries + 1):
            if attempt:
                loading.stopped.wait(loading.retry_interval_seconds)
            with self._changed:
                if loading.stopped.is_set() or (
                    status.version not in self.wanted
                ):
                    break
                status.state = LOADING
            engine, status.error = self._try_to_load(version.path)
            if engine is not None:
                gave_up = False
                break
            _log.warning(
                "Loading servable: {name: %s version: %d} failed: %s",
                self._name,
                status.version,
                status.error,
            )
        else:
            engine, gave_up = None, False
        with self._changed:
            if gave_up or engine is None:
                status.state = END
                version.may_return = gave_up
            else:
                version.engine = engine
                status.state = AVAILABLE
            self._retire()
            self._changed.notify_all()

    def _try_to_load(self, path):
        try:
            with self._loading.one_at_a_time:
                return self._loading.load(path), None
        except errors.ServingError as error:
            return None, error
        except Exception as error:
            _log.exception("Loading %s failed", path)
            return None, errors.ServingError("INTERNAL", str(error))

    def _retire(self):
        serves_a_wanted_one = any(
            version.status.state == AVAILABLE and number in self.wanted
            for number, version in self._versions.items()
        )
        if self.wanted and not serves_a_wanted_one:
            return
        for number, version in self._versions.items():
            if number not in self.wanted and version.status.state == AVAILABLE:
                version.status.state = UNLOADING
                self._unload_unused(version)

    def _unload_unused(self, version):
        if version.status.state != UNLOADING or version.num_users:
            return
        engine, version.engine = version.engine, None
        engine.close()
        version.status.state = END
        version.may_return = True
        self._changed.notify_all()
