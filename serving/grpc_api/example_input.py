"""The examples of a request to classify or regress, as messages."""

from tensorflow_serving.apis import input_pb2

from serving import errors
from serving.rest import limits as limits_lib


def serialized(
    message: input_pb2.Input, limits: limits_lib.Limits | None = None
) -> list[bytes]:
    """Returns serialized `tf.train.Example`s, with their context if any.

    Args:
        message: `Input`.
        limits: of their number, and of their size with the context; None for
            a message that is trusted.

    Raises:
        ServingError: there are none, or they pass a limit (INVALID_ARGUMENT).
    """
    if message.WhichOneof("kind") == "example_list_with_context":
        found = message.example_list_with_context
        context = found.context.SerializeToString()
    else:
        found, context = message.example_list, b""
    if not found.examples:
        raise errors.invalid_argument("Input is empty.")
    if limits is not None:
        limits.require_examples(len(found.examples), context)
    return [context + each.SerializeToString() for each in found.examples]
