"""The models of a server: versions come, serve and go while they are used."""

import contextlib
import logging
import threading

from serving import errors
from serving import model_config
from serving import served_model
from serving import version_policy

_log = logging.getLogger(__name__)


class ModelVersions:
    """The models of a server, each with the versions that its policy chooses.

    A version that appears on disk is loaded; one that the policy no longer
    chooses is retired as soon as a chosen one is available, after the requests
    that it is answering. So a new version that does not load leaves the old
    one in place. Versions load one at a time, each in a thread of its own.

    Owns threads and engines: `close` frees them. All methods may be called
    from any thread.

    Args:
        load: function of a folder that returns an engine (with `close()`), or
            raises `ServingError`.
        max_num_load_retries: int >= 0. Attempts after a first that failed.
            Default 5, as in TensorFlow Serving.
        load_retry_interval_seconds: float >= 0. Between two attempts. Default
            1: at a desk, an export that does not load should be known at once
            (TensorFlow Serving: 60).
        allow_version_labels_for_unavailable_models: bool. Whether a new label
            may name a version that is not available (yet). Default False, as
            there.
    """

    def __init__(
        self,
        load,
        max_num_load_retries=5,
        load_retry_interval_seconds=1.0,
        allow_version_labels_for_unavailable_models=False,
    ):
        self._allow_labels = allow_version_labels_for_unavailable_models
        self._models = {}
        self._labels = {}
        # Guards all of the above and what the models hold.
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._poller = None
        self._loading = served_model.Loading(
            load=load,
            max_num_retries=max_num_load_retries,
            retry_interval_seconds=load_retry_interval_seconds,
            one_at_a_time=threading.Lock(),
            stopped=self._stopped,
        )

    def configure(self, configs):
        """Serves these models from now on, and no others.

        Returns before new versions are loaded.

        Args:
            configs: list of `ModelConfig`.

        Raises:
            ServingError: a rule of `model_config.validate` is broken
                (INVALID_ARGUMENT), or a label names a version that is not
                available (FAILED_PRECONDITION). Then nothing has changed.
        """
        configs = list(configs)
        model_config.validate(configs)
        with self._changed:
            self._labels = self._checked_labels(configs)
            names = {config.name for config in configs}
            for name, model in self._models.items():
                if name not in names:
                    model.want({})
                    model.config = None
            for config in configs:
                if config.name in self._models:
                    self._models[config.name].config = config
                else:
                    self._models[config.name] = served_model.ServedModel(
                        config, self._loading, self._changed
                    )
        self.poll()

    def poll(self):
        """Looks for versions on disk once; loads and retires accordingly.

        A folder that cannot be read changes nothing: disks come back.
        """
        for name, model in self._configured():
            config = model.config
            if config is None:
                continue
            try:
                found = version_policy.find_versions(config.base_path)
            except OSError as error:
                _log.warning(
                    "Could not find base path %s for servable %s with error %s",
                    config.base_path,
                    name,
                    error.strerror,
                )
                continue
            chosen = config.policy.choose(found)
            with self._changed:
                if model.config is config and not self._stopped.is_set():
                    model.want({number: found[number] for number in chosen})

    def start_polling(self, seconds):
        """Polls every so many seconds (float > 0), in a thread, until close."""
        self._poller = threading.Thread(
            target=self._poll_until_stopped, args=(seconds,), daemon=True
        )
        self._poller.start()

    def wait_until_available(self):
        """Waits until every model has a version to serve.

        Raises:
            ServingError: a model has no version on disk (NOT_FOUND), or none
                of its versions could be loaded (UNKNOWN).
        """
        models = self._configured()
        with self._changed:
            for name, model in models:
                if not model.wanted:
                    raise errors.ServingError(
                        "NOT_FOUND",
                        "Unable to find a numerical version path for servable "
                        f"{name} at: {model.config.base_path}",
                    )
            self._changed.wait_for(
                lambda: (
                    self._stopped.is_set()
                    or all(model.is_settled() for _, model in models)
                )
            )
            failed = [
                f"{{name: {name} version: {status.version} due to error: "
                f"{status.error}}}"
                for name, model in models
                if model.find() is None
                for status in model.statuses()
            ]
        if failed:
            raise errors.ServingError(
                "UNKNOWN",
                f"{len(failed)} model(s) did not become available: "
                f"{{{', '.join(failed)}}}",
            )

    def is_configured(self, name):
        """Whether this server was told to serve such a model."""
        with self._changed:
            return name in self._models

    def names(self):
        """Returns the names of the models, also of those not loaded."""
        return sorted(name for name, _ in self._configured())

    def unavailable(self):
        """Returns the names of the models without a version to serve."""
        models = self._configured()
        with self._changed:
            return sorted(n for n, model in models if model.find() is None)

    def status(self, name, version=None):
        """Returns how the versions of a model are doing, the newest first.

        Args:
            name: str.
            version: int, or None for all that this server has known.

        Returns:
            list of `VersionStatus`.

        Raises:
            ServingError: there is no such model or version (NOT_FOUND).
        """
        with self._changed:
            model = self._models.get(name)
            statuses = model.statuses() if model else []
        if version is not None:
            statuses = [each for each in statuses if each.version == version]
        if statuses:
            return statuses
        which = "any versions" if version is None else f"version {version}"
        raise errors.ServingError(
            "NOT_FOUND", f"Could not find {which} of model {name}"
        )

    def folder(self, name, version):
        """Returns the path of a version of a model.

        Raises:
            ServingError: there is no such model or version (NOT_FOUND).
        """
        self.status(name, version)
        with self._changed:
            return self._models[name].folder(version)

    @contextlib.contextmanager
    def using(self, name, version=None, label=None):
        """Lends an engine; it stays loaded while the context lasts.

        Args:
            name: str.
            version: int, or None.
            label: str, or None. Without either, the highest available number
                is lent.

        Yields:
            (version, engine).

        Raises:
            ServingError: nothing to serve by that name and number (NOT_FOUND),
                or there is no such label (INVALID_ARGUMENT).
        """
        with self._changed:
            if label is not None:
                version = self._labels.get(name, {}).get(label)
                if version is None:
                    raise errors.invalid_argument(
                        f"Unrecognized servable version label: {label}"
                    )
            model = self._models.get(name)
            found = model.find(version) if model else None
            if found is None:
                request = (
                    f"Latest({name})"
                    if version is None
                    else f"Specific({name}, {version})"
                )
                raise errors.ServingError(
                    "NOT_FOUND", f"Servable not found for request: {request}"
                )
            model.keep_loaded(found)
        try:
            yield found.status.version, found.engine
        finally:
            with self._changed:
                model.release(found)

    def close(self):
        """Stops polling and loading, and frees every engine not in use."""
        self._stopped.set()
        with self._changed:
            models = list(self._models.values())
            for model in models:
                model.want({})
            self._changed.notify_all()
        threads = [thread for model in models for thread in model.loaders]
        for thread in [*threads, *filter(None, [self._poller])]:
            thread.join()

    def _configured(self):
        with self._changed:
            return [
                (name, model)
                for name, model in self._models.items()
                if model.config is not None
            ]

    def _checked_labels(self, configs):
        for config in configs:
            for label, version in config.labels.items():
                before = self._labels.get(config.name, {}).get(label, version)
                if self._allow_labels and before == version:
                    continue
                model = self._models.get(config.name)
                if model is None or model.find(version) is None:
                    raise errors.ServingError(
                        "FAILED_PRECONDITION",
                        f"Request to assign label to version {version} of "
                        f"model {config.name}, which is not currently "
                        "available for inference",
                    )
        return {config.name: dict(config.labels) for config in configs}

    def _poll_until_stopped(self, seconds):
        while not self._stopped.wait(seconds):
            try:
                self.poll()
            except Exception:
                # Whatever it is: later versions are to be found all the same.
                _log.exception("Looking for versions failed")
