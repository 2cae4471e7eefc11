"""Contracts in force at the start: who sells how much to whom, out of the base year's flows.

`initial_contracts.csv` gives shares of use under annual frames by node, captive programmes and a few
named deals.  Flows between nodes come from the solved base balance; within a pair of nodes volume is
first matched inside one firm, then by named deal, then in order of code (few suppliers per buyer, as
in life).  What is left over trades on the spot market.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from env.spec import ContractSpec, GoodSpec, SiteSpec, UseSpec

if TYPE_CHECKING:
    from env.facts import Facts

#: published deals of `initial_contracts.csv` by (seller party, good, buyer node): (contract id, end)
NAMED = {
    ("mp_materials", "conc_mountain_pass", "CHN"): ("K_MP_SHENGHE", date(2026, 1, 31)),
    ("mp_materials", "ndpr_oxide", "JPN"): ("K_MP_SUMITOMO", date(2026, 12, 31)),
    ("lynas", "ndpr_oxide", "JPN"): ("K_LYN_JARE", date(2038, 12, 31)),
    ("lynas", "ndpr_oxide", "SEA"): ("K_LYN_OTHER", None),
    ("lynas", "seg_mt_weld_cld", "CHN"): ("K_LYN_SEG", None),
    ("serra_verde", "conc_serra_verde", "CHN"): ("K_SV_CHN", date(2033, 12, 31)),
    ("china_northern", "conc_bayan_obo", "CHN"): ("K_NRE_BAOGANG", None),
    ("irel", "ndpr_oxide", "JPN"): ("K_IREL_JPN", date(2027, 12, 31)),
}
FEED_SHARE = 0.6  # of bought concentrate, SEG+ and swarf under annual contracts; the rest is spot
EVERGREEN = date(2099, 12, 31)


@dataclass
class _End:
    """A seller or buyer of one good at one node with the tonnes a year not yet matched."""

    holder: str
    party: str
    node: str
    left_t: float
    total_t: float


def _ends(
    goods: list[GoodSpec], sites: list[SiteSpec], uses: list[UseSpec]
) -> tuple[dict[tuple[str, str], list[_End]], dict[tuple[str, str], list[_End]]]:
    made: dict[tuple[str, str, str, str], float] = defaultdict(float)
    used: dict[tuple[str, str, str, str], float] = defaultdict(float)
    for site in sites:
        for recipe in site.recipes:
            for good, q in recipe.outputs_kg_per_kg.items():
                made[good, site.node, site.code, site.party] += q * recipe.base_t
            for good, q in recipe.inputs_kg_per_kg.items():
                used[good, site.node, site.code, site.party] += q * recipe.base_t
    for use in uses:
        for good, t in use.goods_t.items():
            used[good, use.node, use.code, use.party] += t
    sellers: dict[tuple[str, str], list[_End]] = defaultdict(list)
    buyers: dict[tuple[str, str], list[_End]] = defaultdict(list)
    for table, out in ((made, sellers), (used, buyers)):
        for (good, node, holder, party), t in sorted(table.items()):
            if t > 1e-9:
                out[good, node].append(_End(holder, party, node, t, t))
    return sellers, buyers


def _shares(facts: Facts) -> tuple[dict[str, float], dict[str, float]]:
    magnets, oxides = {}, {}
    for row in facts.initial_contracts:
        if row.contract_id.startswith("K_SHARE_MAG_"):
            magnets[row.buyer_node] = float(row.share_of_node_volume or 0)
        elif row.contract_id.startswith("K_SHARE_OX_"):
            oxides[row.buyer_node] = float(row.share_of_node_volume or 0)
    return magnets, oxides


def _outside_ratio(facts: Facts) -> dict[str, float]:
    """Price of goods made outside China over the Chinese domestic price, by good code."""
    sums: dict[tuple[str, bool], list[float]] = defaultdict(list)
    for row in facts.base_prices:
        if row.tier.startswith("contract, made outside"):
            sums[row.good, True].append(row.price_usd_per_kg)
        elif row.tier == "domestic ex VAT":
            sums[row.good, False].append(row.price_usd_per_kg)
    ratio = {}
    for good, outside in sums:
        if outside and sums.get((good, False)):
            a, b = sums[good, True], sums[good, False]
            code = f"magnet_{good.split()[1].lower()}" if good.startswith("magnet") else good.lower().replace(" ", "_")
            ratio[code] = (sum(a) / len(a)) / (sum(b) / len(b))
    return ratio


def frame_contracts(
    facts: Facts, goods: list[GoodSpec], sites: list[SiteSpec], uses: list[UseSpec], start: date
) -> list[ContractSpec]:
    """All contracts in force at `start`; yearly volumes in tonnes, prices by index."""
    sellers, buyers = _ends(goods, sites, uses)
    share_magnet, share_oxide = _shares(facts)
    outside = _outside_ratio(facts)
    by_good = {g.code: g for g in goods}
    flows: dict[str, list[tuple[str, str, float]]] = defaultdict(list)
    incoming: dict[tuple[str, str], float] = defaultdict(float)
    for row in facts.base_balance:
        if row.record == "flow" and row.origin != row.destination and row.t_2024 > 0:
            if row.good_class is None or row.good is None or row.origin is None or row.destination is None:
                raise ValueError(f"a flow row needs class, good, origin and destination: {row}")
            code = good_code(row.good_class, row.good)
            flows[code].append((row.origin, row.destination, row.t_2024))
            incoming[code, row.destination] += row.t_2024
    for (good, node), ends in buyers.items():
        need = sum(e.total_t for e in ends)
        local = need - incoming[good, node]
        if local > 1e-6 * need:
            flows[good].insert(0, (node, node, local))
    contracts: list[ContractSpec] = []
    counter: dict[str, int] = defaultdict(int)
    burn_in_start = start - timedelta(weeks=60)
    for good in sorted(flows):
        stage = by_good[good].stage
        # own-firm and domestic first, then the largest flows
        for origin, destination, t in sorted(flows[good], key=lambda f: (f[0] != f[1], -f[2], f)):
            pairs = _match(sellers[good, origin], buyers[good, destination], t)
            for seller, buyer, tonnes in pairs:
                own = seller.party == buyer.party
                home = origin == destination and origin != "CHN"
                captive = own or (home and stage in ("magnet", "metal"))
                if captive:
                    share = 1.0
                elif stage in ("concentrate", "seg", "swarf"):
                    share = 1.0 if (seller.party, good, destination) in NAMED else FEED_SHARE
                elif stage == "magnet":
                    share = share_magnet.get(destination, 0.75)
                else:
                    share = 0.6 if good in ("ce_oxide", "la_oxide") else share_oxide.get(destination, 0.5)
                volume = tonnes * share
                if volume <= 1e-6:
                    continue
                name, end = NAMED.get(
                    (seller.party, good, destination), (f"K_{good.upper()}_{origin}_{destination}", None)
                )
                counter[name] += 1
                contracts.append(
                    ContractSpec(
                        code=name if counter[name] == 1 else f"{name}_{counter[name]}",
                        seller=seller.party,
                        buyer=buyer.party,
                        good=good,
                        seller_node=origin,
                        buyer_node=destination,
                        seller_holder=seller.holder,
                        buyer_holder=buyer.holder,
                        volume_t_per_year=volume,
                        share_of_need=min(1.0, volume / buyer.total_t),
                        rolling=end is None,
                        start=burn_in_start,
                        end=end or EVERGREEN,
                        index_factor=outside.get(good, 1.0) if origin != "CHN" else 1.0,
                        index_lag_weeks=13 if stage == "magnet" or name == "K_NRE_BAOGANG" else 4,
                        min_take_share=0.8,
                        captive=captive,
                    )
                )
    return contracts


def _match(sellers: list[_End], buyers: list[_End], tonnes: float) -> list[tuple[_End, _End, float]]:
    """Split a flow over sellers and buyers: same firm first, then in order of code."""
    pairs: list[tuple[_End, _End, float]] = []

    def take(seller: _End, buyer: _End) -> None:
        nonlocal tonnes
        q = min(seller.left_t, buyer.left_t, tonnes)
        if q > 1e-9:
            seller.left_t -= q
            buyer.left_t -= q
            tonnes -= q
            pairs.append((seller, buyer, q))

    for seller in sellers:
        for buyer in buyers:
            if seller.party == buyer.party:
                take(seller, buyer)
    for seller in sellers:
        for buyer in buyers:
            if tonnes <= 1e-9:
                return pairs
            take(seller, buyer)
    return pairs


def good_code(good_class: str, good: str) -> str:
    """Good code of a row of the base balance (`oxide`, `NdPr` -> `ndpr_oxide`)."""
    kind = good_class.lower()
    if kind == "concentrate":
        return f"conc_{good}"
    if kind.startswith("seg"):
        return f"seg_{good}"
    if kind == "oxide":
        return ("ho_yb" if good == "HoYb" else good.lower()) + "_oxide"
    if kind == "metal":
        return f"{good.lower()}_metal"
    return f"{kind}_{good.lower()}"
