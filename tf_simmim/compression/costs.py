"""What every width costs, by the plan of a backbone."""

import dataclasses

import numpy as np

from tf_simmim.compression import narrowing


@dataclasses.dataclass(frozen=True)
class Costs:
    """What widths cost: every part is a rate for each unit of its width.

    Attributes:
        base: float. Of all that no width changes.
        rates: {part: float64 [num_blocks]}.
    """

    base: float
    rates: dict

    @classmethod
    def of(cls, model, full, kind: str) -> "Costs":
        """Counts weights of a model, or operations of its backbone.

        Args:
            model: a model of a kind in `models.registry`.
            full: {part: tuple of int}, the widths of its blocks.
            kind: "params" or "flops".
        """
        cls_of_backbone = type(model.backbone)
        config = model.backbone.get_config()
        given = {
            narrowing.ARGUMENTS[part]: list(dims) for part, dims in full.items()
        }

        def count(**changed):
            plan = cls_of_backbone.plan({**config, **given, **changed})
            return plan.num_weights if kind == "params" else plan.flops

        whole = count()
        rates = {}
        for part, dims in full.items():
            name, values = narrowing.ARGUMENTS[part], []
            for i, width in enumerate(dims):
                # At twice the width, since none can be 0.
                wider = [*dims[:i], 2 * width, *dims[i + 1 :]]
                values.append((count(**{name: wider}) - whole) / width)
            rates[part] = np.array(values)
        besides = 0
        if kind == "params":
            besides = model.count_params() - model.backbone.count_params()
        of_parts = sum(
            float(rates[part] @ np.array(dims)) for part, dims in full.items()
        )
        return cls(whole + besides - of_parts, rates)

    def total(self, widths) -> float:
        """Returns what a network of some widths costs."""
        return self.base + sum(
            float(rates @ np.array(widths[part]))
            for part, rates in self.rates.items()
        )
