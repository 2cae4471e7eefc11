"""From cleared books to deals: who sold to whom on every lane, and the week's prices, volumes and rents by place.

Within a lane sellers and buyers meet pro rata to their fills: every seller deals with every buyer.  Where that would
take more than `MOST_PAIRS` rows on a lane, both lists are walked side by side instead, in slot order (a staircase):
each slot trades the same kilograms on the lane, only with fewer partners.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from env.world import Floats, Ints

MOST_PAIRS = 48
DUST = 1e-12  # of a lane's flow: no deal is that small


@njit(cache=True)
def settle_good(
    ask_fill: Floats,
    bid_fill: Floats,
    flow: Floats,
    origin_price: Floats,
    dest_price: Floats,
    rent: Floats,
    node: Ints,
    dest: Ints,
    n_class: int,
    most_pairs: int,
    sold: Floats,
    bought: Floats,
    price_at: Floats,
    rent_at: Floats,
) -> tuple[Ints, Ints, Floats, Floats]:
    """One good's deals (seller, buyer, kg, USD/kg at the origin), slots counted from the good's first.

    Fills are by step (equal steps a slot), `flow` and `rent` (N, D).  `sold` (N,), `bought` (N,), the delivered
    price `price_at` (N,), NaN without trade, and `rent_at` (N, N) are written in place.
    """
    _by_place(flow, dest_price, rent, n_class, sold, bought, price_at, rent_at)
    return _pairs(
        _per_slot(ask_fill, len(node)), _per_slot(bid_fill, len(dest)), flow, node, dest, origin_price, rent, most_pairs
    )


@njit(cache=True)
def _per_slot(fill: Floats, n: int) -> Floats:
    """Fill by slot, summed over its steps."""
    out = np.zeros(n)
    steps = len(fill) // n if n else 0
    for i in range(n):
        for k in range(i * steps, (i + 1) * steps):
            out[i] += fill[k]
    return out


@njit(cache=True)
def _by_place(
    flow: Floats,
    dest_price: Floats,
    rent: Floats,
    n_class: int,
    sold: Floats,
    bought: Floats,
    price_at: Floats,
    rent_at: Floats,
) -> None:
    """Volumes, delivered prices and rents by node: means over the classes of use, weighted by what flowed."""
    n_o, n_d = flow.shape
    for d in range(n_d):
        into = 0.0
        for o in range(n_o):
            into += flow[o, d]
        if into > 0.0:
            at = d // n_class
            price_at[at] = (0.0 if bought[at] == 0.0 else price_at[at]) + dest_price[d] * into
            bought[at] += into
    for at in range(n_d // n_class):
        if bought[at] > 0.0:
            price_at[at] /= bought[at]
    for o in range(n_o):
        for at in range(n_d // n_class):
            kg, usd = 0.0, 0.0
            for d in range(at * n_class, (at + 1) * n_class):
                kg += flow[o, d]
                usd += rent[o, d] * flow[o, d]
            sold[o] += kg
            if kg > 0.0:
                rent_at[o, at] = usd / kg


@njit(cache=True)
def _grouped(fill: Floats, place: Ints, n: int) -> tuple[Ints, Ints, Floats]:
    """Slots with a fill in order of place, then slot: start of each place (n + 1,), slots, total fill by place (n,)."""
    start, total = np.zeros(n + 1, np.int64), np.zeros(n)
    for i in range(len(fill)):
        total[place[i]] += fill[i]
        if fill[i] > 0.0:
            start[place[i] + 1] += 1
    for p in range(n):
        start[p + 1] += start[p]
    slots, at = np.empty(start[n], np.int64), start[:n].copy()
    for i in range(len(fill)):
        if fill[i] > 0.0:
            slots[at[place[i]]] = i
            at[place[i]] += 1
    return start, slots, total


@njit(cache=True)
def _pairs(
    fill_s: Floats,
    fill_b: Floats,
    flow: Floats,
    node: Ints,
    dest: Ints,
    origin_price: Floats,
    rent: Floats,
    most_pairs: int,
) -> tuple[Ints, Ints, Floats, Floats]:
    """Deals on every lane; the seller gets the rent of a tight lane."""
    n_o, n_d = flow.shape
    s_start, sellers, total_s = _grouped(fill_s, node, n_o)
    b_start, buyers, total_b = _grouped(fill_b, dest, n_d)
    room = 0
    for o in range(n_o):
        for d in range(n_d):
            if flow[o, d] > 0.0:
                n_s, n_b = s_start[o + 1] - s_start[o], b_start[d + 1] - b_start[d]
                room += min(n_s * n_b, max(most_pairs, n_s + n_b))
    seller, buyer, kg, price = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room), np.empty(room)
    at = 0
    for o in range(n_o):
        for d in range(n_d):
            lane = flow[o, d]
            if lane <= 0.0:
                continue
            s_lo, s_hi, b_lo, b_hi = s_start[o], s_start[o + 1], b_start[d], b_start[d + 1]
            first = at
            if (s_hi - s_lo) * (b_hi - b_lo) <= most_pairs:
                for i in range(s_lo, s_hi):
                    for j in range(b_lo, b_hi):
                        seller[at], buyer[at] = sellers[i], buyers[j]
                        kg[at] = lane * (fill_s[sellers[i]] / total_s[o]) * (fill_b[buyers[j]] / total_b[d])
                        at += 1
            else:
                i, j = s_lo, b_lo
                left_s = lane * (fill_s[sellers[i]] / total_s[o])
                left_b = lane * (fill_b[buyers[j]] / total_b[d])
                while i < s_hi and j < b_hi:
                    take = min(left_s, left_b)
                    left_s -= take
                    left_b -= take
                    if take > DUST * lane:
                        seller[at], buyer[at], kg[at] = sellers[i], buyers[j], take
                        at += 1
                    if left_s <= left_b:
                        i += 1
                        if i < s_hi:
                            left_s = lane * (fill_s[sellers[i]] / total_s[o])
                    else:
                        j += 1
                        if j < b_hi:
                            left_b = lane * (fill_b[buyers[j]] / total_b[d])
            for row in range(first, at):
                price[row] = origin_price[o] + rent[o, d]
    return seller[:at], buyer[:at], kg[:at], price[:at]
