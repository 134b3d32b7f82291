"""TF_CONFIG: who trains together, as the environment of each process says.

    {"cluster": {"worker": ["host1:12345", "host2:12345"]},
     "task": {"type": "worker", "index": 0}}

TensorFlow reads it too; here it is checked, so that a slip is a sentence and
not a process that waits for ever.
"""

import json
import os
import re

_JOBS = ("chief", "worker")
_EXAMPLE = (
    '{"cluster": {"worker": ["host1:12345", "host2:12345"]}, "task": {"type": '
    '"worker", "index": 0}}'
)


def workers() -> list[str]:
    """Returns the addresses (host:port) of all workers, the chief first.

    Returns:
        list of str; empty where TF_CONFIG is not set or names no cluster.

    Raises:
        ValueError: TF_CONFIG is not as above. "chief" may name one worker,
            which then is the first.
    """
    return _read()[0]


def worker() -> int:
    """Returns this process' place in `workers()`; 0 without TF_CONFIG.

    Raises:
        ValueError: as `workers`.
    """
    return _read()[1]


def _read():
    text = os.environ.get("TF_CONFIG", "").strip()
    if not text:
        return [], 0
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refusal(f"be JSON ({error})", text) from error
    if not isinstance(config, dict):
        raise _refusal("be a JSON object", text)
    cluster = config.get("cluster", {})
    if cluster in ({}, None):
        return [], 0
    if not isinstance(cluster, dict) or not cluster.keys() <= set(_JOBS):
        raise _refusal(f"name jobs among {_JOBS} in its cluster", text)
    addresses = [each for job in _JOBS for each in _addresses(cluster, job)]
    if len(cluster.get("chief", [])) > 1:
        raise _refusal("name one chief at most", text)
    if not addresses:
        raise _refusal("name a worker at least", text)
    if len(set(addresses)) < len(addresses):
        raise _refusal("name each address once", text)
    task = config.get("task")
    if not isinstance(task, dict) or task.get("type") not in list(cluster):
        raise _refusal(f"have a task of a type among {list(cluster)}", text)
    job, index = task["type"], task.get("index")
    if isinstance(index, str) and index.isdecimal():
        index = int(index)
    num_tasks = len(cluster[job])
    if type(index) is not int or not 0 <= index < num_tasks:
        raise _refusal(f"have a task with an index in 0..{num_tasks - 1}", text)
    num_before = len(cluster.get("chief", [])) if job == "worker" else 0
    return addresses, index + num_before


def _addresses(cluster, job):
    addresses = cluster.get(job, [])
    is_list = isinstance(addresses, list)
    if not is_list or not all(
        isinstance(each, str) and _is_address(each) for each in addresses
    ):
        raise _refusal(
            f"have a list of addresses host:port for {job!r}", cluster
        )
    return addresses


def _is_address(text):
    found = re.fullmatch(r"[^\s/]+:([0-9]{1,5})", text)
    return found is not None and 0 < int(found[1]) < 1 << 16


def _refusal(rule, received):
    return ValueError(
        f"TF_CONFIG must {rule}; an example: {_EXAMPLE}. Received: {received}."
    )
