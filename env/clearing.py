"""Weekly spot market of one good: exact clearing of order ladders over places.

The problem is a transport problem with step ladders on both ends.  Sellers offer at origins, buyers bid at
destinations, and a lane ``o -> d`` carries goods at a cost up to a cap::

    maximise   sum(bid_price * bid_fill) - sum(ask_price * ask_fill) - sum(lane_cost * flow)
    subject to ask_fill at o = sum of flow out of o,  bid_fill at d = sum of flow into d,
               0 <= fill <= quantity,  0 <= flow <= cap

Units: kilograms and USD/kg, float64 outside.  Inside, quantities are whole numbers (int64) of a decimal grain chosen
from the book's size (a grain is at most 2.5e-18 of largest quantity times number of orders; each quantity is read to 15
digits), so that nothing is lost by rounding, sums do not depend on the order of the input and ``0.1 + 0.2`` meets
``0.3``.  A quantity under half a grain counts as nothing.  Prices stay float64 and are compared only relatively, so
that prices times a power of two give exactly the same trades.

Method: successive shortest paths with node potentials (Ahuja, Magnanti, Orlin, *Network Flows*, 1993, chapter 9.7, and
chapter 14.5 for ladders = convex costs), started from guessed prices instead of zero.  Every node is tied to the
*ground* (price 0) only by its marginal steps, so the work grows with the steps between the guessed and the true price,
not with the length of the ladders.  Prices are the midpoint between the lowest and the highest dual vector.

The kernel is written in plain loops: the same source runs compiled or, under ``NUMBA_DISABLE_JIT=1``, as plain Python,
with bit-identical results.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

NO_CAP = 4_000_000_000_000_000_000  # grains: "no cap" on a lane
MOST = 4.0e18  # grains: bound on the sum of all quantities on one side
DIGITS = 1.0e15  # each quantity is read to 15 significant digits
EPS = 1e-12  # tolerance on prices, times the largest price that matters


class Book(NamedTuple):
    """One good's orders and lanes: the arguments of `clear_book`, where they are explained."""

    ask_node: Ints
    ask_price: Floats
    ask_qty: Floats
    bid_node: Ints
    bid_price: Floats
    bid_qty: Floats
    lane_cost: Floats
    lane_cap: Floats
    guess: Floats


class Cleared(NamedTuple):
    """The results of `clear_book` for one good."""

    ask_fill: Floats
    bid_fill: Floats
    flow: Floats
    origin_price: Floats
    dest_price: Floats
    lane_rent: Floats
    welfare: float


class _Ladders(NamedTuple):
    """One ladder per node (origins first, then destinations): asks rising, bids falling, equal prices joined.

    Steps begin[a]:end[a] belong to node a.  State: steps before pos[a] are taken whole, part[a] grains of step pos[a].
    """

    begin: Ints
    end: Ints
    price: Floats  # USD/kg [step]
    size: Ints  # grains [step]
    pos: Ints
    part: Ints
    step: Ints  # step of each order, asks first, then bids; -1 = order not live


class _Net(NamedTuple):
    """The live part of the book: packed nodes v (no origins, nd destinations, then ground), lanes, residual costs."""

    no: int
    nd: int
    node: Ints  # [v] node in the caller's numbering (destinations follow origins)
    cost: Floats  # [o, d] USD/kg, inf = no lane
    room: Ints  # [o, d] grains left, NO_CAP = any amount
    flow: Ints  # [o, d] grains
    out_cost: Floats  # [o, d] cost where there is room, else inf
    back_cost: Floats  # [d, o] cost where something flows, else -inf
    up: Floats  # [v] ground hands over one more grain at this price: next unsold ask, last filled bid; inf = none
    dn: Floats  # [v] ground takes one grain back at this price: last sold ask, next unfilled bid; -inf = none
    pi: Floats  # [v] potential = price
    excess: Ints  # [v] grains that wait at v; negative = missing
    dist: Floats  # [v] work space of the searches
    open_dist: Floats
    parent: Ints
    queue: Ints


# ---- reading the book -----------------------------------------------------------------------------------------------


@njit(cache=True)
def _grains_per_kg(ask_qty: Floats, bid_qty: Floats) -> float:
    """Power of ten that makes the book's total fit in MOST grains.  Uses max * count: no order-dependent sum."""
    most = 0.0
    for side in (ask_qty, bid_qty):
        for q in side:
            if most < q < np.inf:
                most = q
    if most == 0.0:
        return 1.0
    bound = most * max(len(ask_qty), len(bid_qty))
    grains = 1.0
    while bound * grains * 10.0 <= MOST:
        grains *= 10.0
    while bound * grains > MOST:
        grains /= 10.0
    return grains


@njit(cache=True)
def _to_grains(quantity: float, grains: float) -> int:
    """Whole grains in a quantity (kg), read to 15 decimal digits so that decimal inputs add up exactly."""
    x = quantity * grains
    step = 1
    while x >= DIGITS * step:
        step *= 10
    return int(np.rint(x / step)) * step


@njit(cache=True)
def _sort_stretch(key: Floats, item: Ints, lo: int, hi: int) -> None:
    """Shell sort of key[lo:hi] with item alongside (stretches are short and often sorted already)."""
    gap = 1
    while gap < (hi - lo) // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(lo + gap, hi):
            k = key[i]
            t = item[i]
            j = i - gap
            while j >= lo and key[j] > k:
                key[j + gap] = key[j]
                item[j + gap] = item[j]
                j -= gap
            key[j + gap] = k
            item[j + gap] = t
        gap //= 3


@njit(cache=True)
def _count_live(
    node: Ints, price: Floats, qty: Floats, first: int, n: int, home: Ints, count: Ints, offset: int
) -> None:
    """Note the home node of every order of one side (-1 = ignored) and count the orders per node."""
    for j in range(len(node)):
        if node[j] < 0 or node[j] >= n:
            raise ValueError("clear_book: an order names a node that does not exist")
        home[offset + j] = -1
        if 0.0 < qty[j] < np.inf and np.isfinite(price[j]):
            home[offset + j] = first + node[j]
            count[first + node[j] + 1] += 1


@njit(cache=True)
def _ladders(book: Book, n_origin: int, n_dest: int, grains: float) -> _Ladders:
    """Sort the orders by node and price and merge equal prices; the result does not depend on the input's order."""
    n_ask = len(book.ask_node)
    m = n_ask + len(book.bid_node)
    n = n_origin + n_dest
    home = np.empty(m, np.int64)
    count = np.zeros(n + 1, np.int64)
    _count_live(book.ask_node, book.ask_price, book.ask_qty, 0, n_origin, home, count, 0)
    _count_live(book.bid_node, book.bid_price, book.bid_qty, n_origin, n_dest, home, count, n_ask)
    for a in range(n):
        count[a + 1] += count[a]
    begin = count[:n].copy()
    end = begin.copy()
    key = np.empty(count[n], np.float64)
    item = np.empty(count[n], np.int64)
    for j in range(m):  # counting sort by node
        a = home[j]
        if a >= 0:
            key[end[a]] = book.ask_price[j] if j < n_ask else -book.bid_price[j - n_ask]
            item[end[a]] = j
            end[a] += 1

    price = np.empty(len(key), np.float64)
    size = np.zeros(len(key), np.int64)  # steps left over by merging stay empty
    step = np.full(m, -1, np.int64)
    for a in range(n):
        _sort_stretch(key, item, begin[a], end[a])
        top = begin[a]  # next free step
        for i in range(begin[a], end[a]):
            j = item[i]
            g = _to_grains(book.ask_qty[j] if j < n_ask else book.bid_qty[j - n_ask], grains)
            if g == 0:
                continue
            p = key[i] if a < n_origin else -key[i]
            if top == begin[a] or price[top - 1] != p:
                price[top] = p
                top += 1
            size[top - 1] += g
            step[j] = top - 1
        end[a] = top
    return _Ladders(begin, end, price, size, begin.copy(), np.zeros(n, np.int64), step)


@njit(cache=True)
def _best_prices(lad: _Ladders, n_origin: int) -> tuple[Floats, float]:
    """Lowest ask or highest bid per node (none: a price nobody trades at) and the largest of them in size."""
    n = len(lad.begin)
    best = np.empty(n)
    scale = 0.0
    for a in range(n):
        best[a] = np.inf if a < n_origin else -np.inf
        if lad.begin[a] < lad.end[a]:
            best[a] = lad.price[lad.begin[a]]
            scale = max(scale, abs(best[a]))
    return best, scale


@njit(cache=True)
def _live_net(book: Book, best: Floats, scale: float, grains: float) -> tuple[_Net, float]:
    """Pack the nodes and lanes that can carry something: open, and the lowest ask can meet the highest bid there.

    Also returns the price tolerance, from the largest price or lane cost that matters.
    """
    n_origin, n_dest = book.lane_cost.shape
    n = n_origin + n_dest
    alive = np.zeros(n, np.bool_)
    lane = np.zeros((n_origin, n_dest), np.int64)  # grains, 0 = dead
    largest = scale
    for o in range(n_origin):
        for d in range(n_dest):
            c = book.lane_cost[o, d]
            gain = best[n_origin + d] - best[o] - c  # -inf or NaN when an end or the lane is missing
            if book.lane_cap[o, d] > 0.0 and np.isfinite(gain) and gain >= -EPS * max(scale, abs(c)):
                cap = book.lane_cap[o, d]
                lane[o, d] = _to_grains(cap, grains) if cap * grains < MOST else NO_CAP
                if lane[o, d] > 0:
                    alive[o] = True
                    alive[n_origin + d] = True
                    largest = max(largest, abs(c))
    node = np.empty(n, np.int64)
    no = 0
    nd = 0
    for a in range(n):
        if alive[a]:
            node[no + nd] = a
            if a < n_origin:
                no += 1
            else:
                nd += 1
    cost = np.full((no, nd), np.inf)
    room = np.zeros((no, nd), np.int64)
    for o in range(no):
        for d in range(nd):
            a, b = node[o], node[no + d] - n_origin
            room[o, d] = lane[a, b]
            if lane[a, b] > 0:
                cost[o, d] = book.lane_cost[a, b]
    m = no + nd + 1
    net = _Net(
        no,
        nd,
        node,
        cost,
        room,
        np.zeros((no, nd), np.int64),
        cost.copy(),
        np.full((nd, no), -np.inf),
        np.zeros(m),
        np.zeros(m),
        np.zeros(m),
        np.zeros(m, np.int64),
        np.zeros(m),
        np.zeros(m),
        np.zeros(m, np.int64),
        np.zeros(m, np.int64),
    )
    return net, EPS * largest


# ---- moving along ladders and paths (inlined: called for every path) ------------------------------------------------


@njit(cache=True, inline="always")
def _quote(net: _Net, lad: _Ladders, v: int) -> None:
    """Set the marginal prices up[v] and dn[v] from the ladder's state."""
    a = net.node[v]
    k = lad.pos[a]
    some_left = k < lad.end[a]
    some_taken = lad.part[a] > 0 or k > lad.begin[a]
    last = k if lad.part[a] > 0 else k - 1
    if v < net.no:
        net.up[v] = lad.price[k] if some_left else np.inf
        net.dn[v] = lad.price[last] if some_taken else -np.inf
    else:
        net.up[v] = lad.price[last] if some_taken else np.inf
        net.dn[v] = lad.price[k] if some_left else -np.inf


@njit(cache=True, inline="always")
def _step_room(lad: _Ladders, a: int, take: bool) -> int:
    """Grains left in the marginal step of node a (take), or taken in its last step (give back)."""
    if take:
        return int(lad.size[lad.pos[a]] - lad.part[a])
    return int(lad.part[a] if lad.part[a] > 0 else lad.size[lad.pos[a] - 1])


@njit(cache=True, inline="always")
def _step_move(lad: _Ladders, a: int, take: bool, x: int) -> None:
    """Take or give back x grains (at most `_step_room`) at the margin of node a."""
    if take:
        lad.part[a] += x
        if lad.part[a] == lad.size[lad.pos[a]]:
            lad.pos[a] += 1
            lad.part[a] = 0
    else:
        if lad.part[a] == 0:
            lad.pos[a] -= 1
            lad.part[a] = lad.size[lad.pos[a]]
        lad.part[a] -= x


@njit(cache=True, inline="always")
def _lane_move(net: _Net, o: int, d: int, x: int) -> None:
    """Add x grains (negative: take back) to the flow o -> d and renew its residual costs."""
    net.flow[o, d] += x
    net.back_cost[d, o] = net.cost[o, d] if net.flow[o, d] > 0 else -np.inf
    if net.room[o, d] != NO_CAP:
        net.room[o, d] -= x
        net.out_cost[o, d] = net.cost[o, d] if net.room[o, d] > 0 else np.inf


@njit(cache=True, inline="always")
def _path_room(net: _Net, lad: _Ladders, last: int) -> tuple[int, int]:
    """Most grains the path of `parent` pointers that ends at `last` can carry, and the path's first node."""
    ground = net.no + net.nd
    least = NO_CAP
    v = last
    u = net.parent[v]
    while u >= 0:
        if u == ground:  # ground sells one more ask, or takes a filled bid back
            least = min(least, _step_room(lad, net.node[v], v < net.no))
        elif v == ground:  # an ask is taken back, or one more bid filled
            least = min(least, _step_room(lad, net.node[u], u >= net.no))
        elif u < net.no:
            least = min(least, net.room[u, v - net.no])
        else:
            least = min(least, net.flow[v, u - net.no])
        v = u
        u = net.parent[v] if v != last else -1  # a round trip through ground ends where it began
    return least, v


@njit(cache=True, inline="always")
def _send(net: _Net, lad: _Ladders, last: int, x: int) -> None:
    """Send x grains along the path that ends at `last`."""
    ground = net.no + net.nd
    v = last
    u = net.parent[v]
    while u >= 0:
        if u == ground:
            _step_move(lad, net.node[v], v < net.no, x)
            _quote(net, lad, v)
        elif v == ground:
            _step_move(lad, net.node[u], u >= net.no, x)
            _quote(net, lad, u)
        elif u < net.no:
            _lane_move(net, u, v - net.no, x)
        else:
            _lane_move(net, v, u - net.no, -x)
        v = u
        u = net.parent[v] if v != last else -1


# ---- start from guessed prices --------------------------------------------------------------------------------------


@njit(cache=True)
def _sure_steps(lad: _Ladders, a: int, is_ask: bool, p: float) -> int:
    """First step of node a that does not trade for sure at price p (asks under p are sold, bids over p filled)."""
    lo = int(lad.begin[a])
    hi = int(lad.end[a])
    while lo < hi:
        mid = (lo + hi) // 2
        if (is_ask and lad.price[mid] < p) or (not is_ask and lad.price[mid] > p):
            lo = mid + 1
        else:
            hi = mid
    return lo


@njit(cache=True)
def _glut(net: _Net, lad: _Ladders, before: Ints, shift: float) -> int:
    """Grains sold for sure minus grains bought for sure when every price is `shift` above pi."""
    glut = 0
    for v in range(net.no + net.nd):
        a = net.node[v]
        g = int(before[_sure_steps(lad, a, v < net.no, net.pi[v] + shift)] - before[lad.begin[a]])
        glut += g if v < net.no else -g
    return glut


@njit(cache=True)
def _common_shift(net: _Net, lad: _Ladders, scale: float) -> float:
    """One shift of all guessed prices that balances the whole book: takes away the common part of their error.

    Only a better start: the clearing is the same for any value.
    """
    before = np.zeros(len(lad.size) + 1, np.int64)
    for k in range(len(lad.size)):
        before[k + 1] = before[k] + lad.size[k]
    glut = _glut(net, lad, before, 0.0)
    sign = 1.0 if glut < 0 else -1.0
    near = 0.0
    far = scale / 256.0
    widening = True
    for _ in range(20):
        if glut == 0:
            break
        at = far if widening else 0.5 * (near + far)
        glut = _glut(net, lad, before, sign * at)
        if glut == 0 or (glut < 0) == (sign > 0.0):
            near = at
            far = 2.0 * at if widening else far
        else:
            far = at
            widening = False
    return sign * near


@njit(cache=True)
def _start_prices(net: _Net, guess: Floats, best: Floats) -> None:
    """Set pi from the guesses; without one, an origin starts at its lowest ask, a destination at the cheapest delivery.

    A destination may not pay more than delivery over an uncapped lane costs.  Capped lanes may show a gain.
    """
    for o in range(net.no):
        a = net.node[o]
        net.pi[o] = guess[a] if a < len(guess) and np.isfinite(guess[a]) else best[a]
    for v in range(net.no, net.no + net.nd):
        a = net.node[v]
        any_lane = np.inf
        free_lane = np.inf
        for o in range(net.no):
            c = net.pi[o] + net.cost[o, v - net.no]
            any_lane = min(any_lane, c)
            if net.room[o, v - net.no] == NO_CAP:
                free_lane = min(free_lane, c)
        if a < len(guess) and np.isfinite(guess[a]):
            net.pi[v] = min(guess[a], free_lane)
        else:
            net.pi[v] = free_lane if free_lane < np.inf else any_lane


@njit(cache=True)
def _start_trades(net: _Net, lad: _Ladders) -> None:
    """Trade what is certain at the prices pi: fill capped lanes with a gain, take asks below and bids above."""
    ground = net.no + net.nd
    for o in range(net.no):
        for d in range(net.nd):
            if net.room[o, d] != NO_CAP and net.pi[o] + net.cost[o, d] < net.pi[net.no + d]:
                net.excess[o] -= net.room[o, d]
                net.excess[net.no + d] += net.room[o, d]
                _lane_move(net, o, d, net.room[o, d])
    for v in range(ground):
        a = net.node[v]
        lad.pos[a] = _sure_steps(lad, a, v < net.no, net.pi[v])
        for k in range(lad.begin[a], lad.pos[a]):
            g = lad.size[k] if v < net.no else -lad.size[k]
            net.excess[v] += g
            net.excess[ground] -= g
        _quote(net, lad, v)


# ---- shortest paths -------------------------------------------------------------------------------------------------


@njit(cache=True, inline="always")
def _search(net: _Net) -> int:
    """Dijkstra from all nodes with excess to the nearest node that misses something; moves the potentials.

    An arc u -> v with cost c has reduced cost c + pi[u] - pi[v] >= 0 (floored at 0 against rounding).  Returns the node
    found, with the path in `parent`, or -1 when nothing waits any more.  A node that is reached at no extra distance
    ends the search at once.
    """
    no, nd = net.no, net.nd
    ground = no + nd
    pi, dist, open_dist, parent, excess = net.pi, net.dist, net.open_dist, net.parent, net.excess
    if no < 0 or nd < 0:
        return -1  # never; tells the compiler that no index below is negative
    for v in range(ground + 1):
        dist[v] = 0.0 if excess[v] > 0 else np.inf
        open_dist[v] = dist[v]
        parent[v] = -1
    n_settled = 0
    found = -1
    while found < 0:
        u = -1
        du = np.inf
        for v in range(ground + 1):
            if open_dist[v] < du:
                du = open_dist[v]
                u = v
        if u < 0:
            return -1
        if excess[u] < 0:
            found = u
            break
        open_dist[u] = np.inf
        net.queue[n_settled] = u
        n_settled += 1
        base = du + pi[u]
        if u < no:
            for d in range(nd):
                v = no + d
                t = max(du, net.out_cost[u, d] + base - pi[v])
                if t < dist[v]:
                    dist[v] = t
                    open_dist[v] = t
                    parent[v] = u
                    if t == du and excess[v] < 0:
                        found = v
                        break
        elif u < ground:
            d = u - no
            for v in range(no):
                t = max(du, base - net.back_cost[d, v] - pi[v])
                if t < dist[v]:
                    dist[v] = t
                    open_dist[v] = t
                    parent[v] = u
                    if t == du and excess[v] < 0:
                        found = v
                        break
        else:
            for v in range(ground):
                t = max(du, net.up[v] + base - pi[v])
                if t < dist[v]:
                    dist[v] = t
                    open_dist[v] = t
                    parent[v] = u
                    if t == du and excess[v] < 0:
                        found = v
                        break
        if u < ground and found < 0:
            t = max(du, base - net.dn[u] - pi[ground])
            if t < dist[ground]:
                dist[ground] = t
                open_dist[ground] = t
                parent[ground] = u
                if t == du and excess[ground] < 0:
                    found = ground
    reach = dist[found]
    if reach > 0.0:
        for i in range(n_settled):
            pi[net.queue[i]] += dist[net.queue[i]] - reach
    return found


@njit(cache=True)
def _search_even(net: _Net, eps: float) -> bool:
    """Look breadth-first for one more sale without gain or loss: ground -> origin ... destination -> ground."""
    no = net.no
    ground = no + net.nd
    pi = net.pi
    parent = net.parent
    tail = 0
    for v in range(ground + 1):
        parent[v] = -1
    for o in range(no):
        if net.up[o] + pi[ground] - pi[o] <= eps:
            parent[o] = ground
            net.queue[tail] = o
            tail += 1
    head = 0
    while head < tail:
        u = net.queue[head]
        head += 1
        if u >= no and pi[u] - net.dn[u] - pi[ground] <= eps:
            parent[ground] = u
            return True
        for v in range(no, ground) if u < no else range(no):
            loss = net.out_cost[u, v - no] if u < no else -net.back_cost[u - no, v]
            if parent[v] < 0 and loss + pi[u] - pi[v] <= eps:
                parent[v] = u
                net.queue[tail] = v
                tail += 1
    return False


@njit(cache=True)
def _dual_bounds(net: _Net, tiny: float) -> tuple[Floats, Floats]:
    """Lowest and highest price of every packed node over all dual solutions (Bellman-Ford from ground, true costs).

    A lane with room says q <= p + c, a lane that carries something q >= p + c; ground ties p and q by `up` and `dn`.
    """
    no = net.no
    high = net.up.copy()
    low = net.dn.copy()
    for _ in range(no + net.nd + 1):
        changed = False
        for o in range(no):
            for v in range(no, no + net.nd):
                c = net.out_cost[o, v - no]
                if c < np.inf:
                    if high[o] + c < high[v] - tiny:
                        high[v] = high[o] + c
                        changed = True
                    if low[v] - c > low[o] + tiny:
                        low[o] = low[v] - c
                        changed = True
                c = net.back_cost[v - no, o]
                if c > -np.inf:
                    if high[v] - c < high[o] - tiny:
                        high[o] = high[v] - c
                        changed = True
                    if low[o] + c > low[v] + tiny:
                        low[v] = low[o] + c
                        changed = True
        if not changed:
            break
    return low, high


# ---- the solver -----------------------------------------------------------------------------------------------------


@njit(cache=True)
def _optimise(net: _Net, lad: _Ladders, eps: float) -> int:
    """Repair the imbalances along shortest paths, then trade what neither gains nor loses.  Returns the searches."""
    ground = net.no + net.nd
    searches = 0
    t = _search(net)
    while t >= 0:
        x, s = _path_room(net, lad, t)
        x = min(x, net.excess[s], -net.excess[t])
        _send(net, lad, t, x)
        net.excess[s] -= x
        net.excess[t] += x
        searches += 1
        t = _search(net)
    while _search_even(net, eps):
        x, _ = _path_room(net, lad, ground)
        _send(net, lad, ground, x)
        searches += 1
    return searches


@njit(cache=True)
def _fills(node: Ints, first: int, qty: Floats, offset: int, lad: _Ladders) -> Floats:
    """Filled quantity (kg) of every order of one side, pro rata within a step."""
    fill = np.zeros(len(node))
    for j in range(len(node)):
        k = lad.step[offset + j]
        a = first + node[j]
        if k < 0:
            continue
        if k < lad.pos[a]:
            fill[j] = qty[j]
        elif k == lad.pos[a] and lad.part[a] > 0:
            fill[j] = qty[j] * (lad.part[a] / lad.size[k])
    return fill


@njit(cache=True)
def _solve(book: Book) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats, float, int]:
    """Clear a book.

    Returns ask fills, bid fills, flow, lowest and highest dual price of all nodes (origins, then destinations; NaN
    where nothing traded), best order price of all nodes, welfare, number of searches.
    """
    n_origin, n_dest = book.lane_cost.shape
    n_ask = len(book.ask_node)
    grains = _grains_per_kg(book.ask_qty, book.bid_qty)
    lad = _ladders(book, n_origin, n_dest, grains)
    best, scale = _best_prices(lad, n_origin)
    net, eps = _live_net(book, best, scale, grains)
    ground = net.no + net.nd

    _start_prices(net, book.guess, best)
    shift = _common_shift(net, lad, scale)
    for v in range(ground):
        net.pi[v] += shift
    _start_trades(net, lad)
    searches = _optimise(net, lad, eps)
    low_live, high_live = _dual_bounds(net, 0.01 * eps)

    # Results in the caller's numbering and units.
    low = np.full(n_origin + n_dest, np.nan)
    high = np.full(n_origin + n_dest, np.nan)
    flow = np.zeros((n_origin, n_dest))
    welfare = 0.0
    for o in range(net.no):
        for d in range(net.nd):
            if net.flow[o, d] > 0:
                a, b = net.node[o], net.node[net.no + d] - n_origin
                flow[a, b] = book.lane_cap[a, b] if net.room[o, d] == 0 else net.flow[o, d] / grains
                welfare -= net.cost[o, d] * flow[a, b]
    for v in range(ground):
        a = net.node[v]
        sign = -1.0 if v < net.no else 1.0
        for k in range(lad.begin[a], lad.pos[a]):
            welfare += sign * lad.price[k] * (lad.size[k] / grains)
        if lad.part[a] > 0:
            welfare += sign * lad.price[lad.pos[a]] * (lad.part[a] / grains)
        if lad.pos[a] > lad.begin[a] or lad.part[a] > 0:
            low[a] = low_live[v]
            high[a] = high_live[v]
    ask_fill = _fills(book.ask_node, 0, book.ask_qty, 0, lad)
    bid_fill = _fills(book.bid_node, n_origin, book.bid_qty, n_ask, lad)
    return ask_fill, bid_fill, flow, low, high, best, welfare, searches


@njit(cache=True)
def clear_book(
    ask_node: Ints,
    ask_price: Floats,
    ask_qty: Floats,
    bid_node: Ints,
    bid_price: Floats,
    bid_qty: Floats,
    lane_cost: Floats,
    lane_cap: Floats,
    guess: Floats,
) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats, float]:
    """Clear one good for one week; exact optimum, dual prices.

    Arguments (C-contiguous; nodes int64, all else float64)::

        ask_node[A] origin of each sell step   ask_price[A] USD/kg   ask_qty[A] kg
        bid_node[B] destination of each step   bid_price[B] USD/kg   bid_qty[B] kg
        lane_cost[O, D] USD/kg; inf = closed   lane_cap[O, D] kg; inf = no cap, 0 = closed
        guess[O] or guess[O + D]               last prices of origins (then destinations); NaN = none; only for speed

    Orders with quantity <= 0 or NaN, or a price that is not finite, are ignored (fill 0).

    Returns ``(ask_fill[A], bid_fill[B], flow[O, D], origin_price[O], dest_price[D], lane_rent[O, D], welfare)`` in kg,
    USD/kg and USD.  Steps with equal price at one node are served pro rata.  Among equally good trades the larger
    volume is taken (a seller at 50 and a buyer at 50 trade).  A price is the midpoint of the lowest and the highest
    dual vector, NaN where nothing was traded.  ``lane_rent`` = max(0, dest_price - origin_price - lane_cost) on capped
    lanes that are full, 0 elsewhere.
    """
    book = Book(ask_node, ask_price, ask_qty, bid_node, bid_price, bid_qty, lane_cost, lane_cap, guess)
    ask_fill, bid_fill, flow, low, high, _, welfare, _ = _solve(book)
    n_origin, n_dest = lane_cost.shape
    mid = low + 0.5 * (high - low)
    rent = np.zeros((n_origin, n_dest))
    for o in range(n_origin):
        for d in range(n_dest):
            if flow[o, d] > 0.0 and flow[o, d] == lane_cap[o, d]:
                rent[o, d] = max(0.0, mid[n_origin + d] - mid[o] - lane_cost[o, d])
    return ask_fill, bid_fill, flow, mid[:n_origin].copy(), mid[n_origin:].copy(), rent, welfare


@njit(cache=True)
def clear_duals(
    ask_node: Ints,
    ask_price: Floats,
    ask_qty: Floats,
    bid_node: Ints,
    bid_price: Floats,
    bid_qty: Floats,
    lane_cost: Floats,
    lane_cap: Floats,
    guess: Floats,
) -> tuple[Floats, Floats, Floats, Floats]:
    """Dual prices of every node, for certificates: ``(origin_price[O], dest_price[D], low[O + D], high[O + D])``.

    Arguments as `clear_book`.  Prices equal those of `clear_book` where something traded; elsewhere an origin shows its
    lowest ask (inf without asks) and a destination its highest bid (-inf without bids), which completes the vector to a
    dual solution.  ``low`` and ``high`` are the extreme duals (NaN where nothing traded).
    """
    book = Book(ask_node, ask_price, ask_qty, bid_node, bid_price, bid_qty, lane_cost, lane_cap, guess)
    _, _, _, low, high, best, _, _ = _solve(book)
    n_origin, n_dest = lane_cost.shape
    mid = low + 0.5 * (high - low)
    for a in range(n_origin + n_dest):
        if np.isnan(mid[a]):
            mid[a] = best[a]
    return mid[:n_origin].copy(), mid[n_origin:].copy(), low, high


# ---- one cap shared by several goods --------------------------------------------------------------------------------


class _Trial(NamedTuple):
    """All goods cleared at one shadow price: quota used (kg) and the dual function (USD) with its slope there."""

    lam: float
    cleared: list[Cleared]
    used: float
    dual: float
    slope: float

    def at(self, lam: float) -> float:
        """Tangent of the dual function: a lower bound of it everywhere."""
        return self.dual + self.slope * (lam - self.lam)


def _try(books: Sequence[Book], masks: Sequence[Bools], quota: float, lam: float, near: _Trial | None) -> _Trial:
    """Clear every good with `lam` added on masked lanes (inf: masked lanes closed), starting from a nearby trial."""
    out: list[Cleared] = []
    used = 0.0
    value = 0.0
    for g, (book, mask) in enumerate(zip(books, masks, strict=True)):
        if near is not None and not mask.any():
            result = near.cleared[g]  # the quota does not touch this good
        else:
            guess = book.guess
            if near is not None:
                was = near.cleared[g]
                guess = np.concatenate((was.origin_price, was.dest_price))
            cost = np.where(mask, book.lane_cost + lam, book.lane_cost)
            result = Cleared(*clear_book(*book[:6], cost, book.lane_cap, guess))
        out.append(result)
        used += float(result.flow[mask].sum())
        value += float(result.welfare)
    if lam == np.inf:  # the tangent of a closed border, written at lam = 0
        return _Trial(0.0, out, 0.0, value, quota)
    return _Trial(lam, out, used, value + lam * quota, quota - used)


def _blend(share: float, more: Floats, less: Floats) -> Floats:
    """Convex mixture that never leaves the two ends by rounding."""
    return np.clip(less + share * (more - less), np.minimum(more, less), np.maximum(more, less))


def _mix(book: Book, mask: Bools, lam: float, share: float, more: Cleared, less: Cleared, mid: Cleared) -> Cleared:
    """`share` of one optimal clearing and the rest of another, at the prices of `mid` (all optimal at `lam`)."""
    ask_fill = _blend(share, more.ask_fill, less.ask_fill)
    bid_fill = _blend(share, more.bid_fill, less.bid_fill)
    flow = _blend(share, more.flow, less.flow)
    full = (flow == book.lane_cap) & (flow > 0.0)
    cost = np.where(mask, book.lane_cost + lam, book.lane_cost)
    p, q = mid.origin_price, mid.dest_price
    sold = flow.sum(axis=1) > 0.0
    bought = flow.sum(axis=0) > 0.0
    if np.isnan(p[sold]).any() or np.isnan(q[bought]).any():  # a node that trades in the mixture but not in `mid`
        p, q, _, _ = clear_duals(*book[:6], cost, book.lane_cap, np.concatenate((p, q)))
    p = np.where(sold, p, np.nan)
    q = np.where(bought, q, np.nan)
    rent = np.zeros_like(flow)
    rent[full] = np.maximum(0.0, q[None, :] - p[:, None] - cost)[full]
    paid = np.where(flow > 0.0, book.lane_cost, 0.0) * flow
    welfare = float(book.bid_price @ bid_fill - book.ask_price @ ask_fill - paid.sum())
    return Cleared(ask_fill, bid_fill, flow, p, q, rent, welfare)


def clear_shared_cap(
    books: Sequence[Book],
    masks: Sequence[Bools],
    quota_kg: float,
    guess: float = 0.0,
) -> tuple[float, list[Cleared], float]:
    """Clear several goods whose flows on masked lanes share one cap (an export quota in kg over all goods).

    ``masks[g][O, D]`` marks the lanes of good g that count.  Returns ``(lam, cleared, used_kg)``: the shadow price
    lam >= 0 (USD/kg, the same on every masked lane of every good; the lowest one that keeps the quota), the goods'
    clearings at that price, and the total masked flow, which equals the quota when lam > 0.  A destination's price
    contains lam, ``lane_rent`` does not (it is the lane's own cap only), ``welfare`` is before the quota rent
    lam * used_kg is handed to anybody.  ``guess`` is last week's lam; only for speed.

    Method: welfare plus lam * quota is convex and piecewise linear in lam (the Lagrangian dual; slope = quota - used).
    A bracket is narrowed by secants on the flow and by the crossing of the two end tangents; when the function lies on
    the tangents where they cross, that is the exact lam, both end clearings are optimal there, and so is the mixture
    of them that uses exactly the quota.
    """
    if not quota_kg >= 0.0:
        raise ValueError("clear_shared_cap: the quota must be a number >= 0")
    lam = guess if 0.0 < guess < np.inf else 0.0
    trial = _try(books, masks, quota_kg, lam, None)
    left: _Trial | None = None  # too much flow
    right: _Trial | None = None  # within the quota
    width = 0.0625 * lam
    while left is None or right is None:
        if trial.used > quota_kg:
            left = trial
            if right is None:
                near = lam > 0.0 and width < lam
                trial = _try(books, masks, quota_kg, lam + width if near else np.inf, trial)
                if not near:
                    right = trial
        else:
            right = trial
            if trial.lam == 0.0:
                return 0.0, trial.cleared, trial.used
            if left is None:
                trial = _try(books, masks, quota_kg, lam - width if width < lam else 0.0, trial)
        lam = trial.lam
        width *= 4.0
    mid = right
    by_secant = False
    for _ in range(200):
        cross = (left.dual - right.dual + right.slope * right.lam - left.slope * left.lam) / (right.slope - left.slope)
        floor = left.at(cross)
        closed = right.lam < left.lam  # the right end is the closed border, whose lam is not a place
        lam = cross
        if by_secant and not closed:
            lam = left.lam + (right.lam - left.lam) * (left.used - quota_kg) / (left.used - right.used)
            lam += 0.125 * (cross - lam)
        mid = _try(books, masks, quota_kg, lam, left)
        if lam == cross and mid.dual <= floor + 1e-12 * abs(floor):
            break
        if mid.used > quota_kg:
            left = mid
        else:
            right = mid
        by_secant = not by_secant
    lam = max(mid.lam, 0.0)
    share = (quota_kg - right.used) / (left.used - right.used)
    mixed = [
        _mix(book, mask, lam, share, more, less, at)
        for book, mask, more, less, at in zip(books, masks, left.cleared, right.cleared, mid.cleared, strict=True)
    ]
    return lam, mixed, float(sum(c.flow[mask].sum() for c, mask in zip(mixed, masks, strict=True)))
