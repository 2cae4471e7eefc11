"""The licence office: applications queue, files fail and come back, licences cover tonnes for a while.

One office per exporting place with a control list.  Files queue first-in first-out per destination and
class of use; each week the office handles its capacity, split by the usual share of applicants, times the
dial the state has set (0 = nothing, 1 = in full).  A licence covers a quantity for a good, a destination
and a class; shipments of controlled goods are bounded by licences in hand.  Look-alikes that are not
controlled are tested by customs while the list is new.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from env.axes import CLASSES, dest_index, sums
from env.licence_book import Decisions, Files, Licences, rank_within
from env.streams import draws
from env.world import Bools, Floats, Ints

if TYPE_CHECKING:
    from env.world import Structure, World

HORIZON_WEEKS = 13.0  # applicants keep at most this many weeks of need in the queue and in hand
STOCK_WEEKS = 4.0  # licences in hand they aim at
GRANTED, REFUSED = "granted", "refused"


@dataclass(slots=True, eq=False)
class Office:
    """State of one exporter's office."""

    node: int
    controlled: Bools
    look_alike: Bools  # goods customs test because they share a code with controlled ones
    since: int
    dial: Floats  # (D,)
    files: Files
    licences: Licences
    test_share: float = 0.0
    reports_since: int = -1
    usual: Floats = field(default_factory=lambda: np.zeros((0, 0)))  # (G, D) kg a week before control
    share: Floats = field(
        default_factory=lambda: np.zeros((0, 0))
    )  # (G, D) part of use there that came from here before control
    remainder: Floats = field(default_factory=lambda: np.zeros((0, 0)))  # (G, D) kg below one file
    first_until: int = 0

    def set_list(self, world: World, elements: list[str], threshold: float, customs_tests: float) -> None:
        """Goods with more than a trace of a listed element need a licence from now on."""
        st, s = world.structure, world.state
        caught = np.zeros(len(st.goods), dtype=bool)
        like = np.zeros(len(st.goods), dtype=bool)
        for g, good in enumerate(st.spec.goods):
            share = sum(q for e, q in good.elements.items() if e in elements)
            caught[g] = share > threshold and good.stage in ("oxide", "metal", "magnet", "seg")
        for g, good in enumerate(st.spec.goods):
            same = [k for k, other in enumerate(st.spec.goods) if other.stage == good.stage == "magnet" and caught[k]]
            like[g] = bool(same) and not caught[g]
        new = caught & ~self.controlled
        if new.any():
            # goods newly caught start from the trade of the weeks before
            self.usual[new] = self._abroad(s.usual_flow[new, self.node])
            use = _use_by_destination(world)
            self.share[new] = np.divide(self.usual, use, out=np.zeros_like(use), where=use > 0)[new]
            self.first_until = world.week + round(world.params["licence.first_lag_weeks"])
            self.since = world.week
        if customs_tests > 0.0 and like.any():
            self.test_share = customs_tests
            self.usual[like & ~self.look_alike] = self._abroad(s.usual_flow[like & ~self.look_alike, self.node])
        self.controlled, self.look_alike = caught, like

    def _abroad(self, flow: Floats) -> Floats:
        """Flows to other places (rows, D): sales at home need no licence."""
        out = flow.copy()
        out[:, dest_index(self.node, 0) : dest_index(self.node, 0) + len(CLASSES)] = 0.0
        return out

    def set_dial(self, world: World, destination: str, end_use_class: str, share: float) -> None:
        """Turn the dial for one or all destinations and classes."""
        st, n = world.structure, len(CLASSES)
        nodes = range(len(st.nodes)) if destination == "ALL" else [st.nodes.index[destination]]
        classes = range(n) if end_use_class == "all" else [CLASSES.index(end_use_class)]
        for d in nodes:
            for c in classes:
                self.dial[dest_index(d, c)] = share

    def accept_reports(self, week: int) -> None:
        """Customs begin to accept composition reports: the tested share decays."""
        if self.reports_since < 0:
            self.reports_since = week

    def tested(self, world: World) -> float:
        """Share of look-alike parcels held for a test now."""
        p = world.params
        if self.test_share <= 0.0:
            return 0.0
        if self.reports_since < 0:
            return self.test_share
        decay = 0.5 ** ((world.week - self.reports_since) / p["customs.test_half_life_weeks"])
        return max(min(self.test_share, p["customs.test_floor"]), self.test_share * float(decay))


@dataclass(slots=True, eq=False)
class LicenceOffice:
    """Container kept in the state: offices by exporting node."""

    offices: list[Office] = field(default_factory=list)

    @classmethod
    def closed(cls, st: Structure) -> LicenceOffice:
        """No office yet."""
        return cls()


def office_of(world: World, node: int, *, create: bool = False) -> Office:
    """The office of an exporting node; opened on first use."""
    st = world.structure
    for office in _offices(world):
        if office.node == node:
            return office
    if not create:
        raise KeyError(node)
    shape = (len(st.goods), st.n_dest)
    none = np.zeros(len(st.goods), dtype=bool)
    office = Office(
        node=node, controlled=none, look_alike=none.copy(), since=world.week, dial=np.ones(st.n_dest), files=Files(),
        licences=Licences(), usual=np.zeros(shape), share=np.zeros(shape), remainder=np.zeros(shape),
    )  # fmt: skip
    _offices(world).append(office)
    return office


def serve(world: World) -> list[Decisions]:
    """One week of all offices: new applications, decisions.  Returns decided files for the record."""
    decided: list[Decisions] = []
    for office in _offices(world):
        if office.controlled.any():
            _expire(world, office)
            _apply(world, office)
            done = _decide(world, office)
            if done is not None:
                decided.append(done)
    return decided


def _offices(world: World) -> list[Office]:
    book: LicenceOffice = world.state.licences
    return book.offices


def _expire(world: World, office: Office) -> None:
    """Licences that have run out of time or of tonnes are gone."""
    licences = office.licences
    alive = (licences.expiry > world.week) & (licences.kg > 1e-9)
    if not alive.all():
        licences.keep(alive)


def _use_by_destination(world: World) -> Floats:
    """Expected use of each good at each destination (G, D) kg a week."""
    st, s = world.structure, world.state
    n_g, n_d = len(st.goods), st.n_dest
    return sums(st.b_good * n_d + st.b_dest, s.expected_use, n_g * n_d).reshape(n_g, n_d)


def need_by_destination(world: World, office: Office) -> Floats:
    """Weekly need of controlled goods from this exporter (G, D) kg: its usual part of what buyers there want now."""
    st, s = world.structure, world.state
    n_g, n_d = len(st.goods), st.n_dest
    wants = np.bincount(st.b_good * n_d + st.b_dest, weights=s.week_need, minlength=n_g * n_d).reshape(n_g, n_d)
    use = _use_by_destination(world)
    need = office.share * np.minimum(wants, 2.0 * use)
    need[~office.controlled] = 0.0
    return need


def held_kg(world: World, office: Office) -> Floats:
    """Licences in hand (G, D) kg."""
    return office.licences.held(len(world.structure.goods), world.structure.n_dest)


def _file_size(world: World) -> Floats:
    """Tonnes of one file by good (G, 1), in kg."""
    st, p = world.structure, world.params
    return np.where(st.derived.is_magnet, p["licence.tonnes_magnet"], p["licence.tonnes_oxide"])[:, None] * 1e3


def _apply(world: World, office: Office) -> None:
    """Exporters file for what their buyers need and is neither in hand nor under way."""
    st, s, p = world.structure, world.state, world.params
    need = need_by_destination(world, office)
    files = office.files
    shape = need.shape
    pending = np.bincount(files.good * st.n_dest + files.dest, weights=files.kg, minlength=need.size).reshape(shape)
    held = held_kg(world, office)
    room = np.minimum(need * STOCK_WEEKS - held, need * HORIZON_WEEKS - held - pending)
    # the queue in front of them is part of the supply line: file what is needed plus what the wait will take
    gap = np.clip(np.maximum(room, need * (world.week - office.since < 1)), 0.0, 2.0 * need) + office.remainder
    size = _file_size(world)
    count = np.floor(gap / size)
    rest = gap - count * size
    # a buyer of small lots files once in a while for a small one
    small = (count == 0) & (rest >= need * STOCK_WEEKS) & (rest > 0)
    office.remainder = np.where(small, 0.0, rest)
    g_idx, d_idx = np.nonzero((count > 0) | small)
    if not len(g_idx):
        return
    n_files = np.where(small, 1, count)[g_idx, d_idx].astype(np.int64)
    kg = np.repeat(np.where(small, rest, np.broadcast_to(size, shape))[g_idx, d_idx], n_files)
    good, dest = np.repeat(g_idx, n_files), np.repeat(d_idx, n_files)
    total = len(good)
    first = s.next_ids["licence"]
    s.next_ids["licence"] = first + total
    ready = np.full(total, max(world.week + int(p["licence.minimum_weeks"]), office.first_until))
    office.files.extend(
        id=np.arange(first, first + total), applied=np.full(total, world.week), ready=ready, good=good, dest=dest,
        seller=_applicants(world, office, good), kg=kg, tries=np.zeros(total),
    )  # fmt: skip


def _applicants(world: World, office: Office, good: Ints) -> Ints:
    """Who files: sellers at the exporting node by their share of sales (party index per file)."""
    st, s = world.structure, world.state
    out = np.zeros(len(good), dtype=np.int64)
    begin = np.flatnonzero(np.concatenate([[True], good[1:] != good[:-1]]))  # files come sorted by good
    for at, end in zip(begin.tolist(), [*begin[1:].tolist(), len(good)], strict=True):
        lo, hi = int(st.s_ptr[good[at]]), int(st.s_ptr[good[at] + 1])
        flow = np.where(st.s_node[lo:hi] == office.node, s.flow[lo:hi], 0.0)
        total = flow.sum()
        if total > 0.0:
            share = np.cumsum(flow) / total
            slot = np.searchsorted(share, (np.arange(end - at) + 0.5) / (end - at))
            out[at:end] = st.derived.s_party[lo + np.minimum(slot, hi - lo - 1)]
    return out


def _decide(world: World, office: Office) -> Decisions | None:
    """Serve the queues for one week; None when nothing was there to decide."""
    st, p, files = world.structure, world.params, office.files
    n = len(files.id)
    if not n:
        return None
    size = _file_size(world)
    usual_files = (office.usual * office.controlled[:, None] / size).sum(axis=0)
    share = usual_files / max(usual_files.sum(), 1e-9)
    # the office plans its week by the usual number of applicants of each destination and class
    capacity = p["licence.office_capacity"] * office.dial * share
    # luck belongs to a destination and, within it, to a place in the queue: other places never move it
    luck = world.seed * 64 + office.node
    part = draws(luck, st.derived.dest_keys, world.week)
    slots = np.floor(capacity + part).astype(np.int64)
    order = np.flatnonzero(files.ready <= world.week)
    if not len(order):
        return None
    # documents are looked at on the counter, in order of arrival; only complete files use the office's time
    dest = files.dest[order]
    keys = st.derived.dest_keys[dest] + rank_within(dest, np.ones(len(dest), dtype=bool), st.n_dest).astype(np.uint64)
    fail = np.where(files.tries[order] == 0, p["licence.fail_first"], p["licence.fail_repeat"])
    complete = draws(luck, keys, world.week, 1) >= fail
    looked_at = rank_within(dest, complete, st.n_dest) < slots[dest]
    back = order[looked_at & ~complete]
    files.ready[back] = world.week + round(p["licence.resubmit_weeks"])
    files.tries[back] += 1
    done = order[looked_at & complete]
    granted = draws(luck, keys, world.week, 2)[looked_at & complete] < p["licence.pass"]
    ok = done[granted]
    expiry = world.week + int(p["licence.validity_weeks"])
    if len(ok):
        office.licences.extend(
            id=files.id[ok], good=files.good[ok], dest=files.dest[ok], kg=files.kg[ok], expiry=np.full(len(ok), expiry)
        )
    out = Decisions(
        world.week,
        files.id[done],
        files.applied[done],
        files.good[done],
        files.dest[done],
        files.seller[done],
        files.kg[done],
        granted,
    )
    waiting = np.ones(n, dtype=bool)
    waiting[done] = False
    files.keep(waiting)
    return out


def cap_lanes(world: World, cap: Floats) -> None:
    """Lower lane caps (G, N, D) to licences in hand, and look-alikes to what customs let through."""
    p = world.params
    n = len(CLASSES)
    for office in _offices(world):
        home = slice(dest_index(office.node, 0), dest_index(office.node, 0) + n)
        if office.controlled.any():
            held = held_kg(world, office)
            rows = cap[:, office.node]
            limited = np.where(office.controlled[:, None], held, rows)
            limited[:, home] = rows[:, home]
            cap[:, office.node] = np.minimum(rows, limited)
        share = office.tested(world)
        if office.look_alike.any() and share > 0.0 and office.test_share > 0.0:
            age = world.week - office.since
            timid = p["customs.self_restraint"] if age < 4 else 0.0
            # tested parcels come out after some weeks, late ones much later (Weibull of shape 2 around the mean delay)
            freed = 1.0 - np.exp(-((age / (1.13 * p["customs.test_delay_weeks"])) ** 2))
            flow = (1.0 - share) * (1.0 - timid) + share * freed
            rows = cap[:, office.node]
            limited = np.where(office.look_alike[:, None], office.usual * flow, rows)
            limited[:, home] = rows[:, home]
            if flow < 0.999:
                cap[:, office.node] = np.minimum(rows, limited)


def use_licences(world: World, good: Ints, origin: Ints, dest: Ints, kg: Floats) -> Ints:
    """Draw shipments on licences, oldest first; returns the licence of each deal (-1 where none is needed)."""
    st, n = world.structure, len(CLASSES)
    out = np.full(len(kg), -1, dtype=np.int64)
    for office in _offices(world):
        rows = np.flatnonzero((origin == office.node) & office.controlled[good] & (dest // n != office.node))
        if len(rows):
            key = good[rows] * st.n_dest + dest[rows]
            out[rows] = office.licences.draw(key, st.n_dest, len(st.goods) * st.n_dest, kg[rows])
    return out


def unmet_share(world: World) -> Floats:
    """Share of controlled need that could not be shipped this week (G, N), for the ask quote and for alarm."""
    st = world.structure
    n_n, n = len(st.nodes), len(CLASSES)
    need, met = np.zeros((len(st.goods), n_n)), np.zeros((len(st.goods), n_n))
    for office in _offices(world):
        if not office.controlled.any():
            continue
        wish = need_by_destination(world, office).reshape(-1, n_n, n).sum(axis=2)
        shipped = world.state.week_flow[:, office.node].reshape(-1, n_n, n).sum(axis=2)
        need += wish
        met += np.minimum(wish, shipped * office.controlled[:, None])
    return np.divide(need - met, need, out=np.zeros_like(need), where=need > 1e-9)
