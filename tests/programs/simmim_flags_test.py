"""Tests for the flags of a SimMIM model."""

import pytest
from absl import flags

from tf_simmim import backbones
from tf_simmim import heads
from tf_simmim import masking
from tf_simmim.programs.flags import data_flags  # noqa: F401  (--dataset)
from tf_simmim.programs.flags import prediction_flags

FLAGS = flags.FLAGS


def create(*arguments, image_size=(32, 48)):
    FLAGS.unparse_flags()
    FLAGS(["program", "--dataset=builtin:digits", *arguments])
    return prediction_flags.create_simmim(image_size, channels=2, seed=3)


def test_flags_reach_a_vit():
    model = create(
        "--backbone=vit_tiny",
        "--patch_size=8",
        "--embed_dim=12",
        "--depth=2",
        "--num_heads=4",
        "--absolute_position=learned",
        "--relative_position=none",
        "--rematerialize",
        "--drop_path_rate=0.2",
        "--mask_patch_size=16",
    )
    vit = model.backbone
    assert isinstance(vit, backbones.ViT)
    got = (vit.image_size, vit.patch_size, vit.embed_dim, vit.depth)
    assert got == ((32, 48), 8, 12, 2)
    assert (vit.num_heads, vit.channels, vit.drop_path_rate) == (4, 2, 0.2)
    assert vit.absolute_position == "learned"
    assert vit.relative_position == "none"
    assert vit.rematerialize
    assert (model.mask_patch_size, model.seed) == (16, 3)


@pytest.mark.parametrize(
    "window, want", [([], (16, 12)), (["3"], (3, 3)), (["2,5"], (2, 5))]
)
def test_flags_reach_a_swin(window, want):
    model = create(
        "--backbone=swin_v2_tiny",
        "--patch_size=4",
        "--embed_dim=12",
        "--depths=1,2",
        "--num_heads=2,3",
        "--drop_path_rate=0.2",
        "--mask_patch_size=16",
        *[f"--window_size={value}" for value in window],
    )
    swin = model.backbone
    assert isinstance(swin, backbones.Swin)
    assert not swin.rematerialize
    got = (swin.image_size, swin.patch_size, swin.embed_dim, swin.depths)
    assert got == ((32, 48), 4, 12, (1, 2))
    assert (swin.num_heads, swin.channels, swin.version) == ((2, 3), 2, 2)
    # The map of the last stage has 4 x 6 cells; 6 or more, twice that.
    assert swin.window_size == want


def test_the_conventions_of_other_implementations_reach_a_vit():
    vit = create(
        "--backbone=vit_nano",
        "--patch_size=16",
        "--qkv_bias=query_key_value",
        "--mlp_ratio=2.5",
        "--layer_scale_init=none",
        "--noclass_token",
        "--epsilon=1e-12",
        "--nofinal_norm",
        "--mask_patch_size=16",
    ).backbone
    assert (vit.qkv_bias, vit.mlp_ratio) == ("query_key_value", 2.5)
    assert vit.layer_scale_init is None
    assert not vit.class_token
    assert not vit.final_norm
    assert vit.epsilon == 1e-12
    vit = create(
        "--backbone=vit_nano",
        "--layer_scale_init=1e-5",
        "--mask_patch_size=16",
    ).backbone
    assert vit.layer_scale_init == 1e-5


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "some"])
def test_a_layer_scale_that_cannot_be_is_refused(value):
    with pytest.raises(flags.IllegalFlagValueError, match="number, or none"):
        create(f"--layer_scale_init={value}")


VISIBLE_ONLY = ("--backbone=vit_nano", "--visible_only", "--mask_patch_size=16")


@pytest.mark.parametrize("head", ["decoder", "cross_attention"])
def test_the_visible_only_mode_reaches_a_vit(head):
    model = create(*VISIBLE_ONLY, f"--head={head}")
    assert model.backbone.visible_only
    default = create("--backbone=vit_nano", "--mask_patch_size=16")
    assert not default.backbone.visible_only


@pytest.mark.parametrize("name", masking.STRATEGIES)
def test_the_mask_strategy_reaches_the_model_and_the_stream(name):
    model = create(
        "--backbone=vit_nano",
        "--patch_size=8",
        "--mask_patch_size=16",
        "--mask_ratio=0.3",
        f"--mask_strategy={name}",
    )
    assert model.mask_strategy == name
    # Streams take it from the model.
    generator = model.random_mask
    assert type(generator) is masking.STRATEGIES[name]
    assert generator.grid_size == (4, 6)
    assert generator.mask_ratio == 0.3


def test_single_patches_need_no_image_of_whole_mask_patches():
    arguments = (
        "--backbone=vit_nano",
        "--patch_size=8",
        "--mask_patch_size=16",
    )
    model = create(*arguments, "--mask_strategy=pixel", image_size=(40, 24))
    assert model.random_mask.grid_size == (5, 3)
    with pytest.raises(ValueError, match="`image_size`"):
        create(*arguments, image_size=(40, 24))


def test_flags_reach_a_convolutional_network_and_the_head():
    model = create(
        "--backbone=convnext_tiny",
        "--depths=1,2",
        "--widths=8,12",
        "--masking=stem_token",
        "--drop_path_rate=0.2",
        "--mask_patch_size=16",
        "--head=mlp",
    )
    network = model.backbone
    assert isinstance(network, backbones.Convolutional)
    assert (network.extractor, network.masking) == (
        "convnext_tiny",
        "stem_token",
    )
    assert (network.depths, network.widths) == ((1, 2), (8, 12))
    assert (network.channels, network.drop_path_rate) == (2, 0.2)
    assert isinstance(model.head, heads.MLPHead)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            ["--backbone=swin_tiny", "--depth=2", "--absolute_position=none"],
            "--backbone=swin_tiny is a Swin, which takes --patch_size, "
            "--embed_dim, --depths, --num_heads, --window_size, "
            "--qkv_bias, --mlp_ratio, --epsilon, --rematerialize, --key_dims, "
            "--value_dims, --mlp_dims. Received: --depth, --absolute_position.",
        ),
        (
            ["--backbone=vit_nano", "--window_size=7", "--depths=2,2"],
            "--backbone=vit_nano is a ViT, which takes --patch_size, "
            "--embed_dim, --depth, --num_heads, --absolute_position, "
            "--relative_position, --qkv_bias, --mlp_ratio, "
            "--layer_scale_init, --class_token, --epsilon, --final_norm, "
            "--rematerialize, --visible_only, "
            "--key_dims, --value_dims, --mlp_dims, --register_tokens, "
            "--reduce_tokens. "
            "Received: --depths, --window_size.",
        ),
        (
            ["--backbone=vit_nano", "--num_heads=3,6"],
            "`num_heads` must be one value for all blocks or a flat list with "
            "one for each of the 6. Received: (3, 6).",
        ),
        (
            ["--backbone=resnet18", "--patch_size=4", "--num_heads=3"],
            "--backbone=resnet18 is a Convolutional, which takes --depths, "
            "--widths, --masking. Received: --patch_size, --num_heads.",
        ),
        (
            list(VISIBLE_ONLY),
            "`head` must be one that attends to visible cells for a backbone "
            'with `visible_only`: "decoder" or "cross_attention" '
            "(--head=decoder, --head=cross_attention). Received: 'linear'.",
        ),
        (
            ["--backbone=vit_tiny", "--visible_only"],
            '`relative_position` must be "none" with `visible_only`, e.g. '
            'beside absolute_position="sincos": a bias is for the whole grid. '
            "Received: 'shared'.",
        ),
        (
            ["--backbone=swin_tiny", "--num_heads=3"],
            "`depths` and `num_heads` must have one positive number a stage. "
            "Received: depths=(2, 2, 6, 2), num_heads=(3,).",
        ),
    ],
)
def test_a_flag_of_another_kind_of_backbone_is_refused(arguments, message):
    with pytest.raises(ValueError) as error:
        create(*arguments, image_size=(32, 64))
    assert str(error.value) == message


@pytest.mark.parametrize(
    "flag", ["--depths=2,0", "--num_heads=x", "--window_size=-7", "--depths="]
)
def test_what_is_no_whole_number_is_refused(flag):
    with pytest.raises(flags.IllegalFlagValueError, match="whole numbers"):
        create("--backbone=swin_tiny", flag)
