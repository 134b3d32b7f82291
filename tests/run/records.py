"""A record in which every field is filled in."""

from tf_simmim import run


def record(**changes) -> run.RunRecord:
    """Returns a record of a run that fine-tunes, but for `changes`."""
    return run.RunRecord(
        **{
            "kind": "fine-tuning",
            "model": run.ModelRecord(
                "classifier", {"num_classes": 3, "sides": (1, 2)}
            ),
            "input": run.InputRecord(
                image_size=(16, 24),
                channels=2,
                mean=(0.1, 0.2),
                std=(0.3, 0.4),
                bands=("near infrared", "red"),
                crop={"name": "EvaluationCrop", "crop_fraction": 0.875},
            ),
            "data": run.DataRecord(
                name="folder:pets",
                digest="12 images, c0ffee",
                splits={"training": "train", "held_out": "validation"},
                num_images=12,
                num_labelled=9,
                class_names=("a", "\u00fc", "c"),
            ),
            "settings": {
                "depth": 2,
                "mask_ratio": 0.6,
                "horizontal_flip": False,
                "image_size": [16, 24],
                "milestone_epochs": [],
                "pretrained": "",
            },
            "seed": 7,
            "versions": {"tf_simmim": "0.2.0", "keras": None},
            **changes,
        }
    )
