"""Reads the body of a request, in bounded size and time."""

import asyncio
import zlib

from starlette import requests

from serving.rest import errors


async def read(
    request: requests.Request, max_bytes: int, timeout_seconds: float
) -> bytes:
    """Returns the body, inflated where it is compressed with gzip.

    Args:
        request: Starlette's request.
        max_bytes: int. Both as it is sent and inflated.
        timeout_seconds: float. For all of it.

    Raises:
        RefusedBodyError: it is larger (413), takes longer (408), breaks off,
            or is no gzip although it says so (400).
    """
    try:
        body = await asyncio.wait_for(
            _read(request, max_bytes), timeout_seconds
        )
    except asyncio.TimeoutError as error:
        raise errors.RefusedBodyError(
            408, f"The body did not arrive within {timeout_seconds:g} s"
        ) from error
    except requests.ClientDisconnect as error:
        raise errors.RefusedBodyError(400, "The body breaks off") from error
    if request.headers.get("content-encoding", "").lower() == "gzip":
        return _inflate(body, max_bytes)
    return body


async def _read(request, max_bytes):
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise _too_large(max_bytes)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > max_bytes:
            raise _too_large(max_bytes)
        parts.append(part)
    return b"".join(parts)


def _inflate(body, max_bytes):
    inflater = zlib.decompressobj(wbits=31)
    try:
        inflated = inflater.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise errors.RefusedBodyError(400, "The body is no gzip") from error
    if len(inflated) > max_bytes:
        raise _too_large(max_bytes)
    if not inflater.eof:
        raise errors.RefusedBodyError(400, "The body is no gzip")
    return inflated


def _too_large(max_bytes):
    return errors.RefusedBodyError(
        413, f"The body is larger than {max_bytes} bytes, the server's limit"
    )
