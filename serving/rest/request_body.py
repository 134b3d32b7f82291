"""Reads the bodies of requests, in bounded size and time."""

import asyncio
import contextlib
import zlib

from starlette import requests

from serving import errors as serving_errors
from serving.rest import errors
from serving.rest import limits as rest_limits
from serving.rest import loop_lateness

# Of the time for a body: when the loop is late by as much, it may be the
# server that has not read what has come.
_LATE = 0.1


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
        self._lateness = loop_lateness.LoopLateness()
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
                (408; 503 where the server was late itself), breaks off, or is
                no gzip although it says so (400).
            ServingError: with the bodies of other requests it is larger than
                `max_held_bytes` (UNAVAILABLE).
        """
        share = _Share(self)
        try:
            try:
                body = await self._in_time(self._read(request, share))
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

    async def _in_time(self, reading):
        seconds = self._limits.body_timeout_seconds
        with self._lateness.watching():
            before = self._lateness.seconds
            task = asyncio.ensure_future(reading)
            try:
                await asyncio.wait([task], timeout=seconds)
                late = self._lateness.seconds - before
                if not task.done() and late > _LATE * seconds:
                    # That time was not the client's.
                    await asyncio.wait([task], timeout=min(late, seconds))
                    if not task.done():
                        raise errors.RefusedBodyError(
                            503,
                            "The server was too busy to read the body in "
                            "time: try again later",
                        )
                if not task.done():
                    raise errors.RefusedBodyError(
                        408, f"The body did not arrive within {seconds:g} s"
                    )
                return task.result()
            finally:
                task.cancel()

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
