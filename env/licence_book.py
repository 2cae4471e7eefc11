"""What a licence office keeps: files under way, licences in hand, and the week's decisions, all as arrays."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt
from numba import njit

from env.world import Bools, Floats, Ints


def _f() -> Floats:
    return np.zeros(0)


def _i() -> Ints:
    return np.zeros(0, dtype=np.int64)


class _Columns:
    """Rows kept as equally long arrays, one attribute each."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self.id)  # type: ignore[attr-defined]

    def keep(self, mask: Bools) -> None:
        """Drop the rows not in the mask."""
        for f in fields(self):  # type: ignore[arg-type]
            setattr(self, f.name, getattr(self, f.name)[mask])

    def extend(self, **columns: npt.ArrayLike) -> None:
        """Append rows."""
        for f in fields(self):  # type: ignore[arg-type]
            old = getattr(self, f.name)
            setattr(self, f.name, np.concatenate([old, np.asarray(columns[f.name], dtype=old.dtype)]))


@dataclass(slots=True, eq=False)
class Files(_Columns):
    """Applications under way, in order of arrival (shape A)."""

    id: Ints = field(default_factory=_i)
    applied: Ints = field(default_factory=_i)
    ready: Ints = field(default_factory=_i)  # week from which it may be served (resubmission, first lag)
    good: Ints = field(default_factory=_i)
    dest: Ints = field(default_factory=_i)
    seller: Ints = field(default_factory=_i)
    kg: Floats = field(default_factory=_f)
    tries: Ints = field(default_factory=_i)


@dataclass(slots=True, eq=False)
class Licences(_Columns):
    """Licences in hand, oldest first (shape L)."""

    id: Ints = field(default_factory=_i)
    good: Ints = field(default_factory=_i)
    dest: Ints = field(default_factory=_i)
    kg: Floats = field(default_factory=_f)  # left
    expiry: Ints = field(default_factory=_i)  # first week in which it no longer holds

    def held(self, n_goods: int, n_dest: int) -> Floats:
        """Tonnage in hand (G, D) kg."""
        held = np.bincount(self.good * n_dest + self.dest, weights=self.kg, minlength=n_goods * n_dest)
        return held.astype(float).reshape(n_goods, n_dest)

    def draw(self, key: Ints, n_dest: int, n_keys: int, kg: Floats) -> Ints:
        """Draw shipments (`key` = good * D + destination, in order) oldest first; first licence of each, -1 = none."""
        used = _draw(self.good * n_dest + self.dest, self.kg, n_keys, key, kg)
        ids = np.append(self.id, -1)[used]  # row -1 = no licence
        return np.asarray(ids, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """Files decided in one week by one office (shape of the files decided)."""

    week: int
    id: Ints
    applied: Ints
    good: Ints
    dest: Ints
    seller: Ints
    kg: Floats
    granted: Bools


@njit(cache=True)
def _draw(licence_key: Ints, left: Floats, n_keys: int, key: Ints, kg: Floats) -> Ints:
    """Take each shipment's kg off the licences of its key in their order; row of the first one used, -1 = none.

    Licences of a key hang on a chain (`head`, `after`); the head moves on as they are used up: the walk is linear.
    """
    head = np.full(n_keys, -1, np.int64)
    after = np.empty(len(licence_key), np.int64)
    for row in range(len(licence_key) - 1, -1, -1):
        after[row] = head[licence_key[row]]
        head[licence_key[row]] = row
    first = np.full(len(kg), -1, np.int64)
    for i in range(len(kg)):
        wanted = kg[i]
        row = head[key[i]]
        while row >= 0:
            if left[row] > 0.0:
                take = min(left[row], wanted)
                left[row] -= take
                wanted -= take
                if first[i] < 0:
                    first[i] = row
                if wanted <= 1e-9:
                    break
            row = after[row]
        head[key[i]] = row
    return first


@njit(cache=True)
def rank_within(dest: Ints, counts: Bools, n_dest: int) -> Ints:
    """For each row the number of earlier rows of the same destination that count."""
    seen = np.zeros(n_dest, np.int64)
    rank = np.empty(len(dest), np.int64)
    for i in range(len(dest)):
        rank[i] = seen[dest[i]]
        if counts[i]:
            seen[dest[i]] += 1
    return rank
