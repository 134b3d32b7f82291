"""The addresses of the page; none is one of TensorFlow Serving's."""

import json
import pathlib

from starlette import concurrency
from starlette import responses
from starlette import routing

from serving import errors
from serving import examples
from serving import model_versions
from serving import signature_text
from serving.page import compression
from serving.page import grpc_examples
from serving.page import pictures
from serving.rest import limits as rest_limits
from serving.rest import openapi

_FOLDER = pathlib.Path(__file__).parent / "files"
_MEDIA_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
# What is not this server's own does not load, and nobody frames the page.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def routes(
    versions: model_versions.ModelVersions,
    limits: rest_limits.Limits,
    grpc_address: str | None = None,
    samples: tuple[pictures.Picture, ...] | None = None,
) -> list[routing.Route]:
    """Returns the routes of the page, of its files and of what it asks for.

    Names are looked up in tables of what is there; none becomes a path. The
    model is asked over `/v1`, as anybody would.

    Args:
        versions: the models.
        limits: of a request, for the page to tell.
        grpc_address: str, for the examples; None: there is no gRPC.
        samples: pictures to show; None for the built-in ones.
    """
    page = _Page(versions, limits, grpc_address, samples)
    return [
        routing.Route("/", page.index),
        routing.Route("/page/models.json", page.models),
        routing.Route("/page/pictures.json", page.list_pictures),
        routing.Route("/page/pictures/{name}", page.picture),
        routing.Route("/page/{name}", page.file),
        routing.Route("/openapi.json", page.openapi),
    ]


class _Page:
    def __init__(self, versions, limits, grpc_address, samples):
        self._versions = versions
        self._limits = limits
        self._grpc_address = grpc_address
        self._samples = samples
        self._files = {
            path.name: (path.read_bytes(), _MEDIA_TYPES[path.suffix])
            for path in _FOLDER.iterdir()
            if path.suffix in _MEDIA_TYPES
        }

    async def index(self, request):
        return _response(*self._files["index.html"])

    async def file(self, request):
        found = self._files.get(request.path_params["name"])
        return _response(*found) if found else _not_found(request)

    async def models(self, request):
        url = str(request.base_url).rstrip("/")
        return _json(
            {
                "models": [
                    model
                    for name in self._versions.names()
                    if (model := self._model(url, name))
                ],
                "limits": {
                    "max_body_bytes": self._limits.max_body_bytes,
                    "max_batch": self._limits.max_batch,
                },
            }
        )

    async def openapi(self, request):
        return _json(openapi.document(self._versions))

    async def list_pictures(self, request):
        return _json(
            [
                {
                    "name": each.name,
                    "address": f"/page/pictures/{each.file}",
                    "channels": each.channels,
                }
                for each in await self._pictures()
            ]
        )

    async def _pictures(self):
        if self._samples is not None:
            return self._samples
        return await concurrency.run_in_threadpool(pictures.built_in)

    async def picture(self, request):
        for each in await self._pictures():
            if each.file == request.path_params["name"]:
                return _response(each.content, each.media_type)
        return _not_found(request)

    def _model(self, url, name):
        try:
            with self._versions.using(name) as (version, engine):
                signatures = dict(engine.signatures)
                folder = self._versions.folder(name, version)
        except errors.ServingError:
            return None  # Being loaded, or none of its versions loads.
        asked = {
            key: signature
            for key, signature in sorted(signatures.items())
            if signature.inputs and signature.outputs
        }
        commands = examples.commands(url, name, asked)[1:]
        return {
            "name": name,
            "version": version,
            "compression": compression.of_export(folder),
            "signatures": {
                key: signature_text.describe(signature)
                for key, signature in asked.items()
            },
            "examples": {
                key: self._examples(name, key, asked[key], command)
                for key, command in zip(asked, commands, strict=True)
            },
        }

    def _examples(self, name, key, signature, command):
        texts = {"REST, with curl": command}
        if self._grpc_address:
            texts["gRPC, in Python"] = grpc_examples.program(
                self._grpc_address, name, key, signature
            )
        return texts


def _json(content):
    return _response(json.dumps(content).encode(), "application/json")


def _not_found(request):
    return responses.JSONResponse(
        {"error": f"Not found: {request.url.path}"}, 404, _HEADERS
    )


def _response(content, media_type):
    return responses.Response(content, 200, _HEADERS, media_type)
