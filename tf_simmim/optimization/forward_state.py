"""State that the forward pass changes, put back when a step is skipped."""

import tensorflow as tf

# What takes a variable in a graph without changing it. Operations that call
# functions say of each variable themselves whether they only read it.
_READING = {
    *("ReadVariableOp", "VariableShape", "VarIsInitializedOp"),
    *("ResourceGather", "ResourceGatherNd"),
}
_READ_ONLY_INPUTS = "_read_only_resource_inputs"


class ForwardState:
    """Values of variables before a forward pass, which may change some.

    Such as the moving statistics of batch normalisation, which a training call
    updates on its way. Without this, one bad image would stay in them for
    good: NaN averaged with anything is NaN, though no weight was updated.

        state = ForwardState(variables)
        ...                                 # the forward pass
        state.keep_changed()
        ...                                 # the update, or none
        state.restore_if(is_skipped)

    To be used in a replica context, anew for every trace.

    Args:
        variables: list of tf.Variable that the pass may change.
    """

    def __init__(self, variables):
        self._before = [(v, tf.identity(v)) for v in variables]

    def __len__(self):
        return len(self._before)

    def keep_changed(self) -> None:
        """Forgets variables that nothing has changed since the beginning.

        They need no guard, which would write each again at every step. A graph
        tells which these are; eagerly, all stay.
        """
        if not tf.executing_eagerly():
            self._before = [
                (variable, old)
                for variable, old in self._before
                if _is_changed(variable)
            ]

    def restore_if(self, is_skipped: tf.Tensor) -> None:
        """Gives the variables their old values if a step was skipped.

        Args:
            is_skipped: bool []. The same on every replica.
        """
        for variable, old in self._before:
            variable.assign(tf.where(is_skipped, old, variable))


def _is_changed(variable):
    """Whether an operation of the graph at hand may change a variable."""
    graph = tf.compat.v1.get_default_graph()
    handle = graph.capture(variable.handle)
    return any(_may_change(user, handle) for user in handle.consumers())


def _may_change(operation, handle):
    if operation.type in _READING:
        return False
    try:
        read_only = operation.get_attr(_READ_ONLY_INPUTS)
    except ValueError:  # it does not say
        return True
    places = [i for i, x in enumerate(operation.inputs) if x is handle]
    return not set(places) <= set(read_only)
