"""Tests for tf_simmim.programs.compression_steps."""

import pytest

from tf_simmim.programs import compression_steps


def test_a_line_says_a_step_its_options_and_its_limits():
    step = compression_steps.parse(
        "prune target=flops:0.5 images=64 max_kl=0.01",
        {"max_kl": 0.5, "max_accuracy_drop": None},
    )
    assert step.name == "prune"
    assert step.options["target"] == "flops:0.5"
    assert step.options["images"] == 64
    assert step.options["budget"] == "guided"  # by default
    assert step.gates == {"max_kl": 0.01}
    step = compression_steps.parse("quantise", {"max_accuracy_drop": 0.02})
    assert step.options["kind"] == "full_int8"
    assert step.gates == {"max_accuracy_drop": 0.02}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "begin with one of prune, quantise.*Received: --step=."),
        ("shrink", "Received: --step=shrink"),
        ("prune 0.4", "words option=value.*'0.4' in --step=prune 0.4"),
        ("prune size=4", "options target, budget, images, max_kl.*'size=4'"),
        ("prune images=few", "must be a number.*'images=few'"),
        ("prune max_kl=low", "must be a number.*'max_kl=low'"),
        ("prune max_kl=-1", "max_kl must be a number of 0 .*: max_kl=-1.0 for"),
        (
            "prune max_kl=nan",
            "max_kl must be a number of 0 or more.*max_kl=nan",
        ),
        ("prune max_accuracy_drop=inf", "max_accuracy_drop must be.*drop=inf"),
        ("prune target=params:2", "`target` must be .*Received: params:2"),
        ("prune budget=z", "`budget` must be one of .*Received: 'z'"),
        ("prune images=1", "`images` of prune must be at least 2.*: 1"),
        ("quantise kind=foo", "`kind` must be one of .*Received: foo"),
        ("quantise input_type=x", "`input_type` must be one of .*: x"),
        ("quantise kind=int8 input_type=int8", "float32 for all kinds but"),
        ("quantise images=0", "`images` of quantise must be at least 1.*: 0"),
    ],
)
def test_a_line_that_is_wrong_is_refused_in_a_sentence(text, message):
    with pytest.raises(ValueError, match=message):
        compression_steps.parse(text)


def test_a_limit_of_all_steps_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="max_kl=nan for --step=quantise"):
        compression_steps.parse("quantise", {"max_kl": float("nan")})


def test_what_quantises_comes_last():
    steps = compression_steps.parse_all(["prune", "prune", "quantise"])
    assert [step.name for step in steps] == ["prune", "prune", "quantise"]
    with pytest.raises(ValueError, match="quantise must be the last step"):
        compression_steps.parse_all(["quantise", "prune"])
    with pytest.raises(ValueError, match="Name the steps"):
        compression_steps.parse_all([])
