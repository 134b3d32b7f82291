"""What a run needs besides the model: folder, checkpoints, callbacks."""

from tf_simmim.run.directory import RunDirectory
from tf_simmim.run.dispensable import going_on_without
from tf_simmim.run.environment import describe_environment
from tf_simmim.run.environment import fingerprint
from tf_simmim.run.environment import warn_if_changed
from tf_simmim.run.json_lines import JsonLines
from tf_simmim.training import callbacks
from tf_simmim.training.checkpoints import CheckpointStore
from tf_simmim.training.curriculum import Phase
from tf_simmim.training.curriculum import create_phases
from tf_simmim.training.curriculum import last_step
from tf_simmim.training.curriculum import phase_at
from tf_simmim.training.errors import CheckpointWriteError
from tf_simmim.training.errors import NonFiniteStepsError
from tf_simmim.training.errors import NoValidCheckpointError
from tf_simmim.training.model_folder import write_model_folder
from tf_simmim.training.pretrained import create_model
from tf_simmim.training.pretrained import load_pretrained
from tf_simmim.training.pretrained import refuse_before_first_checkpoint
from tf_simmim.training.shared_checkpoints import SharedCheckpointStore
from tf_simmim.training.strategy import STRATEGIES
from tf_simmim.training.strategy import create_strategy
from tf_simmim.training.surviving_stream import SurvivingStream
from tf_simmim.training.workers import Workers

__all__ = [
    "STRATEGIES",
    "CheckpointStore",
    "CheckpointWriteError",
    "JsonLines",
    "NoValidCheckpointError",
    "NonFiniteStepsError",
    "Phase",
    "RunDirectory",
    "SharedCheckpointStore",
    "SurvivingStream",
    "Workers",
    "callbacks",
    "create_model",
    "create_phases",
    "create_strategy",
    "describe_environment",
    "fingerprint",
    "going_on_without",
    "last_step",
    "load_pretrained",
    "phase_at",
    "refuse_before_first_checkpoint",
    "warn_if_changed",
    "write_model_folder",
]
