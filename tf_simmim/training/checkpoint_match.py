"""Does a checkpoint belong to this model? Asked before anything is restored."""

import tensorflow as tf
from tensorflow.core.protobuf import trackable_object_graph_pb2

# Where TensorFlow stores the tree of objects in every checkpoint.
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_NUM_SHOWN = 3


def require_match(path: str, checkpoint: tf.train.Checkpoint) -> None:
    """Refuses a checkpoint that holds other variables than a model has.

    TensorFlow itself restores what happens to match and reports a wrong shape
    in the middle of it, with the model half overwritten.

    Only what `checkpoint` names is compared: with `Checkpoint(model=model)`,
    an optimizer in the files plays no part.

    Args:
        path: str. Prefix of the files that `Checkpoint.write` made.
        checkpoint: tf.train.Checkpoint of the live objects, whose variables
            all exist already (so build the optimizer first).

    Raises:
        ValueError: a variable is missing on either side or has another shape;
            the message names the first few.
    """
    differences = _differences(path, checkpoint)
    if not differences:
        return
    shown = "; ".join(differences[:_NUM_SHOWN])
    if len(differences) > _NUM_SHOWN:
        shown += f"; and {len(differences) - _NUM_SHOWN} more"
    raise ValueError(
        "`checkpoint` must have the same variables as the checkpoint on disk: "
        "build the model and the optimizer with the settings of that run, or "
        f"choose another run directory. Differences: {shown}. Received: {path}."
    )


def _differences(path, checkpoint):
    """Returns one phrase for each variable that does not match."""
    reader = tf.train.load_checkpoint(path)
    graph = trackable_object_graph_pb2.TrackableObjectGraph.FromString(
        reader.get_tensor(_OBJECT_GRAPH)
    )
    shapes = reader.get_variable_to_shape_map()
    view = tf.train.CheckpointView(path)
    matched = view.match(checkpoint)

    known = {id(trackable) for trackable in matched.values()}
    differences = [
        f"{trackable.name} {tuple(trackable.shape)} is only in the model"
        for trackable in tf.train.TrackableView(checkpoint).descendants()
        if isinstance(trackable, tf.Variable) and id(trackable) not in known
    ]
    roots = tf.train.TrackableView(checkpoint).children(checkpoint)
    # By name, so that weights come before the optimizer's nameless slots.
    node_of_key = {
        attribute.checkpoint_key: node
        for node in view.descendants()
        for attribute in graph.nodes[node].attributes
        if attribute.checkpoint_key.split("/")[0] in roots
    }
    for key, node in sorted(node_of_key.items()):
        name = key.split("/.ATTRIBUTES/")[0]
        saved = tuple(shapes[key])
        if node not in matched:
            differences.append(f"{name} {saved} is only in the checkpoint")
            continue
        live = tuple(getattr(matched[node], "shape", saved))
        if live != saved:
            differences.append(
                f"{name} is {saved} in the checkpoint and {live} in the model"
            )
    return differences
