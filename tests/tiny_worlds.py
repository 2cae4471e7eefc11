"""Worlds small enough to do by hand: rows with sensible defaults, and a way to play them week by week.

Everything is constant unless a test says otherwise: no growth, no noise, no holidays, no outages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import pandas as pd

from env import World, build_world, tick
from env.spec import (
    ContractSpec,
    EventSpec,
    ExportTaxSpec,
    GoodSpec,
    LaneSpec,
    NodeSpec,
    PartySpec,
    PlaceSpec,
    RecipeSpec,
    SiteSpec,
    StockSpec,
    TariffSpec,
    TraderSpec,
    UseSpec,
    WorldSpec,
)

START = date(2025, 1, 6)
FAR = date(2099, 1, 1)
OX = "ndpr_oxide"


# ---- rows -----------------------------------------------------------------------------------------------
def oxide(code: str = OX, price: float = 50.0, element: str = "NdPr", **more: Any) -> GoodSpec:
    return GoodSpec(
        code=code,
        stage="oxide",
        group=more.pop("group", "light"),
        elements={element: 1.0},
        base_price_usd_per_kg=price,
        **more,
    )


def concentrate(code: str = "conc_hill", price: float = 6.0, **more: Any) -> GoodSpec:
    """Ore of the hill: 0.2 NdPr and 0.5 Ce in a kilogram of oxide, paid for 0.56 of their value."""
    shares = more.pop("elements", {"NdPr": 0.2, "Ce": 0.5})
    paid = more.pop("payable_content", {OX: 0.2, "ce_oxide": 0.5})
    return GoodSpec(
        code=code,
        stage="concentrate",
        deposit="hill",
        elements=shares,
        base_price_usd_per_kg=price,
        payable_share=more.pop("payable_share", 0.56),
        payable_content=paid,
        **more,
    )


def party(code: str, kind: Any = "producer", place: str = "CHN", cash: float = 100e6, **more: Any) -> PartySpec:
    return PartySpec(code=code, kind=kind, place=place, cash_usd=cash, **more)


def mine(
    code: str = "MINE",
    owner: str = "miner",
    node: str = "CHN",
    *,
    makes: Mapping[str, float] | None = None,
    t: float = 5200.0,
    nameplate: float | None = None,
    cost: float = 30.0,
    **more: Any,
) -> SiteSpec:
    """A mine that makes oxide at once: 5,200 t a year are 100 t a week."""
    recipe = RecipeSpec(batch="hill", outputs_kg_per_kg=dict(makes or {OX: 1.0}), base_t=t)
    return SiteSpec(
        code=code,
        party=owner,
        node=node,
        stage="mine",
        deposit="hill",
        nameplate_t=2 * t if nameplate is None else nameplate,
        variable_cost_usd_per_kg=cost,
        recipes=[recipe],
        **more,
    )


def plant(
    code: str,
    owner: str,
    stage: Any,
    inputs: Mapping[str, float],
    outputs: Mapping[str, float],
    t: float,
    *,
    node: str = "CHN",
    batch: str = "hill",
    nameplate: float | None = None,
    cost: float = 2.0,
    lag: int = 0,
    **more: Any,
) -> SiteSpec:
    recipe = RecipeSpec(batch=batch, inputs_kg_per_kg=dict(inputs), outputs_kg_per_kg=dict(outputs), base_t=t)
    return SiteSpec(
        code=code,
        party=owner,
        node=node,
        stage=stage,
        nameplate_t=2 * t if nameplate is None else nameplate,
        variable_cost_usd_per_kg=cost,
        lag_weeks=lag,
        recipes=[recipe, *more.pop("recipes", [])],
        **more,
    )


def use(code: str, owner: str, node: str, goods: Mapping[str, float], **more: Any) -> UseSpec:
    more = {
        "elasticity": -0.2,
        "margin_lost_usd_per_kg": 400.0,
        "output_value_usd_per_kg": 2000.0,
        "cover_weeks": 6.0,
    } | more
    return UseSpec(
        code=code, end_use=more.pop("end_use", "magnets"), party=owner, node=node, goods_t=dict(goods), **more
    )


def lane(origin: str, destination: str, weeks: float, usd_per_t: float = 400.0) -> LaneSpec:
    stages = ("concentrate", "seg", "oxide", "metal", "swarf", "magnet")
    return LaneSpec(
        origin=origin, destination=destination, transit_weeks=weeks, freight_usd_per_t=dict.fromkeys(stages, usd_per_t)
    )


def contract(
    code: str,
    seller: str,
    buyer: str,
    t: float,
    *,
    seller_node: str = "CHN",
    buyer_node: str = "USA",
    good: str = OX,
    **more: Any,
) -> ContractSpec:
    more = {"start": date(2024, 1, 1), "end": FAR} | more
    return ContractSpec(
        code=code,
        seller=seller,
        buyer=buyer,
        good=good,
        seller_node=seller_node,
        buyer_node=buyer_node,
        volume_t_per_year=t,
        **more,
    )


def event(day: date, actor: str, **command: Any) -> EventSpec:
    return EventSpec(date=day, actor=actor, command=command)


def spec(nodes: Iterable[str] = ("CHN", "USA"), **rows: Any) -> WorldSpec:
    """A world of these rows: constant demand, no strategies, mines that do not answer to price, three years, no
    burn-in."""
    rows["parameters"] = {"mines.supply_elasticity": 0.0} | dict(rows.get("parameters", {}))
    head = {"name": "tiny", "start": START, "end": date(2027, 12, 27), "constant_demand": True, "strategies": False}
    codes = list(nodes)
    places = [PlaceSpec(code=n, node=n) for n in codes]
    return WorldSpec(**({"nodes": [NodeSpec(code=n) for n in codes], "places": places} | head | rows))


def one_good(**rows: Any) -> WorldSpec:
    """A mine at home (100 t a week), a user at home (50 t) and one abroad (50 t), four weeks of sea, 0.4 USD/kg
    freight."""
    base: dict[str, Any] = {
        "goods": [oxide()],
        "parties": [
            party("chn", "state"),
            party("usa", "state", "USA"),
            party("miner"),
            party("maker_chn", "oem"),
            party("maker_usa", "oem", "USA"),
        ],
        "sites": [mine()],
        "uses": [use("use_chn", "maker_chn", "CHN", {OX: 2600.0}), use("use_usa", "maker_usa", "USA", {OX: 2600.0})],
        "lanes": [lane("CHN", "USA", 4)],
    }
    return spec(**(base | rows))


def chain(**rows: Any) -> WorldSpec:
    """Everything at once and still small: ore at sea, light separation with a surplus, metal, two magnets, swarf,
    an agency, a trader.

    100 t of ore a week give 20 t NdPr, 1 t Dy and 40 t Ce.  Metal takes 1.2 kg oxide a kg; 0.4 kg metal and 0.05 kg
    swarf go with a kg of magnets; recycling gives 0.9 t NdPr a week back.  So about 17.4 t metal and 43.5 t magnets.
    """
    ox_ce, ox_dy = "ce_oxide", "dy_oxide"
    content = {OX: 0.2, ox_dy: 0.01, ox_ce: 0.4}
    goods = [
        concentrate(elements={"NdPr": 0.2, "Dy": 0.01, "Ce": 0.4}, payable_content=content, payable_share=0.45),
        oxide(),
        oxide(ox_dy, 250.0, "Dy", group="heavy"),
        oxide(ox_ce, 1.5, "Ce", finishing_cost_usd_per_kg=0.6),
        GoodSpec(
            code="ndpr_metal",
            stage="metal",
            elements={"NdPr": 1.2},
            reo_kg_per_kg=1.2,
            base_price_usd_per_kg=66.0,
            payable_content={OX: 1.2},
        ),
        GoodSpec(
            code="swarf_ndpr",
            stage="swarf",
            elements={"NdPr": 0.4},
            reo_kg_per_kg=0.4,
            base_price_usd_per_kg=12.0,
            payable_content={OX: 0.4},
            payable_share=0.6,
        ),
        GoodSpec(
            code="magnet_n",
            stage="magnet",
            elements={"NdPr": 0.45},
            reo_kg_per_kg=0.45,
            base_price_usd_per_kg=48.0,
            payable_content={OX: 0.48},
        ),
        GoodSpec(
            code="magnet_uh",
            stage="magnet",
            elements={"NdPr": 0.43, "Dy": 0.04},
            reo_kg_per_kg=0.47,
            base_price_usd_per_kg=62.0,
            payable_content={OX: 0.46, ox_dy: 0.05},
        ),
    ]
    heavy = RecipeSpec(
        batch="uh",
        inputs_kg_per_kg={"ndpr_metal": 0.38, ox_dy: 0.05},
        outputs_kg_per_kg={"magnet_uh": 1.0, "swarf_ndpr": 0.06},
        base_t=780.0,
    )
    base: dict[str, Any] = {
        "goods": goods,
        "parties": [
            party("chn", "state"),
            party("usa", "state", "USA"),
            party("jpn", "state", "JPN"),
            party("dod", "defence", "USA", 500e6),
            party("miner", place="AUS", debt_usd=20e6),
            party("separator", "soe", soft_budget=True),
            party("metal_maker"),
            party("magnet_maker", debt_usd=50e6),
            party("recycler"),
            party("cars_chn", "oem"),
            party("cars_jpn", "oem", "JPN"),
            party("cars_usa", "oem", "USA"),
            party("arms_usa", "oem", "USA"),
            party("glass_chn", "oem"),
            party("hub", "trader", cash=20e6),
        ],
        "sites": [
            mine("MINE", node="AUS", makes={"conc_hill": 1.0}, cost=3.0, fixed_cost_usd_per_year=2e6),
            plant(
                "SEP",
                "separator",
                "separation_light",
                {"conc_hill": 1.0},
                content,
                5200.0,
                lag=4,
                fixed_cost_usd_per_year=2e6,
            ),
            plant("METAL", "metal_maker", "metal", {OX: 1.2}, {"ndpr_metal": 1.0}, 880.0, lag=1, cost=3.0),
            plant(
                "MAG",
                "magnet_maker",
                "magnet",
                {"ndpr_metal": 0.4},
                {"magnet_n": 1.0, "swarf_ndpr": 0.06},
                1400.0,
                batch="n",
                nameplate=3000.0,
                lag=2,
                cost=10.0,
                recipes=[heavy],
                fixed_cost_usd_per_year=4e6,
            ),
            plant("REC", "recycler", "recycling", {"swarf_ndpr": 1.0}, {OX: 0.35}, 130.0, cost=1.0),
            mine(
                "NEW",
                node="AUS",
                makes={"conc_hill": 1.0},
                t=0.0,
                nameplate=2600.0,
                cost=3.0,
                status="planned",
                ramp=0.0,
                capex_usd=40e6,
                announced_start=date(2025, 6, 2),
            ),
        ],
        "uses": [
            use("cars_chn", "cars_chn", "CHN", {"magnet_n": 800.0, "magnet_uh": 250.0}, end_use="cars"),
            use("cars_jpn", "cars_jpn", "JPN", {"magnet_n": 300.0, "magnet_uh": 250.0}, end_use="cars"),
            use(
                "cars_usa",
                "cars_usa",
                "USA",
                {"magnet_n": 300.0, "magnet_uh": 250.0},
                end_use="cars",
                user_class="dual",
            ),
            use("arms_usa", "arms_usa", "USA", {"magnet_uh": 30.0}, end_use="arms", user_class="defence"),
            use("glass_chn", "glass_chn", "CHN", {"ce_oxide": 900.0}, end_use="glass", margin_lost_usd_per_kg=20.0),
        ],
        "lanes": [
            lane("AUS", "CHN", 3, 80.0),
            lane("CHN", "JPN", 1, 300.0),
            lane("CHN", "USA", 5, 500.0),
            lane("JPN", "USA", 3, 500.0),
        ],
        "contracts": [
            contract(
                "K_ORE",
                "miner",
                "separator",
                3000.0,
                seller_node="AUS",
                buyer_node="CHN",
                good="conc_hill",
                share_of_need=0.6,
                start=date(2024, 1, 1),
            ),
            contract(
                "K_CARS",
                "magnet_maker",
                "cars_usa",
                150.0,
                good="magnet_n",
                share_of_need=0.5,
                price_rule="fixed",
                price_usd_per_kg=50.0,
            ),
        ],
        "stocks": [StockSpec(holder="dod", node="USA", good=OX, tonnes=50.0)],
        "traders": [TraderSpec(party="hub", node="CHN", good=OX, target_t=60.0)],
        "tariffs": [
            TariffSpec(
                importer="USA",
                origin="CHN",
                good_class="magnet",
                rate=0.021,
                valid_from=date(2020, 1, 1),
                legal_basis="MFN",
            )
        ],
        "export_taxes": [
            ExportTaxSpec(
                exporter="CHN", good_class="oxide", vat_rate=0.13, refund_rate=0.0, valid_from=date(2020, 1, 1)
            )
        ],
        "burn_in_weeks": 12,
    }
    return spec(("AUS", "CHN", "JPN", "USA"), **(base | rows))


# ---- playing --------------------------------------------------------------------------------------------
Orders = Mapping[int, Mapping[str, list[Any]]]


def opened(what: WorldSpec, seed: int = 0) -> World:
    """The world after its burn-in, its record open, as `Game` leaves it."""
    world = build_world(what, seed)
    while world.week < 0:
        tick(world)
    world.record.open(world)
    return world


def put(world: World, holder: str, good: str, tonnes: float) -> None:
    """Set what a holder has in store, at the unit cost it has (or the base price), with its owner's equity to match."""
    st, s = world.structure, world.state
    h, g = st.holders.index[holder], st.goods.index[good]
    unit = s.cost[h, g] / s.stock[h, g] if s.stock[h, g] > 0 else st.base_price[g]
    value = unit * tonnes * 1e3
    s.equity_in[st.holder_party[h]] += value - s.cost[h, g]
    s.stock[h, g], s.cost[h, g] = tonnes * 1e3, value


def play(world: World, weeks: int, orders: Orders | None = None) -> World:
    """Live some weeks; `orders` by week number and seat."""
    for _ in range(weeks):
        tick(world, (orders or {}).get(world.week, {}))
    return world


def table(world: World, name: str) -> pd.DataFrame:
    """A result table of a world as pandas, dates as time stamps, text as text."""
    frame = pd.DataFrame(world.record.table(name, world))
    for column in frame.columns:
        if column.startswith("date") or column in ("applied", "decided", "signed", "start", "end"):
            frame[column] = pd.to_datetime(frame[column])
    return frame


def fate(world: World, number: int = -1) -> tuple[bool, str]:
    """Was the last command (or the one at `number`) accepted, and why not?"""
    row = world.record.commands[number]
    return row["accepted"], row["reason"]


def monday(week: int) -> pd.Timestamp:
    return pd.Timestamp(START) + pd.Timedelta(weeks=week)
