"""Which files for TensorFlow Lite an export has."""

import dataclasses

import numpy as np

from tf_simmim.export import tflite_conversion


@dataclasses.dataclass(frozen=True)
class TFLiteOptions:
    """What to write for TensorFlow Lite.

    Args:
        kinds: sequence of `tflite_conversion.KINDS`.
        outputs: sequence of `tflite_conversion.OUTPUTS`.
        batch_size: int > 0. Images that each file takes at a time.
        input_type: str of `tflite_conversion.INPUT_TYPES`: what files of kind
            full_int8 take.
        calibration: float32 [N, H, W, C], 0..255; images for full_int8, or
            None.

    Raises:
        ValueError: there is no such kind or output, none is asked for, or
            full_int8 without `calibration`.
    """

    kinds: tuple[str, ...] = ("float32", "float16", "int8")
    outputs: tuple[str, ...] = ("features",)
    batch_size: int = 1
    input_type: str = "float32"
    calibration: np.ndarray | None = None

    def __post_init__(self):
        for name, known in (
            ("kinds", tflite_conversion.KINDS),
            ("outputs", tflite_conversion.OUTPUTS),
        ):
            values = getattr(self, name)
            if not values or not set(values) <= set(known):
                raise ValueError(
                    f"`{name}` must be some of {known}. Received: {values}."
                )
        if "full_int8" in self.kinds and self.calibration is None:
            raise ValueError(
                "`kinds` can have full_int8 with images for its `calibration` "
                "only. Received: none."
            )
