"""Tests for the files of serving/deploy/: they parse, and fit each other."""

import itertools
import json
import pathlib
import re
import subprocess

import pytest
import yaml
from google.protobuf import descriptor_pb2
from google.protobuf import descriptor_pool
from google.protobuf import message_factory
from google.protobuf import text_format

# The batching parameters are made of these.
from google.protobuf import wrappers_pb2  # noqa: F401

from serving import model_config
from serving.conformance import docker
from tests.serving import live_server
from tf_simmim.export import batching

ROOT = pathlib.Path(__file__).parents[2]
FOLDER = ROOT / "serving" / "deploy"
PORTS = {"grpc": 8500, "rest": 8501}
# Of tensorflow_model_server: `main.cc` of TensorFlow Serving 2.20.0.
FLAGS = set(
    """port grpc_socket_path rest_api_port rest_api_num_threads
    rest_api_timeout_in_ms rest_api_enable_cors_support enable_batching
    allow_version_labels_for_unavailable_models batching_parameters_file
    enable_per_model_batching_parameters model_config_file
    model_config_file_poll_wait_seconds model_name model_base_path
    num_load_threads num_unload_threads max_num_load_retries
    load_retry_interval_micros file_system_poll_wait_seconds
    flush_filesystem_caches tensorflow_session_parallelism
    tensorflow_session_config_file tensorflow_intra_op_parallelism
    tensorflow_inter_op_parallelism use_alts_credentials ssl_config_file
    platform_config_file per_process_gpu_memory_fraction saved_model_tags
    grpc_channel_arguments grpc_max_threads enable_model_warmup
    num_request_iterations_for_warmup version monitoring_config_file
    remove_unused_fields_from_bundle_metagraph prefer_tflite_model
    num_tflite_pools num_tflite_interpreters_per_pool
    enable_signature_method_name_check xla_cpu_compilation_enabled
    xla_gpu_compilation_enabled enable_profiler
    thread_pool_factory_config_file mixed_precision skip_initialize_tpu
    enable_grpc_healthcheck_service
    enable_serialization_as_tensor_content""".split()
)
# What it tells Prometheus, with the labels of each: `util.cc` and
# `batching_session.cc`. True: a histogram.
METRICS = {
    "request_count": ({"model_name", "status"}, False),
    "request_latency": ({"model_name", "API", "entrypoint"}, True),
    "runtime_latency": ({"model_name", "API", "runtime"}, True),
    "request_example_counts": ({"model"}, True),
    "request_example_count_total": ({"model"}, False),
    "model_warmup_latency": ({"model_path", "status"}, True),
    "batching_session:queuing_latency": ({"thread_pool_name"}, True),
    "batching_session:wrapped_run_count": (set(), False),
}


def documents(name):
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


def of_kind(kind):
    (found,) = (d for d in documents("kubernetes.yaml") if d["kind"] == kind)
    return found


def message(name, fields, *others):
    """Returns an instance of a protocol buffer that no package has.

    `fields` are {name: (number, type)}; "[...]" is a repeated one.
    """
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{name}.proto", package="deploy_test", syntax="proto3"
    )
    file.dependency.append("google/protobuf/wrappers.proto")
    for title, content in ((name, fields), *others):
        described = file.message_type.add(name=title)
        for field, (number, kind) in content.items():
            added = described.field.add(name=field, number=number, label=1)
            if kind.startswith("["):
                added.label, kind = 3, kind.strip("[]")
            scalar = descriptor_pb2.FieldDescriptorProto.Type.Value
            if kind[0].islower():
                added.type = scalar(f"TYPE_{kind.upper()}")
            else:
                added.type = scalar("TYPE_MESSAGE")
                package = "google.protobuf"
                if kind in [other for other, _ in others]:
                    package = "deploy_test"
                added.type_name = f".{package}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    found = pool.FindMessageTypeByName(f"deploy_test.{name}")
    return message_factory.GetMessageClass(found)()


@pytest.fixture(scope="module")
def batching_parameters():
    """batching.config, read as TensorFlow Serving declares it."""
    wrapped = {
        "max_batch_size": (1, "Int64Value"),
        "batch_timeout_micros": (2, "Int64Value"),
        "max_enqueued_batches": (3, "Int64Value"),
        "num_batch_threads": (4, "Int64Value"),
        "thread_pool_name": (5, "StringValue"),
        "allowed_batch_sizes": (6, "[int64]"),
        "pad_variable_length_inputs": (7, "bool"),
    }
    parameters = message("BatchingParameters", wrapped)
    text = (FOLDER / "batching.config").read_text()
    return text_format.Parse(text, parameters)


@pytest.fixture(scope="module")
def monitoring():
    """monitoring.config, read as TensorFlow Serving declares it."""
    config = message(
        "MonitoringConfig",
        {"prometheus_config": (1, "PrometheusConfig")},
        ("PrometheusConfig", {"enable": (1, "bool"), "path": (2, "string")}),
    )
    text = (FOLDER / "monitoring.config").read_text()
    return text_format.Parse(text, config).prometheus_config


@pytest.fixture(scope="module")
def served():
    return model_config.read(FOLDER / "models.config")


@pytest.fixture(scope="module")
def compose():
    (found,) = documents("docker-compose.yml")
    return found["services"]


@pytest.fixture(scope="module")
def pod():
    return of_kind("Deployment")["spec"]["template"]


@pytest.fixture(scope="module")
def container(pod):
    (found,) = pod["spec"]["containers"]
    return found


def flags(arguments):
    return dict(re.fullmatch("--(.*?)=(.*)", x).groups() for x in arguments)


def test_every_file_is_told_of_and_every_yaml_file_parses():
    readme = (FOLDER / "README.md").read_text()
    names = {path.name for path in FOLDER.iterdir()} - {"README.md"}
    assert set(re.findall(r"(?m)^\| `(.*?)` \|", readme)) == names
    for name in names:
        if name.endswith((".yml", ".yaml")):
            assert all(documents(name)), name


def test_no_name_stands_twice_in_a_mapping():
    def check(node):
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            assert len(set(keys)) == len(keys), node.start_mark
            for _, value in node.value:
                check(value)
        elif isinstance(node, yaml.SequenceNode):
            for value in node.value:
                check(value)

    for path in [*FOLDER.glob("*.yaml"), *FOLDER.glob("*.yml")]:
        for node in yaml.compose_all(path.read_text()):
            check(node)


def test_every_flag_is_one_that_the_server_has(compose, container):
    assert flags(compose["serving"]["command"]) == flags(container["args"])
    assert set(flags(container["args"])) <= FLAGS


def test_the_image_is_one_version_everywhere(compose, container):
    assert re.fullmatch(r"tensorflow/serving:\d+\.\d+\.\d+", docker.IMAGE)
    assert compose["serving"]["image"] == container["image"] == docker.IMAGE
    (kserve,) = documents("kserve.yaml")
    version = kserve["spec"]["predictor"]["model"]["runtimeVersion"]
    assert docker.IMAGE.endswith(f":{version}")
    for service in compose.values():
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"])


def test_files_named_by_flags_and_models_are_mounted(
    compose, container, pod, served
):
    given = flags(container["args"])
    paths = [path for name, path in given.items() if name.endswith("_file")]
    assert len(paths) == 3
    mounts = [each.split(":")[-3:] for each in compose["serving"]["volumes"]]
    assert all(mode == "ro" for *_, mode in mounts)
    sources = {target: source for source, target, _ in mounts}
    for path in paths:
        assert (FOLDER / sources[path]).is_file()
    (model,) = served
    assert model.base_path in sources
    assert model.base_path == f"/models/{model.name}"

    spec = pod["spec"]
    places = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    assert set(places) == set(volumes)
    (kustomization,) = documents("kustomization.yaml")
    (generated,) = kustomization["configMapGenerator"]
    assert volumes["config"]["configMap"]["name"] == generated["name"]
    mounted = {f"{places['config']}/{name}" for name in generated["files"]}
    assert mounted == set(paths)
    for name in (*kustomization["resources"], *generated["files"]):
        assert (FOLDER / name).is_file()
    assert pathlib.PurePath(model.base_path).parent == pathlib.PurePath(
        places["models"]
    )
    claim = volumes["models"]["persistentVolumeClaim"]["claimName"]
    (kserve,) = documents("kserve.yaml")
    uri = kserve["spec"]["predictor"]["model"]["storageUri"]
    assert uri == f"pvc://{claim}/{model.name}"
    assert kserve["metadata"]["name"] == model.name


def test_ports_agree_and_are_open_to_this_machine_only(
    compose, container, monitoring
):
    published = compose["serving"]["ports"]
    assert published == [f"127.0.0.1:{p}:{p}" for p in PORTS.values()]
    for service in compose.values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    inside = {p["name"]: p["containerPort"] for p in container["ports"]}
    assert inside == PORTS
    service = of_kind("Service")["spec"]
    assert service["type"] == "ClusterIP"
    outside = {p["targetPort"]: p["port"] for p in service["ports"]}
    assert outside == PORTS
    policy = of_kind("NetworkPolicy")["spec"]
    clients, prometheus = (
        {port["port"] for port in rule["ports"]} for rule in policy["ingress"]
    )
    assert (clients, prometheus) == (set(PORTS.values()), {PORTS["rest"]})

    (config,) = documents("prometheus.yml")
    (job,) = config["scrape_configs"]
    (static,) = job["static_configs"]
    assert monitoring.enable
    assert job["metrics_path"] == monitoring.path
    assert static["targets"] == [f"serving:{PORTS['rest']}"]
    annotations = of_kind("Deployment")["spec"]["template"]["metadata"][
        "annotations"
    ]
    assert annotations["prometheus.io/path"] == monitoring.path
    assert annotations["prometheus.io/port"] == str(PORTS["rest"])


def test_labels_and_names_lead_to_the_pods(pod):
    deployment = of_kind("Deployment")
    labels = pod["metadata"]["labels"]
    for selector in (
        deployment["spec"]["selector"]["matchLabels"],
        of_kind("Service")["spec"]["selector"],
        of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        of_kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector == labels
    scaler = of_kind("HorizontalPodAutoscaler")["spec"]
    assert scaler["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    # Else each would undo what the other does.
    assert "replicas" not in deployment["spec"]
    assert 1 < scaler["minReplicas"] < scaler["maxReplicas"]


def test_servers_have_no_rights_that_they_do_not_need(compose, container, pod):
    for service in compose.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    assert compose["serving"]["user"] == "1000:1000"
    context = container["securityContext"]
    assert context["readOnlyRootFilesystem"]
    assert not context["allowPrivilegeEscalation"]
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert pod["spec"]["securityContext"]["runAsNonRoot"]
    assert pod["spec"]["automountServiceAccountToken"] is False
    given = flags(container["args"])
    assert given["enable_profiler"] == "false"


def test_probes_ask_for_a_model_that_is_served(container, served):
    (model,) = served
    path = f"/v1/models/{model.name}/metadata"
    for probe in ("startupProbe", "readinessProbe"):
        assert container[probe]["httpGet"] == {"path": path, "port": "rest"}
    assert container["livenessProbe"]["grpc"]["port"] == PORTS["grpc"]
    given = flags(container["args"])
    assert given["enable_grpc_healthcheck_service"] == "true"


def test_there_is_time_to_answer_before_the_end(compose, container, pod):
    given = flags(container["args"])
    seconds = int(given["rest_api_timeout_in_ms"]) / 1000
    assert int(compose["serving"]["stop_grace_period"].strip("s")) > seconds
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["spec"]["terminationGracePeriodSeconds"] > seconds + pause


def test_the_health_check_finds_a_model_and_misses_another(
    compose, client, served
):
    kind, *command = compose["serving"]["healthcheck"]["test"]
    assert kind == "CMD"
    (model,) = served
    assert f"/v1/models/{model.name}/metadata " in command[-1]
    assert f"/{PORTS['rest']} " in command[-1]

    def run(name, port):
        text = command[-1].replace(model.name, name)
        text = text.replace(str(PORTS["rest"]), str(port))
        result = subprocess.run(
            [*command[:-1], text], capture_output=True, timeout=20, check=False
        )
        return result.returncode

    assert run("half_plus_two", client.port) == 0
    assert run("other", client.port) != 0
    assert run("half_plus_two", live_server.free_port()) != 0


def test_batches_are_those_of_exports(batching_parameters):
    sizes = list(batching_parameters.allowed_batch_sizes)
    assert sizes == batching.allowed_sizes(batching.MAX_BATCH_SIZE)
    assert batching_parameters.max_batch_size.value == sizes[-1]
    assert batching_parameters.num_batch_threads.value >= 1
    exported = batching.text(batching.MAX_BATCH_SIZE)
    same = type(batching_parameters)()
    text_format.Parse(exported, same)
    for field in ("batch_timeout_micros", "max_enqueued_batches"):
        assert getattr(same, field) == getattr(batching_parameters, field)


@pytest.fixture(scope="module")
def board():
    return json.loads((FOLDER / "grafana-dashboard.json").read_text())


def test_the_board_asks_for_metrics_that_there_are(board):
    prefix = ":tensorflow:serving:"
    seen = set()
    for panel, target in (
        (p, t) for p in board["panels"] for t in p["targets"]
    ):
        expression = target["expr"]
        assert expression.count("(") == expression.count(")")
        for name, selector in re.findall(
            rf"{prefix}([\w:]+)(?:{{(.*?)}})?", expression
        ):
            base = name
            if name not in METRICS:
                base = re.sub("_(bucket|count|sum)$", "", name)
            labels, is_histogram = METRICS[base]
            assert is_histogram == (name != base), panel["title"]
            asked = set(re.findall(r"(\w+)[!=]~?\"", selector))
            assert asked <= {*labels, "instance"}, panel["title"]
            by = re.findall(r"by \((.*?)\)", expression)
            groups = {x for words in by for x in words.split(", ")}
            assert groups <= {*labels, "le"}, panel["title"]
            seen.add(base)
    assert {"request_count", "request_latency", "runtime_latency"} <= seen


def test_the_panels_of_the_board_fit_in_beside_each_other(board):
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        set(
            itertools.product(
                range(g["x"], g["x"] + g["w"]), range(g["y"], g["y"] + g["h"])
            )
        )
        for g in (panel["gridPos"] for panel in panels)
    ]
    assert sum(map(len, cells)) == len(set().union(*cells))
    assert max(x for cell in cells for x, _ in cell) < 24
    names = {each["name"] for each in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]+)\b", json.dumps(board)))
    assert used == names


def test_the_readme_says_that_none_of_it_was_run():
    text = " ".join((FOLDER / "README.md").read_text().split())
    assert "not been run" in text
