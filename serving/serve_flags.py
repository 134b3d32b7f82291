"""Flags of the server, named as `tensorflow_model_server` names them.

A flag of that program that is not here is one that this server does not have.
"""

import ipaddress
import os

from absl import flags

from serving import batching_parameters
from serving.rest import limits

# Twice the largest batch of an export: one that is computed, one that fills.
_BATCHED_THREADS = 64
_THREAD_POOL_NAME = "model_server_batch_threads"

MODEL_NAME = flags.DEFINE_string(
    "model_name", "default", "Serve the model under this name."
)
MODEL_BASE_PATH = flags.DEFINE_string(
    "model_base_path",
    None,
    "Serve the versions in this folder, an absolute path. By default it is "
    "EXPORT_DIR of the command line.",
)
MODEL_CONFIG_FILE = flags.DEFINE_string(
    "model_config_file",
    None,
    "Read a ModelServerConfig from this text file, for several models, "
    "policies or labels. By default the one model of the command line is "
    "served.",
)
MODEL_CONFIG_FILE_POLL_WAIT_SECONDS = flags.DEFINE_integer(
    "model_config_file_poll_wait_seconds",
    0,
    "Read --model_config_file again after this many seconds; 0 reads it once.",
    lower_bound=0,
)
FILE_SYSTEM_POLL_WAIT_SECONDS = flags.DEFINE_integer(
    "file_system_poll_wait_seconds",
    1,
    "Look for new versions every so many seconds; 0 looks once.",
    lower_bound=0,
)
MAX_NUM_LOAD_RETRIES = flags.DEFINE_integer(
    "max_num_load_retries",
    5,
    "Try this many more times to load a version that does not load.",
    lower_bound=0,
)
LOAD_RETRY_INTERVAL_MICROS = flags.DEFINE_integer(
    "load_retry_interval_micros",
    1_000_000,
    "Wait this many microseconds between two attempts to load a version "
    "(tensorflow_model_server waits a minute).",
    lower_bound=0,
)
ALLOW_LABELS = flags.DEFINE_bool(
    "allow_version_labels_for_unavailable_models",
    False,
    "Allow a new label to name a version that is not available yet, as none "
    "is at start-up.",
)
SAVED_MODEL_TAGS = flags.DEFINE_list(
    "saved_model_tags", ["serve"], "Load the graph with these tags."
)
ENABLE_MODEL_WARMUP = flags.DEFINE_bool(
    "enable_model_warmup",
    True,
    "Run the requests of a version's warm-up file before it serves.",
)
NUM_WARMUP_ITERATIONS = flags.DEFINE_integer(
    "num_request_iterations_for_warmup",
    1,
    "Run each request of the warm-up file this many times.",
    lower_bound=1,
)
ENABLE_GRPC_HEALTHCHECK_SERVICE = flags.DEFINE_bool(
    "enable_grpc_healthcheck_service",
    False,
    "Answer grpc.health.v1 for ModelService and PredictionService.",
)
PORT = flags.DEFINE_integer(
    "port", 8500, "Listen for gRPC on this port; 0 does not listen.", 0, 65535
)
GRPC_SOCKET_PATH = flags.DEFINE_string(
    "grpc_socket_path",
    None,
    "Listen for gRPC on this UNIX socket as well. By default there is none.",
)
REST_API_PORT = flags.DEFINE_integer(
    "rest_api_port", 8501, "Listen for the REST API on this port.", 1, 65535
)
REST_API_TIMEOUT_IN_MS = flags.DEFINE_integer(
    "rest_api_timeout_in_ms",
    30_000,
    "Answer each request within this many milliseconds, from its body on, or "
    "give up.",
    lower_bound=1,
)
REST_API_NUM_THREADS = flags.DEFINE_integer(
    "rest_api_num_threads",
    None,
    "Answer this many requests at a time, by REST and gRPC. By default it "
    f"is one for each core, or {_BATCHED_THREADS} with --enable_batching, "
    "since requests wait for each other.",
    lower_bound=1,
)
REST_API_ENABLE_CORS_SUPPORT = flags.DEFINE_bool(
    "rest_api_enable_cors_support",
    False,
    "Allow pages of any origin to ask from a browser.",
)
GRPC_CHANNEL_ARGUMENTS = flags.DEFINE_string(
    "grpc_channel_arguments",
    "",
    "Set these options of gRPC, name=value, separated by commas, such as "
    "grpc.max_connection_age_ms=60000.",
)
SSL_CONFIG_FILE = flags.DEFINE_string(
    "ssl_config_file",
    None,
    "Encrypt gRPC at --port with the SSLConfig of this text file; REST is "
    "never encrypted. By default neither is.",
)
ENABLE_PROFILER = flags.DEFINE_bool(
    "enable_profiler",
    False,
    "Accept only false, which production should give: this server has no "
    "profiler.",
)
VERSION = flags.DEFINE_bool("version", False, "Print versions, and end.")
MONITORING_CONFIG_FILE = flags.DEFINE_string(
    "monitoring_config_file",
    None,
    "Read a MonitoringConfig from this text file: whether and where "
    "Prometheus reads. By default it reads nothing.",
)
ENABLE_BATCHING = flags.DEFINE_bool(
    "enable_batching", False, "Compute requests in batches."
)
BATCHING_PARAMETERS_FILE = flags.DEFINE_string(
    "batching_parameters_file",
    None,
    "Read the BatchingParameters of every model from this text file. By "
    "default they are those that tensorflow_model_server begins with.",
)
ENABLE_PER_MODEL_BATCHING_PARAMETERS = flags.DEFINE_bool(
    "enable_per_model_batching_parameters",
    False,
    "Take batching_params.pbtxt beside each model's graph in the place of "
    "--batching_parameters_file, of which the number of threads remains; a "
    "model without such a file is not batched.",
)
INTRA_OP_PARALLELISM = flags.DEFINE_integer(
    "tensorflow_intra_op_parallelism",
    0,
    "Compute one operation with this many threads; 0 takes one for each core.",
    lower_bound=0,
)
INTER_OP_PARALLELISM = flags.DEFINE_integer(
    "tensorflow_inter_op_parallelism",
    0,
    "Compute this many operations at a time; 0 takes one for each core.",
    lower_bound=0,
)
XLA_CPU_COMPILATION_ENABLED = flags.DEFINE_bool(
    "xla_cpu_compilation_enabled",
    False,
    "Run functions with jit_compile=True, which tensorflow_model_server "
    "refuses unless told so.",
)

# What tensorflow_model_server does not have.
ADDRESS = flags.DEFINE_string(
    "address",
    "127.0.0.1",
    "Listen on this IP address. There is no authentication: take others than "
    "this machine's own in networks that you trust alone.",
)
ALLOW_RELOAD_CONFIG_REQUESTS = flags.DEFINE_bool(
    "allow_reload_config_requests",
    False,
    "Allow callers of gRPC to choose what is served "
    "(HandleReloadConfigRequest), and so to load any folder that this process "
    "can read. tensorflow_model_server always lets them.",
)
MAX_WAITING = flags.DEFINE_integer(
    "max_waiting",
    2 * os.cpu_count(),
    "Let this many requests wait for a thread; further ones get 503.",
    lower_bound=0,
)
MAX_BODY_BYTES = flags.DEFINE_integer(
    "max_body_bytes",
    limits.Limits.max_body_bytes,
    "Accept bodies of requests of at most this many bytes, also once inflated.",
    lower_bound=1,
)
MAX_HELD_BYTES = flags.DEFINE_integer(
    "max_held_bytes",
    limits.Limits.max_held_bytes,
    "Hold at most this many bytes of bodies, of all HTTP requests that are "
    "arriving or waiting for their answer; at least --max_body_bytes.",
    lower_bound=1,
)
SAMPLE_DIR = flags.DEFINE_string(
    "sample_dir",
    None,
    "Offer the image files of this folder on the page to try the models with, "
    "to whoever reaches it. By default they are photographs and digits.",
)
MAX_BATCH = flags.DEFINE_integer(
    "max_batch",
    limits.Limits.max_batch,
    "Accept requests of at most this many examples.",
    lower_bound=1,
)

flags.register_multi_flags_validator(
    ("max_body_bytes", "max_held_bytes"),
    lambda values: values["max_held_bytes"] >= values["max_body_bytes"],
    "--max_held_bytes must be at least --max_body_bytes",
)
flags.register_multi_flags_validator(
    ("port", "rest_api_port"),
    lambda values: values["port"] != values["rest_api_port"],
    "--port and --rest_api_port must differ",
)
flags.register_multi_flags_validator(
    (
        "enable_batching",
        "batching_parameters_file",
        "enable_per_model_batching_parameters",
    ),
    lambda values: (
        values["enable_batching"]
        or not values["batching_parameters_file"]
        and not values["enable_per_model_batching_parameters"]
    ),
    "--batching_parameters_file and --enable_per_model_batching_parameters "
    "need --enable_batching",
)
flags.register_validator(
    "enable_profiler",
    lambda value: not value,
    "must be false: this server has no profiler",
)
flags.register_validator(
    "address",
    lambda text: _is_address(text),
    "must be an IP address, such as 127.0.0.1",
)


def timeout_seconds() -> float:
    """Returns the time for a request."""
    return REST_API_TIMEOUT_IN_MS.value / 1000


def num_threads() -> int:
    """Returns how many requests are answered at a time."""
    if REST_API_NUM_THREADS.value is not None:
        return REST_API_NUM_THREADS.value
    return _BATCHED_THREADS if ENABLE_BATCHING.value else os.cpu_count()


def num_warmup_iterations() -> int:
    """Returns how often requests for warming up run, perhaps 0."""
    return NUM_WARMUP_ITERATIONS.value if ENABLE_MODEL_WARMUP.value else 0


def common_batching_parameters() -> (
    batching_parameters.BatchingParameters | None
):
    """Returns those of --batching_parameters_file, or None: no batching.

    Raises:
        ServingError: the file is wrong.
    """
    if not ENABLE_BATCHING.value:
        return None
    if BATCHING_PARAMETERS_FILE.value:
        return batching_parameters.read(BATCHING_PARAMETERS_FILE.value)
    return batching_parameters.BatchingParameters(
        thread_pool_name=_THREAD_POOL_NAME
    )


def rest_url() -> str:
    """Returns where REST is reached from this machine."""
    return f"http://{_host(_reached_address())}:{REST_API_PORT.value}"


def grpc_addresses() -> list[str]:
    """Returns where gRPC listens."""
    return _grpc_addresses(ADDRESS.value)


def reached_grpc_addresses() -> list[str]:
    """Returns where gRPC is reached from this machine."""
    return _grpc_addresses(_reached_address())


def is_loopback() -> bool:
    """Whether only this machine can reach --address."""
    return ipaddress.ip_address(ADDRESS.value).is_loopback


def _grpc_addresses(address):
    addresses = []
    if PORT.value:
        addresses.append(f"{_host(address)}:{PORT.value}")
    if GRPC_SOCKET_PATH.value:
        addresses.append(f"unix:{GRPC_SOCKET_PATH.value}")
    return addresses


def _reached_address():
    # 0.0.0.0 and :: mean every address of this machine, and are none.
    address = ipaddress.ip_address(ADDRESS.value)
    if not address.is_unspecified:
        return ADDRESS.value
    return "127.0.0.1" if address.version == 4 else "::1"


def _host(address):
    return f"[{address}]" if ":" in address else address


def _is_address(text):
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
