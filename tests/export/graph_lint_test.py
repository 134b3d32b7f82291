"""Tests for tf_simmim.export.graph_lint."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.export import planted
from tests.export import tiny
from tf_simmim.export import graph_lint

LINTS = {
    "signature": graph_lint.signature_problems,
    "dtype": graph_lint.dtype_problems,
    "batch": graph_lint.batch_problems,
    "xla": graph_lint.xla_problems,
    "operation": graph_lint.operation_problems,
}


def classes(module, x):
    return {
        "classes": tf.as_string(module.scale * x),
        "scores": module.scale * x,
    }


class GraphLintTest(tf.test.TestCase, parameterized.TestCase):
    def graph(self, function=None, **options):
        folder = tiny.new_folder(self) / "1"
        return graph_lint.read_meta_graph(
            planted.save(folder, function, **options)
        )

    def problems(self, meta_graph):
        found = {name: lint(meta_graph) for name, lint in LINTS.items()}
        return {name: problems for name, problems in found.items() if problems}

    def test_nothing_is_wrong_with_a_good_graph(self):
        self.assertEqual(self.problems(self.graph()), {})

    @parameterized.parameters(
        (planted.compiled, "xla", "compiled by XLA"),
        (planted.without_batch, "batch", "features has no batch.*: \\[\\]"),
        (planted.bfloat16, "dtype", "output features is DT_BFLOAT16"),
        (planted.writing("/nowhere"), "operation", "^WriteFile in "),
        (planted.reading, "operation", "^ReadFile in "),
        (planted.printing, "operation", "^PrintV2 in "),
    )
    def test_a_fault_is_found_and_no_other(self, function, lint, message):
        problems = self.problems(self.graph(function))
        self.assertEqual(list(problems), [lint])
        self.assertRegex(problems[lint][0], message)

    def test_a_fault_of_any_signature_is_found(self):
        graph = self.graph(more={"second": planted.without_batch})
        self.assertRegex(self.problems(graph)["batch"][0], "^second's output")

    def test_a_fixed_batch_and_an_unknown_rank_are_found(self):
        fixed = tf.TensorSpec([2, 3], tf.float32, name="pixels")
        problems = self.problems(self.graph(spec=fixed))
        self.assertLen(problems["batch"], 2)
        unknown = tf.TensorSpec(None, tf.float32, name="pixels")
        problems = self.problems(self.graph(spec=unknown))
        self.assertIn("no known rank", problems["batch"][0])

    def test_an_operation_in_a_function_that_none_calls_is_found(self):
        def with_hidden(module, x):
            module.hidden = tf.function(
                lambda: tf.io.read_file("/etc/hostname"), input_signature=[]
            )
            return planted.Served.doubled(module, x)

        problems = self.problems(self.graph(with_hidden))
        self.assertRegex(problems["operation"][0], "^ReadFile in ")

    def test_what_restores_weights_is_allowed_to_that_alone(self):
        def restoring(module, x):
            (value,) = tf.raw_ops.RestoreV2(
                prefix="/nowhere",
                tensor_names=["a"],
                shape_and_slices=[""],
                dtypes=[tf.float32],
            )
            return {"features": module.scale * x + 0.0 * value}

        problems = self.problems(self.graph(restoring))
        self.assertRegex(problems["operation"][0], "^RestoreV2 in ")

    def test_a_signature_that_calls_the_saver_is_found(self):
        graph = self.graph()
        restore = graph.saver_def.restore_op_name
        (node,) = [n for n in graph.graph_def.node if n.name == restore]
        graph.graph_def.node.add().CopyFrom(node)
        graph.graph_def.node[-1].name = "another"
        problems = self.problems(graph)
        self.assertIn("RestoreV2", str(problems["operation"]))

    def test_names_that_servers_ask_for_are_required(self):
        good = self.graph(more={"classify": classes})
        good.signature_def["classify"].inputs["inputs"].CopyFrom(
            good.signature_def["classify"].inputs.pop("pixels")
        )
        self.assertEqual(graph_lint.signature_problems(good), [])
        del good.signature_def["classify"].outputs["scores"]
        (problem,) = graph_lint.signature_problems(good)
        self.assertIn("classify must have the input `inputs`", problem)
        del good.signature_def["serving_default"]
        self.assertIn(
            "there is no serving_default", graph_lint.signature_problems(good)
        )

    def test_an_optional_input_is_found(self):
        graph = self.graph()
        graph.signature_def["serving_default"].defaults["pixels"].CopyFrom(
            tf.make_tensor_proto(np.float32(1))
        )
        (problem,) = graph_lint.signature_problems(graph)
        self.assertIn("optional inputs", problem)

    @parameterized.parameters(None, b"", b"\xff\xff")
    def test_what_is_no_saved_model_is_refused(self, content):
        folder = tiny.new_folder(self)
        if content is not None:
            (folder / "saved_model.pb").write_bytes(content)
        with self.assertRaisesRegex(ValueError, "saved_model.pb"):
            graph_lint.read_meta_graph(folder)


if __name__ == "__main__":
    tf.test.main()
