"""Spot clearing: paper examples, linear-programming reference, dual certificate, invariances."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.sparse import block_diag, coo_matrix, csr_matrix

from env import clearing
from env.clearing import Book, Cleared, clear_book, clear_duals, clear_shared_cap

INF = np.inf
NAN = np.nan
RNG_SEED = 20260101
N_LP = 2200


# ---- helpers --------------------------------------------------------------------------------------------------------


def book(
    asks: list[tuple[int, float, float]],
    bids: list[tuple[int, float, float]],
    cost: list[list[float]],
    cap: list[list[float]] | None = None,
    guess: list[float] | None = None,
) -> Book:
    """A book from rows (node, price, quantity)."""
    a = np.array(asks, float).reshape(-1, 3)
    b = np.array(bids, float).reshape(-1, 3)
    c = np.array(cost, float)
    return Book(
        a[:, 0].astype(np.int64),
        a[:, 1].copy(),
        a[:, 2].copy(),
        b[:, 0].astype(np.int64),
        b[:, 1].copy(),
        b[:, 2].copy(),
        c,
        np.full(c.shape, INF) if cap is None else np.array(cap, float),
        np.full(c.shape[0], NAN) if guess is None else np.array(guess, float),
    )


def clear(b: Book) -> Cleared:
    return Cleared(*clear_book(*b))


def draw(rng: np.random.Generator) -> Book:
    """A random book: whole numbers with many ties, one-decimal numbers, or reals over many sizes; often degenerate."""
    n_o, n_d = int(rng.integers(1, 8)), int(rng.integers(1, 9))
    n_a, n_b = int(rng.integers(0, 40)), int(rng.integers(0, 40))
    kind = int(rng.integers(0, 4))
    if kind == 0:
        ap, bp = rng.integers(1, 8, n_a) * 1.0, rng.integers(3, 12, n_b) * 1.0
        aq, bq = rng.integers(0, 6, n_a) * 1.0, rng.integers(0, 6, n_b) * 1.0
        cost, cap = rng.integers(0, 4, (n_o, n_d)) * 1.0, rng.integers(0, 9, (n_o, n_d)) * 1.0
    elif kind == 1:
        ap, bp = rng.integers(10, 80, n_a) / 10, rng.integers(30, 120, n_b) / 10
        aq, bq = rng.integers(0, 60, n_a) / 10, rng.integers(0, 60, n_b) / 10
        cost, cap = rng.integers(0, 40, (n_o, n_d)) / 10, rng.integers(0, 90, (n_o, n_d)) / 10
    else:
        ap, bp = rng.uniform(10, 80, n_a), rng.uniform(30, 120, n_b)
        aq, bq = rng.lognormal(3, 2, n_a), rng.lognormal(3, 2, n_b)
        cost, cap = rng.uniform(-2, 30, (n_o, n_d)), rng.lognormal(3, 2, (n_o, n_d))
    cap[rng.random((n_o, n_d)) < (1.0 if kind == 3 else 0.5)] = INF
    cost[rng.random((n_o, n_d)) < 0.2] = INF
    guess = rng.uniform(0, 150, n_o + (n_d if rng.random() < 0.5 else 0))
    guess[rng.random(len(guess)) < 0.3] = NAN
    return Book(rng.integers(0, n_o, n_a), ap, aq, rng.integers(0, n_d, n_b), bp, bq, cost, cap, guess)


def lp_parts(b: Book, mask: Any = None) -> tuple[Any, Any, Any, Any]:
    """Cost vector, upper bounds, balance matrix and mask row of one book's linear programme (asks, bids, lanes)."""
    n_o, n_d = b.lane_cost.shape
    n_a, n_b = len(b.ask_node), len(b.bid_node)
    open_ = np.isfinite(b.lane_cost) & (b.lane_cap > 0)
    lo, ld = np.nonzero(open_)
    lanes = n_a + n_b + np.arange(len(lo))
    rows = np.r_[b.ask_node, lo, n_o + b.bid_node, n_o + ld]
    cols = np.r_[np.arange(n_a), lanes, n_a + np.arange(n_b), lanes]
    vals = np.r_[np.ones(n_a), -np.ones(len(lo)), np.ones(n_b), -np.ones(len(lo))]
    balance = coo_matrix((vals, (rows, cols)), shape=(n_o + n_d, n_a + n_b + len(lo)))
    counted = np.zeros(n_a + n_b + len(lo)) if mask is None else np.r_[np.zeros(n_a + n_b), mask[open_] * 1.0]
    c = np.r_[b.ask_price, -b.bid_price, b.lane_cost[open_]]
    return c, np.r_[b.ask_qty, b.bid_qty, b.lane_cap[open_]], balance, counted


def lp_welfare(b: Book) -> float:
    c, ub, balance, _ = lp_parts(b)
    if len(c) == 0:
        return 0.0
    s = linprog(c, A_eq=balance.tocsr(), b_eq=np.zeros(balance.shape[0]), bounds=np.c_[0 * c, ub], method="highs-ds")
    assert s.status == 0, s.message
    return float(-s.fun)


def size_of(b: Book) -> float:
    prices = np.r_[b.ask_price, b.bid_price, b.lane_cost[np.isfinite(b.lane_cost)]]
    return float(np.abs(prices).max()) if len(prices) else 1.0


def check_mass(b: Book, r: Cleared) -> None:
    n_o, n_d = b.lane_cost.shape
    # Rounding, plus half a grain an order (a grain is at most 2.5e-18 of largest quantity * number of orders).
    orders = max(len(b.ask_qty), len(b.bid_qty))
    most = max(b.ask_qty.max(initial=0), b.bid_qty.max(initial=0))
    tol = 1e-13 * float(r.flow.sum()) + 2.5e-18 * most * orders * orders
    sold = np.bincount(b.ask_node, r.ask_fill, minlength=n_o)
    bought = np.bincount(b.bid_node, r.bid_fill, minlength=n_d)
    assert np.abs(sold - r.flow.sum(axis=1)).max() <= tol
    assert np.abs(bought - r.flow.sum(axis=0)).max() <= tol
    assert (r.flow >= 0).all() and (r.flow <= b.lane_cap).all() and not r.flow[np.isinf(b.lane_cost)].any()
    assert (r.ask_fill >= 0).all() and (r.ask_fill <= np.maximum(b.ask_qty, 0)).all()
    assert (r.bid_fill >= 0).all() and (r.bid_fill <= np.maximum(b.bid_qty, 0)).all()


def check_certificate(b: Book, r: Cleared, p: Any, q: Any) -> None:
    """Optimality without a solver: primal feasible (check_mass), dual feasible, complementary."""
    eps = 1e-10 * size_of(b)
    gap = q[None, :] - p[:, None] - b.lane_cost
    open_ = np.isfinite(b.lane_cost) & (b.lane_cap > 0)
    flowing = r.flow > 0
    assert (gap[flowing] >= -eps).all(), "a lane carries goods at a loss"
    assert (gap[open_ & (r.flow < b.lane_cap)] <= eps).all(), "an open lane with room has a gain left"
    ask, bid = b.ask_price, b.bid_price
    pa, qb = p[b.ask_node], q[b.bid_node]
    assert (r.ask_fill[ask < pa - eps] == b.ask_qty[ask < pa - eps]).all(), "a cheaper ask is not sold"
    assert (r.ask_fill[ask > pa + eps] == 0).all(), "a dearer ask is sold"
    assert (r.bid_fill[bid > qb + eps] == b.bid_qty[bid > qb + eps]).all(), "a higher bid is not filled"
    assert (r.bid_fill[bid < qb - eps] == 0).all(), "a lower bid is filled"


def plain_module() -> ModuleType:
    """The same source as plain Python."""
    spec = importlib.util.spec_from_file_location("clearing_plain", clearing.__file__)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["clearing_plain"] = module
    before = numba.config.DISABLE_JIT
    numba.config.DISABLE_JIT = True
    try:
        spec.loader.exec_module(module)
    finally:
        numba.config.DISABLE_JIT = before
    return module


def no_ties(b: Book) -> bool:
    """True for books drawn from the reals, whose optimum is unique."""
    return bool((np.abs(10 * b.ask_qty - np.rint(10 * b.ask_qty)) > 1e-6).any())


def drawn(n: int, seed: int) -> Iterator[Book]:
    rng = np.random.default_rng([RNG_SEED, seed])
    for _ in range(n):
        yield draw(rng)


def same(x: Any, y: Any) -> bool:
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(x, y, strict=True))


# ---- paper examples -------------------------------------------------------------------------------------------------


def test_seller_and_buyer_at_the_same_price_trade() -> None:
    # One seller of 10 kg at 50, one buyer of 7 kg at 50, no freight: 7 kg change hands at 50, nobody gains.
    r = clear(book([(0, 50, 10)], [(0, 50, 7)], [[0]]))
    assert r.ask_fill.tolist() == [7] and r.bid_fill.tolist() == [7]
    assert r.origin_price.tolist() == [50] and r.dest_price.tolist() == [50] and r.welfare == 0


def test_decimal_prices_meet() -> None:
    # 0.1 + 0.2 is not 0.3 in binary, yet ask 0.1 + freight 0.2 = bid 0.3 trades; so do 0.1 kg + 0.2 kg fill 0.3 kg.
    r = clear(book([(0, 0.1, 0.1), (0, 0.1, 0.2)], [(0, 0.3, 0.3)], [[0.2]]))
    assert r.bid_fill.tolist() == [0.3] and r.ask_fill.tolist() == [0.1, 0.2]


def test_price_is_the_midpoint_of_the_dual_interval() -> None:
    # Ask 40 (10 kg, all sold), next ask 80; bid 60 (10 kg, all filled), next bid 45.  Any price in [45, 60] is a dual.
    r = clear(book([(0, 40, 10), (0, 80, 10)], [(0, 60, 10), (0, 45, 10)], [[0]]))
    assert r.flow.tolist() == [[10]]
    assert r.origin_price.tolist() == [52.5] and r.dest_price.tolist() == [52.5] and r.welfare == 200
    _, _, low, high = clear_duals(*book([(0, 40, 10), (0, 80, 10)], [(0, 60, 10), (0, 45, 10)], [[0]]))
    assert low.tolist() == [45, 45] and high.tolist() == [60, 60]


def test_two_origins_one_destination_with_a_cap() -> None:
    # Origin 0: 10 kg at 40, freight 2, lane cap 8.  Origin 1: 30 kg at 50, freight 3.  Buyer: 13 kg at 60, 20 kg at 45.
    # 8 kg come from 0 and 5 kg from 1; the buyer pays 50 + 3 = 53; the cap's holder earns 53 - 40 - 2 = 11 a kg.
    # Welfare 13*60 - 8*42 - 5*53 = 179.
    b = book([(0, 40, 10), (1, 50, 30)], [(0, 60, 13), (0, 45, 20)], [[2], [3]], [[8], [INF]])
    r = clear(b)
    assert r.flow.tolist() == [[8], [5]] and r.bid_fill.tolist() == [13, 0]
    assert r.origin_price.tolist() == [40, 50] and r.dest_price.tolist() == [53]
    assert r.lane_rent.tolist() == [[11], [0]] and r.welfare == 179


def test_prices_differ_by_freight_and_the_far_market_follows() -> None:
    # Two mines (0: 20 kg at 10; 1: 20 kg at 30), two towns.  Freight 0->0 1, 0->1 5, 1->0 8, 1->1 1.
    # Town 0 bids 100 for 15 kg, town 1 bids 100 for 15 kg.  Mine 0 serves town 0 and, with its last 5 kg, town 1;
    # mine 1 (10 of 20 kg, price 30) sets town 1 at 31; mine 0 gets 31 - 5 = 26; town 0 pays 27.
    r = clear(book([(0, 10, 20), (1, 30, 20)], [(0, 100, 15), (1, 100, 15)], [[1, 5], [8, 1]]))
    assert r.flow.tolist() == [[15, 5], [0, 10]]
    assert r.origin_price.tolist() == [26, 30] and r.dest_price.tolist() == [27, 31]


def test_equal_prices_at_one_node_share_pro_rata() -> None:
    # 3 kg and 6 kg both at 50 for a demand of 3 kg beyond the cheap 10 kg: 1 and 2.  Bids 60 of 8 and 5 kg: both full.
    r = clear(book([(0, 40, 10), (0, 50, 3), (0, 50, 6)], [(0, 60, 8), (0, 60, 5)], [[0]]))
    assert r.ask_fill.tolist() == [10, 1, 2] and r.bid_fill.tolist() == [8, 5]
    # Two buyers at 60 of 6 and 18 kg for 8 kg: 2 and 6.
    r = clear(book([(0, 40, 8)], [(0, 60, 6), (0, 60, 18)], [[0]]))
    assert r.bid_fill.tolist() == [2, 6]


def test_subsidised_lane_and_negative_prices() -> None:
    # A disposal good: the seller pays 3 a kg to be rid of it, the taker wants 1, freight 1: welfare 1 a kg.
    r = clear(book([(0, -3, 4)], [(0, -1, 9)], [[1]]))
    assert r.flow.tolist() == [[4]] and r.welfare == 4


# ---- empty and odd books --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "b",
    [
        book([], [], [[0]]),
        book([(0, 5, 5)], [], [[0]]),
        book([], [(0, 5, 5)], [[0]]),
        book([(0, 9, 5)], [(0, 5, 5)], [[0]]),
        book([(0, 5, 5)], [(0, 9, 5)], [[INF]]),
        book([(0, 5, 5)], [(0, 9, 5)], [[0]], [[0]]),
        book([(0, 5, 0)], [(0, 9, 5)], [[0]]),
        book([(0, 5, 5)], [(0, 9, NAN)], [[0]]),
        book([(0, NAN, 5)], [(0, 9, 5)], [[0]]),
        book([(0, 5, 5)], [(0, 9, 5)], [[5]]),
        book([(0, 5, 5)], [(1, 9, 5)], [[0, INF]]),
    ],
)
def test_no_trade_makes_no_price(b: Book) -> None:
    r = clear(b)
    assert r.welfare == 0 and not r.flow.any() and not r.ask_fill.any() and not r.bid_fill.any()
    assert np.isnan(r.origin_price).all() and np.isnan(r.dest_price).all() and not r.lane_rent.any()


def test_no_places_at_all() -> None:
    none = np.zeros((0, 0))
    r = clear(book([], [], [[]])._replace(lane_cost=none, lane_cap=none))
    assert r.welfare == 0 and r.flow.shape == (0, 0)


def test_unknown_node_is_refused() -> None:
    for b in (book([(1, 5, 5)], [(0, 9, 5)], [[0]]), book([(0, 5, 5)], [(-1, 9, 5)], [[0]])):
        with pytest.raises(ValueError, match="node"):
            clear(b)


def test_tiny_and_huge_quantities_together() -> None:
    # 1e9 kg at 10 and 1 mg at 5 for a bid of 1e9 kg at 20 and 1 mg at 30: the milligrams are not lost.
    r = clear(book([(0, 10, 1e9), (0, 5, 1e-6)], [(0, 20, 1e9), (0, 30, 1e-6)], [[0]]))
    assert r.ask_fill.tolist() == [1e9, 1e-6] and r.bid_fill.tolist() == [1e9, 1e-6]


# ---- against linear programming -------------------------------------------------------------------------------------


def test_welfare_mass_and_certificate_on_random_books() -> None:
    traded = capped = empty = 0
    for i, b in enumerate(drawn(N_LP, 1)):
        r = clear(b)
        want = lp_welfare(b)
        assert abs(r.welfare - want) <= 1e-9 * max(abs(want), 1e-9 * size_of(b)), f"instance {i}"
        check_mass(b, r)
        p, q, low, high = clear_duals(*b)
        check_certificate(b, r, p, q)
        n_o = len(p)
        sold, bought = r.flow.sum(axis=1) > 0, r.flow.sum(axis=0) > 0
        assert np.array_equal(np.isnan(r.origin_price), ~sold) and np.array_equal(np.isnan(r.dest_price), ~bought)
        assert np.array_equal(r.origin_price[sold], p[sold]) and np.array_equal(r.dest_price[bought], q[bought])
        assert (low[:n_o][sold] <= high[:n_o][sold] + 1e-12 * size_of(b)).all()
        full = (r.flow > 0) & (r.flow == b.lane_cap)
        gap = q[None, :] - p[:, None] - b.lane_cost
        assert np.array_equal(r.lane_rent[full], np.maximum(0, gap[full])) and not r.lane_rent[~full].any()
        traded += r.welfare > 0
        capped += bool(full.any())
        empty += not r.flow.any()
    assert traded > N_LP // 2 and capped > N_LP // 10 and empty > N_LP // 50  # the draw covers the cases


def test_prices_are_halfway_between_the_extreme_duals() -> None:
    """The dual set is a lattice, so the lowest and highest vectors minimise and maximise the sum of prices."""
    seen = 0
    for b in drawn(150, 2):
        r = clear(b)
        if not r.flow.any():
            continue
        n_o, n_d = b.lane_cost.shape
        lo, hi = np.full(n_o + n_d, -INF), np.full(n_o + n_d, INF)
        for node, price, fill, qty, ask in [
            *zip(b.ask_node, b.ask_price, r.ask_fill, b.ask_qty, [True] * len(b.ask_node), strict=True),
            *zip(n_o + b.bid_node, b.bid_price, r.bid_fill, b.bid_qty, [False] * len(b.bid_node), strict=True),
        ]:
            if qty > 0 and (fill > 0 if ask else fill < qty):
                lo[node] = max(lo[node], price)
            if qty > 0 and (fill < qty if ask else fill > 0):
                hi[node] = min(hi[node], price)
        rows, rhs = [], []
        for o, d in zip(*np.nonzero(np.isfinite(b.lane_cost) & (b.lane_cap > 0)), strict=True):
            row = np.zeros(n_o + n_d)
            row[n_o + d], row[o] = 1, -1
            if r.flow[o, d] < b.lane_cap[o, d]:
                rows.append(row), rhs.append(b.lane_cost[o, d])
            if r.flow[o, d] > 0:
                rows.append(-row), rhs.append(-b.lane_cost[o, d])
        trading = np.r_[r.flow.sum(axis=1) > 0, r.flow.sum(axis=0) > 0]
        # Nodes without trade may be unbounded on one side: box them far away, they do not bind the others.
        box = np.c_[np.maximum(lo, -1e4), np.minimum(hi, 1e4)]
        ends = []
        for sign in (1.0, -1.0):
            s = linprog(sign * trading, A_ub=np.array(rows), b_ub=np.array(rhs) + 1e-9, bounds=box)
            assert s.status == 0, s.message
            ends.append(s.x)
        mid = np.r_[r.origin_price, r.dest_price]
        assert np.allclose(mid[trading], (0.5 * (ends[0] + ends[1]))[trading], rtol=0, atol=1e-6)
        seen += 1
    assert seen > 80


def test_zero_surplus_trades_to_the_largest_volume() -> None:
    rng = np.random.default_rng([RNG_SEED, 3])
    ties = 0
    for _ in range(300):
        b = draw(rng)
        b = b._replace(
            ask_price=np.round(b.ask_price), bid_price=np.round(b.bid_price), lane_cost=np.round(b.lane_cost)
        )
        r = clear(b)
        c, ub, balance, _ = lp_parts(b)
        if len(c) == 0:
            continue
        volume = np.zeros(len(c))
        volume[: len(b.ask_node)] = 1
        best = [
            linprog(
                -sign * volume,
                A_eq=balance.tocsr(),
                b_eq=np.zeros(balance.shape[0]),
                A_ub=c[None, :],
                b_ub=[-r.welfare + 1e-9 * max(1, abs(r.welfare))],
                bounds=np.c_[0 * c, ub],
            )
            for sign in (1.0, -1.0)
        ]
        most, least = -best[0].fun, best[1].fun
        assert r.flow.sum() >= most * (1 - 1e-6) - 1e-6
        ties += most > least + 1e-3
    assert ties > 30


def big_lp(books: list[Book], masks: list[Any], quota: float) -> float:
    parts = [lp_parts(b, m) for b, m in zip(books, masks, strict=True)]
    c, ub, row = (np.concatenate([p[i] for p in parts]) for i in (0, 1, 3))
    if len(c) == 0:
        return 0.0
    balance = block_diag([p[2] for p in parts]).tocsr()
    s = linprog(
        c,
        A_eq=balance,
        b_eq=np.zeros(balance.shape[0]),
        A_ub=csr_matrix(row[None, :]),
        b_ub=[quota],
        bounds=np.c_[0 * c, ub],
        method="highs-ds",
    )
    assert s.status == 0, s.message
    return float(-s.fun)


def masked_flow(results: list[Cleared], masks: list[Any]) -> float:
    return float(sum(r.flow[m].sum() for r, m in zip(results, masks, strict=True)))


def test_shared_cap_against_one_big_lp() -> None:
    rng = np.random.default_rng([RNG_SEED, 4])
    bound = mixed = 0
    for i in range(250):
        books = [draw(rng) for _ in range(int(rng.integers(1, 6)))]
        masks = [rng.random(b.lane_cost.shape) < 0.6 for b in books]
        free = masked_flow([clear(b) for b in books], masks)
        quota = (
            free * float(rng.choice([0, 0.1, 0.5, 0.9, 1, 1.2]))
            if rng.random() < 0.7
            else np.floor(free * rng.random())
        )
        lam, res, used = clear_shared_cap(books, masks, quota, float(rng.choice([0, 5, 30])))
        want = big_lp(books, masks, quota)
        assert abs(sum(r.welfare for r in res) - want) <= 1e-9 * max(1, abs(want)), f"instance {i}"
        assert lam >= 0 and used <= quota * (1 + 1e-12) and used == masked_flow(res, masks)
        if lam > 0:
            assert used >= quota * (1 - 1e-12)  # the quota binds
            bound += 1
        # Nothing cheaper keeps the quota: the shadow price is the dual of the big programme (its lowest one).
        for b, m, r in zip(books, masks, res, strict=True):
            check_mass(b, r)
            eps = 1e-9 * max(1, size_of(b))
            gap = r.dest_price[None, :] - r.origin_price[:, None] - b.lane_cost - lam * m
            assert (gap[r.flow > 0] >= -eps).all()
            inner = (r.flow > 0) & (r.flow < b.lane_cap)
            assert (np.abs(gap[inner]) <= eps).all()
            part = (r.ask_fill > 0) & (r.ask_fill < b.ask_qty)
            assert (np.abs(r.origin_price[b.ask_node[part]] - b.ask_price[part]) <= eps).all()
            mixed += bool(inner.any())
    assert bound > 100 and mixed > 100


def test_shared_cap_paper_example() -> None:
    # Two goods out of one origin share a quota of 15 kg.  Good A: ask 3 (100 kg); bids 53 (10), 23 (10), 5 (10).
    # Good B: ask 60 (100 kg); bids 100 (10), 70 (10).  Without quota 50 kg leave.  Values of a kg of quota: A 50, 20,
    # 2; B 40, 10.  15 kg go to A 10 (50) and B 5 (40): lam = 40.  Prices abroad: A 43, B 100.
    a = book([(0, 3, 100)], [(0, 53, 10), (0, 23, 10), (0, 5, 10)], [[0]])
    b = book([(0, 60, 100)], [(0, 100, 10), (0, 70, 10)], [[0]])
    one = np.ones((1, 1), bool)
    lam, (ra, rb), used = clear_shared_cap([a, b], [one, one], 15.0)
    assert lam == pytest.approx(40, rel=1e-12) and used == pytest.approx(15, rel=1e-12)
    assert ra.bid_fill == pytest.approx([10, 0, 0]) and rb.bid_fill == pytest.approx([5, 0])
    assert ra.origin_price == pytest.approx([3]) and ra.dest_price == pytest.approx([43])
    assert rb.dest_price == pytest.approx([100])
    # A loose quota has no price, and a quota of exactly the free flow neither.
    for quota in (50.0, 80.0):
        lam, _, used = clear_shared_cap([a, b], [one, one], quota, 7.0)
        assert lam == 0 and used == 50
    # No quota left: nothing leaves.
    lam, (ra, rb), used = clear_shared_cap([a, b], [one, one], 0.0)
    assert used == 0 and lam == pytest.approx(50) and np.isnan(ra.origin_price).all()


def test_shared_cap_leaves_home_sales_and_other_goods_alone() -> None:
    # Origin 0 sells at home (destination 0, not counted) and abroad (destination 1, counted); the third good is not
    # in the quota.  Cap 5: abroad falls from 20 to 5 kg, home stays 10 kg at 10.
    a = book([(0, 10, 100)], [(0, 30, 10), (1, 50, 20)], [[0, 1]])
    mask = np.array([[False, True]])
    none = np.zeros((1, 2), bool)
    lam, (ra, rb), used = clear_shared_cap([a, a], [mask, none], 5.0)
    assert lam == pytest.approx(39) and used == pytest.approx(5)
    assert ra.flow == pytest.approx(np.array([[10, 5]])) and ra.dest_price == pytest.approx([10, 50])
    assert same(rb, clear(a))


# ---- invariances ----------------------------------------------------------------------------------------------------


def test_closing_a_lane_never_raises_welfare() -> None:
    rng = np.random.default_rng([RNG_SEED, 5])
    for b in drawn(150, 5):
        w = clear(b).welfare
        o, d = (int(rng.integers(0, n)) for n in b.lane_cost.shape)
        closed = b.lane_cost.copy()
        closed[o, d] = INF
        assert clear(b._replace(lane_cost=closed)).welfare <= w + 1e-12 * abs(w)
        shut = b.lane_cap.copy()
        shut[o, d] = 0
        assert clear(b._replace(lane_cap=shut)).welfare <= w + 1e-12 * abs(w)


def test_relabelling_places_permutes_the_answer() -> None:
    rng = np.random.default_rng([RNG_SEED, 6])
    for b in drawn(200, 6):
        n_o, n_d = b.lane_cost.shape
        o, d = rng.permutation(n_o), rng.permutation(n_d)  # new node i is old node o[i]
        inv_o, inv_d = np.argsort(o), np.argsort(d)
        guess = np.r_[b.guess[:n_o][o], b.guess[n_o:][d]] if len(b.guess) > n_o else b.guess[o]
        c = b._replace(
            ask_node=inv_o[b.ask_node],
            bid_node=inv_d[b.bid_node],
            lane_cost=np.ascontiguousarray(b.lane_cost[np.ix_(o, d)]),
            lane_cap=np.ascontiguousarray(b.lane_cap[np.ix_(o, d)]),
            guess=guess,
        )
        r, s = clear(b), clear(c)
        tol = {"rtol": 1e-11, "atol": 1e-11 * size_of(b), "equal_nan": True}
        assert np.allclose(r.welfare, s.welfare, rtol=1e-11, atol=1e-9)
        # With ties between places which of them trades may differ; a price both make is the same.
        both_o = ~np.isnan(r.origin_price[o]) & ~np.isnan(s.origin_price)
        both_d = ~np.isnan(r.dest_price[d]) & ~np.isnan(s.dest_price)
        assert np.allclose(r.origin_price[o][both_o], s.origin_price[both_o], **tol)
        assert np.allclose(r.dest_price[d][both_d], s.dest_price[both_d], **tol)
        if no_ties(b):
            assert np.allclose(r.flow[np.ix_(o, d)], s.flow, rtol=1e-9, atol=1e-9 * max(1, s.flow.max(initial=0)))


def test_permuting_orders_permutes_the_fills_exactly() -> None:
    rng = np.random.default_rng([RNG_SEED, 7])
    for b in drawn(300, 7):
        i, j = rng.permutation(len(b.ask_node)), rng.permutation(len(b.bid_node))
        c = b._replace(
            ask_node=b.ask_node[i],
            ask_price=b.ask_price[i],
            ask_qty=b.ask_qty[i],
            bid_node=b.bid_node[j],
            bid_price=b.bid_price[j],
            bid_qty=b.bid_qty[j],
        )
        r, s = clear(b), clear(c)
        assert np.array_equal(r.ask_fill[i], s.ask_fill) and np.array_equal(r.bid_fill[j], s.bid_fill)
        assert same(r[2:], s[2:])


def test_equal_prices_at_a_node_have_equal_fill_rates() -> None:
    for b in drawn(200, 8):
        r = clear(b)
        for node, price, qty, fill in (
            (b.ask_node, b.ask_price, b.ask_qty, r.ask_fill),
            (b.bid_node, b.bid_price, b.bid_qty, r.bid_fill),
        ):
            rate: dict[tuple[int, float], float] = {}
            for v, p, q, f in zip(node, price, qty, fill, strict=True):
                if q > 0:
                    assert abs(rate.setdefault((v, p), f / q) - f / q) <= 1e-14


@pytest.mark.parametrize("factor", [2.0, 0.5, 2.0**40, 2.0**-40])
def test_prices_times_a_power_of_two_scale_exactly(factor: float) -> None:
    for b in drawn(200, 9):
        r = clear(b)
        s = clear(
            b._replace(
                ask_price=b.ask_price * factor,
                bid_price=b.bid_price * factor,
                lane_cost=b.lane_cost * factor,
                guess=b.guess * factor,
            )
        )
        assert same(r[:3], s[:3])
        assert same([x * factor for x in r[3:]], s[3:])


def test_shared_cap_scales_with_prices() -> None:
    rng = np.random.default_rng([RNG_SEED, 12])
    for _ in range(30):
        books = [draw(rng) for _ in range(3)]
        masks = [rng.random(b.lane_cost.shape) < 0.6 for b in books]
        quota = 0.4 * masked_flow([clear(b) for b in books], masks)
        twice = [
            b._replace(
                ask_price=b.ask_price * 2, bid_price=b.bid_price * 2, lane_cost=b.lane_cost * 2, guess=b.guess * 2
            )
            for b in books
        ]
        lam, res, used = clear_shared_cap(books, masks, quota, 3.0)
        lam2, res2, used2 = clear_shared_cap(twice, masks, quota, 6.0)
        assert lam2 == 2 * lam and used2 == used
        assert all(same(r[:3], s[:3]) for r, s in zip(res, res2, strict=True))


def test_guess_changes_nothing_but_ties() -> None:
    rng = np.random.default_rng([RNG_SEED, 10])
    for b in drawn(300, 10):
        n_o, n_d = b.lane_cost.shape
        r = clear(b)
        real = no_ties(b)
        for guess in (
            np.full(n_o, NAN),
            np.zeros(n_o + n_d),
            np.full(n_o, 1e6),
            np.full(n_o + n_d, -1e6),
            rng.uniform(0, 100, n_o + n_d),
            np.r_[r.origin_price, r.dest_price],
        ):
            s = clear(b._replace(guess=guess))
            assert abs(r.welfare - s.welfare) <= 1e-11 * max(1, abs(r.welfare))
            p, q, _, _ = clear_duals(*b._replace(guess=guess))
            for mine, other in ((r.origin_price, p), (r.dest_price, q)):
                here = ~np.isnan(mine)
                assert np.allclose(mine[here], other[here], rtol=1e-10, atol=1e-10 * size_of(b))
            if real:
                assert np.allclose(r.ask_fill, s.ask_fill, rtol=1e-9, atol=1e-9 * max(1, b.ask_qty.max(initial=0)))


def test_compiled_equals_plain_python_bit_for_bit() -> None:
    plain = plain_module()
    assert not hasattr(plain.clear_book, "py_func") and hasattr(clear_book, "py_func")
    with np.errstate(all="raise", under="ignore"):
        for b in drawn(120, 11):
            assert same(clear_book(*b), plain.clear_book(*b))
            assert same(clear_duals(*b), plain.clear_duals(*b))


steps = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.one_of(st.integers(0, 6).map(float), st.floats(0.01, 1e4)),
        st.one_of(st.integers(0, 5).map(float), st.floats(1e-6, 1e9)),
    ),
    max_size=12,
)
lanes = st.lists(st.one_of(st.integers(0, 4).map(float), st.floats(0, 1e3), st.just(INF)), min_size=9, max_size=9)
caps = st.lists(st.one_of(st.just(INF), st.integers(0, 6).map(float), st.floats(1e-6, 1e9)), min_size=9, max_size=9)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(steps, steps, lanes, caps)
def test_certificate_on_adversarial_books(asks: Any, bids: Any, cost: list[float], cap: list[float]) -> None:
    b = book(asks, bids, np.reshape(cost, (3, 3)).tolist(), np.reshape(cap, (3, 3)).tolist())
    r = clear(b)
    check_mass(b, r)
    p, q, _, _ = clear_duals(*b)
    check_certificate(b, r, p, q)
