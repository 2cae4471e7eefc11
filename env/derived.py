"""What follows from a `Structure` and never changes: masks, shares and lookup lists the week would else rebuild.

`env.build` works it out once per world; `Structure.derived` holds it and all forks share it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from env.axes import CLASSES
from env.streams import owner_keys
from env.world import Bools, Floats, Ints

if TYPE_CHECKING:
    from env.spec import ExportTaxSpec, TariffSpec
    from env.world import Structure

BOOKLESS = ("state", "defence", "agency", "lender", "outside")  # kinds that draw no credit
FIRMS = ("producer", "oem", "trader", "aggregate", "soe")
SPECIAL = {"Ce compounds": ["ce_oxide"]}
SEG_CLASS = "other compounds, carbonate"
LEARNING = ("separation_light", "separation_heavy", "metal", "magnet")
LEAST_NEWS_RATE = 0.05  # a tariff row below this is no news
OUTSIDE_PARTY = 0  # index of the outside account on the parties' axis


Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class Derived:
    """Static tables (shapes as in `env.world`)."""

    # parties
    borrows: Bools  # (P,) may draw credit
    is_firm: Bools  # (P,) can default, pays dividends
    is_soe: Bools  # (P,)
    many_firms: Bools  # (P,) stands for a sector
    place: tuple[str, ...]  # (P,) place of each party, "" for the outside account
    treasury: Ints  # (N,) party that collects duties at a node, else the outside account
    no_user: Ints  # parties without final use
    sites_of: dict[int, tuple[int, ...]]  # by party
    orders_of: dict[int, Ints]  # buy slots of inputs and uses, by party
    holders_of: dict[int, tuple[int, ...]]  # by party
    # lanes
    abroad: Bools  # (N, N)
    sea_weeks: Ints  # (N, N) transit, 0 within a node
    freight: Floats  # (G, N, N) USD/kg
    handling: Floats  # (G, N) export handling at the hub, share of value
    # goods
    is_feed: Bools  # (G,) concentrate, mixed carbonate, swarf
    is_heavy: Bools  # (G,) heavy oxides
    is_magnet: Bools  # (G,)
    # slots
    s_party: Ints  # (S,)
    b_party: Ints  # (B,)
    u_holder: Ints  # (U,)
    u_good: Ints
    u_node: Ints
    u_party: Ints
    trader_rows: Ints  # buy slots of traders, and their sell slots
    trader_sells: Ints
    # sites
    recipes_of: tuple[tuple[int, int], ...]  # first and last + 1 recipe of each site
    new_year_sites: Bools  # (site,) Chinese metal and magnet plants
    learning_sites: tuple[Ints, ...]  # sites of each learning stage
    # dated tables
    class_goods: dict[str, Bools]  # goods of a class of the tariff tables
    edges: Ints  # sorted ordinals of days on which a dated tariff or tax starts or has ended
    # keys of random draws, by owner
    site_keys: Keys
    use_keys: Keys  # (U,)
    dest_keys: Keys  # (D,) for the licence offices
    news_rows: tuple[tuple[int, TariffSpec], ...]  # first day and row of tariffs worth news, in the table's order


def derive(st: Structure) -> Derived:
    """Work the static tables out."""
    n_p, n_n = len(st.parties), len(st.nodes)
    kind = st.party_kind
    place = {p.code: p.place for p in st.spec.parties}
    s_party, b_party = st.holder_party[st.s_holder], st.holder_party[st.b_holder]
    traders = np.flatnonzero(st.b_role == 2)
    stage = np.array(st.site_stage, dtype=object)
    china = st.nodes.index.get("CHN", -1)
    handling = np.zeros((len(st.goods), n_n))
    handling[np.arange(len(st.goods)), st.hub] = st.export_cost
    orders = np.flatnonzero(st.b_role <= 1)
    first = np.searchsorted(st.r_site, np.arange(len(st.sites) + 1))
    return Derived(
        borrows=_mask(k not in BOOKLESS for k in kind),
        is_firm=_mask(k in FIRMS for k in kind),
        is_soe=_mask(k == "soe" for k in kind),
        many_firms=_mask(k in ("oem", "trader", "aggregate") for k in kind),
        place=tuple(place.get(code, "") for code in st.parties.codes),
        treasury=np.array(
            [st.parties.index.get(code.lower(), OUTSIDE_PARTY) for code in st.nodes.codes], dtype=np.int64
        ),
        no_user=np.setdiff1d(np.arange(n_p), st.holder_party[st.b_holder[st.u_slot]]),
        sites_of=_lists(st.site_party),
        orders_of={p: np.array(orders[list(at)]) for p, at in _lists(b_party[orders]).items()},
        holders_of=_lists(st.holder_party),
        abroad=~np.eye(n_n, dtype=bool),
        sea_weeks=st.transit_weeks * ~np.eye(n_n, dtype=bool),
        freight=st.freight[st.stage_index],
        handling=handling,
        is_feed=np.isin(st.stage_index, (0, 1, 4)),
        is_heavy=_mask(x == "heavy" for x in st.oxide_group),
        is_magnet=st.stage_index == 5,
        s_party=s_party,
        b_party=b_party,
        u_holder=st.b_holder[st.u_slot],
        u_good=st.b_good[st.u_slot],
        u_node=st.b_node[st.u_slot],
        u_party=b_party[st.u_slot],
        trader_rows=traders,
        trader_sells=np.array([st.sell_slot[int(st.b_holder[b]), int(st.b_good[b])] for b in traders], dtype=np.int64),
        recipes_of=tuple((int(a), int(b)) for a, b in pairwise(first)),
        new_year_sites=(st.site_node == china) & np.isin(stage, ("metal", "magnet")),
        learning_sites=tuple(np.flatnonzero(stage == x) for x in LEARNING),
        class_goods=_class_tables(st),
        edges=_edges(st),
        site_keys=owner_keys("outage", st.sites.codes),
        use_keys=owner_keys(
            "use", [f"{st.holders.codes[st.b_holder[b]]} {st.goods.codes[st.b_good[b]]}" for b in st.u_slot]
        ),
        dest_keys=owner_keys("licence", [f"{n} {c}" for n in st.nodes.codes for c in CLASSES]),
        news_rows=_news_rows(st),
    )


def _mask(values: Iterable[bool]) -> Bools:
    return np.array(list(values), dtype=np.bool_)


def _lists(owner: Ints) -> dict[int, tuple[int, ...]]:
    """Rows by owner."""
    out: dict[int, list[int]] = {}
    for row, who in enumerate(owner.tolist()):
        out.setdefault(who, []).append(row)
    return {who: tuple(rows) for who, rows in out.items()}


def goods_of_class(st: Structure, name: str) -> Bools:
    """Goods of a class name of the tariff tables (G,)."""
    if name in st.goods.index:
        names = [name]
    elif name in SPECIAL:
        names = SPECIAL[name]
    elif name == SEG_CLASS:
        names = [g for g, stage in zip(st.goods.codes, st.good_stage, strict=True) if stage == "seg"]
    elif name in ("all", "all goods"):
        names = list(st.goods.codes)
    else:
        stage, _, group = name.partition(" ")
        names = [
            g for g, s, k in zip(st.goods.codes, st.good_stage, st.oxide_group, strict=True)
            if s == stage and (not group or k == group)
        ]  # fmt: skip
    return np.array([g in set(names) for g in st.goods.codes], dtype=bool)


def _class_tables(st: Structure) -> dict[str, Bools]:
    """Every class the dated tables name."""
    names = {r.good_class for r in st.spec.tariffs} | {r.good_class for r in st.spec.export_taxes}
    return {name: goods_of_class(st, name) for name in sorted(names)}


def _edges(st: Structure) -> Ints:
    """Days on which a dated row comes into force or has gone out of it."""
    days: set[int] = set()
    rows: list[TariffSpec | ExportTaxSpec] = [*st.spec.tariffs, *st.spec.export_taxes]
    for row in rows:
        days.add(row.valid_from.toordinal())
        if row.valid_to is not None:
            days.add(row.valid_to.toordinal() + 1)
    return np.array(sorted(days), dtype=np.int64)


def _news_rows(st: Structure) -> tuple[tuple[int, TariffSpec], ...]:
    return tuple(
        (row.valid_from.toordinal(), row)
        for row in st.spec.tariffs
        if row.rate >= LEAST_NEWS_RATE and row.importer in st.nodes
    )
