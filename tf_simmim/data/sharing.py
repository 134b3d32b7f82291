"""How workers share the batches of a stream: each takes rows of every one."""

import tensorflow as tf


def own_indices(batch_size, start_index, stop_index, rows, worker):
    """Yields the k of one worker, in order.

    Args:
        batch_size: int. The global batch.
        start_index: int. First k.
        stop_index: int, or None for an endless stream. The k to stop before.
        rows: int. Rows of a batch on one worker.
        worker: int. Whose k.
    """
    first_row = start_index // batch_size * rows
    if stop_index is None:
        own_rows = tf.data.Dataset.counter(first_row)
    else:
        num_whole, num_left = divmod(stop_index - start_index, batch_size)
        num_own = min(max(num_left - worker * rows, 0), rows)
        last_row = first_row + num_whole * rows + num_own
        own_rows = tf.data.Dataset.range(first_row, last_row)
    return own_rows.map(
        lambda row: row // rows * batch_size + worker * rows + row % rows
    )


def parts(batch, rows):
    """Yields a batch of arrays in parts of so many rows; the last has less."""
    num_rows = len(next(iter(batch.values())))
    for first in range(0, num_rows, rows):
        yield {key: each[first : first + rows] for key, each in batch.items()}


def in_parts(batch, num_parts):
    """Returns a data set of a batch of tensors in so many equal parts."""
    return tf.data.Dataset.from_tensor_slices(
        {
            key: tf.reshape(each, [num_parts, -1, *each.shape[1:]])
            for key, each in batch.items()
        }
    )


def require_shares(
    *, batch_size, start_index, stop_index, num_workers, worker, num_replicas
):
    """Refuses arguments of `ImageStream.batches` that break its rules."""
    for name, count in (
        ("num_workers", num_workers),
        ("num_replicas", num_replicas),
    ):
        if count < 1:
            raise ValueError(f"`{name}` must be 1 or more. Received: {count}.")
    shares = num_workers * num_replicas
    if batch_size < 1 or batch_size % shares:
        below = max(batch_size // shares, 1) * shares
        above = max(-(-batch_size // shares), 1) * shares
        nearest = " or ".join(str(n) for n in sorted({below, above}))
        raise ValueError(
            "`batch_size` must be a positive multiple of the number of "
            "replicas, `num_workers` * `num_replicas`; the nearest that works "
            f"is {nearest}. Received: batch_size={batch_size}, "
            f"num_workers={num_workers}, num_replicas={num_replicas}."
        )
    if not 0 <= worker < num_workers:
        raise ValueError(
            f"`worker` must lie in 0..{num_workers - 1}. Received: {worker}."
        )
    if start_index < 0 or start_index % batch_size:
        raise ValueError(
            "`start_index` must be a multiple of `batch_size`, 0 or more. "
            f"Received: start_index={start_index}, batch_size={batch_size}."
        )
    if stop_index is not None and stop_index < start_index:
        raise ValueError(
            "`stop_index` must not lie before `start_index`. "
            f"Received: start_index={start_index}, stop_index={stop_index}."
        )
