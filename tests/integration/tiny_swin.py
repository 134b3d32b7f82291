"""The network that tests of dense tasks begin with, and its flags."""

from tf_simmim import backbones
from tf_simmim import models
from tf_simmim import training

FLAGS = (
    "--backbone=swin_tiny",
    "--embed_dim=8",
    "--depths=1,1",
    "--num_heads=1,2",
    "--window_size=4",
    "--image_size=64",
    "--drop_path_rate=0.2",
)


def write(workdir):
    """Writes the folder of a pretrained one, of any weights; returns it."""
    backbone = backbones.create(
        "swin_tiny",
        64,
        embed_dim=8,
        depths=(1, 1),
        num_heads=(1, 2),
        window_size=4,
        drop_path_rate=0.2,
    )
    training.write_model_folder(workdir, models.SimMIM(backbone))
    return workdir
