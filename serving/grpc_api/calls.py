"""Answers a gRPC call: in a thread of the pool, errors as status codes."""

import contextlib
import logging

import grpc

from serving import callers
from serving import errors

_log = logging.getLogger(__name__)


def answer(pool, context, function, request, counted=None):
    """Returns what a function makes of a request, or ends the call.

    Args:
        pool: `Workers`; None for what is answered at once, even where all
            threads are busy.
        context: `grpc.ServicerContext`. Its deadline holds, if it is earlier
            than the pool's.
        function: callable of `request`.
        request: message.
        counted: context manager that sees the error, if any; None for none.

    Raises:
        Exception: that of `context.abort`, as gRPC has it.
    """
    try:
        with counted or contextlib.nullcontext():
            if pool is None:
                return function(request)
            caller = callers.Caller(context.time_remaining())
            # It runs when the call has ended, for whatever reason.
            context.add_callback(caller.leave)
            return pool.call(caller, function, request)
    except errors.ServingError as error:
        problem = error
    except Exception:
        # The trace is for the log alone.
        _log.exception("A call failed")
        problem = errors.ServingError("INTERNAL", "Internal error")
    context.abort(grpc.StatusCode[problem.code], problem.message)


@contextlib.contextmanager
def servable(versions, spec):
    """Lends what a `ModelSpec` names.

    Args:
        versions: `ModelVersions`.
        spec: `ModelSpec`.

    Yields:
        (version, engine).

    Raises:
        ServingError: it names nothing (INVALID_ARGUMENT), or nothing that is
            served (as `ModelVersions.using`).
    """
    if not spec.name:
        raise errors.invalid_argument("ModelSpec has no name specified.")
    choice = spec.WhichOneof("version_choice")
    version = spec.version.value if choice == "version" else None
    label = spec.version_label if choice == "version_label" else None
    with versions.using(spec.name, version, label) as found:
        yield found
