"""What a SavedModel may not hold, found by reading it: nothing is run.

Each function returns sentences on what is wrong, none if nothing is.
"""

from pathlib import Path

from google.protobuf import message
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2

from tf_simmim import atomic_file
from tf_simmim.export import allowed_operations

DEFAULT_SIGNATURE = "serving_default"
_TAG = "serve"
_INITIALIZER = "__saved_model_init_op"
# JSON has no other floats: TensorFlow Serving answers a half or a bfloat16
# with an error.
_EDGE_TYPES = (
    types_pb2.DT_STRING,
    types_pb2.DT_FLOAT,
    types_pb2.DT_INT32,
    types_pb2.DT_INT64,
)
_CLASSIFY = "classify"
_XLA_ATTRIBUTES = ("_XlaMustCompile", "_XlaCompile")


def read_meta_graph(folder):
    """Returns the graph of a SavedModel that a server would load.

    Args:
        folder: path.

    Returns:
        MetaGraphDef, with the tag "serve".

    Raises:
        ValueError: there is no SavedModel, it is damaged, or has no such
            graph, or several.
    """
    path = Path(folder) / "saved_model.pb"
    try:
        content = atomic_file.read_bytes(path)
        saved_model = saved_model_pb2.SavedModel.FromString(content)
    except (OSError, message.DecodeError) as error:
        raise ValueError(f"{path.name} cannot be read ({error})") from error
    graphs = [
        graph
        for graph in saved_model.meta_graphs
        if _TAG in graph.meta_info_def.tags
    ]
    if len(graphs) != 1:
        raise ValueError(
            f"{path.name} must have one graph with the tag {_TAG!r}, and has "
            f"{len(graphs)}"
        )
    return graphs[0]


def signatures_of(meta_graph) -> dict:
    """Returns {name: SignatureDef} of what can be asked of a graph."""
    return {
        name: signature
        for name, signature in sorted(meta_graph.signature_def.items())
        if name != _INITIALIZER
    }


def signature_problems(meta_graph) -> list[str]:
    """Looks at names: the default one, and what Classify asks for."""
    signatures = signatures_of(meta_graph)
    problems = []
    if DEFAULT_SIGNATURE not in signatures:
        problems.append(f"there is no {DEFAULT_SIGNATURE}")
    for name, signature in signatures.items():
        if not signature.inputs or not signature.outputs:
            problems.append(f"{name} has no inputs or no outputs")
        if signature.defaults:
            problems.append(
                f"{name} has optional inputs, which REST does not know: "
                f"{sorted(signature.defaults)}"
            )
    if _CLASSIFY in signatures:
        problems += _classify_problems(signatures[_CLASSIFY])
    return problems


def _classify_problems(signature):
    outputs = {
        alias: (info.dtype, len(info.tensor_shape.dim))
        for alias, info in signature.outputs.items()
    }
    wanted = {
        "classes": (types_pb2.DT_STRING, 2),
        "scores": (types_pb2.DT_FLOAT, 2),
    }
    if set(signature.inputs) == {"inputs"} and outputs == wanted:
        return []
    return [
        "classify must have the input `inputs` and the outputs `classes`, "
        f"strings, and `scores`, floats, of two dimensions: "
        f"{sorted(signature.inputs)}, {sorted(signature.outputs)}"
    ]


def dtype_problems(meta_graph) -> list[str]:
    """Looks for inputs and outputs of types that JSON has no words for."""
    return [
        f"{where} is {types_pb2.DataType.Name(info.dtype)}"
        for where, info in _edges(meta_graph)
        if info.dtype not in _EDGE_TYPES
    ]


def batch_problems(meta_graph) -> list[str]:
    """Looks for inputs and outputs whose first dimension is no free batch."""
    problems = []
    for where, info in _edges(meta_graph):
        shape = info.tensor_shape
        if shape.unknown_rank:
            problems.append(f"{where} has no known rank")
        elif not shape.dim or shape.dim[0].size != -1:
            sizes = [dim.size for dim in shape.dim]
            problems.append(f"{where} has no batch dimension: {sizes}")
    return problems


def xla_problems(meta_graph) -> list[str]:
    """Looks for functions that XLA must compile: the server has it off."""
    library = meta_graph.graph_def.library.function
    problems = [
        f"{function.signature.name} must be compiled by XLA"
        for function in library
        if _wants_xla(function.attr)
    ]
    for where, node in _nodes(meta_graph):
        if _wants_xla(node.attr):
            problems.append(f"{node.name} in {where} must be compiled by XLA")
    return problems


def operation_problems(meta_graph) -> list[str]:
    """Looks for operations that `allowed_operations` does not list.

    Those that read weights are allowed in the functions that TensorFlow
    itself calls to restore them, and only where nothing else calls these.
    """
    graph = meta_graph.graph_def
    library = {f.signature.name: f for f in graph.library.function}
    savers = {
        name.partition(":")[0]
        for name in (
            meta_graph.saver_def.save_tensor_name,
            meta_graph.saver_def.restore_op_name,
        )
    }
    restoring = _reached(
        [node for node in graph.node if node.name in savers], library
    )
    others = [node for node in graph.node if node.name not in savers]
    for name, function in library.items():
        if name not in restoring:
            others.extend(function.node_def)
    restoring -= _reached(others, library)
    found = {}
    for where, node in _nodes(meta_graph):
        allowed = allowed_operations.COMPUTING
        if where in restoring:
            allowed = allowed_operations.RESTORING
        if node.op not in allowed and node.op not in library:
            found.setdefault(node.op, where)
    return [f"{op} in {where}" for op, where in sorted(found.items())]


def num_operations(meta_graph) -> int:
    """Returns how many operations there are, in all functions."""
    return sum(1 for _ in _nodes(meta_graph))


def _edges(meta_graph):
    """Yields (where, TensorInfo) of all inputs and outputs."""
    for name, signature in signatures_of(meta_graph).items():
        for kind, tensors in (
            ("input", signature.inputs),
            ("output", signature.outputs),
        ):
            for alias, info in sorted(tensors.items()):
                yield f"{name}'s {kind} {alias}", info


def _nodes(meta_graph):
    """Yields (name of the function, node) of all operations."""
    for node in meta_graph.graph_def.node:
        yield "the graph", node
    for function in meta_graph.graph_def.library.function:
        for node in function.node_def:
            yield function.signature.name, node


def _wants_xla(attributes):
    return any(
        name in attributes and attributes[name].b for name in _XLA_ATTRIBUTES
    )


def _reached(nodes, library):
    """Returns the names of all functions that nodes call, at any depth."""
    reached, todo = set(), list(nodes)
    while todo:
        node = todo.pop()
        names = {node.op}
        for attribute in node.attr.values():
            names.add(attribute.func.name)
            names.update(each.name for each in attribute.list.func)
        for name in names & library.keys() - reached:
            reached.add(name)
            todo.extend(library[name].node_def)
    return reached
