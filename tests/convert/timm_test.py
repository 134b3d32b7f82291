"""Models converted from timm's own, in PyTorch, beside them.

Skipped where the extra `bench` is not installed. Run with timm 1.0.31 and
PyTorch 2.13.0.
"""

import numpy as np
import pytest

from tf_simmim import convert

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
timm = pytest.importorskip("timm", reason="timm is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
ATOL = 2e-5  # float32 sums in another order; 1.3e-6 measured
VIT = dict(img_size=64, depth=2, num_classes=5)
SWIN = dict(img_size=96, embed_dim=24, depths=(1, 2, 2, 1), num_classes=5)


def create(name, **options):
    """Weights so large that a wrong one shows, biases and norms too."""
    torch.manual_seed(0)
    model = timm.create_model(name, **options)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.3 * torch.randn_like(parameter))
    return model.eval()


def compare(model, facts=None, keep_head=False, **options):
    weights = {name: t.numpy() for name, t in model.state_dict().items()}
    conversion = convert.convert_weights(weights, facts, keep_head, **options)
    height, width = conversion.model.backbone.image_size
    x = np.random.default_rng(1).normal(size=[2, height, width, 3])
    x = x.astype(np.float32)
    pixels = torch.from_numpy(np.transpose(x, [0, 3, 1, 2]).copy())
    with torch.no_grad():
        if keep_head:
            want, got = model(pixels).numpy(), conversion.model(x)
        else:
            want = model.forward_features(pixels).numpy()
            got = conversion.model.backbone(x).numpy()
            if want.ndim == 3:
                want = want[:, model.num_prefix_tokens :]
            got = got.reshape(want.shape)
    np.testing.assert_allclose(got, want, 0, ATOL)
    assert np.abs(want).max() > 0.3
    return conversion.report


def test_features_of_a_vit():
    model = create("vit_tiny_patch16_224", **VIT)
    report = compare(model, convert.ModelFacts(num_heads=3))
    assert report.unused.keys() == {"head.weight", "head.bias"}
    assert len(report.used) == len(model.state_dict()) - 2


@pytest.mark.parametrize(
    "options", [{}, {"class_token": False, "init_values": 0.1}]
)
def test_classes_of_a_vit_that_averages_patches(options):
    model = create("vit_tiny_patch16_224", global_pool="avg", **VIT, **options)
    report = compare(model, convert.ModelFacts(num_heads=3), keep_head=True)
    assert report.unused == report.missing == {}


def test_classes_of_a_beit():
    model = create("beit_base_patch16_224", embed_dim=24, num_heads=3, **VIT)
    assert compare(model, keep_head=True).missing == {}


def test_features_of_a_deit_3_whose_class_token_has_no_position():
    model = create("deit3_small_patch16_224", **VIT)
    report = compare(model, convert.ModelFacts(num_heads=6))
    assert report.changed.keys() == {"pos_embed"}


def test_features_of_a_dinov2():
    model = create("vit_small_patch14_dinov2", **{**VIT, "img_size": 56})
    compare(model, convert.ModelFacts(num_heads=6))


@pytest.mark.parametrize(
    "name, options, allowed",
    [
        ("vit_small_patch14_reg4_dinov2", {"img_size": 56}, "reg_token"),
        ("vit_small_patch16_224", {"reg_tokens": 4}, "reg_token"),
        ("deit_small_distilled_patch16_224", {}, "dist_token"),
    ],
)
def test_tokens_that_are_allowed_away_take_their_positions_along(
    name, options, allowed
):
    model = create(name, **{**VIT, **options})
    weights = {name: t.numpy() for name, t in model.state_dict().items()}
    facts = convert.ModelFacts(num_heads=6)
    conversion = convert.convert_weights(weights, facts, allow_unused=[allowed])
    got = convert.reference_weights(conversion.model.backbone)["pos_embed"]
    np.testing.assert_array_equal(got[:, 1:], weights["pos_embed"][:, -16:])
    want = weights["pos_embed"][:, 0]
    if "reg4" in name:
        want = np.zeros_like(want)
    np.testing.assert_array_equal(got[:, 0], want)


@pytest.mark.parametrize("keep_head", [False, True])
def test_a_swin(keep_head):
    model = create("swin_tiny_patch4_window7_224", window_size=3, **SWIN)
    report = compare(model, keep_head=keep_head)
    assert len(report.unused) == (0 if keep_head else 2)


def test_features_of_a_swin_of_version_2():
    model = create("swinv2_tiny_window8_256", window_size=3, **SWIN)
    compare(model, convert.ModelFacts(image_size=96, window_size=3))


@pytest.mark.parametrize(
    "name, options, reason",
    [
        ("deit_tiny_distilled_patch16_224", {}, r"No place for: \['dist_token"),
        ("vit_tiny_patch16_224", {"qk_norm": True}, "q_norm.weight"),
        ("vit_tiny_patch16_224", {"reg_tokens": 4}, "No place for.*reg_token"),
        ("vit_small_patch16_dinov3", {}, "must hold positions.*rotary"),
    ],
)
def test_what_has_no_equal_here_is_refused(name, options, reason):
    model = create(name, **VIT, **options)
    with pytest.raises(ValueError, match=reason):
        compare(model, convert.ModelFacts(num_heads=3))
