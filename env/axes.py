"""Names and numbers: the axes every array of the world runs over."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

CLASSES = ("civil", "dual", "defence")
OUTSIDE = "outside"  # the rest of the economy: freight, energy, labour, final customers, shareholders


@dataclass(frozen=True, slots=True)
class Axis:
    """An ordered list of codes with constant-time look-up of their index."""

    codes: tuple[str, ...]
    index: dict[str, int] = field(repr=False, compare=False, hash=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.index.update({code: i for i, code in enumerate(self.codes)})

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, i: int) -> str:
        return self.codes[i]

    def __contains__(self, code: object) -> bool:
        return code in self.index


def dest_index(node: int, user_class: int) -> int:
    """Destination of a bid: a node and an end-use class (licences are given per class)."""
    return node * len(CLASSES) + user_class


def sums(index: npt.NDArray[np.int64], values: npt.NDArray[np.float64], n: int) -> npt.NDArray[np.float64]:
    """Sum of `values` by `index` (n,)."""
    return np.asarray(np.bincount(index, weights=values, minlength=n), dtype=np.float64)
