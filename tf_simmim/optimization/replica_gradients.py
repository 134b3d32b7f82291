"""A replica's loss and its gradient: micro-batch by micro-batch, under XLA.

Dimension key:
  B: replica batch   K: number of micro-batches   b: micro-batch = B/K
"""

import tensorflow as tf

from tf_simmim import randomness
from tf_simmim.optimization import guarded_update


def compiled(function, jit_compile: bool):
    """Returns the function, compiled by XLA if `jit_compile` is set."""
    return tf.function(function, jit_compile=True) if jit_compile else function


def split_batch(tensors, accumulation_steps: int) -> list[tf.Tensor]:
    """Splits a replica's batch into micro-batches, in order.

    Args:
        tensors: list of tensors [B, ...].
        accumulation_steps: int, K >= 1.

    Returns:
        list of tensors [K, b, ...].

    Raises:
        ValueError: K does not divide B; the message has the nearest batches
            that it does divide.
        tf.errors.InvalidArgumentError: the same, where B is unknown until the
            step runs.
    """
    return [_split(tensor, accumulation_steps) for tensor in tensors]


def _split(tensor, num_parts):
    rule = (
        "`accumulation_steps` must divide the batch of a replica; for "
        f"{num_parts}, the nearest batches that work are"
    )
    batch_size = tensor.shape[0]
    if num_parts == 1:
        return tensor[tf.newaxis]  # [1, B, ...]
    if batch_size is None:
        batch_size = tf.shape(tensor)[0]
        below = batch_size // num_parts * num_parts
        above = below + num_parts
        check = tf.debugging.Assert(
            tf.equal(batch_size, below),
            [rule, below, "and", above, "images. Received:", batch_size],
        )
        # In eager mode there is no check to wait for: it has been made.
        with tf.control_dependencies([check] if check is not None else []):
            batch_size = tf.identity(batch_size)
    elif batch_size % num_parts:
        below = batch_size // num_parts * num_parts
        nearest = f"{below} and " * bool(below) + str(below + num_parts)
        raise ValueError(f"{rule} {nearest} images. Received: {batch_size}.")
    shape = [num_parts, batch_size // num_parts, *tensor.shape[1:]]
    return tf.reshape(tensor, shape)  # [K, b, ...]


def loss_and_gradients(
    loss_function,
    batch,
    shares,
    variables,
    optimizer,
    jit_compile=False,
    num_measures=0,
    num_predictions=0,
):
    """Returns a weighted sum of the losses of micro-batches, and its gradient.

        loss = sum_k shares[k] * loss_function(*[x[k] for x in batch])

    A micro-batch begins when the one before it is over, so only one's
    activations exist at a time; the sums are float32. Nothing is exchanged
    between replicas and no trainable variable is changed.

    `loss_function` draws a sample's random numbers for its place in the global
    batch; see `randomness.part_of_batch`.

    Args:
        loss_function: function (*micro-batch) -> (float32 [], list of float32
            [], list of float32 [b, ...]): the loss, what to report beside it,
            and predictions.
        batch: list of tensors [K, b, ...], from `split_batch`.
        shares: float32 [K], with a known K.
        variables: list of float32 variables.
        optimizer: Keras optimizer. One that scales the loss does so here, so
            that small gradients survive float16.
        jit_compile: bool. Whether XLA compiles loss and gradient of a
            micro-batch. The loop stays outside: on processors, XLA runs the
            operations in a loop on one thread.
        num_measures: int >= 0. How many of them are wanted, the first ones.
        num_predictions: int >= 0. The same of predictions.

    Returns:
        (float32 [], list of float32 [], list of float32 like `variables`, list
        of float32 [B, ...]): loss, measures (summed with the same weights),
        gradient, unscaled, with zeros for a variable that the loss does not
        depend on, and predictions.
    """
    num_parts = shares.shape[0]
    scale = tf.constant(1.0)
    if guarded_update.scales_loss(optimizer):
        scale = optimizer.get_scaled_loss(scale)

    def of_part(part, share, scale, *micro_batch):
        # The gradient as well: what it computes anew draws the same numbers.
        with randomness.part_of_batch(part, num_parts):
            with tf.GradientTape() as tape:
                loss, measures, predictions = loss_function(*micro_batch)
                loss = share * loss
                objective = scale * loss
            gradients = tape.gradient(
                objective, variables, unconnected_gradients="zero"
            )
        measures = [share * measure for measure in measures[:num_measures]]
        return [
            [loss, *measures, *gradients],
            list(predictions[:num_predictions]),
        ]

    # Made anew for every trace, since it holds the variables of one replica.
    of_part = compiled(of_part, jit_compile)

    def add_part(part, sums, arrays):
        terms, predictions = of_part(
            part, shares[part], scale, *[x[part] for x in batch]
        )
        return (
            part + 1,
            [s + t for s, t in zip(sums, terms, strict=True)],
            [
                array.write(part, prediction)
                for array, prediction in zip(arrays, predictions, strict=True)
            ],
        )

    # A loop rather than K copies of the graph, which would be traced for K
    # times as long, and whose parts could run, and take memory, side by side.
    if num_parts == 1:
        sums, predictions = of_part(0, shares[0], scale, *[x[0] for x in batch])
    else:
        zeros = [tf.constant(0.0)] * (1 + num_measures)
        zeros += [tf.zeros(variable.shape) for variable in variables]
        arrays = [
            tf.TensorArray(tf.float32, num_parts)
            for _ in range(num_predictions)
        ]
        _, sums, arrays = tf.while_loop(
            lambda part, *_: part < num_parts,
            add_part,
            (tf.constant(0), zeros, arrays),
            parallel_iterations=1,
            maximum_iterations=num_parts,
        )
        predictions = [array.concat() for array in arrays]  # [B, ...]
    loss, measures = sums[0], sums[1 : 1 + num_measures]
    gradients = sums[1 + num_measures :]
    if guarded_update.scales_loss(optimizer):
        gradients = optimizer.get_unscaled_gradients(gradients)
    return loss, measures, gradients, predictions
