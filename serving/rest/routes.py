"""The HTTP application: TensorFlow Serving's `/v1`, health, and others."""

import asyncio
import logging
from collections.abc import Sequence

from starlette import applications
from starlette import middleware
from starlette import requests
from starlette import responses
from starlette import routing
from starlette.middleware import cors

from serving import batch_threads
from serving import errors
from serving import inference
from serving import model_versions
from serving import monitoring
from serving import readiness
from serving import workers
from serving.rest import errors as rest_errors
from serving.rest import json_document
from serving.rest import limits as rest_limits
from serving.rest import paths
from serving.rest import request_body
from serving.rest import request_json
from serving.rest import response_json

_log = logging.getLogger(__name__)
# Without credentials: cookies and passwords of a browser are not sent along.
_ANY_ORIGIN = middleware.Middleware(
    cors.CORSMiddleware,
    allow_origins=["*"],
    allow_methods=["GET", "POST"],
    allow_headers=["*"],
)
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def application(
    versions: model_versions.ModelVersions,
    pool: workers.Workers,
    limits: rest_limits.Limits,
    batches: batch_threads.BatchThreads | None = None,
    metrics_path: str | None = None,
    allow_other_origins: bool = False,
    more_routes: Sequence[routing.Route] = (),
) -> applications.Starlette:
    """Returns the ASGI application of a server.

    Args:
        versions: the models. Not closed here.
        pool: threads that compute. Not closed here.
        limits: of a request.
        batches: threads that compute batches, if there are. Not closed here.
        metrics_path: str. Where Prometheus reads; None for nowhere.
        allow_other_origins: bool. Whether pages from elsewhere may ask (CORS).
        more_routes: routes that go before `/v1`, such as those of the page.
    """
    api = _Api(versions, pool, limits, batches)
    found = [
        routing.Route("/healthz", api.health),
        routing.Route("/readyz", api.readiness),
    ]
    if metrics_path is not None:
        found.append(routing.Route(metrics_path, _metrics))
    return applications.Starlette(
        routes=[
            *found,
            *more_routes,
            routing.Route("/{path:path}", api),
        ],
        middleware=[_ANY_ORIGIN] if allow_other_origins else [],
    )


async def _metrics(request):
    return responses.PlainTextResponse(
        monitoring.page(), headers={"Content-Type": _METRICS_TYPE}
    )


class _Api:
    def __init__(self, versions, pool, limits, batches):
        self._versions = versions
        self._pool = pool
        self._limits = limits
        self._bodies = request_body.RequestBodies(limits)
        self._readiness = readiness.Readiness(versions, pool, batches)

    async def __call__(self, scope, receive, send):
        """Answers what has no route of its own, whatever its method."""
        response = await self._answer(requests.Request(scope, receive))
        await response(scope, receive, send)

    async def health(self, request):
        """Says that the process answers."""
        return responses.JSONResponse({"status": "alive"})

    async def readiness(self, request):
        """Says whether requests would be answered."""
        missing = self._versions.unavailable()
        stuck = self._readiness.are_stuck()
        return responses.JSONResponse(
            {
                "ready": not missing and not stuck,
                "unavailable_models": missing,
                "workers_stuck": stuck,
            },
            status_code=503 if missing or stuck else 200,
        )

    async def _answer(self, request):
        # The path as sent: Starlette's has percent signs decoded.
        path = request.scope["raw_path"].decode("latin-1")
        if not paths.is_api(path):
            return _response(404, rest_errors.body(f"Not found: {path}"))
        try:
            target = paths.parse(request.method, path)
            if target.method == "status":
                return _response(200, self._status(target))
            if target.method == "metadata":
                return _response(200, self._metadata(target))
            api = target.method.capitalize()
            async with self._bodies.reading(request) as body:
                with monitoring.request(
                    self._versions, target.name, api, "REST"
                ):
                    work = self._pool.run(self._infer, target, body)
                    return _response(200, await _while_connected(request, work))
        except errors.ServingError as error:
            return _error_response(error)
        except rest_errors.RefusedBodyError as error:
            # What is left of the body is not read.
            headers = {"Connection": "close"}
            if error.status == 503:
                headers["Retry-After"] = "1"
            return _response(
                error.status, rest_errors.body(error.message), headers
            )
        except Exception:
            # The trace is for the log alone.
            _log.exception("A request to %s failed", path)
            return _error_response(
                errors.ServingError("INTERNAL", "Internal error")
            )

    def _status(self, target):
        # A label is ignored, as in TensorFlow Serving.
        return response_json.statuses(
            self._versions.status(target.name, target.version)
        )

    def _metadata(self, target):
        using = self._versions.using(target.name, target.version, target.label)
        with using as (version, engine):
            return response_json.metadata(
                target.name, version, engine.signatures
            )

    def _infer(self, target, body):
        document = json_document.parse(body, self._limits.max_json_depth)
        name = request_json.signature_name(document)
        if target.method != "predict":
            examples = request_json.examples(document, self._limits)
        using = self._versions.using(target.name, target.version, target.label)
        with using as (_, found):
            engine = monitoring.TimedEngine(
                found, target.name, target.method.capitalize()
            )
            if target.method == "predict":
                return self._predict(engine, name, document)
            monitoring.count_examples(target.name, len(examples))
            if target.method == "classify":
                return response_json.classes(
                    inference.classify(engine, name, examples)
                )
            return response_json.regressions(
                inference.regress(engine, name, examples)
            )

    def _predict(self, engine, name, document):
        key = name or inference.DEFAULT_SIGNATURE
        if key not in engine.signatures:
            raise errors.invalid_argument(
                f'Serving signature name: "{key}" not found in signature def'
            )
        infos = dict(sorted(engine.signatures[key].inputs.items()))
        if not infos:
            raise errors.invalid_argument(
                f"Failed to get input map for signature: {name or 'DEFAULT'}"
            )
        rows = document.get("instances")
        if isinstance(rows, list):
            self._limits.require_batch(len(rows))
        inputs, in_rows = request_json.tensors(
            document, {alias: info.dtype for alias, info in infos.items()}
        )
        for alias, array in inputs.items():
            if _has_batch(infos[alias]) and array.ndim:
                self._limits.require_batch(len(array))
        outputs = inference.predict(engine, name, inputs)
        if in_rows:
            return response_json.predictions(outputs)
        return response_json.outputs(outputs)


async def _while_connected(request, work):
    """Awaits work, and gives it up when the client has gone."""
    answer = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait((answer, gone), return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise errors.ServingError("CANCELLED", "The client has gone")
        return answer.result()
    finally:
        answer.cancel()
        gone.cancel()


async def _disconnected(request):
    # The body was read, so that nothing else comes.
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _has_batch(info):
    dims = info.tensor_shape.dim
    return len(dims) > 0 and dims[0].size == -1


def _response(status, body, headers=None):
    return responses.Response(
        body, status, headers, media_type="application/json"
    )


def _error_response(error):
    headers = {"Retry-After": "1"} if error.code == "UNAVAILABLE" else None
    return _response(
        rest_errors.status_of(error), rest_errors.body(error.message), headers
    )
