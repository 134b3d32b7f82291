"""Loads one version of a SavedModel and runs it as TensorFlow Serving does."""

import contextlib
import ctypes
import os
import pathlib
import threading

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2
from tensorflow.core.protobuf import rewriter_config_pb2

from serving import errors


class SavedModelEngine:
    """One SavedModel in a session of its own.

    TensorFlow Serving loads the graph and its variables into a C++ session and
    calls `Session::Run` with names of tensors. So does this, with the same C++
    code out of the installed TensorFlow. `tf.saved_model.load` would rebuild
    Python functions instead, and load files that the server refuses (those of
    Keras 3 whose variables are not tracked).

    A run computes all outputs of a signature. The session optimises a graph for
    each set of tensors that it is asked for, which takes seconds, and in which
    it answers nobody: with one set for a signature, `prepare` can have it done
    before there are requests, and no request can ask for another.

    Owns a session; `close` frees it. `run` may be called from several threads.

    Args:
        path: folder with `saved_model.pb`.
        tags: sequence of str. Of the graph to load; TensorFlow Serving's
            default is "serve" (`--saved_model_tags`).
        timeout_in_ms: int >= 0, milliseconds. A run that takes longer is
            cancelled between two operations; 0 waits for ever.
        intra_op_threads: int >= 0. Threads of one operation; 0 is one a core.
        inter_op_threads: int >= 0. Operations at a time; 0 is one a core.

    Raises:
        ServingError: there is no SavedModel, it has no graph with these tags,
            or variables or operations are missing (NOT_FOUND,
            FAILED_PRECONDITION, INVALID_ARGUMENT or as the session says).
    """

    def __init__(
        self,
        path,
        tags=("serve",),
        timeout_in_ms=0,
        intra_op_threads=0,
        inter_op_threads=0,
    ):
        self.path = pathlib.Path(path)
        self._timeout_in_ms = timeout_in_ms
        self._lock = threading.Lock()
        self._callables = {}
        self._session = tf.compat.v1.Session(
            graph=tf.Graph(),
            config=_session_config(intra_op_threads, inter_op_threads),
        )
        try:
            meta_graph = tf.compat.v1.saved_model.loader.load(
                self._session, list(tags), os.fspath(path)
            )
        except Exception as error:
            self._session.close()
            raise _as_serving_error(error) from error
        self.signatures = dict(meta_graph.signature_def)

    def prepare(self):
        """Does now what the first run of each signature would take time for.

        Until then, a first run keeps those of other signatures waiting. What
        cannot be run says why when it is.
        """
        for name in self.signatures:
            with contextlib.suppress(errors.ServingError):
                self._callable(name)

    def run(self, signature_name, inputs):
        """Runs one signature.

        Args:
            signature_name: str. A key of `signatures`.
            inputs: {alias: array}. One for each input of the signature, of
                its data type; strings are arrays of bytes (dtype object).

        Returns:
            {alias: array}, of the outputs' data types.

        Raises:
            ServingError: an operation failed, or the time is over
                (DEADLINE_EXCEEDED).
        """
        signature = self.signatures[signature_name]
        call, names = self._callable(signature_name)
        arrays = [inputs[alias] for alias in sorted(signature.inputs)]
        try:
            fetched = call(*arrays)
        except tf.errors.OpError as error:
            raise errors.from_tensorflow(error) from error
        by_name = dict(zip(names, map(_as_array, fetched), strict=True))
        return {
            alias: by_name[info.name]
            for alias, info in signature.outputs.items()
        }

    def close(self):
        """Frees the session; nothing may run in it any more."""
        with self._lock:
            self._callables.clear()
        self._session.close()

    def _callable(self, signature_name):
        """Returns (function of arrays, names of the tensors it returns)."""
        signature = self.signatures[signature_name]
        feeds, fetches = _tensors(signature)
        # Of tensors, not of the signature: an export's default is another one.
        key = (feeds, fetches)
        found = self._callables.get(key)
        if found is None:
            with self._lock:
                found = self._callables.get(key) or self._make_callable(*key)
                self._callables[key] = found
        if isinstance(found, errors.ServingError):
            raise errors.ServingError(found.code, found.message)
        return found, fetches

    def _make_callable(self, feeds, fetches):
        """Returns a function; or the error, which is there to stay."""
        options = tf.compat.v1.RunOptions(timeout_in_ms=self._timeout_in_ms)
        make = getattr(self._session, "_make_callable_from_options", None)
        try:
            if make is not None:
                return make(
                    config_pb2.CallableOptions(
                        feed=feeds, fetch=fetches, run_options=options
                    )
                )
            # The public way: Python checks shapes that the server leaves to
            # the operations, and so refuses some requests that the server
            # answers.
            run = self._session.make_callable(
                list(fetches), feed_list=list(feeds), accept_options=True
            )
        except tf.errors.OpError as error:
            return errors.from_tensorflow(error)
        return lambda *arrays: run(*arrays, options=options)


def _session_config(intra_op_threads, inter_op_threads):
    config = tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=intra_op_threads,
        inter_op_parallelism_threads=inter_op_threads,
    )
    # A second round, and the passes that only prepare others, leave the same
    # kernels, and take two fifths of the time before a version can answer.
    rewriting = config.graph_options.rewrite_options
    rewriting.meta_optimizer_iterations = rewriter_config_pb2.RewriterConfig.ONE
    rewriting.disable_tfg_optimizer = True
    return config


def _tensors(signature):
    """Returns the names of what is fed and fetched, each in its order."""
    feeds = tuple(
        signature.inputs[alias].name for alias in sorted(signature.inputs)
    )
    # Two aliases may name one tensor.
    fetches = {info.name for info in signature.outputs.values()}
    return feeds, tuple(sorted(fetches))


def disable_xla() -> bool:
    """Makes every function with `jit_compile=True` fail, in this process.

    `tensorflow_model_server` does so at its start unless told otherwise: a
    model that needs XLA is to fail at the desk, not first in production. It
    cannot be undone.

    Returns:
        bool: whether this TensorFlow has such a switch.
    """
    folder = pathlib.Path(tf.sysconfig.get_lib())
    for name in ("libtensorflow_cc.so.2", "libtensorflow_cc.2.dylib"):
        try:
            library = ctypes.CDLL(str(folder / name))
            switch = library["_ZN10tensorflow21DisableXlaCompilationEv"]
        except (OSError, AttributeError):
            continue
        switch.restype = None
        switch()
        return True
    return False


def _as_array(value):
    # NumPy would turn bytes into an array of fixed width, without zeros at
    # the end.
    if isinstance(value, bytes):
        return np.array(value, dtype=object)
    return np.asarray(value)


def _as_serving_error(error):
    if isinstance(error, tf.errors.OpError):
        return errors.from_tensorflow(error)
    if isinstance(error, OSError):
        return errors.ServingError("NOT_FOUND", str(error))
    if isinstance(error, RuntimeError | ValueError):
        return errors.ServingError("INVALID_ARGUMENT", str(error))
    return errors.ServingError("INTERNAL", f"{type(error).__name__}: {error}")
