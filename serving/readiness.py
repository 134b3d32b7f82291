"""Whether requests would be answered."""

import dataclasses

from serving import batch_threads
from serving import model_versions
from serving import workers


@dataclasses.dataclass(frozen=True)
class Readiness:
    """What a server needs to answer.

    Attributes:
        versions: `ModelVersions`. Each model needs a version to serve.
        pool: `Workers`. One of its threads must not be stuck.
        batches: `BatchThreads`, likewise; None where there are none.
    """

    versions: model_versions.ModelVersions
    pool: workers.Workers
    batches: batch_threads.BatchThreads | None = None

    def are_stuck(self):
        """Whether all threads that answer, or that compute, are stuck."""
        if self.pool.are_stuck():
            return True
        return self.batches is not None and self.batches.are_stuck()

    def is_ready(self):
        """Whether a request would be answered."""
        return not self.versions.unavailable() and not self.are_stuck()
