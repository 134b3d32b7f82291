"""What a run is: all that one must know to open, judge, export or repeat it."""

import dataclasses

from tf_simmim.run import checks
from tf_simmim.run.data_record import DataRecord
from tf_simmim.run.input_record import InputRecord
from tf_simmim.run.model_record import ModelRecord
from tf_simmim.run.settings import require_settings

SCHEMA = 1
_MAX_KIND = 100
_MAX_TEXT = 10_000
_MAX_SETTINGS = 1000
_MAX_SEED = 1 << 63


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """The content of a run's run.json.

    Args:
        kind: str. What the run does: "pretraining", "fine-tuning",
            "segmentation" or "detection"; "converted weights" of a folder
            that has not been trained here; another word of another program.
        model: `ModelRecord`.
        input: `InputRecord`.
        data: `DataRecord`, or None for a run of no images.
        settings: {name: value}. The value of every flag that describes the
            run: a bool, number or text, or a list of numbers and texts. Flags
            without a value are left out.
        seed: int or None.
        versions: {package: version, or None for one that is not there}.

    Raises:
        ValueError: a value is none of these.
    """

    kind: str
    model: ModelRecord
    input: InputRecord
    data: DataRecord | None = None
    settings: dict = dataclasses.field(default_factory=dict)
    seed: int | None = None
    versions: dict[str, str | None] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        checks.require(
            checks.is_text(self.kind, _MAX_KIND)
            and self.kind.isprintable()
            and self.kind,
            "kind",
            f"printable text of at most {_MAX_KIND} characters",
            self.kind,
        )
        require_settings(self.settings, "settings")
        checks.require(
            self.seed is None
            or checks.is_count(self.seed, -_MAX_SEED, _MAX_SEED),
            "seed",
            "a whole number, or null",
            self.seed,
        )
        checks.require(
            isinstance(self.versions, dict)
            and len(self.versions) <= _MAX_SETTINGS
            and all(map(_is_text, self.versions))
            and all(v is None or _is_text(v) for v in self.versions.values()),
            "versions",
            "an object of text",
            self.versions,
        )

    def as_json(self) -> dict:
        """Returns it as a JSON-able dict, with the number of the schema."""
        return {"schema": SCHEMA, **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, document) -> "RunRecord":
        """Returns the record of what `as_json` gave, or refuses all else.

        Raises:
            ValueError: it is no such object; the message names the field.
        """
        checks.require(isinstance(document, dict), "run", "an object", document)
        schema = document.get("schema")
        checks.require(
            type(schema) is int and schema == SCHEMA,
            "schema",
            f"{SCHEMA}, the one that this version of tf_simmim reads",
            schema,
        )
        names = [field.name for field in dataclasses.fields(cls)]
        checks.require_fields(document, "run", ["schema", *names])
        values = {name: document[name] for name in names}
        values["model"] = ModelRecord.from_json(document["model"])
        values["input"] = _from_json(InputRecord, document["input"], "input")
        if document["data"] is not None:
            values["data"] = _from_json(DataRecord, document["data"], "data")
        return cls(**values)


def _from_json(cls, document, field):
    names = [entry.name for entry in dataclasses.fields(cls)]
    checks.require_fields(document, field, names)
    return cls(**document)


def _is_text(value):
    return checks.is_text(value, _MAX_TEXT)
