"""The network that is fine-tuned, from the one that was pretrained."""

from tf_simmim.backbones import vit


def for_classification(backbone, **overrides):
    """Creates a backbone to fine-tune, for the weights of a pretrained one.

    As the reference does, a ViT loses its final norm (`models.Classifier` has
    a new one behind the mean) and gets a relative position bias for each block
    where it had one for all. Other networks stay as they are.

        pretrained = training.load_pretrained("runs/mine").backbone
        backbone = backbones.for_classification(pretrained, drop_path_rate=0.1)
        convert.transfer_weights(pretrained, backbone)
        model = models.Classifier(backbone, num_classes=10)

    Args:
        backbone: a backbone of `tf_simmim.backbones`. It is left as it is.
        **overrides: constructor arguments that replace those of `backbone`,
            or what is said above, e.g. `image_size=224, window_size=7`.

    Returns:
        A backbone of the same class, with fresh weights.

    Raises:
        ValueError: from the constructor.
    """
    changes = {}
    if isinstance(backbone, vit.ViT):
        changes["final_norm"] = False
        if backbone.relative_position == "shared":
            changes["relative_position"] = "per_block"
    return type(backbone)(**{**backbone.get_config(), **changes, **overrides})
