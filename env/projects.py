"""Projects: study, permit, finance, build, commission, ramp.  Announced dates are plans; time and money slip.

Stages before finance pass by themselves; the final investment decision needs its owner's `advance_project`.
Building spends the budget with its overrun week by week.  A new plant ramps along a logistic curve whose speed,
recovery and cost follow the know-how of its place and stage; some ramps fail.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from env.calendar import WEEKS_PER_YEAR, week_index
from env.streams import stream

if TYPE_CHECKING:
    from env.books import Ledger
    from env.world import Structure, World

STAGES = ("study", "permit", "finance", "build", "commission", "ramp", "cancelled")
LEARNING_STAGES = ("separation_light", "separation_heavy", "metal", "magnet")
#: mean weeks of study, permit, finance, build, commission where know-how is full (costs_leadtimes.csv rows)
MEAN_WEEKS = {
    "mine": (104, 156, 26, 104, 13),
    "separation_light": (52, 52, 26, 91, 26),
    "separation_heavy": (52, 52, 26, 91, 26),
    "metal": (26, 26, 26, 65, 13),
    "magnet": (26, 26, 26, 65, 13),
    "recycling": (26, 26, 26, 52, 13),
    "byproduct": (26, 26, 26, 52, 13),
}
FAILED_RAMP = 0.3
FULL_RAMP = 0.95
RAMP_DONE = 0.9
#: USD per tonne of yearly nameplate where a table has no capex (costs_leadtimes.csv, order of magnitude)
CAPEX_PER_T = {
    "mine": 40_000,
    "separation_light": 50_000,
    "separation_heavy": 60_000,
    "metal": 30_000,
    "magnet": 100_000,
    "recycling": 60_000,
    "byproduct": 50_000,
}
EXPANSION_WEEKS = {
    "permit": 13.0,
    "build": 0.5,
    "commission": 0.3,
}  # permit in weeks; the rest as part of a new plant's
EXPANSION_DISCOUNT = 0.3  # of greenfield capex: Chinese brownfield lines (JL MAG: USD 9,300 per t against 100,000)


@dataclass(slots=True)
class Project:
    """One project.  `weeks_left` counts down within the stage; `budget_usd` without, `spent_usd` with overrun."""

    id: str
    site: int
    owner: int
    stage: str
    weeks_left: float
    budget_usd: float
    overrun: float
    slip: float
    add_kg_week: float  # extra nameplate of an expansion; 0 = a new site
    spent_usd: float = 0.0
    build_weeks: float = 1.0
    decided: bool = False
    announced_week: int = 10**6


def capex_of(st: Structure, site: int, tonnes: float, *, expansion: bool) -> float:
    """Budget in USD for a new site or an expansion of `tonnes` a year."""
    spec = next(x for x in st.spec.sites if x.code == st.sites.codes[site])
    if spec.capex_usd > 0 and spec.nameplate_t > 0:
        per_t = spec.capex_usd / spec.nameplate_t
    else:
        per_t = float(CAPEX_PER_T[spec.stage])
        if expansion:
            per_t *= EXPANSION_DISCOUNT
    return per_t * tonnes


def stage_weeks(st: Structure, knowhow: float, site_stage: str) -> tuple[float, ...]:
    """Mean weeks of the five stages; building takes twice as long without know-how."""
    means = MEAN_WEEKS[site_stage]
    slow = 1.0 + (1.0 - knowhow if site_stage in LEARNING_STAGES else 0.0)
    return (means[0], means[1], means[2], means[3] * slow, means[4] * slow)


def knowhow_of(world: World, site: int) -> float:
    """Know-how (0-1) that a site's place has for its stage; mines need none of the four."""
    st, s = world.structure, world.state
    stage = st.site_stage[site]
    return float(s.knowhow[st.site_node[site], LEARNING_STAGES.index(stage)]) if stage in LEARNING_STAGES else 1.0


def opening_projects(st: Structure) -> list[Project]:
    """Planned sites of the tables, each in the stage that its announced start leaves time for.

    Slips and overruns are drawn later (`draw_luck`), once the world has its seed.
    """
    out = []
    for i, code in enumerate(st.sites.codes):
        spec = next(x for x in st.spec.sites if x.code == code)
        if spec.status != "planned" or spec.nameplate_t <= 0:
            continue
        announced = week_index(st.spec.start, spec.announced_start or date(2032, 1, 1))
        out.append(_planned(st, i, announced))
    return out


def _planned(st: Structure, site: int, announced: int) -> Project:
    code, stage = st.sites.codes[site], st.site_stage[site]
    node = st.nodes.codes[st.site_node[site]]
    k = st.spec.knowhow.get(f"{node}.{stage}", 0.3 if stage in LEARNING_STAGES else 1.0)
    weeks = stage_weeks(st, k, stage)
    remaining = max(4.0, float(announced))
    now, left = STAGES[4], remaining
    # walk back from the start of production to the stage the announced date implies today
    for name, length in zip(("commission", "build", "finance", "permit", "study"), reversed(weeks), strict=True):
        now, left = name, min(remaining, length)
        if remaining <= length:
            break
        remaining -= length
    tonnes = next(x for x in st.spec.sites if x.code == code).nameplate_t
    return Project(
        id=f"P_{code}",
        site=site,
        owner=int(st.site_party[site]),
        stage=now,
        weeks_left=left,
        budget_usd=capex_of(st, site, tonnes, expansion=False),
        overrun=float("nan"),
        slip=float("nan"),
        add_kg_week=0.0,
        decided=now in ("build", "commission"),
        announced_week=announced,
        build_weeks=weeks[3],
        spent_usd=_spent_so_far(st, site, now, left, weeks[3]),
    )


def _spent_so_far(st: Structure, site: int, stage: str, left: float, build_weeks: float) -> float:
    """Capex behind a project that is under construction at the start (USD)."""
    tonnes = float(st.nameplate_kg[site]) * 52 / 1e3
    share = {"build": max(0.0, 1.0 - left / build_weeks), "commission": 0.95}.get(stage, 0.0)
    return share * capex_of(st, site, tonnes, expansion=False)


def draw_luck(world: World, project: Project) -> None:
    """Slip of durations and overrun of cost, from the project's own stream."""
    p = world.params
    luck = stream(world.seed, "project", project.id)
    project.slip = float(np.exp(p["projects.slip_sigma"] * luck.standard_normal()) * 1.15)
    project.overrun = float(
        (1.0 + p["projects.overrun_median"]) * np.exp(p["projects.overrun_sigma"] * luck.standard_normal())
    )


def start(world: World, site: int, tonnes: float) -> Project:
    """Begin a project: the planned site, or an expansion by `tonnes` a year."""
    st, s = world.structure, world.state
    number = sum(1 for p in s.projects if p.site == site)
    expansion = tonnes > 0
    weeks = stage_weeks(st, knowhow_of(world, site), st.site_stage[site])
    project = Project(
        id=f"P_{st.sites.codes[site]}" + (f"_X{number}" if expansion else f"_{number}"), site=site,
        owner=int(st.site_party[site]), stage="permit" if expansion else "study",
        weeks_left=EXPANSION_WEEKS["permit"] if expansion else weeks[0],
        budget_usd=capex_of(st, site, tonnes or st.nameplate_kg[site] * 52 / 1e3, expansion=expansion),
        overrun=float("nan"), slip=float("nan"), add_kg_week=tonnes * 1e3 / 52, build_weeks=weeks[3], decided=expansion,
    )  # fmt: skip
    draw_luck(world, project)
    s.projects.append(project)
    return project


def advance(world: World, ledger: Ledger) -> list[tuple[str, Project]]:
    """One week of all projects.  Returns (what happened, project) for the news."""
    s = world.state
    happened: list[tuple[str, Project]] = []
    if world.week < 0 or world.structure.spec.still:
        return happened  # plans of 2025 do not move during burn-in, nor in a still world
    for project in s.projects:
        if project.stage in ("ramp", "cancelled"):
            continue
        if np.isnan(project.slip):
            draw_luck(world, project)
            project.weeks_left *= project.slip
        if project.stage == "finance" and not project.decided:
            continue
        if s.restructuring[project.owner] > 0 or s.closed[project.owner] > 0:
            continue  # nobody pays the builders
        if project.stage == "build":
            _spend(world, project, ledger)
        project.weeks_left -= 1.0
        if project.weeks_left <= 0.0:
            happened.append((_next_stage(world, project), project))
    return happened


def _next_stage(world: World, project: Project) -> str:
    st = world.structure
    expansion = project.add_kg_week > 0
    # an expansion was decided when it was started: it goes from permit to building
    project.stage = "build" if expansion and project.stage == "permit" else STAGES[STAGES.index(project.stage) + 1]
    weeks = dict(
        zip(STAGES[:5], stage_weeks(st, knowhow_of(world, project.site), st.site_stage[project.site]), strict=True)
    )
    part = EXPANSION_WEEKS.get(project.stage, 1.0) if expansion else 1.0
    if project.stage == "build":
        project.build_weeks = project.weeks_left = max(8.0, weeks["build"] * part * project.slip)
    elif project.stage == "ramp":
        _open(world, project)
    else:
        project.weeks_left = weeks[project.stage] * part * project.slip
    return project.stage


def _spend(world: World, project: Project, ledger: Ledger) -> None:
    """Pay this week's part of the budget, by debt, cash at hand, and new equity for the rest."""
    s, p = world.state, world.params
    total = project.budget_usd * project.overrun
    due = min(total / max(project.build_weeks, 1.0), max(0.0, total - project.spent_usd))
    if due <= 0.0:
        return
    owner = project.owner
    ledger.one(0, owner, due * p["finance.project_debt"], "debt_drawn", project.id)
    own = due * (1.0 - p["finance.project_debt"])
    if s.cash[owner] < own + 0.25 * s.sales_year[owner]:
        ledger.one(0, owner, own, "equity", project.id)
    ledger.one(owner, 0, due, "capex", project.id)
    project.spent_usd += due


def _open(world: World, project: Project) -> None:
    """Production starts: ramp, recovery and cost by know-how."""
    st, s, p = world.structure, world.state, world.params
    i, k = project.site, knowhow_of(world, project.site)
    if project.add_kg_week > 0:
        s.site_nameplate[i] += project.add_kg_week
        return
    best, middle = p["projects.ramp_t50_best_weeks"], p["projects.ramp_t50_weeks"]
    t50 = best + (middle - best) * (1.0 - k) / 0.5
    fail = p["projects.failure"] * (1.0 - k) / 0.5
    top = FAILED_RAMP if stream(world.seed, "ramp", project.id).random() < fail else FULL_RAMP
    s.site_on[i] = 1.0
    s.ramp_from[i] = (world.week, t50, max(t50 / 4.0, 4.0), top)
    _own_feed(world, i)
    s.site_recovery[i] = 1.0 - p["knowhow.recovery_penalty"] * (1.0 - k) * (st.site_stage[i] != "magnet")
    s.site_cost[i] = st.variable_cost[i] * (1.0 + (p["knowhow.cost_penalty"] - 1.0) * (1.0 - k))


def _own_feed(world: World, site: int) -> None:
    """A new plant takes what its own firm makes: programme contracts inside the firm, at transfer."""
    st, s = world.structure, world.state
    party = st.site_party[site]
    for (holder, good), buyer in st.buy_slot.items():
        if holder != site:
            continue
        for (other, made), seller in st.sell_slot.items():
            mine = made == good and other != site and st.holder_party[other] == party and st.holder_site[other] >= 0
            if mine and st.lane_open[good, st.holder_node[other], st.site_node[site]]:
                number = s.next_ids["contract"]
                s.next_ids["contract"] = number + 1
                s.contracts.add(
                    f"C{number}", seller_slot=seller, buyer_slot=buyer, kg=float(s.site_nameplate[site]), share=1.0,
                    min_take=0.0, rolling=1, captive=1, rule=1, factor=1.0, lag=4.0,
                    index_mean=s.ref_origin[good, st.hub[good]], signed=world.week, start=world.week, end=10**6,
                    status=1,
                )  # fmt: skip


def learn(world: World, started: np.ndarray) -> None:
    """Know-how grows with each doubling of cumulated output and fades where a stage stands still."""
    st, s, p = world.structure, world.state, world.params
    by_site = np.bincount(st.r_site, weights=started, minlength=len(st.sites))
    made = np.zeros_like(s.knowhow)
    for j in range(len(LEARNING_STAGES)):
        rows = st.derived.learning_sites[j]
        np.add.at(made[:, j], st.site_node[rows], by_site[rows])
    total = s.made_total + made
    doublings = np.log2(np.divide(total, s.made_total, out=np.ones_like(total), where=s.made_total > 0))
    doublings = np.where((s.made_total <= 0) & (made > 0), 0.05, np.minimum(doublings, 0.05))
    s.knowhow += p["knowhow.learning"] * (1.0 - s.knowhow) * doublings
    s.knowhow = np.where(made > 0, s.knowhow, s.knowhow * (1.0 - p["knowhow.decay"] / WEEKS_PER_YEAR))
    s.made_total = total
