"""Which model a run trains, as its files say it."""

import dataclasses
import json

from tf_simmim.models import registry
from tf_simmim.run import checks

_MAX_NAME = 100


@dataclasses.dataclass(frozen=True)
class ModelRecord:
    """The kind of a model and its configuration: what a model is built from.

    model.json holds it, and so do run.json and the manifest of each
    checkpoint. Whether a model can be built from it is for the loader to find
    out (`training.load_pretrained`).

    Args:
        kind: str. A name in `models.registry`, such as "simmim".
        config: dict, JSON-able. What the model's `get_config` gives.

    Raises:
        ValueError: `kind` is no such text or `config` is no JSON object.
    """

    kind: str
    config: dict

    def __post_init__(self):
        checks.require(
            checks.is_text(self.kind, _MAX_NAME),
            "model.kind",
            "the name of a kind of model",
            self.kind,
        )
        rule = "an object, of finite numbers where it has numbers"
        config = self.config
        try:
            # Tuples become lists, as after reading.
            config = json.loads(json.dumps(config, allow_nan=False))
        except (TypeError, ValueError, RecursionError):
            checks.require(False, "model.config", rule, config)
        checks.require(isinstance(config, dict), "model.config", rule, config)
        object.__setattr__(self, "config", config)

    @classmethod
    def of(cls, model) -> "ModelRecord":
        """Returns the record of a model whose kind is registered.

        Raises:
            ValueError: it is not.
        """
        return cls(registry.kind_of(model).name, model.get_config())

    @classmethod
    def from_json(cls, document) -> "ModelRecord":
        """Returns the record of what `as_json` gave.

        Raises:
            ValueError: it is not that.
        """
        checks.require_fields(document, "model", ("kind", "config"))
        return cls(**document)

    def as_json(self) -> dict:
        """Returns it as model.json has it."""
        return {"kind": self.kind, "config": self.config}
