"""A client of a served model: images in, arrays out.

    from serving import client

    with client.Client("localhost:8501") as model:
        features = model.features(["cat.jpg", "dog.png"])

It uses TensorFlow Serving's contract and nothing else, so that it does not
matter whether serving/serve.py or TensorFlow Serving answers.

Dimension key:
  B: images of a call   D: num_features   N: cells of the feature map
  h w: grid of model patches   H W C: model input
"""

import itertools

import numpy as np

from serving.client_side import errors
from serving.client_side import images as request_images
from serving.client_side import parts
from serving.client_side import rest_transport
from serving.client_side import retries as repetition

RequestError = errors.RequestError

# As `tf_simmim.export` names them.
_EXAMPLE_FEATURE = "image/encoded"
_FILE, _PIXELS = "image_bytes", "pixels"


class Client:
    """Asks one model of a server.

    Images are a list or generator of paths, bytes, arrays and PIL images,
    mixed as you like, or an array [B, H, W, C]: see
    `client_side.images.prepare` for what becomes of each. uint8 arrays and PIL
    images are sent as PNG files, which loses nothing, and are cropped and
    resized by the server, as paths are; other arrays are sent as pixels on the
    0..255 scale, which only `features` takes and which must have the model's
    size. `features_from_pixels` sends any array so.

    A long list is sent in several requests. Where one is refused, it is sent
    again in halves, until the image at fault stands alone; so the error names
    it, and a server that takes fewer images at a time than `batch_size` is
    served all the same. A busy server (503, UNAVAILABLE, no connection) is
    asked again, with growing pauses; nothing else is.

    Safe to use from several threads. Owns a channel of gRPC: `close` ends it.

    Args:
        address: str. "host:port" of the protocol: 8501 for REST and 8500 for
            gRPC, unless the server was told otherwise. REST also takes
            "https://host:port", gRPC also "unix:/path".
        model_name: str. Default "default", as servers name a single model.
        protocol: "rest" (default), which needs neither TensorFlow nor grpcio,
            or "grpc", in which numbers take a quarter of the room.
        version: int or None. Default: the server's latest.
        label: str or None. Of a version, such as "stable", instead of it.
        batch_size: int >= 1. Images of a request. Default 8, what exports
            allow; with batching, TensorFlow Serving refuses more than its
            `max_batch_size`.
        max_request_bytes: int >= 1. Of a request, as JSON; a single larger
            image is sent alone. Default 12 MiB: serving/serve.py takes 16.
        timeout_seconds: float > 0. Of a request. Default 30, the server's.
        retries: int >= 0. Repetitions of a request. Default 5, which take up
            to 3 seconds of waiting.

    Raises:
        ValueError: an argument is none of these.
    """

    def __init__(
        self,
        address,
        model_name="default",
        protocol="rest",
        version=None,
        label=None,
        batch_size=8,
        max_request_bytes=12 * 2**20,
        timeout_seconds=30.0,
        retries=5,
    ):
        if protocol not in ("rest", "grpc"):
            raise ValueError(
                f"`protocol` must be 'rest' or 'grpc'. Received: {protocol!r}."
            )
        if version is not None and label is not None:
            raise ValueError(
                "`version` and `label` exclude each other. Received: "
                f"{version}, {label!r}."
            )
        limits = {
            "batch_size": (batch_size, 1),
            "max_request_bytes": (max_request_bytes, 1),
            "retries": (retries, 0),
        }
        for name, (value, least) in limits.items():
            if value < least:
                raise ValueError(
                    f"`{name}` must be {least} or more. Received: {value}."
                )
        if timeout_seconds <= 0:
            raise ValueError(
                f"`timeout_seconds` must be positive. Received: "
                f"{timeout_seconds}."
            )
        transport = rest_transport.RestTransport
        if protocol == "grpc":
            # Imports TensorFlow, which takes seconds.
            from serving.client_side import grpc_transport

            transport = grpc_transport.GrpcTransport
        self._transport = transport(
            address, model_name, version, label, timeout_seconds
        )
        self._model_name = model_name
        self._batch_size = batch_size
        self._max_request_bytes = max_request_bytes
        self._retries = retries
        self._signatures = None

    def features(self, images) -> np.ndarray:
        """Returns pooled features, float32 [B, D].

        Raises:
            RequestError: the server refused, or did not answer.
            ValueError: `images` is empty, or not as said above.
            OSError: a file cannot be read.
        """
        prepared = request_images.prepare(images, pixels_allowed=True)
        return self._features(prepared)

    def features_from_pixels(self, pixels) -> np.ndarray:
        """Returns pooled features of pixels, float32 [B, D].

        Args:
            pixels: array [B, H, W, C] or list of arrays, 0..255, of the
                model's size. Over REST each number takes up to 20 characters.

        Raises:
            RequestError, ValueError: as of `features`.
        """
        return self._features(request_images.as_pixels(pixels))

    def features_tokens(self, images) -> np.ndarray:
        """Returns the feature map, cell by cell, float32 [B, N, D].

        Raises:
            RequestError, ValueError, OSError: as of `features`.
        """
        return self._outputs("features_tokens", images)["tokens"]

    def reconstruct(self, images, patch_mask=None, seeds=None) -> dict:
        """Hides parts of images, and returns what the model puts there.

        Args:
            images: as of `features`.
            patch_mask: int or bool [B, h, w], 1 = hidden; or None, and the
                server draws the mask that the run trained with.
            seeds: int [B], of those masks. Default 0, 1, ... B-1.

        Returns:
            dict: `reconstruction` float32 [B, H, W, C], 0..255; `masked_l1`
            float32 [B]; without `patch_mask` also that, int32 [B, h, w].

        Raises:
            RequestError, ValueError, OSError: as of `features`.
            ValueError: both `patch_mask` and `seeds` are given.
        """
        images = _counted(images)
        if patch_mask is None:
            seeds = range(len(images)) if seeds is None else seeds
            seeds = np.asarray(seeds, np.int64)
            return self._outputs("reconstruct_random", images, seed=seeds)
        if seeds is not None:
            raise ValueError("`patch_mask` and `seeds` exclude each other.")
        mask = np.asarray(patch_mask, np.int32)
        return self._outputs("reconstruct", images, patch_mask=mask)

    def reconstruct_png(self, images, patch_mask) -> dict:
        """Returns what `reconstruct` does as pictures, lists of PNG files.

        Returns:
            dict: `masked_png_bytes`, `reconstruction_png_bytes` and
            `composite_png_bytes`, each a list of bytes.

        Raises:
            RequestError, ValueError, OSError: as of `features`.
        """
        images = _counted(images)
        mask = np.asarray(patch_mask, np.int32)
        return self._outputs("reconstruct_png", images, patch_mask=mask)

    def predict(self, images) -> dict:
        """Returns what a classifier says.

        Returns:
            dict: `probabilities` and `logits` float32 [B, L], `label` int64
            [B], `class_name` list of str.

        Raises:
            RequestError, ValueError, OSError: as of `features`.
        """
        return self._outputs("predict", images)

    def classify(self, images) -> list:
        """Returns [(class, score), ...] for each image, the best first.

        Raises:
            RequestError, ValueError, OSError: as of `features`.
        """

        def send(chunk):
            self._signature("classify")
            files = [image.value for image in chunk]
            return self._transport.classify("classify", _EXAMPLE_FEATURE, files)

        answers = self._answers(request_images.prepare(images), send)
        return list(itertools.chain.from_iterable(answers))

    def close(self) -> None:
        """Ends the connection."""
        self._transport.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _features(self, prepared):
        def send(chunk):
            if isinstance(chunk[0].value, bytes):
                return self._send("features", _FILE, chunk)
            return self._send("features_from_pixels", _PIXELS, chunk)

        return parts.join(self._answers(prepared, send))["features"]

    def _outputs(self, name, images, **others):
        prepared = request_images.prepare(images)
        for alias, array in others.items():
            if array.shape[:1] != (len(images),):
                raise ValueError(
                    f"`{alias}` must have one entry for each of the "
                    f"{len(images)} images. Received shape: {array.shape}."
                )

        def send(chunk):
            return self._send(name, _FILE, chunk, others)

        return parts.join(self._answers(prepared, send))

    def _send(self, name, alias, chunk, others=()):
        asked = self._signature(name)
        values = [image.value for image in chunk]
        if alias == _PIXELS:
            _, (_, *size) = asked.inputs[_PIXELS]
            for image in chunk:
                if image.value.shape != tuple(size):
                    raise ValueError(
                        f"Pixels must be {size} (height, width, channels), "
                        f"the model's size. Received as image {image.index}: "
                        f"{list(image.value.shape)}."
                    )
            values = np.stack(values)
        places = [image.index for image in chunk]
        inputs = {key: others[key][places] for key in others}
        return self._transport.predict(asked, {alias: values, **inputs})

    def _signature(self, name):
        if name not in self._signatures:
            raise RequestError(
                "NOT_FOUND",
                f"Model {self._model_name} has no signature {name}. It has: "
                f"{', '.join(sorted(self._signatures))}.",
            )
        return self._signatures[name]

    def _answers(self, prepared, send):
        if self._signatures is None:
            self._signatures = repetition.call(
                self._transport.signatures, self._retries
            )
        chunks = parts.chunks(
            prepared, self._batch_size, self._max_request_bytes
        )
        return parts.answers(chunks, send, self._retries)


def _counted(images):
    # As a list, since a generator has no length.
    request_images.require_several(images)
    return list(images)
