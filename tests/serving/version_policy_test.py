"""Tests for serving.version_policy."""

import pytest

from serving import version_policy

VersionPolicy = version_policy.VersionPolicy


@pytest.mark.parametrize(
    ("policy", "chosen"),
    [
        (VersionPolicy(), {42}),
        (VersionPolicy(num_versions=0), {42}),
        (VersionPolicy(num_versions=2), {7, 42}),
        (VersionPolicy(num_versions=9), {1, 7, 42}),
        (VersionPolicy("all"), {1, 7, 42}),
        (VersionPolicy("specific", versions=(1, 42, 50)), {1, 42}),
    ],
)
def test_a_policy_chooses_among_the_versions_there_are(policy, chosen):
    assert policy.choose([7, 42, 1]) == chosen
    assert policy.choose([]) == set()


def test_another_policy_is_refused():
    with pytest.raises(
        ValueError, match="`kind` must be .* Received: 'newest'"
    ):
        VersionPolicy("newest")


def test_versions_are_folders_with_a_number_for_a_name(tmp_path):
    names = ("1", "00000123", "tmp-5", "-3", "2.0", "٣", "9" * 19, "9" * 40)
    for name in names:
        (tmp_path / name).mkdir()
    (tmp_path / "8").write_text("a file")
    assert version_policy.find_versions(tmp_path) == {
        1: tmp_path / "1",
        123: tmp_path / "00000123",
    }


def test_of_two_names_of_a_number_the_last_counts(tmp_path):
    for name in ("01", "1", "001"):
        (tmp_path / name).mkdir()
    assert version_policy.find_versions(tmp_path) == {1: tmp_path / "1"}
