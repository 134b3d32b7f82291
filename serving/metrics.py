"""Numbers for Prometheus, in the text form that TensorFlow Serving writes.

`prometheus_client` would add `_total` to the names of counters, and so miss
those of TensorFlow Serving; there is not more to it than this.
"""

import bisect
import threading
from collections.abc import Sequence


class Registry:
    """The metrics of a process, by name. May be used from any thread."""

    def __init__(self):
        self._metrics = {}
        self._lock = threading.Lock()

    def counter(self, name, description, labels=()):
        """Returns a new `Counter`; the name is one of TensorFlow's, a path.

        Args:
            name: str, such as "/tensorflow/serving/request_count".
            description: str.
            labels: sequence of str.
        """
        return self._add(Counter(name, description, labels, self._lock))

    def gauge(self, name, description, read):
        """Adds a number that is read when it is asked for.

        Args:
            name: str, as of `counter`.
            description: str.
            read: function without arguments that returns an int.
        """
        self._add(_Gauge(name, description, read))

    def histogram(self, name, description, labels, limits):
        """Returns a new `Histogram`.

        Args:
            name: str, as of `counter`.
            description: str.
            labels: sequence of str.
            limits: sequence of float, rising. The largest value that falls
                into each bucket; one for all larger values is added.
        """
        return self._add(
            Histogram(name, description, labels, limits, self._lock)
        )

    def page(self):
        """Returns what Prometheus reads, as text."""
        lines = []
        for name in sorted(self._metrics):
            metric = self._metrics[name]
            exported = _exported(name)
            lines += [
                f"# HELP {exported} {metric.description}",
                f"# TYPE {exported} {metric.kind}",
                *metric.lines(exported),
            ]
        return "\n".join(lines) + "\n"

    def _add(self, metric):
        self._metrics[metric.name] = metric
        return metric


class Counter:
    """A number that only rises, for each combination of labels.

    Args:
        name: str.
        description: str.
        labels: sequence of str.
        lock: held while numbers change.
    """

    kind = "counter"

    def __init__(self, name, description, labels, lock):
        self.name = name
        self.description = description
        self._labels = tuple(labels)
        self._lock = lock
        self._values = {} if labels else {(): 0}

    def add(self, *labels, by=1):
        """Adds `by` (int >= 0) under these labels, str each."""
        with self._lock:
            self._values[labels] = self._values.get(labels, 0) + by

    def value(self, *labels):
        """Returns the number under these labels."""
        with self._lock:
            return self._values.get(labels, 0)

    def lines(self, name):
        """Returns the lines of the page, under this name."""
        with self._lock:
            values = sorted(self._values.items())
        return [
            f"{name}{{{_labels(self._labels, key)}}} {value}"
            for key, value in values
        ]


class Histogram:
    """How often values were at most each limit, by combination of labels.

    Args:
        name: str.
        description: str.
        labels: sequence of str.
        limits: sequence of float, rising.
        lock: held while numbers change.
    """

    kind = "histogram"

    def __init__(self, name, description, labels, limits, lock):
        self.name = name
        self.description = description
        self._labels = tuple(labels)
        self._limits = tuple(limits)
        self._lock = lock
        # {labels: (counts, sum)}
        self._values = {}

    def observe(self, value, *labels):
        """Counts a value under these labels, str each."""
        with self._lock:
            counts, total = self._values.get(labels) or (
                [0] * (len(self._limits) + 1),
                0,
            )
            counts[bisect.bisect_left(self._limits, value)] += 1
            self._values[labels] = counts, total + value

    def count(self, *labels):
        """Returns how many values were counted under these labels."""
        with self._lock:
            return sum(self._values.get(labels, ((), 0))[0])

    def lines(self, name):
        """Returns the lines of the page, under this name."""
        with self._lock:
            values = sorted(
                (key, list(counts), total)
                for key, (counts, total) in self._values.items()
            )
        found = []
        for key, counts, total in values:
            labels = _labels(self._labels, key)
            before = f"{name}_bucket{{{labels}{',' if labels else ''}"
            sofar = 0
            for limit, count in zip(
                [*(f"{limit:g}" for limit in self._limits), "+Inf"],
                counts,
                strict=True,
            ):
                sofar += count
                found.append(f'{before}le="{limit}"}} {sofar}')
            found.append(f"{name}_sum{{{labels}}} {_digits(total)}")
            found.append(f"{name}_count{{{labels}}} {sofar}")
        return found


class _Gauge:
    kind = "gauge"

    def __init__(self, name, description, read):
        self.name = name
        self.description = description
        self._read = read

    def lines(self, name):
        return [f"{name}{{}} {self._read()}"]


def exponential(scale: float, growth: float, count: int) -> list[float]:
    """Returns limits of buckets: scale * growth**i for i < count."""
    return [scale * growth**i for i in range(count)]


def _digits(value):
    # All of them: a sum that is rounded stands still, and then jumps.
    value = float(value)
    return str(int(value)) if value.is_integer() else repr(value)


def _exported(name):
    return "".join(c if c.isalnum() or c == "_" else ":" for c in name)


def _labels(names: Sequence[str], values: Sequence[str]) -> str:
    pairs = zip(names, values, strict=True)
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs)


def _escaped(value):
    for mark, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n")):
        value = value.replace(mark, escaped)
    # What is no UTF-8 in a request is none here.
    return value.encode("utf-8", "replace").decode("utf-8")
