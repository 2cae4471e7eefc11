"""Result tables built from the record: shares, process, contracts, licences, projects."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from env.axes import CLASSES
from env.calendar import week_date
from env.contracts import FAR_WEEK, RULES, STATUS, ContractTable
from env.licences import GRANTED, REFUSED
from env.projects import STAGES

if TYPE_CHECKING:
    from env.licence_book import Decisions, Files
    from env.licences import Office
    from env.record import Columns, Record
    from env.world import Floats, Ints, Structure, World


def pick(names: tuple[str, ...] | list[str], index: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Names by index, as an object array."""
    return np.array(names, dtype=object)[index.astype(np.int64)]


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
            "good": st.goods.codes[g],
            "seller_holder": st.holders.codes[st.s_holder[c.seller_slot[i]]],
            "buyer_holder": st.holders.codes[st.b_holder[c.buyer_slot[i]]],
            "tonnes_per_year": round(float(c.kg[i]) * 52 / 1e3, 6),
            "share_of_need": round(float(c.share[i]), 6),
            "min_take_share": float(c.min_take[i]),
            "rolling": bool(c.rolling[i]),
            "captive": bool(c.captive[i]),
            "price_rule": RULES[c.rule[i]],
            "price_usd_per_kg": float(c.fixed_price[i]),
            "index_factor": float(c.factor[i]),
            "index_lag_weeks": float(c.lag[i]),
        }
        rows.append(
            {
                "contract_id": c.code[i],
                "kind": "offtake",
                "parties": f"{seller};{buyer}",
                "seller": seller,
                "buyer": buyer,
                "signed": week_date(record.start, int(c.signed[i])),
                "start": week_date(record.start, int(c.start[i])),
                "end": None if c.end[i] >= FAR_WEEK else week_date(record.start, int(c.end[i])),
                "terms": json.dumps(terms, sort_keys=True),
                "status": STATUS[c.status[i]],
                "delivered_t": float(c.delivered[i]) / 1e3,
                "short_t": float(c.short[i]) / 1e3,
                "paid_usd": float(c.paid[i]),
            }
        )
    for rule in world.state.instruments:
        if rule.kind == "offer_floor":
            rows.append(
                {
                    "contract_id": rule.id,
                    "kind": "floor",
                    "parties": f"{rule.actor};{rule.terms.to}",
                    "seller": rule.terms.to,
                    "buyer": rule.actor,
                    "signed": week_date(record.start, rule.start),
                    "start": week_date(record.start, rule.start),
                    "end": None if rule.end is None else week_date(record.start, rule.end),
                    "terms": json.dumps(rule.terms.model_dump(mode="json"), sort_keys=True),
                    "status": "active"
                    if rule.active(world.week)
                    else "pending"
                    if rule.start > world.week
                    else "ended",
                    "delivered_t": 0.0,
                    "short_t": 0.0,
                    "paid_usd": rule.totals.get("paid", 0.0) - rule.totals.get("clawed", 0.0),
                }
            )
    names = (
        "contract_id",
        "kind",
        "parties",
        "seller",
        "buyer",
        "signed",
        "start",
        "end",
        "terms",
        "status",
        "delivered_t",
        "short_t",
        "paid_usd",
    )
    return {n: _column([r[n] for r in rows], n) for n in names}


def _column(values: list[Any], name: str) -> npt.NDArray[Any]:
    if name in ("signed", "start", "end", "applied", "decided"):
        return np.array(
            [np.datetime64("NaT") if v is None else np.datetime64(v) for v in values], dtype="datetime64[D]"
        )
    if name.endswith(("_t", "_usd", "tonnes", "waited")):
        return np.array(values, dtype=float)
    return np.array(values, dtype=object)


def licence_columns(record: Record, world: World) -> Columns:
    """One row a file, decided or still pending."""
    st = record.structure
    offices: list[Office] = world.state.licences.offices
    parts: list[Decisions | Files] = [*record.licences, *(office.files for office in offices)]
    both = {
        n: np.concatenate([getattr(x, n) for x in parts]) if parts else np.zeros(0, np.int64)
        for n in ("id", "applied", "good", "dest", "seller", "kg")
    }
    decided = (
        np.concatenate([np.full(len(x.id), x.week) for x in record.licences])
        if record.licences
        else np.zeros(0, np.int64)
    )
    granted = np.concatenate([x.granted for x in record.licences]) if record.licences else np.zeros(0, dtype=bool)
    n_open = len(both["id"]) - len(decided)
    until = np.concatenate([decided, np.full(n_open, world.week)])
    node, user_class = np.divmod(both["dest"], len(CLASSES))
    dates = record.dates(until)
    dates[len(decided) :] = np.datetime64("NaT")
    return {
        "licence_id": np.array([f"L{i}" for i in both["id"].tolist()], dtype=object),
        "applied": record.dates(both["applied"]),
        "decided": dates,
        "place_to": pick(st.nodes.codes, node),
        "end_use_class": pick(CLASSES, user_class),
        "good": pick(st.goods.codes, both["good"]),
        "applicant": pick(st.parties.codes, both["seller"]),
        "tonnes": both["kg"] / 1e3,
        "outcome": np.concatenate([pick((REFUSED, GRANTED), granted), np.full(n_open, "pending", dtype=object)]),
        "weeks_waited": (until - both["applied"]).astype(float),
    }


def project_columns(record: Record, world: World) -> Columns:
    """One row a project and week, from the weekly arrays; what never changes comes from the project itself."""
    st, projects = record.structure, world.state.projects
    count = [len(w.stage) for w in record.weeks]
    row = np.concatenate([np.arange(n) for n in count]) if count else np.zeros(0, np.int64)
    columns = {
        name: np.concatenate([getattr(w, name) for w in record.weeks]) if count else np.zeros(0)
        for name in ("stage", "nameplate", "ramp", "spent")
    }
    owner = np.array([p.owner for p in projects], dtype=np.int64)[row]
    site = np.array([p.site for p in projects], dtype=np.int64)[row]
    # the overrun is drawn before a project's first recorded week; one given up before has none
    budget = np.array([p.budget_usd * (1.0 if np.isnan(p.overrun) else p.overrun) for p in projects], dtype=float)[row]
    return {
        "date": record.dates(np.repeat(np.array([w.week for w in record.weeks], dtype=np.int64), count)),
        "project": pick([p.id for p in projects], row),
        "owner": pick(st.parties.codes, owner),
        "place": pick(st.nodes.codes, st.site_node[site]),
        "site": pick(st.sites.codes, site),
        "stage": pick(STAGES, columns["stage"]),
        "nameplate": columns["nameplate"] * 52 / 1e3,
        "ramp": columns["ramp"].astype(float),
        "spent_usd": columns["spent"],
        "budget_usd": budget,
    }


def share_columns(record: Record) -> Columns:
    """Throughput and share by place, for each stage and group (light, heavy, all) of the chain."""
    st = record.structure
    out: dict[str, list[Any]] = {k: [] for k in ("date", "stage", "group", "place", "tonnes", "share")}
    if not record.weeks:
        return out
    started = np.array([w.started for w in record.weeks]) / 1e3
    stage_of = {
        "mine": "mining",
        "separation_light": "separation",
        "separation_heavy": "separation",
        "metal": "metal",
        "magnet": "magnet",
    }
    heavy = _heavy_share(st)
    groups: dict[tuple[str, str], Floats] = {}
    for r in range(len(st.r_site)):
        stage = st.site_stage[st.r_site[r]]
        if stage not in stage_of:
            continue
        node = st.site_node[st.r_site[r]]
        part = {"light": 1.0 - heavy[r], "heavy": heavy[r]}
        if stage == "separation_heavy":
            part = {"heavy": 1.0}
        elif stage == "separation_light":
            part = {"light": 1.0, "all": 1.0}
        else:
            part["all"] = 1.0
        for group, weight in part.items():
            table = groups.setdefault((stage_of[stage], group), np.zeros((len(record.weeks), len(st.nodes))))
            table[:, node] += started[:, r] * weight
    weeks = record.dates(np.array([w.week for w in record.weeks]))
    for (stage, group), table in groups.items():
        total = table.sum(axis=1, keepdims=True)
        share = np.divide(table, total, out=np.zeros_like(table), where=total > 0)
        for n in range(len(st.nodes)):
            if not table[:, n].any():
                continue
            out["date"].append(weeks)
            out["stage"] += [stage] * len(weeks)
            out["group"] += [group] * len(weeks)
            out["place"] += [st.nodes.codes[n]] * len(weeks)
            out["tonnes"].append(table[:, n])
            out["share"].append(share[:, n])
    return {
        k: (np.concatenate(v) if v and not isinstance(v[0], str) else np.array(v, dtype=object)) for k, v in out.items()
    }


def _heavy_share(st: Structure) -> Floats:
    """Heavy share of a kg of throughput (R,): by the elements of a mine's concentrate or of the good made."""
    heavy = {g.code for g in st.spec.goods if g.stage == "oxide" and g.group == "heavy"}
    is_heavy = np.array([c in heavy for c in st.goods.codes])
    content = st.content
    total = content.sum(axis=1)
    share = np.divide(content[:, is_heavy].sum(axis=1), total, out=np.zeros_like(total), where=total > 0)
    return share[st.s_good[st.r_main_slot]] if len(st.r_site) else np.zeros(0)


def process_columns(record: Record) -> Columns:
    """Rows of every batch: inputs at its start, outputs and loss at its end; tailings as batches of their own."""
    st = record.structure
    parts: list[tuple[Ints, Ints, Ints, Floats, Floats, Ints]] = []  # week, recipe, good, kg, loss, start week
    reo = st.reo_per_kg
    in_reo = np.bincount(st.ri_recipe, weights=st.ri_coef * reo[st.ri_good], minlength=len(st.r_site))
    for w in record.weeks:
        started = np.flatnonzero(w.started[st.ri_recipe] > 0)
        if len(started):
            r = st.ri_recipe[started]
            kg = -st.ri_coef[started] * w.started[r]
            parts.append(
                (np.full(len(r), w.week), r, st.ri_good[started], kg, np.zeros(len(r)), np.full(len(r), w.week))
            )
        done = np.flatnonzero(w.finished[st.ro_recipe] > 0)
        if len(done):
            r = st.ro_recipe[done]
            scale = w.recovery[st.r_site[r]]
            kg = st.ro_coef[done] * scale * w.finished[r]
            first = np.concatenate([[True], r[1:] != r[:-1]])
            out_reo = np.bincount(r, weights=kg * reo[st.ro_good[done]], minlength=len(st.r_site))
            loss = np.where(first, in_reo[r] * w.finished[r] - out_reo[r], 0.0)
            parts.append((np.full(len(r), w.week), r, st.ro_good[done], kg, loss, w.week - st.r_lag[r]))
    cat = [np.concatenate([p[i] for p in parts]) if parts else np.zeros(0) for i in range(6)]
    week, recipe, good, kg, loss, begun = cat
    recipe, good = recipe.astype(np.int64), good.astype(np.int64)
    site = st.r_site[recipe]
    batch = np.array(
        [f"{st.sites.codes[i]}:{st.r_batch[r]}:{int(b)}" for i, r, b in zip(site, recipe, begun, strict=True)],
        dtype=object,
    )
    deposit = [
        st.r_batch[r] if st.site_stage[st.r_site[r]] in ("mine", "separation_light", "separation_heavy") else ""
        for r in range(len(st.r_site))
    ]
    out = {
        "date": record.dates(week.astype(np.int64)),
        "holder": pick(st.sites.codes, site),
        "party": pick(st.parties.codes, st.site_party[site]),
        "place": pick(st.nodes.codes, st.site_node[site]),
        "site": pick(st.sites.codes, site),
        "stage": pick(st.site_stage, site),
        "deposit": pick(deposit, recipe),
        "batch": batch,
        "good": pick(st.goods.codes, good),
        "tonnes": kg / 1e3,
        "contained_reo_t": kg * reo[good] / 1e3,
        "loss_t": loss / 1e3,
    }
    gone_week, gone_slot, gone_kg = [], [], []
    for w in record.weeks:
        rows = np.flatnonzero(w.tailings > 0)
        gone_week.append(np.full(len(rows), w.week))
        gone_slot.append(rows)
        gone_kg.append(w.tailings[rows])
    slot = np.concatenate(gone_slot) if gone_slot else np.zeros(0, np.int64)
    if len(slot):
        tw, tk = np.concatenate(gone_week), np.concatenate(gone_kg)
        h, g = st.s_holder[slot], st.s_good[slot]
        extra = {
            "date": record.dates(tw),
            "holder": pick(st.holders.codes, h),
            "party": pick(st.parties.codes, st.holder_party[h]),
            "place": pick(st.nodes.codes, st.holder_node[h]),
            "site": pick(st.holders.codes, h),
            "stage": np.array(["tailings"] * len(h), dtype=object),
            "deposit": np.array([""] * len(h), dtype=object),
            "batch": np.array(
                [f"{st.holders.codes[a]}:tailings:{st.goods.codes[b]}:{c}" for a, b, c in zip(h, g, tw, strict=True)],
                dtype=object,
            ),
            "good": pick(st.goods.codes, g),
            "tonnes": -tk / 1e3,
            "contained_reo_t": -tk * reo[g] / 1e3,
            "loss_t": tk * reo[g] / 1e3,
        }
        out = {k: np.concatenate([out[k], extra[k]]) for k in out}
    return out
