"""How a server gathers requests into batches, in a file beside the model.

TensorFlow Serving reads it with --enable_batching and
--enable_per_model_batching_parameters. Threads are not in it: they are the
server's, for all models.
"""

import re

FILE_NAME = "batching_params.pbtxt"
# Enough to fill some cores. Larger batches keep everyone in them waiting, and
# pay on accelerators alone (docs/serving.md).
MAX_BATCH_SIZE = 8
# Batches that may wait, one for each thread that computes them (TensorFlow
# Serving's advice); more are refused at once (UNAVAILABLE, HTTP 503).
_MAX_ENQUEUED_BATCHES = 2
_TEXT = """\
# Requests are merged up to this many images; a larger one is refused.
max_batch_size {{ value: {largest} }}
# Wait for no others: where there is load, they wait for a thread anyway.
batch_timeout_micros {{ value: 0 }}
# More than that is refused: a queue that grows helps nobody.
max_enqueued_batches {{ value: {enqueued} }}
# Filled up to the next of these, so that there are few shapes.
{sizes}
"""


def allowed_sizes(max_batch_size: int) -> list[int]:
    """Returns 1, 2, 4, ... and `max_batch_size`: what is computed at a time.

    Raises:
        ValueError: it is below 1.
    """
    if max_batch_size < 1:
        raise ValueError(
            f"`max_batch_size` must be 1 or more. Received: {max_batch_size}."
        )
    powers = range(max_batch_size.bit_length())
    sizes = {1 << power for power in powers if 1 << power < max_batch_size}
    return sorted({*sizes, max_batch_size})


def text(max_batch_size: int) -> str:
    """Returns the file's text, a BatchingParameters message."""
    sizes = allowed_sizes(max_batch_size)
    return _TEXT.format(
        largest=max_batch_size,
        enqueued=_MAX_ENQUEUED_BATCHES,
        sizes="\n".join(f"allowed_batch_sizes: {size}" for size in sizes),
    )


def problems(content: str) -> list[str]:
    """Returns what a server would refuse in such a text, as sentences."""
    largest = re.search(
        r"(?m)^max_batch_size \{ value: ([1-9]\d*) \}$", content
    )
    if not largest:
        return ["it has no max_batch_size"]
    sizes = re.findall(r"(?m)^allowed_batch_sizes: (\d+)$", content)
    sizes = [int(size) for size in sizes]
    if sizes != sorted(set(sizes)) or sizes[-1:] != [int(largest[1])]:
        return [
            "allowed_batch_sizes must rise, and end with max_batch_size "
            f"{largest[1]}: {sizes}"
        ]
    return []
