"""A training step of Hugging Face's masked image modeling, in PyTorch.

Started by peers.py, which measures it; needs the extra `bench`. Reads what to
train, on what, from --problem; with --gradients writes the loss and its
gradients there and ends. Otherwise takes a training step whenever it is told
to (see turns.py): forward pass, loss, gradient, clipping by the global norm,
AdamW.
"""

import json
import sys

import numpy as np
import turns
from absl import app
from absl import flags
from hugging_face import to_hugging_face

try:
    import torch
    import transformers
except ImportError as error:
    sys.exit(
        f"{error.name} is not installed, and this comparison needs PyTorch and "
        "transformers: pip install -e '.[bench]'."
    )

_PROBLEM = flags.DEFINE_string("problem", None, "NPZ file.", required=True)
_GRADIENTS = flags.DEFINE_string("gradients", None, "NPZ file to write.")
_COMPILED = flags.DEFINE_bool("compiled", False, "Whether to torch.compile.")
_NUM_THREADS = flags.DEFINE_integer("num_threads", 2, "Of PyTorch.")


def create_model(problem):
    """Returns the model with the weights of the problem."""
    options = json.loads(str(problem["options"]))
    family = options.pop("family")
    # No dropout of any kind: both sides compute the same numbers.
    options |= {"hidden_dropout_prob": 0.0}
    if family == "vit":
        config = transformers.ViTConfig(**options)
        model = transformers.ViTForMaskedImageModeling(config)
    else:
        config = transformers.SwinConfig(**options, drop_path_rate=0.0)
        model = transformers.SwinForMaskedImageModeling(config)
    prefix = "weights/"
    weights = {
        name.removeprefix(prefix): problem[name]
        for name in problem.files
        if name.startswith(prefix)
    }
    weights = to_hugging_face(weights, family)
    model.load_state_dict(
        {name: torch.from_numpy(array) for name, array in weights.items()}
    )
    return model.train()


def main(argv):
    """Runs the program."""
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    torch.set_num_threads(_NUM_THREADS.value)
    problem = np.load(_PROBLEM.value)
    model = create_model(problem)
    images = torch.from_numpy(problem["images"])  # [B, C, H, W]
    patch_mask = torch.from_numpy(problem["patch_mask"]).bool()  # [B, N]
    if _GRADIENTS.value:
        loss = model(images, bool_masked_pos=patch_mask).loss
        loss.backward()
        gradients = {
            name: parameter.grad.numpy()
            for name, parameter in model.named_parameters()
        }
        np.savez(_GRADIENTS.value, loss=loss.detach().numpy(), **gradients)
        return
    forward = torch.compile(model) if _COMPILED.value else model
    optimizer = torch.optim.AdamW(
        model.parameters(), 1e-4, weight_decay=0.05, fused=True
    )

    def step():
        optimizer.zero_grad()
        loss = forward(images, bool_masked_pos=patch_mask).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        return {"loss": loss.item()}

    turns.serve(step)


if __name__ == "__main__":
    app.run(main)
