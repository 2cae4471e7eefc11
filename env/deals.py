"""Offers on the table and what becomes of them: a simple bilateral offtake, a price floor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from env import commands as c
from env.calendar import first_week_from, week_index
from env.contracts import ACTIVE, FIXED, FORMULA, INDEX, PENDING, find_slot
from env.events import note
from env.instruments import OfferFloor
from env.policy import start_rule

if TYPE_CHECKING:
    from env.world import World

OFFER_LAPSES_WEEKS = 26


@dataclass(slots=True)
class Offer:
    """An offer somebody has made: open until accepted, rejected, withdrawn or lapsed."""

    id: str
    sender: str
    to: str
    terms: Any
    week: int
    status: str = "open"


def _find(world: World, offer_id: str, to: str = "") -> Offer | None:
    """An offer by id; `from:PARTY` means the latest open one of that party to `to`."""
    sender = offer_id.removeprefix("from:")
    if sender != offer_id:
        return next(
            (o for o in reversed(world.state.mail) if o.sender == sender and o.to == to and o.status == "open"), None
        )
    return next((o for o in world.state.mail if o.id == offer_id), None)


def open_offers(world: World, party: str) -> list[Offer]:
    """Offers on a party's table, its own included."""
    return [o for o in world.state.mail if o.status == "open" and party in (o.sender, o.to)]


def lapse(world: World) -> None:
    """Offers nobody answered lapse; old closed ones are forgotten."""
    s = world.state
    for o in s.mail:
        if o.status == "open" and world.week - o.week > OFFER_LAPSES_WEEKS:
            o.status = "lapsed"
    if len(s.mail) > 400:
        s.mail = [o for o in s.mail if o.status == "open" or world.week - o.week < 52]


def _post(world: World, actor: str, cmd: c.OfferContract | OfferFloor) -> None:
    number = world.state.next_ids.get("offer", 1)
    world.state.next_ids["offer"] = number + 1
    world.state.mail.append(Offer(f"O{number}", actor, cmd.to, cmd, world.week))


def offer(world: World, actor: str, cmd: c.OfferContract, text: str) -> str | None:
    """Put an offtake on the other side's table; returns a reason when it cannot be."""
    st = world.structure
    if cmd.to not in st.parties.index or cmd.to == actor:
        return f"unknown partner {cmd.to!r}"
    if cmd.good not in st.goods.index:
        return f"unknown good {cmd.good!r}"
    for node in (cmd.seller_node, cmd.buyer_node):
        if node not in st.nodes.index:
            return f"unknown market node {node!r}"
    seller, buyer = (actor, cmd.to) if cmd.side == "sell" else (cmd.to, actor)
    if find_slot(st, seller, cmd.good, cmd.seller_node, sells=True) < 0:
        return f"{seller} sells no {cmd.good} at {cmd.seller_node}"
    if find_slot(st, buyer, cmd.good, cmd.buyer_node, sells=False) < 0:
        return f"{buyer} buys no {cmd.good} at {cmd.buyer_node}"
    if cmd.price_rule == "fixed" and cmd.price_usd_per_kg <= 0:
        return "a fixed price must be above zero"
    if week_index(st.spec.start, cmd.start) < world.week:
        return "the start lies in the past"
    _post(world, actor, cmd)
    return None


def offer_floor(world: World, actor: str, cmd: OfferFloor, text: str) -> str | None:
    """Put a price floor on a seller's table."""
    st = world.structure
    if cmd.to not in st.parties.index:
        return f"unknown partner {cmd.to!r}"
    if cmd.good not in st.goods.index:
        return f"unknown good {cmd.good!r}"
    seller = st.parties.index[cmd.to]
    if not any(st.holder_party[h] == seller for (h, g) in st.sell_slot if g == st.goods.index[cmd.good]):
        return f"{cmd.to} does not sell {cmd.good}"
    _post(world, actor, cmd)
    return None


def accept(world: World, actor: str, cmd: c.Accept, text: str) -> str | None:
    """Sign an offer on the own table: the contract enters into force at its start."""
    found = _find(world, cmd.offer, actor)
    if found is None or found.status != "open" or found.to != actor:
        return f"no open offer {cmd.offer!r} to {actor}"
    found.status = "accepted"
    if isinstance(found.terms, OfferFloor):
        _sign_floor(world, found, text)
    else:
        _sign_offtake(world, found, text)
    return None


def reject(world: World, actor: str, cmd: c.Reject, text: str) -> str | None:
    """Turn an offer down."""
    found = _find(world, cmd.offer, actor)
    if found is None or found.status != "open" or found.to != actor:
        return f"no open offer {cmd.offer!r} to {actor}"
    found.status = "rejected"
    return None


def withdraw(world: World, actor: str, cmd: c.Withdraw, text: str) -> str | None:
    """Take the own offer back."""
    found = _find(world, cmd.offer)
    if found is None or found.status != "open" or found.sender != actor:
        return f"no open offer {cmd.offer!r} of {actor}"
    found.status = "withdrawn"
    return None


def _sign_floor(world: World, found: Offer, text: str) -> None:
    t: OfferFloor = found.terms
    start = max(world.week, first_week_from(world.structure.spec.start, t.start))
    words = f"{found.sender} guarantees {t.to} {t.floor_usd_per_kg:g} USD/kg for {t.good} for {t.years:g} years"
    note(world, "floor", [found.sender, t.to], text or words, about=[f"good:{t.good}"], data=t.model_dump(mode="json"))
    start_rule(world, found.sender, t, start, max(1, round(t.years * 52)))


def _sign_offtake(world: World, found: Offer, text: str) -> None:
    st, s = world.structure, world.state
    t: c.OfferContract = found.terms
    seller, buyer = (found.sender, found.to) if t.side == "sell" else (found.to, found.sender)
    seller_slot = find_slot(st, seller, t.good, t.seller_node, sells=True)
    buyer_slot = find_slot(st, buyer, t.good, t.buyer_node, sells=False)
    number = s.next_ids["contract"]
    s.next_ids["contract"] = number + 1
    start = first_week_from(st.spec.start, t.start)
    kg = t.tonnes_per_year * 1e3 / 52
    good = st.goods.index[t.good]
    feed = st.good_stage[good] in ("concentrate", "seg", "swarf")
    use = max(float(s.expected_use[buyer_slot]), 1e-9)
    s.contracts.add(
        f"C{number}", seller_slot=seller_slot, buyer_slot=buyer_slot, kg=kg, share=min(1.0, kg / use),
        min_take=t.min_take_share, rule=FIXED if t.price_rule == "fixed" else FORMULA if feed else INDEX,
        fixed_price=t.price_usd_per_kg, factor=t.index_factor, lag=t.index_lag_weeks,
        index_mean=s.ref_origin[good, st.hub[good]], signed=world.week, start=start,
        end=start + max(1, round(t.years * 52)) - 1, status=ACTIVE if start <= world.week else PENDING,
    )  # fmt: skip
    price = f"{t.price_usd_per_kg:g} USD/kg" if t.price_rule == "fixed" else f"index x {t.index_factor:g}"
    words = (
        f"{buyer} takes {t.tonnes_per_year:,.0f} t of {t.good} a year from {seller} for {t.years:g} years at {price}"
    )
    note(world, "offtake", [seller, buyer], text or words, about=[f"good:{t.good}"], data={"contract": f"C{number}"})
