"""Tests for tf_simmim.training.tf_config."""

import json
from unittest import mock

import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.training import tf_config

TWO = ["a:1", "b:2"]


def environment(text):
    if not isinstance(text, str):
        text = json.dumps(text)
    return mock.patch.dict("os.environ", TF_CONFIG=text)


def config(cluster, job="worker", index=0):
    return {"cluster": cluster, "task": {"type": job, "index": index}}


class TFConfigTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters("", " ", "{}", '{"cluster": {}}')
    def test_without_a_cluster_there_are_no_workers(self, text):
        with environment(text):
            self.assertEqual(tf_config.workers(), [])
            self.assertEqual(tf_config.worker(), 0)

    @parameterized.parameters(
        ({"worker": TWO}, "worker", 0, TWO, 0),
        ({"worker": TWO}, "worker", 1, TWO, 1),
        ({"worker": TWO}, "worker", "1", TWO, 1),
        ({"worker": TWO, "chief": ["c:3"]}, "chief", 0, ["c:3", *TWO], 0),
        ({"worker": TWO, "chief": ["c:3"]}, "worker", 1, ["c:3", *TWO], 2),
    )
    def test_the_chief_is_the_first_worker(
        self, cluster, job, index, workers, worker
    ):
        with environment(config(cluster, job, index)):
            self.assertEqual(tf_config.workers(), workers)
            self.assertEqual(tf_config.worker(), worker)

    @parameterized.parameters(
        ("{", "must be JSON"),
        ("[]", "must be a JSON object"),
        (config({"ps": TWO}), "name jobs among"),
        (config([1]), "name jobs among"),
        ("[" * 9999, "must be JSON"),
        ({"cluster": []}, "name jobs among"),
        ({"cluster": 3}, "name jobs among"),
        (config({"chief": None, "worker": TWO}), "for 'chief'"),
        (config({"chief": 3, "worker": TWO}), "for 'chief'"),
        (config({"worker": None}), "for 'worker'"),
        (config({"worker": []}), "name a worker at least"),
        (config({"worker": [1, None]}), "list of addresses host:port"),
        (config({"worker": ["a:0"]}), "list of addresses host:port"),
        (config({"worker": ["a:70000"]}), "list of addresses host:port"),
        (config({"worker": TWO}, ["worker"]), "a task of a type among"),
        (config({"worker": TWO}, "evaluator"), "a task of a type among"),
        (config({"worker": TWO}, index=True), r"index in 0\.\.1"),
        (config({"worker": TWO}, index=[0]), r"index in 0\.\.1"),
        (config({"worker": "a:1"}), "list of addresses host:port"),
        (config({"worker": ["a"]}), "list of addresses host:port"),
        (config({"worker": ["grpc://a:1"]}), "list of addresses host:port"),
        (config({"worker": ["a:1", "a:1"]}), "each address once"),
        (config({"chief": TWO}, "chief"), "one chief at most"),
        (config({"worker": TWO}, "chief"), "a task of a type among"),
        ({"cluster": {"worker": TWO}}, "a task of a type among"),
        (config({"worker": TWO}, index=2), r"index in 0\.\.1"),
        (config({"worker": TWO}, index=-1), r"index in 0\.\.1"),
        (config({"worker": TWO}, index=None), r"index in 0\.\.1"),
    )
    def test_a_slip_is_named_with_an_example(self, text, message):
        with environment(text), self.assertRaisesRegex(ValueError, message):
            tf_config.workers()


if __name__ == "__main__":
    tf.test.main()
