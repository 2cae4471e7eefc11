"""The ledger: the only place where money moves.

Every payment names payer, payee, amount, reason and a reference; they sum to zero over all parties and the
outside account.  Books by party: cash, debt, inventory at cost, plant, equity; a quarter's income statement.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from env.axes import sums
from env.calendar import is_quarter_start
from env.streams import stream
from env.world import Floats, Ints

if TYPE_CHECKING:
    from env.world import World

REASONS = (
    "goods",
    "freight",
    "export_handling",
    "export_duty",
    "import_tariff",
    "variable_cost",
    "fixed_cost",
    "product_sales",
    "overhead",
    "interest",
    "debt_drawn",
    "debt_repaid",
    "dividend",
    "equity",
    "capex",
    "state_support",
    "floor_payment",
    "floor_clawback",
    "tailings_cost",
    "writedown",
    "grant",
    "penalty",
    "prepayment",
)
REASON = {name: i for i, name in enumerate(REASONS)}
#: income-statement column of a payment, for the payer and for the payee (see BOOK_ITEMS in env.build)
(
    REVENUE,
    COGS,
    VARIABLE,
    FIXED,
    FREIGHT,
    INTEREST,
    SUPPORT,
    OTHER,
    DEPRECIATION,
    CAPEX,
    DIVIDENDS,
    EQUITY,
    DRAWN,
    REPAID,
) = range(14)
OUTSIDE = 0
PLANT_LIFE_YEARS = 15.0
REPAYMENT_SHARE = 0.25  # share of spare cash that goes to lenders in a quarter
SPONSOR_WEEKS = 156  # of a ramp
CREDIT_WEEKS = 4.0  # of fixed cost and interest a draw covers beyond the gap


@dataclass(slots=True, eq=False)
class Ledger:
    """Payments of one week, kept as arrays until they are booked."""

    payer: list[Ints] = field(default_factory=list)
    payee: list[Ints] = field(default_factory=list)
    usd: list[Floats] = field(default_factory=list)
    reason: list[int] = field(default_factory=list)
    ref: list[str] = field(default_factory=list)

    def pay(
        self, payer: Ints | int, payee: Ints | int, usd: Floats, reason: str, n_parties: int, ref: str = ""
    ) -> None:
        """Book many payments of one reason, summed by pair of parties; only sums above 0 are booked.

        A party given as a number stands for all rows.
        """
        if isinstance(payer, int):
            total = sums(np.asarray(payee), usd, n_parties)
            to = np.flatnonzero(total > 0.0)
            from_, amount = np.full(len(to), payer, dtype=np.int64), total[to]
        elif isinstance(payee, int):
            total = sums(payer, usd, n_parties)
            from_ = np.flatnonzero(total > 0.0)
            to, amount = np.full(len(from_), payee, dtype=np.int64), total[from_]
        else:
            some = usd != 0.0
            pairs, inverse = np.unique(payer[some] * n_parties + payee[some], return_inverse=True)
            amount = sums(inverse, usd[some], len(pairs))
            keep = amount > 0.0
            from_, to, amount = pairs[keep] // n_parties, pairs[keep] % n_parties, amount[keep]
        if len(amount):
            self.payer.append(from_)
            self.payee.append(to)
            self.usd.append(amount)
            self.reason.append(REASON[reason])
            self.ref.append(ref)

    def one(self, payer: int, payee: int, usd: float, reason: str, ref: str = "") -> None:
        """Book one payment."""
        if usd > 0.0:
            self.payer.append(np.array([payer]))
            self.payee.append(np.array([payee]))
            self.usd.append(np.array([usd]))
            self.reason.append(REASON[reason])
            self.ref.append(ref)


#: how a payment enters the income statement: (item of the payer, sign), (item of the payee, sign)
ENTRY: dict[str, tuple[tuple[int, float] | None, tuple[int, float] | None]] = {
    "goods": (None, (REVENUE, 1.0)),  # the buyer's side becomes inventory
    # the next five become part of inventory cost: the payer's side is a memo of cash spent, no item of income
    "freight": ((FREIGHT, -1.0), (OTHER, 1.0)),
    "export_handling": ((FREIGHT, -1.0), (OTHER, 1.0)),
    "export_duty": ((FREIGHT, -1.0), (OTHER, 1.0)),
    "import_tariff": ((FREIGHT, -1.0), (OTHER, 1.0)),
    "variable_cost": ((VARIABLE, -1.0), (OTHER, 1.0)),
    "fixed_cost": ((FIXED, -1.0), (OTHER, 1.0)),
    "product_sales": ((OTHER, -1.0), (REVENUE, 1.0)),
    "overhead": ((FIXED, -1.0), (OTHER, 1.0)),
    "interest": ((INTEREST, -1.0), (OTHER, 1.0)),
    "debt_drawn": (None, (DRAWN, 1.0)),
    "debt_repaid": ((REPAID, -1.0), None),
    "dividend": ((DIVIDENDS, -1.0), (OTHER, 1.0)),
    "equity": ((OTHER, -1.0), (EQUITY, 1.0)),
    "capex": ((CAPEX, -1.0), (OTHER, 1.0)),
    "state_support": ((OTHER, -1.0), (SUPPORT, 1.0)),
    "floor_payment": ((OTHER, -1.0), (SUPPORT, 1.0)),
    "floor_clawback": ((SUPPORT, -1.0), (OTHER, 1.0)),
    "tailings_cost": ((OTHER, -1.0), (OTHER, 1.0)),
    "writedown": ((OTHER, -1.0), None),
    "grant": ((OTHER, -1.0), (SUPPORT, 1.0)),
    "penalty": ((OTHER, -1.0), (OTHER, 1.0)),
    "prepayment": ((OTHER, -1.0), (SUPPORT, 1.0)),
}
INCOME_ITEMS = (REVENUE, COGS, FIXED, INTEREST, SUPPORT, OTHER, DEPRECIATION)


def post(world: World, ledger: Ledger) -> tuple[Ints, Ints, Floats, Ints]:
    """Move the cash of a week's payments and enter them in the books.  Returns the rows for the record."""
    st, s = world.structure, world.state
    n = len(st.parties)
    if not ledger.usd:
        empty = np.zeros(0, np.int64)
        return empty, empty, np.zeros(0), empty
    payer, payee, usd = np.concatenate(ledger.payer), np.concatenate(ledger.payee), np.concatenate(ledger.usd)
    reason = np.repeat(np.array(ledger.reason), [len(x) for x in ledger.usd])
    s.cash -= np.bincount(payer, weights=usd, minlength=n)
    s.cash += np.bincount(payee, weights=usd, minlength=n)
    for name, (out, into) in ENTRY.items():
        rows = reason == REASON[name]
        if not rows.any():
            continue
        if out is not None:
            s.quarter_book[:, out[0]] += out[1] * np.bincount(payer[rows], weights=usd[rows], minlength=n)
        if into is not None:
            s.quarter_book[:, into[0]] += into[1] * np.bincount(payee[rows], weights=usd[rows], minlength=n)
        if name == "debt_drawn":
            s.debt += np.bincount(payee[rows], weights=usd[rows], minlength=n)
        elif name == "debt_repaid":
            s.debt -= np.bincount(payer[rows], weights=usd[rows], minlength=n)
        elif name == "equity":
            s.equity_in += np.bincount(payee[rows], weights=usd[rows], minlength=n)
        elif name == "capex":
            s.plant += np.bincount(payer[rows], weights=usd[rows], minlength=n)
    return payer, payee, usd, reason


def inventory(world: World) -> Floats:
    """Inventory at cost by party (P,) USD: stock, work in progress, goods at sea."""
    st, s = world.structure, world.state
    n = len(st.parties)
    total = sums(st.holder_party, s.cost.sum(axis=1), n)
    total += sums(st.site_party[st.r_site], s.wip_cost.sum(axis=1), n)
    return total + sums(st.derived.b_party, s.sea_cost.sum(axis=1), n)


def earn(world: World, before: Floats) -> None:
    """Add the week's result (income items less dividends since `before`, (P, ITEMS)) to retained earnings."""
    s = world.state
    change = s.quarter_book - before
    s.retained += change[:, list(INCOME_ITEMS)].sum(axis=1) + change[:, DIVIDENDS]


def interest_and_credit(world: World, ledger: Ledger) -> None:
    """Interest on debt; firms short of cash draw on their line, firms with plenty pay debt down a little."""
    st, s, p = world.structure, world.state, world.params
    private = st.derived.borrows
    rows = np.flatnonzero((s.debt > 0) & (s.restructuring <= 0))
    due = s.debt * st.party_rate / 52.0
    ledger.pay(rows, OUTSIDE, due[rows], "interest", len(st.parties))
    # while a firm without a running plant builds one, its lenders add the interest to the loan
    builders = rows[_only_building(world)[rows]]
    ledger.pay(OUTSIDE, builders, due[builders], "debt_drawn", len(st.parties), "capitalised interest")
    line = p["finance.credit_line"] * s.sales_year
    base_debt = s.sales_year * 0.6 + s.plant  # what lenders accept as a whole
    short = np.flatnonzero(private & (s.cash < 0) & (s.debt < base_debt + line) & (s.restructuring <= 0))
    room = np.maximum(base_debt + line - s.debt, 0.0)
    fixed = np.bincount(st.site_party, weights=st.fixed_cost_week * (s.site_on > 0), minlength=len(s.cash))
    month = CREDIT_WEEKS * (s.debt * st.party_rate / 52.0 + fixed)
    ledger.pay(OUTSIDE, short, np.minimum(month - s.cash, room)[short], "debt_drawn", len(st.parties))


def _only_building(world: World) -> npt.NDArray[np.bool_]:
    """Parties that own no running plant and no final use, but a project under way (P,)."""
    st, s = world.structure, world.state
    n = len(st.parties)
    running = np.bincount(st.site_party, weights=s.site_on >= 1.0, minlength=n) > 0
    uses = np.bincount(st.holder_party[st.b_holder[st.u_slot]], minlength=n) > 0
    building = np.zeros(n, dtype=bool)
    building[[p.owner for p in s.projects if p.stage in ("finance", "build", "commission")]] = True
    return building & ~running & ~uses


def support(world: World, ledger: Ledger) -> None:
    """A state tops its own enterprises up when they run out of cash (soft budget)."""
    st, s = world.structure, world.state
    for i in np.flatnonzero(st.party_soft & (s.cash < 0)):
        owner = st.parties.index.get(st.derived.place[int(i)].lower(), OUTSIDE)
        if owner != i:  # a state has nobody above it
            ledger.one(owner, int(i), float(-s.cash[i] + 8.0 / 52.0 * s.sales_year[i]), "state_support")


def sponsor(world: World, ledger: Ledger) -> None:
    """Owners see a young plant through its ramp: equity covers the gap while its product earns more than it costs."""
    st, s = world.structure, world.state
    # a plant that stands on its ramp at the start, or stays there in a still world, has owners behind it too
    begun = np.where(np.isnan(s.ramp_from[:, 0]), s.week, s.ramp_from[:, 0])
    young = st.site_young | ~np.isnan(s.ramp_from[:, 0])
    ramping = young & (s.site_on >= 1.0) & (s.week - begun < SPONSOR_WEEKS)
    if not ramping.any():
        return
    earns = np.bincount(st.r_site, weights=np.maximum(s.margin, 0.0), minlength=len(st.sites)) > 0.0
    owners = np.unique(st.site_party[ramping & earns])
    rows = owners[
        (s.cash[owners] < 0.0) & (s.restructuring[owners] <= 0) & (s.closed[owners] <= 0) & ~st.party_soft[owners]
    ]
    fixed = np.bincount(st.site_party, weights=st.fixed_cost_week * (s.site_on > 0), minlength=len(s.cash))
    need = CREDIT_WEEKS * (fixed + s.debt * st.party_rate / 52.0) - s.cash
    ledger.pay(OUTSIDE, rows, need[rows], "equity", len(st.parties), "ramp-up")


def defaults(world: World) -> list[int]:
    """Firms that have been out of cash and credit too long default; returns their indices."""
    st, s, p = world.structure, world.state, world.params
    private = st.derived.is_firm
    dry = private & (s.cash < 0.0) & ~st.party_soft & (s.closed <= 0)
    s.dry_weeks = np.where(dry, s.dry_weeks + 1.0, 0.0)
    s.restructuring = np.maximum(s.restructuring - 1.0, 0.0)
    failed = [int(i) for i in np.flatnonzero((s.dry_weeks > p["finance.liquidity_weeks"]) & (s.restructuring <= 0))]
    return failed


def fail(world: World, party: int, ledger: Ledger) -> str:
    """What a default leads to: creditors take over and debt is written down; a second default of a firm winds it up.

    Aggregates and buyers stand for many firms: some change hands, the sector goes on.  Returns the fate in words.
    """
    st, s, p = world.structure, world.state, world.params
    s.failures[party] += 1.0
    many = bool(st.derived.many_firms[party])
    winding_up = s.failures[party] >= 2.0 and not many
    loss = s.debt[party] * (1.0 if winding_up else 1.0 - p["finance.debt_recovery"])
    s.debt[party] -= loss
    s.equity_in[party] += loss  # creditors become owners
    s.restructuring[party] = p["finance.restructuring_weeks"]
    s.dry_weeks[party] = 0.0
    need = max(0.0, -s.cash[party])
    mine = st.site_party == party
    if winding_up:
        ledger.one(OUTSIDE, party, float(need), "equity", "winding up")
        s.closed[party] = 1.0
        s.site_on[mine] = 0.0
        for project in s.projects:
            if project.owner == party and project.stage != "ramp":
                project.stage = "cancelled"
        return "it is wound up"
    ledger.one(OUTSIDE, party, float(need + 8.0 / 52.0 * s.sales_year[party]), "equity", "restructuring")
    if many:
        return "the weak change hands; output goes on"
    goes_on = stream(world.seed, "default", st.parties.codes[party], s.week).random() < p["finance.output_continues"]
    if not goes_on:
        s.site_on[mine] = 0.0
    return "output goes on" if goes_on else "output stops"


def dividends(world: World, ledger: Ledger) -> None:
    """In a quarter's last week firms repay debt and pay out part of a gain from cash above half a year of sales."""
    st, s, p = world.structure, world.state, world.params
    if not is_quarter_start(world.date + timedelta(weeks=1)):
        return
    private = st.derived.is_firm & (s.closed <= 0)
    net = s.quarter_book[:, list(INCOME_ITEMS)].sum(axis=1) + _coming(world, ledger)
    spare = s.cash - 0.5 * s.sales_year
    repay = np.where(private & (spare > 0), np.minimum(s.debt, REPAYMENT_SHARE * spare), 0.0)
    rows = np.flatnonzero(repay > 0)
    ledger.pay(rows, OUTSIDE, repay[rows], "debt_repaid", len(st.parties))
    spare -= repay
    pay = np.where(private & (net > 0) & (spare > 0), np.minimum(p["finance.dividend"] * net, spare), 0.0)
    rows = np.flatnonzero(pay > 0)
    ledger.pay(rows, OUTSIDE, pay[rows], "dividend", len(st.parties))


def _coming(world: World, ledger: Ledger) -> Floats:
    """Income (P,) USD of the week that is not in the books yet: its payments, material used, stock written off."""
    st = world.structure
    n = len(st.parties)
    out = -sums(st.derived.u_party, world.used_cost, n) - world.lost_cost
    for payer, payee, usd, reason in zip(ledger.payer, ledger.payee, ledger.usd, ledger.reason, strict=True):
        paid, got = ENTRY[REASONS[reason]]
        if paid is not None and paid[0] in INCOME_ITEMS:
            out += paid[1] * sums(payer, usd, n)
        if got is not None and got[0] in INCOME_ITEMS:
            out += got[1] * sums(payee, usd, n)
    return out


def depreciate(world: World) -> None:
    """Weekly straight-line depreciation of plant."""
    s = world.state
    amount = s.plant / (PLANT_LIFE_YEARS * 52.0)
    s.plant -= amount
    s.quarter_book[:, DEPRECIATION] -= amount
