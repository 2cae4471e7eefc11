"""Named random streams: two policies of one seed share their luck.

A stream is keyed by seed and names (purpose, owner, week), never by the order of creation, so that
adding a seat, a site or a factor moves no other draw.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

MASK = 2**64 - 1


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """A generator for this seed and these names; equal names give equal draws (costs about 30 microseconds)."""
    digest = hashlib.blake2b("\x1f".join(str(n) for n in names).encode(), digest_size=16).digest()
    words = [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4)]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed & 0xFFFFFFFF, seed >> 32, *words])))


def owner_keys(purpose: str, owners: Iterable[str]) -> npt.NDArray[np.uint64]:
    """A 64-bit key for each owner of draws of one purpose (n,): `draws` turns keys and a week into numbers."""
    digests = [hashlib.blake2b(f"{purpose}\x1f{o}".encode(), digest_size=8).digest() for o in owners]
    return np.array([int.from_bytes(d, "little") for d in digests], dtype=np.uint64)


def draws(seed: int, keys: npt.NDArray[np.uint64], week: int, number: int = 0) -> npt.NDArray[np.float64]:
    """Uniform draws in (0, 1), one for each key (n,), that depend on nothing but seed, key, week and number.

    The counter is mixed by SplitMix64's finaliser (Steele, Lea, Flood 2014), twice: a whole table of owners costs a few
    microseconds, and a new owner moves nobody else's draw.
    """
    start = (seed * 0x9E3779B97F4A7C15 + (week + 10_000) * 0xD1B54A32D192ED03 + number * 0x8CB92BA72F3D8DD7) & MASK
    return (_mix(_mix(keys ^ np.uint64(start))) >> np.uint64(11)).astype(np.float64) * 2.0**-53 + 2.0**-54


def normals(seed: int, keys: npt.NDArray[np.uint64], week: int) -> npt.NDArray[np.float64]:
    """Standard normal draws, one for each key (n,), by the method of Box and Muller."""
    radius = np.sqrt(-2.0 * np.log(draws(seed, keys, week, 1)))
    return np.asarray(radius * np.cos(2.0 * np.pi * draws(seed, keys, week, 2)), dtype=np.float64)


def _mix(z: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
