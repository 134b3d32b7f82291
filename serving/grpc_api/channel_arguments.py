"""Options of gRPC, as a command line has them."""

from serving import errors


def parse(text: str) -> dict[str, int | str]:
    """Returns the options of a `--grpc_channel_arguments`.

    Args:
        text: str. "name=value,name=value"; empty for none. A value that is a
            number of 32 bits is one, as in TensorFlow Serving, else a string.

    Raises:
        ServingError: a part is not of that form (INVALID_ARGUMENT).
    """
    options = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not (name and equals and value):
            raise errors.invalid_argument(
                "--grpc_channel_arguments must be name=value, separated by "
                f"commas. Received: {text!r}."
            )
        options[name] = _number(value)
    return options


def _number(value):
    try:
        number = int(value)
    except ValueError:
        return value
    return number if -(2**31) <= number < 2**31 else value
