"""What the answers of a network suffer when its parts become narrower.

Dimension key:
  p: part of a block, of all parts of all blocks   w: its width
"""

import numpy as np

# The width at which a part's effect is measured is the largest that loses this
# share of its output: more than rounding, little enough to be in proportion.
_MEASURED_LOSS = 0.01
_LEAST_KL = 1e-9


class Sensitivities:
    """How much the answers suffer from what each part loses, measured.

    The divergence grows with the squares of what is lost, and so does the
    share e(w) of a part's output that is lost at width w, which is known for
    all widths. So one measurement for each part p tells

        KL_p(w) = s_p e_p(w),   s_p = KL measured at one width / e_p there

    Parts are never compared by their information, which says nothing across
    layers, but by what the network's answers say.

    Args:
        narrowing: `Narrowing`.
        measure: function (widths) -> KL of the answers, float.
        on_part: function of no arguments, called behind each part, or None.
    """

    def __init__(self, narrowing, measure, on_part=None):
        self._curves = {}
        full = narrowing.full
        for part in narrowing.parts:
            for block in range(narrowing.num_blocks):
                errors = narrowing.errors(part, block)
                width = _measured_width(errors)
                kl = 0.0
                if width < full[part][block]:
                    dims = list(full[part])
                    dims[block] = width
                    kl = measure({part: tuple(dims)})
                loss = max(errors[width], 1e-12)
                curve = max(kl, _LEAST_KL) / loss * errors
                self._curves[part, block] = curve
                if on_part is not None:
                    on_part()

    def widths(self, rates, price: float) -> dict:
        """Returns the widths that minimise KL + price * cost.

        Args:
            rates: as of `Costs`.
            price: float >= 0, nats for each unit of cost.
        """
        found = {part: [] for part in rates}
        for (part, block), curve in self._curves.items():
            costs = rates[part][block] * np.arange(1, len(curve))
            found[part].append(1 + int(np.argmin(curve[1:] + price * costs)))
        return {part: tuple(dims) for part, dims in found.items()}


def _measured_width(errors):
    """Returns the largest width that loses enough to be measured, above 0."""
    enough = np.flatnonzero(errors >= _MEASURED_LOSS)
    return max(1, int(enough[-1]) if len(enough) else 1)
