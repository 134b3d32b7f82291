"""Reading bytes inside the graph, and refusing what breaks a rule."""

import functools

import tensorflow as tf

# Keeps what a function does apart in the graph. A branch that is not taken
# costs some time for each of its operations; a function is one.
apart = functools.partial(
    tf.function,
    autograph=False,
    experimental_attributes={"_noinline": True},
)


def require(condition, rule: list, where: list, contents) -> tf.Tensor:
    """Returns `contents`, once it is known that the rule holds.

    Args:
        condition: bool scalar tensor.
        rule: list of str or tensors. What is wrong if it does not hold.
        where: list of str or tensors. Which image that is.
        contents: string scalar tensor. What is read only if it holds.

    Raises:
        tf.errors.InvalidArgumentError: it does not hold.
    """
    assertion = tf.debugging.Assert(condition, [*rule, *where])
    # In eager mode the assertion has run by now and there is no operation.
    with tf.control_dependencies([] if assertion is None else [assertion]):
        return tf.identity(contents)


def require_size(height, width, max_pixels, where, contents) -> tf.Tensor:
    """Returns `contents`, once the size in its header is an allowed one.

    Args:
        height: int scalar tensor, px. From the header.
        width: int scalar tensor, px.
        max_pixels: int. The most that height times width may be.
        where: list of str or tensors.
        contents: string scalar tensor.

    Raises:
        tf.errors.InvalidArgumentError: there is no pixel, or too many.
    """
    height, width = tf.cast(height, tf.int64), tf.cast(width, tf.int64)
    # Divided, since the product of two sides of 32 bits may overflow.
    fits = width <= max_pixels // tf.maximum(height, 1)
    allowed = (height > 0) & (width > 0) & fits
    rule = [
        f"An image must have 1 to {max_pixels} pixels (`max_pixels`). "
        "Received, height and width:",
        height,
        width,
    ]
    return require(allowed, rule, where, contents)


def piece(contents, position, size) -> tf.Tensor:
    """Returns the bytes from `position`, fewer at the end of the contents."""
    length = tf.strings.length(contents)
    position = tf.cast(tf.minimum(int64(position), int64(length)), tf.int32)
    return tf.strings.substr(contents, position, tf.cast(size, tf.int32))


def numbers(contents, position, size: int) -> tf.Tensor:
    """Returns single bytes, int64 [size]; those after the end are 0."""
    raw = piece(contents, position, size)
    raw = tf.io.decode_raw(raw, tf.uint8, fixed_length=size)
    return int64(tf.ensure_shape(raw, [size]))


def little_endian(digits) -> tf.Tensor:
    """Returns the number, int64 [], that bytes [1..8] make, lowest first."""
    weights = [1 << 8 * place for place in range(digits.shape[0])]
    return tf.reduce_sum(digits * int64(weights))


def big_endian(digits) -> tf.Tensor:
    """Returns the number, int64 [], that bytes [1..8] make, highest first."""
    return little_endian(digits[::-1])


def has_end(contents, end: bytes, position) -> tf.Tensor:
    """Tells whether the mark of a format's end comes after a position.

    It need not be the last thing in a file: other bytes may follow.

    Args:
        contents: string scalar tensor, not shorter than `end`.
        end: bytes.
        position: int scalar tensor. Where to start.

    Returns:
        bool scalar tensor.
    """
    at_the_end = tf.strings.substr(contents, -len(end), len(end)) == end
    return tf.cond(
        at_the_end,
        lambda: tf.constant(True),
        lambda: _contains(piece(contents, position, tf.int32.max), end),
    )


@apart
def _contains(contents, word):
    raw = tf.io.decode_raw(
        tf.strings.join([contents, b"\0" * len(word)]), "uint8"
    )
    size = tf.size(raw) - len(word)
    found = tf.ones([size], tf.bool)
    for offset, byte in enumerate(word):
        found &= raw[offset : offset + size] == byte
    return tf.reduce_any(found)


def int64(number) -> tf.Tensor:
    """Returns a number or tensor as int64."""
    return tf.cast(number, tf.int64)
