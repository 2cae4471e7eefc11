"""Price floor as a contract: pay = max(0, F - R) x (sold + k x stockpiled); clawback above a mark, capped a year."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from env.body import Body, Price, SomePrice, Tonnes
from env.calendar import WEEKS_PER_YEAR, is_quarter_start
from env.instruments.base import Handler, Rule
from env.quotes import DOMESTIC
from env.spec import NonNegative, Share

if TYPE_CHECKING:
    from env.books import Ledger
    from env.world import Bools, World


class OfferFloor(Body):
    """One-way price floor for a seller: pays max(0, floor - reference) on kilograms sold and stockpiled.

    Above `upside_above` the state takes `upside_share` of the difference, at most `upside_cap_usd` a year.
    """

    kind: Literal["offer_floor"] = "offer_floor"
    to: str
    good: str
    floor_usd_per_kg: SomePrice
    start: date
    years: Annotated[float, Field(gt=0, le=40)] = 10.0
    upside_above_usd_per_kg: Price = 0.0
    upside_share: Share = 0.0
    upside_cap_usd: NonNegative = 0.0
    stockpiled_share: Share = 1.0
    eligible_t_per_year: Tonnes = 0.0


class PriceFloor(Handler):
    """Settlement by quarter and at the end, against the leading domestic index ex VAT (mean of the weeks)."""

    terms = OfferFloor
    sent_by = ("state", "defence", "agency")
    offered = True

    def scope(self, rule: Rule) -> tuple[object, ...]:
        """One floor per seller and good."""
        return (rule.kind, rule.actor, rule.terms.to, rule.terms.good)

    def weekly(self, world: World, rule: Rule) -> None:
        """The seller plans with what the floor adds to the price it gets."""
        st, s, t = world.structure, world.state, rule.terms
        g = st.goods.index[t.good]
        s.support[self.slots(world, rule)] = max(0.0, t.floor_usd_per_kg - float(s.index_price[DOMESTIC, g, st.hub[g]]))

    def slots(self, world: World, rule: Rule) -> Bools:
        """Where the seller sells the good (S,)."""
        st, t = world.structure, rule.terms
        mine: Bools = (st.s_good == st.goods.index[t.good]) & (st.derived.s_party == st.parties.index[t.to])
        return mine

    def settle(self, world: World, rule: Rule, ledger: Ledger) -> None:
        """Count the week's kilograms and reference; pay at quarter's end."""
        st, s, t, total = world.structure, world.state, rule.terms, rule.totals
        g = st.goods.index[t.good]
        seller = st.parties.index[t.to]
        mine = self.slots(world, rule)
        made = float(s.week_made[mine].sum())
        sold = float(s.week_sold[mine].sum())
        # own use further down the chain counts as sold, as in the published agreement on all production
        own = float(s.week_used_own[mine].sum())
        stocked = max(0.0, made - sold - own)
        kg = sold + own + t.stockpiled_share * stocked
        if t.eligible_t_per_year > 0.0:
            kg = min(kg, t.eligible_t_per_year * 1e3 / WEEKS_PER_YEAR)
        reference = s.index_price[DOMESTIC, g, st.hub[g]]
        total["kg"] = total.get("kg", 0.0) + kg
        total["reference_sum"] = total.get("reference_sum", 0.0) + float(reference)
        total["weeks"] = total.get("weeks", 0.0) + 1.0
        last = rule.end is not None and world.week + 1 >= rule.end
        if not last and (not is_quarter_start(world.date) or total["weeks"] < 2):
            return
        mean = total["reference_sum"] / total["weeks"]
        state = st.parties.index[rule.actor]
        pay = max(0.0, t.floor_usd_per_kg - mean) * total["kg"]
        ledger.one(state, seller, pay, "floor_payment", rule.id)
        # the year of the weeks that are settled: the first Monday of January still settles the year before
        year = float((world.date - timedelta(weeks=1)).year)
        if total.get("year") != year:
            total["clawed_year"] = 0.0
        back = 0.0
        if t.upside_share > 0.0 and mean > t.upside_above_usd_per_kg > 0.0:
            back = t.upside_share * (mean - t.upside_above_usd_per_kg) * total["kg"]
            if t.upside_cap_usd > 0.0:
                back = min(back, max(0.0, t.upside_cap_usd - total["clawed_year"]))
            ledger.one(seller, state, back, "floor_clawback", rule.id)
        total["clawed_year"] += back
        total.update(year=year, kg=0.0, reference_sum=0.0, weeks=0.0)
        total["paid"] = total.get("paid", 0.0) + pay
        total["clawed"] = total.get("clawed", 0.0) + back
