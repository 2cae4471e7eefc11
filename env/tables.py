"""Result tables of contracts and licences."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from env.axes import CLASSES
from env.calendar import week_date
from env.contracts import FAR_WEEK, RULES, STATUS, ContractTable

if TYPE_CHECKING:
    from env.record import Columns, Record
    from env.world import World


def contract_columns(record: Record, world: World) -> Columns:
    """One row a contract: offtakes of the table, floors among the rules in force."""
    st = record.structure
    c: ContractTable = world.state.contracts
    rows: list[dict[str, Any]] = []
    for i in range(len(c)):
        g = int(st.s_good[c.seller_slot[i]])
        seller = st.parties.codes[st.holder_party[st.s_holder[c.seller_slot[i]]]]
        buyer = st.parties.codes[st.holder_party[st.b_holder[c.buyer_slot[i]]]]
        terms = {
            "good": st.goods.codes[g], "seller_holder": st.holders.codes[st.s_holder[c.seller_slot[i]]],
            "buyer_holder": st.holders.codes[st.b_holder[c.buyer_slot[i]]], "tonnes_per_year": round(float(c.kg[i]) * 52 / 1e3, 6),
            "share_of_need": round(float(c.share[i]), 6), "min_take_share": float(c.min_take[i]), "rolling": bool(c.rolling[i]),
            "captive": bool(c.captive[i]), "price_rule": RULES[c.rule[i]], "price_usd_per_kg": float(c.fixed_price[i]),
            "index_factor": float(c.factor[i]), "index_lag_weeks": float(c.lag[i]),
        }  # fmt: skip
        rows.append({
            "contract_id": c.code[i], "kind": "offtake", "parties": f"{seller};{buyer}", "seller": seller, "buyer": buyer,
            "signed": week_date(record.start, int(c.signed[i])), "start": week_date(record.start, int(c.start[i])),
            "end": None if c.end[i] >= FAR_WEEK else week_date(record.start, int(c.end[i])), "terms": json.dumps(terms, sort_keys=True),
            "status": STATUS[c.status[i]], "delivered_t": float(c.delivered[i]) / 1e3, "short_t": float(c.short[i]) / 1e3,
            "paid_usd": float(c.paid[i]),
        })  # fmt: skip
    for rule in world.state.instruments:
        if rule.kind == "offer_floor":
            rows.append({
                "contract_id": rule.id, "kind": "floor", "parties": f"{rule.actor};{rule.terms.to}", "seller": rule.terms.to,
                "buyer": rule.actor, "signed": week_date(record.start, rule.start), "start": week_date(record.start, rule.start),
                "end": None if rule.end is None else week_date(record.start, rule.end),
                "terms": json.dumps(rule.terms.model_dump(mode="json"), sort_keys=True),
                "status": "active" if rule.active(world.week) else "pending" if rule.start > world.week else "ended",
                "delivered_t": 0.0, "short_t": 0.0, "paid_usd": rule.totals.get("paid", 0.0) - rule.totals.get("clawed", 0.0),
            })  # fmt: skip
    names = ("contract_id", "kind", "parties", "seller", "buyer", "signed", "start", "end", "terms", "status", "delivered_t", "short_t", "paid_usd")
    return {n: _column([r[n] for r in rows], n) for n in names}


def _column(values: list[Any], name: str) -> Any:
    if name in ("signed", "start", "end", "applied", "decided"):
        return np.array([np.datetime64("NaT") if v is None else np.datetime64(v) for v in values], dtype="datetime64[D]")
    if name.endswith(("_t", "_usd", "tonnes", "waited")):
        return np.array(values, dtype=float)
    return np.array(values, dtype=object)


def licence_columns(record: Record, world: World) -> Columns:
    """One row a file, decided or still pending."""
    st = record.structure
    rows: list[dict[str, Any]] = []

    def add(f: dict[str, Any], decided: int | None, outcome: str) -> None:
        node, user_class = divmod(int(f["dest"]), len(CLASSES))
        until = world.week if decided is None else decided
        rows.append({
            "licence_id": f"L{f['id']}", "applied": week_date(record.start, int(f["applied"])),
            "decided": None if decided is None else week_date(record.start, decided), "place_to": st.nodes.codes[node],
            "end_use_class": CLASSES[user_class], "good": st.goods.codes[int(f["good"])],
            "applicant": st.parties.codes[int(f["applicant"])], "tonnes": float(f["kg"]) / 1e3, "outcome": outcome,
            "weeks_waited": float(until - int(f["applied"])),
        })  # fmt: skip

    for f in record.licences:
        add(f, f["decided"], f["outcome"])
    for office in world.state.licences.offices:
        files = office.files
        for i in range(len(files.id)):
            add(
                {"id": files.id[i], "applied": files.applied[i], "dest": files.dest[i], "good": files.good[i],
                 "applicant": files.seller[i], "kg": files.kg[i]}, None, "pending",
            )  # fmt: skip
    names = ("licence_id", "applied", "decided", "place_to", "end_use_class", "good", "applicant", "tonnes", "outcome", "weeks_waited")
    return {n: _column([r[n] for r in rows], n) for n in names}
