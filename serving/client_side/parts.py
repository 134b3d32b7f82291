"""A list of images in several requests, and their answers as one."""

import functools

import numpy as np

from serving.client_side import errors
from serving.client_side import retries as repetition

# What one image may be to blame for, or too many of them.
_SPLIT = ("INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION")


def chunks(images, batch_size: int, max_bytes: int):
    """Yields lists of images: of one kind, and not too many.

    Args:
        images: iterable of `RequestImage`, used up as the lists are.
        batch_size: int >= 1. Images of a list.
        max_bytes: int. Their `num_bytes` together; a single one may have more.

    Raises:
        ValueError: there are no images.
    """
    chunk, num_bytes = [], 0
    for image in images:
        full = len(chunk) >= batch_size
        full |= num_bytes + image.num_bytes > max_bytes
        if chunk and (full or type(image.value) is not type(chunk[0].value)):
            yield chunk
            chunk, num_bytes = [], 0
        chunk.append(image)
        num_bytes += image.num_bytes
    if not chunk:
        raise ValueError("`images` must hold at least one image.")
    yield chunk


def answers(chunks_of_images, send, retries: int):
    """Yields what `send` returns for parts of the images, in their order.

    A part that is refused is sent again in halves.

    Args:
        chunks_of_images: iterable of lists of `RequestImage`.
        send: function(list) -> answer; raises `RequestError`.
        retries: int >= 0. Repetitions where the server is busy.

    Raises:
        RequestError: of the first image that is refused alone, with its index
            and name; or of a request, for what is no image's fault.
    """
    for chunk in chunks_of_images:
        parts = [chunk]
        while parts:
            part = parts.pop()
            try:
                answer = repetition.call(functools.partial(send, part), retries)
            except errors.RequestError as error:
                if error.code not in _SPLIT:
                    raise
                if len(part) == 1:
                    image = part[0]
                    raise error.of_image(image.index, image.name) from error
                middle = len(part) // 2
                parts += [part[middle:], part[:middle]]
            else:
                yield answer


def join(outputs) -> dict:
    """Returns {alias: array} of several such, one after the other.

    Strings become lists.
    """
    outputs = list(outputs)
    joined = {}
    for alias in outputs[0]:
        array = np.concatenate([part[alias] for part in outputs])
        joined[alias] = array.tolist() if array.dtype == object else array
    return joined
