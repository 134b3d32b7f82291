"""Tests of models with teachers: what moves after a step, and what never does.

By hand: the student y = w x begins with w = 1 and learns, by SGD with a rate
of 0.01, from a teacher that says 3 x. Of x = 1, 2, 3, 4 the loss is
7.5 (w - 3)^2, so that a step multiplies w - 3 by 0.85.
"""

import os

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.models import replicas as replicas_lib
from tf_simmim.models import scalable_model
from tf_simmim.models import untracked

X = np.float32([[1], [2], [3], [4]])
BAD = np.float32([[1], [2], [3], [np.nan]])  # on the last replica alone
# After a step, one that is skipped, and another.
W = [1.3, 1.3, 1.555]
AVERAGE = [1.15, 1.15, 1.3525]  # half of itself and half of w
QUEUE = [[10.0, 0.0], [10.0, 0.0], [10.0, 10.0]]  # sums of x, newest first


def dense(weight):
    layer = tf.keras.layers.Dense(
        1,
        use_bias=False,
        kernel_initializer=tf.keras.initializers.Constant(weight),
    )
    layer.build([None, 1])
    return layer


class Student(scalable_model.ScalableModel):
    """Learns from a teacher; keeps a moving average of itself, and a queue."""

    def __init__(self, is_tracked=False, follows=True):
        super().__init__()
        self.follows = follows
        self.student = dense(1.0)
        self.average = dense(1.0)
        self.average.trainable = False
        self.queue = self.add_weight(
            "queue", [2], initializer="zeros", trainable=False
        )
        teacher = tf.keras.Sequential(
            [dense(3.0), tf.keras.layers.BatchNormalization(epsilon=0.0)]
        )
        teacher.build([None, 1])
        teacher.trainable = False
        self.teacher = teacher if is_tracked else untracked.Untracked(teacher)

    def call(self, x):
        return self.student(x)

    def train_step(self, data):
        x, _, _ = tf.keras.utils.unpack_x_y_sample_weight(data)
        teacher = getattr(self.teacher, "value", self.teacher)
        targets = teacher(x, training=False)

        def loss_of(x, targets):
            return tf.reduce_mean((self(x) - targets) ** 2), [], []

        def shares_of(x, targets):
            return tf.fill([x.shape[0]], 1.0 / x.shape[0])

        def after_step():
            (w,), (average,) = self.student.weights, self.average.weights
            average.assign(0.5 * average + 0.5 * w)
            replicas = tf.distribute.get_replica_context()
            keys = replicas.all_gather(x, axis=0)
            newest = tf.reduce_sum(keys)[tf.newaxis]
            self.queue.assign(tf.concat([newest, self.queue[:-1]], axis=0))

        return self.take_step(
            loss_of,
            [x, targets],
            shares_of,
            after_step=after_step if self.follows else None,
        )

    def moved(self):
        """Returns (w, average, queue)."""
        w, average = self.student.kernel, self.average.kernel
        return w.numpy()[0, 0], average.numpy()[0, 0], self.queue.numpy()


def create(strategy=None, is_tracked=False, follows=True, **options):
    with (strategy or tf.distribute.get_strategy()).scope():
        model = Student(is_tracked, follows)
        optimizer = tf.keras.optimizers.SGD(0.01)
        optimizer.build(model.trainable_variables)
        model.compile(optimizer, **options)
    return model


def assignments(model):
    """Returns how many assignments are in the graph of a step."""
    spec = tf.TensorSpec(X.shape)
    step = tf.function(model.train_step).get_concrete_function(spec)
    graph = step.graph.as_graph_def()
    nodes = list(graph.node)
    for function in graph.library.function:
        nodes += function.node_def
    return sum("Assign" in node.op for node in nodes)


class AfterStepTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(
        (1, {"run_eagerly": True}),
        (1, {"accumulation_steps": 2, "steps_per_execution": 3}),
        (2, {"accumulation_steps": 2, "jit_compile": True}),
    )
    def test_averages_and_queues_move_once_per_applied_step(
        self, replicas, options
    ):
        strategy = replicas_lib.two_replicas() if replicas == 2 else None
        model = create(strategy, **options)
        for step, x in enumerate((X, BAD, X)):
            model.fit(replicas_lib.repeated(x, 1), verbose=0)
            w, average, queue = model.moved()
            self.assertAllClose(w, W[step])
            self.assertAllClose(average, AVERAGE[step])
            self.assertAllClose(queue, QUEUE[step])
        if replicas == 2:
            for variable in (*model.weights, model.queue):
                one, other = strategy.experimental_local_results(variable)
                self.assertAllEqual(one, other)
        self.assertEqual(model.optimizer.iterations.numpy(), 3)

    def test_many_steps_of_one_call_are_as_many(self):
        model = create(steps_per_execution=3)
        dataset = tf.data.Dataset.from_tensor_slices([X, BAD, X])
        model.fit(dataset, verbose=0)
        w, average, queue = model.moved()
        self.assertAllClose((w, average), (W[2], AVERAGE[2]))
        self.assertAllClose(queue, QUEUE[2])

    def test_a_frozen_teacher_is_no_part_of_the_model(self):
        model = create()
        teacher = model.teacher.value
        self.assertLen(teacher.weights, 5)
        own = {v.ref() for v in (*model.weights, *model.optimizer.variables)}
        self.assertEmpty(own & {v.ref() for v in teacher.weights})
        path = os.path.join(self.get_temp_dir(), "state")
        checkpoint(model).write(path)
        kept = [name for name, _ in tf.train.list_variables(path)]
        self.assertEmpty([name for name in kept if "teacher" in name])
        for name in ("student", "average", "queue"):
            self.assertNotEmpty([key for key in kept if f"model/{name}" in key])

    def test_a_step_writes_what_follows_it_and_guards_none_of_it(self):
        alone = assignments(create(follows=False))
        for is_tracked in (False, True):
            model = create(is_tracked=is_tracked)
            self.assertEqual(assignments(model), alone + 2)

    def test_averages_and_queues_go_on_bit_for_bit(self):
        whole, first, second = create(), create(), create()
        batches = [X, 1.5 * X, 0.3 * X + 1.0]
        for x in batches:
            whole.train_on_batch(x)
        for x in batches[:2]:
            first.train_on_batch(x)
        path = os.path.join(self.get_temp_dir(), "state")
        checkpoint(first).write(path)
        checkpoint(second).read(path).assert_existing_objects_matched()
        second.train_on_batch(batches[2])
        for ours, theirs in zip(second.moved(), whole.moved(), strict=True):
            self.assertAllEqual(ours, theirs)
        self.assertNotEqual(first.moved()[1], whole.moved()[1])


def checkpoint(model):
    return tf.train.Checkpoint(model=model, optimizer=model.optimizer)


if __name__ == "__main__":
    tf.test.main()
