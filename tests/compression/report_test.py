"""Tests for tf_simmim.compression.report, network, network and memory."""

import numpy as np
import pytest
import tensorflow as tf

from tests.compression import small
from tf_simmim import training
from tf_simmim.compression import memory
from tf_simmim.compression import network
from tf_simmim.compression import report as reporting
from tf_simmim.compression import report_file

LABELS = np.arange(small.NUM_IMAGES) % small.NUM_CLASSES


class ReportTest(tf.test.TestCase):
    def test_a_report_tells_costs_and_scores_of_both(self):
        model, other = small.classifier(), small.classifier((5, 7), seed=1)
        report = reporting.report(
            network.of_model(model),
            network.of_model(other),
            small.batches(label=LABELS),
            model=model,
            kind="classifier",
            step="prune",
            images_name="noise",
            seed=4,
            settings={"target": "params:0.5"},
            batch_sizes=(1, 3),
            num_runs=2,
        )
        for found, each in (
            (report.original, model),
            (report.compressed, other),
        ):
            # Without what counts in metrics.
            parts = (each.backbone, each.head)
            num_weights = sum(part.count_params() for part in parts)
            self.assertEqual(found.num_weights, num_weights)
            self.assertEqual(found.num_bytes, 4 * num_weights)
            plan = type(each.backbone).plan(each.backbone.get_config())
            self.assertEqual(found.flops, plan.flops)
            self.assertEqual([t.batch_size for t in found.latency], [1, 3])
            self.assertEqual({t.num_runs for t in found.latency}, {2})
            self.assertEqual(list(found.scores), ["accuracy"])
            self.assertIsNone(found.peak_memory)  # of a model without folder
        self.assertEqual(
            [b["mlp_dim"] for b in report.original.blocks], [48] * 2
        )
        self.assertEqual(
            [b["mlp_dim"] for b in report.compressed.blocks], [5, 7]
        )
        self.assertEqual((report.num_images, report.seed), (10, 4))
        self.assertGreater(report.agreement.kl, 0)
        self.assertEqual(report.versions["tensorflow"], tf.__version__)
        self.assertIn("cpu_count", report.machine)
        folder = self.get_temp_dir()
        report_file.write_report(folder, report)
        self.assertEqual(report_file.read_report(folder), report)

    def test_what_is_timed_is_the_answer_or_the_features(self):
        model, images = small.classifier(), small.images()
        found = network.of_model(model)
        got = found.forward(images)()
        self.assertAllClose(got, model(images, training=False))
        self.assertAllClose(got, found.outputs(images)["logits"])
        model = small.simmim()
        got = network.of_model(model).forward(images)()
        self.assertAllClose(got, model.backbone(images))

    @pytest.mark.slow
    def test_memory_grows_with_the_network_and_needs_its_folder(self):
        folder = f"{self.get_temp_dir()}/run"
        training.write_model_folder(folder, small.classifier())
        found = memory.peak_memory(folder, 2)
        self.assertBetween(found, 1e5, 1e9)
        self.assertIsNone(memory.peak_memory(f"{folder}/none", 2))


if __name__ == "__main__":
    tf.test.main()
