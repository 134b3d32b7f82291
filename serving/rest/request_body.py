"""Reads the bodies of requests, in bounded size and time."""

import asyncio
import contextlib
import zlib

from starlette import requests

from serving import errors as serving_errors
from serving.rest import errors
from serving.rest import limits as rest_limits


class RequestBodies:
    """Reads bodies, and bounds what all of them take together.

    A body counts from its first byte to the end of its request. One that would
    go beyond `max_held_bytes` is read to its end and forgotten, because a
    client that is still sending does not see an answer.

    Args:
        limits: of one request, and of all.
    """

    def __init__(self, limits: rest_limits.Limits):
        self._limits = limits
        self._num_held = 0  # bytes

    @contextlib.asynccontextmanager
    async def reading(self, request: requests.Request):
        """Yields a body, inflated where it is compressed with gzip.

        Args:
            request: Starlette's request.

        Yields:
            bytes.

        Raises:
            RefusedBodyError: it is larger than `max_body_bytes`, as it is sent
                or inflated (413), takes longer than `body_timeout_seconds`
                (408), breaks off, or is no gzip although it says so (400).
            ServingError: with the bodies of other requests it is larger than
                `max_held_bytes` (UNAVAILABLE).
        """
        seconds = self._limits.body_timeout_seconds
        share = _Share(self)
        try:
            try:
                body = await asyncio.wait_for(
                    self._read(request, share), seconds
                )
            except asyncio.TimeoutError as error:
                raise errors.RefusedBodyError(
                    408, f"The body did not arrive within {seconds:g} s"
                ) from error
            except requests.ClientDisconnect as error:
                raise errors.RefusedBodyError(
                    400, "The body breaks off"
                ) from error
            if request.headers.get("content-encoding", "").lower() == "gzip":
                # In a thread: other requests are not to wait for it.
                inflated = await asyncio.to_thread(self._inflate, body)
                if not share.take(len(inflated)):
                    raise self._full()
                body = inflated
            yield body
        finally:
            share.give_back()

    async def _read(self, request, share):
        most = self._limits.max_body_bytes
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > most:
            raise self._too_large()
        parts, size, fits = [], 0, True
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise self._too_large()
            fits = fits and share.take(len(part))
            if fits:
                parts.append(part)
            else:
                parts.clear()
                share.give_back()
        if not fits:
            raise self._full()
        return b"".join(parts)

    def _inflate(self, body):
        most = self._limits.max_body_bytes
        inflater = zlib.decompressobj(wbits=31)
        try:
            inflated = inflater.decompress(body, most + 1)
        except zlib.error as error:
            raise errors.RefusedBodyError(400, "The body is no gzip") from error
        if len(inflated) > most:
            raise self._too_large()
        if not inflater.eof:
            raise errors.RefusedBodyError(400, "The body is no gzip")
        return inflated

    def _too_large(self):
        return errors.RefusedBodyError(
            413,
            f"The body is larger than {self._limits.max_body_bytes} bytes, the "
            "server's limit",
        )

    def _full(self):
        return serving_errors.ServingError(
            "UNAVAILABLE",
            "The bodies of all requests together would be larger than "
            f"{self._limits.max_held_bytes} bytes, the server's limit",
        )


class _Share:
    """What one request has of the bytes that all may hold."""

    def __init__(self, bodies):
        self._bodies = bodies
        self._size = 0

    def take(self, size):
        """Takes more, and tells whether there was as much."""
        bodies = self._bodies
        if bodies._num_held + size > bodies._limits.max_held_bytes:
            return False
        bodies._num_held += size
        self._size += size
        return True

    def give_back(self):
        self._bodies._num_held -= self._size
        self._size = 0
