"""What a training step costs, read from its graph before it runs."""

import dataclasses
import math

import tensorflow as tf

# Operations that only look at a tensor in another shape: no memory of its own.
_VIEWS = {"Identity", "Reshape", "Squeeze", "ExpandDims", "StopGradient"}
_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
# Operations of the gradient that read a shape, and keep no tensor for it.
_SHAPE_READERS = {"Shape", "ShapeN", "Size", "Rank", "BroadcastGradientArgs"}
# What is in memory anyway: inputs, weights, constants.
_RESIDENT = {"Placeholder", "ReadVariableOp", "Const"}


@dataclasses.dataclass(frozen=True)
class StepCost:
    """Cost of a training step of a model, for one image.

    Attributes:
        forward_flops: int. Floating-point operations of the forward pass, in
            matrix products and convolutions; a multiply-add counts as two.
        step_flops: int. The same of forward pass and gradient: each product
            once more for every factor that the weights have a part in. So
            three times `forward_flops`, less the gradient of the images. What
            rematerialisation computes twice counts once.
        activation_bytes: int. What the forward pass leaves in memory for the
            gradient.
    """

    forward_flops: int
    step_flops: int
    activation_bytes: int


def step_cost(model) -> StepCost:
    """Reads the cost of a step from the graphs of its loss and gradient.

    Of the plain step: all cells are predicted, XLA fuses nothing. It is
    traced, not run, for a batch of one image and one of two; what the two
    differ by is the cost of an image.

    Args:
        model: `models.SimMIM`.

    Returns:
        `StepCost`.
    """
    one, two = (_batch_cost(model, batch_size) for batch_size in (1, 2))
    return StepCost(*(b - a for a, b in zip(one, two, strict=True)))


def _batch_cost(model, batch_size):
    backbone = model.backbone
    seed = tf.constant([0, 0], tf.int64)

    def loss(images, patch_mask):
        return model.full_loss(images, patch_mask, training=True, seed=seed)

    num_forward = []

    def gradient(images, patch_mask):
        with tf.GradientTape() as tape:
            value = loss(images, patch_mask)
        num_forward.append(len(value.graph.get_operations()))
        return tape.gradient(value, model.trainable_variables)

    specs = [
        tf.TensorSpec([batch_size, *backbone.image_size, backbone.channels]),
        tf.TensorSpec([batch_size, *backbone.grid_size], tf.int32),
    ]
    forward, whole = (
        tf.function(function).get_concrete_function(*specs).graph
        for function in (loss, gradient)
    )
    # A graph lists its operations in the order in which they were made.
    operations = whole.get_operations()
    kept = _kept_bytes(
        operations[: num_forward[-1]], operations[num_forward[-1] :]
    )
    return (*_count_flops(forward), kept)


def _count_flops(graph):
    """Returns the operations of (the forward pass, it and its gradient)."""
    forward = step = 0
    learned = set()  # tensors that the weights have a part in
    for operation in graph.get_operations():
        from_weights = [tensor.ref() in learned for tensor in operation.inputs]
        if operation.type == "ReadVariableOp" or any(from_weights):
            learned.update(tensor.ref() for tensor in operation.outputs)
        flops = _flops(operation)
        forward += flops
        step += flops * (1 + sum(from_weights))
    return forward, step


def _flops(operation):
    if operation.type in ("MatMul", "BatchMatMul", "BatchMatMulV2"):
        is_transposed = operation.get_attr(
            "transpose_a" if operation.type == "MatMul" else "adj_x"
        )
        terms = operation.inputs[0].shape[-2 if is_transposed else -1]
    elif operation.type == "Conv2D":
        terms = math.prod(operation.inputs[1].shape[:3])
    elif operation.type == "DepthwiseConv2dNative":
        terms = math.prod(operation.inputs[1].shape[:2])
    else:
        return 0
    return 2 * terms * operation.outputs[0].shape.num_elements()


def _kept_bytes(of_forward, of_gradient):
    """Returns the size of what the gradient reads of the forward pass."""
    made_forward = {
        tensor.ref() for operation in of_forward for tensor in operation.outputs
    }
    library = of_forward[0].graph.as_graph_def().library
    functions = {f.signature.name: f for f in library.function}
    kept = {}
    for operation in of_gradient:
        if operation.type in _SHAPE_READERS:
            continue
        for tensor in operation.inputs:
            if tensor.ref() not in made_forward:
                continue
            tensor = _source(tensor, functions)
            if tensor.op.type not in _RESIDENT:
                kept[tensor.ref()] = _size(tensor)
    return sum(kept.values())


def _source(tensor, functions):
    """Returns the tensor that another is only a view of, or itself."""
    while True:
        operation = tensor.op
        argument = None
        if operation.type in _VIEWS:
            argument = 0
        elif operation.type in _CALLS:
            function = functions[operation.get_attr("f").name]
            argument = _argument_of(function, tensor.value_index)
        if argument is None:
            return tensor
        tensor = operation.inputs[argument]


def _argument_of(function, output):
    """Returns which argument a function hands out again, or None."""
    arguments = [argument.name for argument in function.signature.input_arg]
    nodes = {node.name: node for node in function.node_def}
    name = function.ret[function.signature.output_arg[output].name]
    while name not in arguments:
        node, _, index = name.split(":")
        if nodes[node].op not in ("Identity", "IdentityN"):
            return None
        name = nodes[node].input[int(index)]
    return arguments.index(name)


def _size(tensor):
    return (tensor.shape.num_elements() or 0) * tensor.dtype.size
