"""The world: what is true this week.

`Structure` never changes after `env.build` (names, recipes, lanes, who may hold what).  `State` is
everything that changes, as arrays over the axes and a few plain lists; copying it is a fork, hashing it
is the state hash.  Inside: kg, USD ex VAT, weeks, shares.

Shapes: G goods, N nodes, D destinations (node x class), P parties, H holders (sites, uses, traders,
agencies), S sell slots (holder, good), B buy slots (holder, good), R recipes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from env.axes import Axis
from env.calendar import week_date

if TYPE_CHECKING:
    from env.derived import Derived
    from env.record import Record
    from env.spec import WorldSpec

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
PLAIN = (int, float, str, bool, tuple, type(None))


@dataclass(slots=True, eq=False)
class Structure:
    """Names, recipes, slots and lanes.  Built once, shared by all forks of a world."""

    spec: WorldSpec
    params: dict[str, float]
    goods: Axis
    nodes: Axis
    parties: Axis
    sites: Axis
    holders: Axis
    end_uses: Axis
    party_kind: list[str]
    party_node: Ints
    party_rate: Floats
    party_soft: Bools
    # goods
    good_stage: list[str]
    stage_index: Ints  # 0 concentrate 1 seg 2 oxide 3 metal 4 swarf 5 magnet
    base_price: Floats
    conversion_cost: Floats
    payable: Floats  # (G, G) kg of each oxide paid for in a kg of good, times payable share
    content: Floats  # (G, G) kg of each oxide physically needed per kg of good, or recovered from it
    oxide: Ints  # goods that are oxides
    oxide_group: list[str]
    finishing_cost: Floats
    export_cost: Floats
    steepness: Floats
    ask_sensitivity: Floats
    reo_per_kg: Floats
    # holders
    holder_party: Ints
    holder_node: Ints
    holder_class: Ints
    holder_kind: list[str]
    holder_site: Ints  # site index or -1
    # sites and recipes
    site_stage: list[str]
    site_party: Ints
    site_node: Ints
    nameplate_kg: Floats  # a week
    variable_cost: Floats
    fixed_cost_week: Floats
    site_young: Bools
    supply_elasticity: Floats
    r_site: Ints
    r_batch: list[str]
    r_base_kg: Floats  # a week
    r_lag: Ints
    ri_ptr: Ints
    ri_good: Ints
    ri_coef: Floats
    ro_ptr: Ints
    ro_good: Ints
    ro_coef: Floats
    ro_value_share: Floats
    ri_recipe: Ints  # recipe of each input row
    ro_recipe: Ints  # recipe of each output row
    ro_slot: Ints  # sell slot of each output row
    ri_slot: Ints  # buy slot of each input row
    r_main_slot: Ints  # sell slot of a recipe's main output (largest value)
    r_pull: Bools  # made to order (metal, magnet) rather than pushed through
    # slots
    s_holder: Ints
    s_good: Ints
    s_node: Ints
    s_ptr: Ints
    b_holder: Ints
    b_good: Ints
    b_dest: Ints
    b_node: Ints
    b_ptr: Ints
    b_role: Ints  # 0 site input, 1 final use, 2 trader, 3 agency
    s_role: Ints  # 0 site output, 2 trader, 3 agency
    sell_slot: dict[tuple[int, int], int]
    buy_slot: dict[tuple[int, int], int]
    # final uses (arrays over buy slots of role 1)
    u_slot: Ints
    u_end_use: Ints
    u_growth: Floats
    u_elasticity: Floats
    u_margin: Floats
    u_base_kg: Floats
    # substitutes: one row each per use row it can replace (arrays over substitution rows X)
    x_use: Ints  # use row replaced
    x_to: Ints  # use row that takes over, -1 = the use leaves the market
    x_cost: Floats
    x_max: Floats
    x_lag_weeks: Floats
    # lanes
    transit_weeks: Ints  # (N, N)
    freight: Floats  # (6 stages, N, N) USD/kg
    lane_open: Bools  # (G, N, N)
    opening_ramp: Floats  # (site,)
    hub: Ints  # (G,) node whose domestic price leads
    derived: Derived = field(init=False)  # what follows from the above, set once by `env.build`

    @property
    def n_dest(self) -> int:
        """Destinations: nodes times classes of use."""
        return len(self.nodes) * 3

    def good(self, code: str) -> int:
        """Index of a good."""
        return self.goods.index[code]

    def node(self, code: str) -> int:
        """Index of a market node."""
        return self.nodes.index[code]

    def party(self, code: str) -> int:
        """Index of a party."""
        return self.parties.index[code]


@dataclass(slots=True, eq=False)
class State:
    """All that changes.  Every attribute is an array, a number, or a list or dict of plain values."""

    week: int = 0
    stock: Floats = field(default_factory=lambda: np.zeros((0, 0)))  # (H, G) kg
    cost: Floats = field(default_factory=lambda: np.zeros((0, 0)))  # (H, G) USD, inventory at cost
    wip: Floats = field(default_factory=lambda: np.zeros((0, 0)))  # (R, LAGS) kg throughput by week of completion
    wip_cost: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    sea: Floats = field(default_factory=lambda: np.zeros((0, 0)))  # (B, WEEKS) kg by week of arrival
    sea_cost: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    on_order: Floats = field(default_factory=lambda: np.zeros(0))  # (B,)
    # plans and expectations
    plan: Floats = field(default_factory=lambda: np.zeros(0))  # (R,) kg a week
    run_rate: Floats = field(default_factory=lambda: np.zeros(0))  # (R,) kg this week, after outages and holidays
    plan_override: Floats = field(default_factory=lambda: np.zeros(0))  # (site,) share of capability, NaN = own rule
    hold: Floats = field(default_factory=lambda: np.zeros(0))  # (S,) share of the offer withheld
    order_scale: Floats = field(default_factory=lambda: np.zeros(0))  # (B,) factor on target cover
    manual_bid: Floats = field(default_factory=lambda: np.zeros((0, 0)))  # (B, 3) kg, USD/kg, weeks left
    manual_ask: Floats = field(default_factory=lambda: np.zeros((0, 0)))  # (S, 3)
    site_on: Floats = field(default_factory=lambda: np.zeros(0))  # 1 running, 0 idle, (0, 1) restarting
    site_restart_week: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    site_ramp: Floats = field(default_factory=lambda: np.zeros(0))
    site_limit: Floats = field(default_factory=lambda: np.zeros(0))  # outside limits on output, share of nameplate
    site_nameplate: Floats = field(default_factory=lambda: np.zeros(0))  # kg a week
    site_recovery: Floats = field(default_factory=lambda: np.zeros(0))
    site_cost: Floats = field(default_factory=lambda: np.zeros(0))  # USD/kg
    ramp_from: Floats = field(default_factory=lambda: np.zeros((0, 0)))  # (site, 4) start week, t50, spread, umax
    outage_left: Floats = field(default_factory=lambda: np.zeros(0))
    margin: Floats = field(default_factory=lambda: np.zeros(0))  # (R,) USD/kg smoothed
    margin_base: Floats = field(default_factory=lambda: np.zeros(0))  # (R,) at the opening, at most zero
    flow: Floats = field(default_factory=lambda: np.zeros(0))  # (S,) smoothed weekly make
    sale_price: Floats = field(default_factory=lambda: np.zeros(0))  # (S,) smoothed price received
    support: Floats = field(default_factory=lambda: np.zeros(0))  # (S,) USD/kg a floor adds to what a seller gets
    soe_cap: Floats = field(default_factory=lambda: np.zeros(0))  # (S,) price target of an SOE, NaN = none
    sales: Floats = field(default_factory=lambda: np.zeros(0))  # (S,) smoothed weekly sales
    share: Floats = field(default_factory=lambda: np.zeros(0))  # (S,) share of wants that come to this seller
    wants: Floats = field(default_factory=lambda: np.zeros(0))  # (G,) smoothed weekly wants of all buyers
    expected_use: Floats = field(default_factory=lambda: np.zeros(0))  # (B,) kg a week
    cover_target: Floats = field(default_factory=lambda: np.zeros(0))  # (B,) weeks
    s_cover_target: Floats = field(default_factory=lambda: np.zeros(0))  # (S,) weeks
    transit_mean: Floats = field(default_factory=lambda: np.zeros(0))  # (B,) weeks, of usual supply
    risk: Floats = field(default_factory=lambda: np.zeros((0, 0)))  # (G, N) perceived risk, 0-1
    alarm: Floats = field(default_factory=lambda: np.zeros((0, 0)))  # (G, N)
    # prices
    ref_origin: Floats = field(default_factory=lambda: np.zeros((0, 0)))  # (G, N) what sellers expect
    ref_dest: Floats = field(default_factory=lambda: np.zeros((0, 0)))  # (G, N) what buyers expect, delivered
    fundamental: Floats = field(default_factory=lambda: np.zeros(0))  # (G,) Chinese domestic level
    index_price: Floats = field(default_factory=lambda: np.zeros((0, 0, 0)))  # (KINDS, G, N)
    index_volume: Floats = field(default_factory=lambda: np.zeros((0, 0, 0)))
    ask_quote: Floats = field(default_factory=lambda: np.zeros(0))  # (G,) European ask
    mean_origin: Floats = field(default_factory=lambda: np.zeros((0, 0)))  # (G, N) 13-week mean of deals
    mean_dest: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    hub_history: Floats = field(default_factory=lambda: np.zeros((0, 0)))  # (9, G) domestic level, last nine weeks
    anchor: Floats = field(default_factory=lambda: np.zeros((0, 0)))  # (G, N) trust in the fundamental, 0-1
    year_mean: Floats = field(default_factory=lambda: np.zeros(0))  # (G,) 52-week mean at the hub
    ref0_origin: Floats = field(
        default_factory=lambda: np.zeros((0, 0))
    )  # opening levels: value in use is calibrated there
    ref0_dest: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    long_mean: Floats = field(default_factory=lambda: np.zeros((0, 0)))  # (G, N) three-year mean
    dual_guess: Floats = field(default_factory=lambda: np.zeros((0, 0)))  # (G, N)
    rent: Floats = field(default_factory=lambda: np.zeros((0, 0, 0)))  # (G, N, N) last rent of capped lanes
    supply_trend: Floats = field(default_factory=lambda: np.zeros(0))  # (G,) oxides, kg a week
    use_trend: Floats = field(default_factory=lambda: np.zeros(0))
    balance_base: Floats = field(default_factory=lambda: np.zeros(0))
    unmet: Floats = field(default_factory=lambda: np.zeros((0, 0)))  # (G, N) smoothed share of controlled demand unmet
    # uses
    intensity: Floats = field(default_factory=lambda: np.zeros(0))  # (U,)
    intensity_floor: Floats = field(default_factory=lambda: np.zeros(0))
    switched: Floats = field(default_factory=lambda: np.zeros(0))  # (X,) share of the use gone to the substitute
    price_felt: Floats = field(default_factory=lambda: np.zeros(0))  # (U,)
    use_noise: Floats = field(default_factory=lambda: np.zeros(0))
    demand_scale: Floats = field(default_factory=lambda: np.zeros(0))  # (U,) shocks from scenarios
    running_level: Floats = field(
        default_factory=lambda: np.zeros(0)
    )  # (U,) half-year mean of use: what overheads are sized for
    structural_use: Floats = field(default_factory=lambda: np.zeros(0))  # (U,) kg a week at opening prices
    stopped_weeks: Floats = field(default_factory=lambda: np.zeros(0))
    # money
    cash: Floats = field(default_factory=lambda: np.zeros(0))  # (P,)
    debt: Floats = field(default_factory=lambda: np.zeros(0))
    plant: Floats = field(default_factory=lambda: np.zeros(0))  # (P,) net fixed assets
    equity_in: Floats = field(default_factory=lambda: np.zeros(0))  # paid-in capital and opening equity
    retained: Floats = field(default_factory=lambda: np.zeros(0))
    quarter_book: Floats = field(default_factory=lambda: np.zeros((0, 0)))  # (P, ITEMS)
    sales_year: Floats = field(default_factory=lambda: np.zeros(0))  # smoothed yearly sales
    dry_weeks: Floats = field(default_factory=lambda: np.zeros(0))
    failures: Floats = field(default_factory=lambda: np.zeros(0))  # (P,) defaults so far
    closed: Floats = field(default_factory=lambda: np.zeros(0))  # (P,) 1 = wound up
    restructuring: Floats = field(default_factory=lambda: np.zeros(0))  # weeks left, 0 = healthy
    # policy, all by value
    tariff: Floats = field(default_factory=lambda: np.zeros((0, 0, 0)))  # (G, N importer, N origin)
    export_tax: Floats = field(default_factory=lambda: np.zeros((0, 0)))  # (G, N)
    knowhow: Floats = field(default_factory=lambda: np.zeros((0, 0)))  # (N, 4 stages)
    made_total: Floats = field(default_factory=lambda: np.zeros((0, 0)))  # (N, 4) cumulated output
    policy_stale: float = 0.0
    usual_flow: Floats = field(default_factory=lambda: np.zeros((0, 0, 0)))  # (G, N, D) smoothed trade, kg a week
    week_flow: Floats = field(default_factory=lambda: np.zeros((0, 0, 0)))  # (G, N, D) this week's
    week_need: Floats = field(default_factory=lambda: np.zeros(0))  # (B,) order sizes of this week
    week_earned: Floats = field(default_factory=lambda: np.zeros(0))  # (S,) USD
    week_received: Floats = field(default_factory=lambda: np.zeros(0))  # (B,) kg
    week_arrived: Floats = field(default_factory=lambda: np.zeros(0))  # (B,) kg
    week_volume: Floats = field(default_factory=lambda: np.zeros((0, 0, 0)))  # (KINDS, G, N) kg
    week_made: Floats = field(default_factory=lambda: np.zeros(0))  # (S,)
    week_sold: Floats = field(default_factory=lambda: np.zeros(0))  # (S,) to other parties
    week_used_own: Floats = field(default_factory=lambda: np.zeros(0))  # (S,) drawn or moved on inside the party
    instruments: list[Any] = field(default_factory=list)
    contracts: Any = None
    licences: Any = None
    projects: list[Any] = field(default_factory=list)
    mail: list[Any] = field(default_factory=list)
    news: list[Any] = field(default_factory=list)
    next_ids: dict[str, int] = field(default_factory=dict)
    week_stopped: Floats = field(default_factory=lambda: np.zeros(0))  # (U,) last week a fifth of the use was missing
    last_event: dict[str, str] = field(default_factory=dict)

    def copy(self) -> State:
        """A fork of the state: arrays, lists and objects copied, values that never change shared."""
        return _twin(self)  # type: ignore[no-any-return]

    def digest(self) -> str:
        """Hash of everything in the state; equal hashes mean the same world."""
        h = hashlib.sha256()
        for f in fields(self):
            value = getattr(self, f.name)
            h.update(f.name.encode())
            _feed(h, value)
        return h.hexdigest()


def _twin(value: Any) -> Any:  # noqa: ANN401 - whatever a state holds
    """A copy that shares only what never changes: numbers, text, tuples, commands."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, list):
        return [_twin(x) for x in value]
    if isinstance(value, dict):
        return {key: _twin(x) for key, x in value.items()}
    names = getattr(value, "__dataclass_fields__", None)
    if names is None:
        return value
    twin = object.__new__(type(value))
    for name in names:
        part = getattr(value, name)
        setattr(twin, name, part if type(part) in PLAIN else _twin(part))
    return twin


def _feed(h: hashlib._Hash, value: object) -> None:
    """Add a value to a hash: arrays by their bytes, containers and dataclasses by their parts."""
    if isinstance(value, np.ndarray):
        h.update(np.ascontiguousarray(value).tobytes())
    elif is_dataclass(value):
        for f in fields(value):
            _feed(h, getattr(value, f.name))
    elif isinstance(value, dict):
        for key, item in value.items():
            h.update(repr(key).encode())
            _feed(h, item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _feed(h, item)
    else:
        h.update(repr(value).encode())


@dataclass(slots=True, eq=False)
class World:
    """A structure, a state, a seed and the log of what happened."""

    structure: Structure
    state: State
    seed: int
    start: date
    record: Record
    pending: list[Any] = field(default_factory=list)  # dated events still to come: (week, event)
    inbox: list[Any] = field(default_factory=list)  # commands of people and logs for this week: (actor, body, origin)
    memo: dict[str, Any] = field(default_factory=dict)  # published values of this week, worked out once
    dated: tuple[int, Floats, Floats] | None = None  # (edge, tariffs, export taxes) since the last table edge
    last_desk: Any = None  # the desk of the last week cleared, for explanations
    used_cost: Floats = field(default_factory=lambda: np.zeros(0))  # (U,) book value of what users drew this week
    lost_cost: Floats = field(default_factory=lambda: np.zeros(0))  # (P,) book value written off this week

    @property
    def week(self) -> int:
        """Weeks since the recorded start; negative while burning in."""
        return self.state.week

    @property
    def date(self) -> date:
        """Monday of the week to come."""
        return week_date(self.start, self.state.week)

    @property
    def params(self) -> dict[str, float]:
        """Parameters of the model."""
        return self.structure.params

    def once(self, key: str, make: Callable[[World], Any]) -> Any:  # noqa: ANN401 - what `make` returns
        """A value that is the same for all seats of a week, worked out the first time it is asked for."""
        if self.memo.get("week") != self.week:
            self.memo = {"week": self.week}
        if key not in self.memo:
            self.memo[key] = make(self)
        return self.memo[key]

    def state_hash(self) -> str:
        """Hash of the state; equal hashes mean the same world."""
        return self.state.digest()

    def fork(self) -> World:
        """An independent world with the same past; the structure is shared."""
        twin = World(self.structure, self.state.copy(), self.seed, self.start, self.record.fork(), list(self.pending))
        twin.last_desk = self.last_desk
        twin.dated = self.dated  # never changed in place
        return twin
