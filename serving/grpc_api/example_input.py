"""The examples of a request to classify or regress, as messages."""

from tensorflow_serving.apis import input_pb2

from serving import errors


def serialized(message: input_pb2.Input) -> list[bytes]:
    """Returns serialized `tf.train.Example`s, with their context if any.

    Args:
        message: `Input`.

    Raises:
        ServingError: there are none (INVALID_ARGUMENT).
    """
    if message.WhichOneof("kind") == "example_list_with_context":
        found = message.example_list_with_context
        context = found.context.SerializeToString()
    else:
        found, context = message.example_list, b""
    if not found.examples:
        raise errors.invalid_argument("Input is empty.")
    return [context + each.SerializeToString() for each in found.examples]
