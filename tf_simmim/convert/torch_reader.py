"""Rewrites the tensors of a PyTorch file (.pth) as .safetensors.

    python -I torch_reader.py IN OUT ENTRY MAX_MEMORY_BYTES

A program for `torch_file`, which runs it in a process of its own: it is the
only place of the project that opens such a file. PyTorch's unpickler for
weights alone refuses whatever names a function or class that is not on its
list, and the process is limited in memory, time and what it can write. ENTRY
is which entry of the file holds the weights; "" for the usual ones.

It imports nothing of tf_simmim, and so not TensorFlow.
"""

import collections
import json
import resource
import sys

# Where training programs put the weights of the model; else at the top.
ENTRIES = ("model", "state_dict")
# Of PyTorch. CVE-2025-32434 and CVE-2026-24747 are repaired in it.
OLDEST = (2, 10)
# SimMIM's own checkpoints hold their settings as an object of the first class,
# a dictionary with methods; MAE's, DeiT's and BEiT's as one of the second. As
# dictionaries they are harmless, and not used.
_DICTIONARIES = ("yacs.config.CfgNode", "argparse.Namespace")
_CPU_SECONDS = 600
# Of all tensors, over the file's size: more is a small file that claims to be
# large, since storages are not compressed. Some are shared between names.
_MAX_GROWTH = 4


def limit_resources(max_memory_bytes):
    """Makes this process one that cannot take the machine with it."""
    for kind, limit in (
        (resource.RLIMIT_AS, max_memory_bytes),
        (resource.RLIMIT_FSIZE, max_memory_bytes),
        (resource.RLIMIT_CPU, _CPU_SECONDS),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        if hard != resource.RLIM_INFINITY:
            limit = min(limit, hard)
        resource.setrlimit(kind, (limit, hard))


def tensors_of(content, entry, is_tensor):
    """Returns ({name: tensor}, {name of anything else: what it is}).

    Args:
        content: what the file holds.
        entry: str, which entry has the weights; "" for the usual ones.
        is_tensor: function that tells tensors.

    Raises:
        ValueError: there is no dictionary of tensors there.
    """
    others = {}
    if isinstance(content, dict):
        found = [entry] if entry else [e for e in ENTRIES if e in content]
        for name in found[:1]:
            others = {
                str(key): f"{type(value).__name__} beside {name}"
                for key, value in content.items()
                if key != name
            }
            content = content.get(name)
    if not isinstance(content, dict):
        raise ValueError(
            f"it has no dictionary of tensors{f' as {entry}' if entry else ''}"
        )
    others |= {
        str(key): f"{type(value).__name__}, no tensor"
        for key, value in content.items()
        if not (isinstance(key, str) and is_tensor(value))
    }
    tensors = {key: content[key] for key in content if str(key) not in others}
    if not tensors:
        raise ValueError(
            "it has no tensors at its top; its entries are "
            f"{sorted(others)[:8]}"
        )
    return tensors, others


def reason(error):
    """Returns an error's own sentence, without advice to load unsafely."""
    text = str(error)
    _, marker, rest = text.partition("WeightsUnpickler error: ")
    if marker:
        text = rest
    text = text.partition("\n")[0].partition(" Please use ")[0]
    return f"{type(error).__name__}: {text}".rstrip(" .:")


def main(source, target, entry, max_memory_bytes):
    """Runs the program."""
    limit_resources(int(max_memory_bytes))
    import torch
    from safetensors.torch import save_file

    version = tuple(int(n) for n in torch.__version__.split(".")[:2])
    if version < OLDEST:
        raise ValueError(
            f"PyTorch must be {OLDEST[0]}.{OLDEST[1]} or newer, since files "
            "can run code through older ones, weights alone or not; it is "
            f"{torch.__version__}"
        )
    torch.serialization.add_safe_globals(
        [(collections.OrderedDict, name) for name in _DICTIONARIES]
    )
    with open(source, "rb") as file:
        file_bytes = file.seek(0, 2)
    content = torch.load(source, map_location="cpu", weights_only=True)
    tensors, others = tensors_of(content, entry, torch.is_tensor)
    strange = [
        name
        for name, tensor in tensors.items()
        if tensor.layout != torch.strided
        or tensor.is_quantized
        or tensor.device.type != "cpu"
    ]
    if strange:
        raise ValueError(f"these are no ordinary tensors: {strange[:8]}")
    num_bytes = sum(t.numel() * t.element_size() for t in tensors.values())
    if num_bytes > _MAX_GROWTH * file_bytes:
        raise ValueError(
            f"its tensors would have {num_bytes} bytes, and it has {file_bytes}"
        )
    save_file(
        {name: t.detach().contiguous().clone() for name, t in tensors.items()},
        target,
        metadata={"others": json.dumps(others)},
    )


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Exception as error:
        sys.exit(reason(error))
