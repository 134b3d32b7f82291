"""Schedules, weight-decay rules, optimizers; a step's gradient and update."""

from tf_simmim.optimization.averaged_weights import averaged_weights
from tf_simmim.optimization.forward_state import ForwardState
from tf_simmim.optimization.grouped_adamw import GroupedAdamW
from tf_simmim.optimization.guarded_update import apply_if_finite
from tf_simmim.optimization.layer_decay import layer_decay_scales
from tf_simmim.optimization.optimizer import OPTIMIZERS
from tf_simmim.optimization.optimizer import create_optimizer
from tf_simmim.optimization.optimizer import scale_learning_rate
from tf_simmim.optimization.replica_gradients import compiled
from tf_simmim.optimization.replica_gradients import loss_and_gradients
from tf_simmim.optimization.replica_gradients import split_batch
from tf_simmim.optimization.update_mark import UpdateMark
from tf_simmim.optimization.warmup_cosine import COSINE_ORIGINS
from tf_simmim.optimization.warmup_cosine import WarmupCosine
from tf_simmim.optimization.warmup_multi_step import WarmupMultiStep
from tf_simmim.optimization.weight_decay import GROUPINGS
from tf_simmim.optimization.weight_decay import exempt_from_weight_decay

__all__ = [
    "COSINE_ORIGINS",
    "ForwardState",
    "GROUPINGS",
    "GroupedAdamW",
    "OPTIMIZERS",
    "UpdateMark",
    "WarmupCosine",
    "WarmupMultiStep",
    "apply_if_finite",
    "averaged_weights",
    "compiled",
    "create_optimizer",
    "exempt_from_weight_decay",
    "layer_decay_scales",
    "loss_and_gradients",
    "scale_learning_rate",
    "split_batch",
]
