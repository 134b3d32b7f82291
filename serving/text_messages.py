"""Messages of TensorFlow Serving that its Python package leaves out.

`tensorflow-serving-api` has the messages of requests and of `models.config`,
but not those of the files for batching and for monitoring. Here they are made
out of their fields' names, numbers and types.
"""

import os
import pathlib

from google.protobuf import descriptor_pb2
from google.protobuf import descriptor_pool
from google.protobuf import message_factory
from google.protobuf import text_format
from google.protobuf import wrappers_pb2

from serving import errors

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "bool": _Field.TYPE_BOOL,
    "int64": _Field.TYPE_INT64,
    "string": _Field.TYPE_STRING,
}
_FILE = "serving/text_messages.proto"
_PACKAGE = "tensorflow.serving"


def message_class(name: str, messages: dict[str, dict[str, tuple]]) -> type:
    """Returns the class of a message.

    Args:
        name: str. A key of `messages`.
        messages: {name of a message: {name of a field: (number, type)}}. The
            type is a scalar, such as "int64"; "repeated int64"; another key
            of `messages`; or a message of google.protobuf, "Int64Value".
    """
    file = descriptor_pb2.FileDescriptorProto(
        name=_FILE,
        package=_PACKAGE,
        syntax="proto3",
        dependency=[wrappers_pb2.DESCRIPTOR.name],
    )
    for message_name, fields in messages.items():
        message = file.message_type.add(name=message_name)
        for field_name, (number, kind) in fields.items():
            field = message.field.add(name=field_name, number=number)
            field.label = _Field.LABEL_OPTIONAL
            if kind.startswith("repeated "):
                field.label = _Field.LABEL_REPEATED
                kind = kind.removeprefix("repeated ")
            if kind in _SCALARS:
                field.type = _SCALARS[kind]
            else:
                package = _PACKAGE if kind in messages else "google.protobuf"
                field.type = _Field.TYPE_MESSAGE
                field.type_name = f".{package}.{kind}"
    # A pool of its own: another package may have the real ones.
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")
    )


def read(path: str | os.PathLike, kind: type):
    """Reads a message from a text file.

    Args:
        path: of the file.
        kind: class of the message.

    Raises:
        ServingError: the file cannot be read (NOT_FOUND), or is no such text
            (INVALID_ARGUMENT).
    """
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise errors.ServingError(
            "NOT_FOUND", f"{path}; {error.strerror}"
        ) from error
    except UnicodeDecodeError as error:
        raise errors.invalid_argument(
            f"Invalid protobuf file: '{path}'"
        ) from error
    try:
        return text_format.Parse(text, kind())
    except text_format.ParseError as error:
        raise errors.invalid_argument(
            f"Invalid protobuf file: '{path}'. Error parsing text-format "
            f"{kind.DESCRIPTOR.full_name}: {error}"
        ) from error
