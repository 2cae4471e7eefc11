"""The JSON schema of an observation, read off observations of a small world; what each field means stands here."""

from __future__ import annotations

import functools
import importlib
import inspect
import json
from collections.abc import Mapping
from typing import Any

from env import build_world, load_scenario, observe, tick

DRAFT = "https://json-schema.org/draft/2020-12/schema"
RUN_TO_WEEK = 30  # of `quota_between`: its quota is in force by then
MAPS = ("quotes", "history")  # blocks keyed by good
OPTIONAL = ("history.use_over_supply",)

#: what the fields of an observation mean (block.field); a field without a line here is an error
FIELDS: dict[str, str] = {
    "me.party": "code of this seat",
    "me.kind": "kind of party (state, soe, producer, aggregate, oem, defence, agency)",
    "me.node": "market node where it trades",
    "me.cash_usd": "cash, USD; below zero = overdrawn",
    "me.debt_usd": "debt, USD",
    "me.sales_usd_per_year": "smoothed sales, USD a year",
    "me.plant_usd": "plant at book value, USD",
    "me.restructuring_weeks": "weeks left of a restructuring; 0 = healthy",
    "me.interest_rate": "interest on its debt, share a year",
    "sites.site": "code of the site",
    "sites.stage": "mine, separation_light, separation_heavy, metal, magnet, recycling, byproduct",
    "sites.node": "market node of the site",
    "sites.running": "it runs",
    "sites.restarting": "it was ordered to run again and waits",
    "sites.ramp": "share of nameplate reached, 0 to 1",
    "sites.nameplate_t": "nameplate, t a year",
    "sites.capability_t_per_week": "most it can put through this week, t",
    "sites.throughput_t_per_week": "planned throughput, t a week",
    "sites.margin_usd_per_kg": "smoothed margin over variable cost, USD per kg of throughput",
    "sites.margin_now_usd_per_kg": "the same at this week's prices",
    "sites.usual_margin_usd_per_kg": "margin at the opening, at most zero: what the plant has learnt to live with",
    "sites.turnover_usd_per_kg": "value of what a kg of throughput yields, USD",
    "sites.fixed_cost_usd_per_week": "fixed cost, USD a week",
    "sites.planned_share": "share of capability set by plan_output; null = the plant's own rule",
    "sites.stock_weeks": "finished stock of the main outputs in weeks of usual output",
    "sites.project": "project under way here, or null",
    "sites.project.id": "code of the project",
    "sites.project.stage": "study, permit, finance, build, commission",
    "sites.project.decision_due": "waits for advance_project",
    "sites.project.budget_usd": "budget without overrun, USD",
    "sites.project.spent_usd": "spent so far, USD",
    "sites.project.tonnes_per_year": "nameplate it adds, t a year",
    "stocks.holder": "site, use, trader or agency that holds it",
    "stocks.good": "code of the good",
    "stocks.tonnes": "stock in hand, t",
    "orders.good": "code of the good bought",
    "orders.node": "where it is bought",
    "orders.class": "class of use: civil, dual or defence",
    "orders.use_t_per_week": "expected use, t a week",
    "orders.cover_weeks": "stock in hand in weeks of expected use",
    "orders.target_weeks": "target cover in force, weeks",
    "orders.base_target_weeks": "target cover by default, weeks",
    "orders.on_order_t": "at sea to this buyer, t",
    "orders.received_t": "bought last week (shipped, perhaps still at sea), t",
    "orders.reference_usd_per_kg": "delivered price the standing order starts from, USD/kg",
    "orders.risk": "perceived supply risk, 0 to 1",
    "contracts.contract": "code of the contract",
    "contracts.seller": "party that delivers",
    "contracts.buyer": "party that takes",
    "contracts.good": "code of the good",
    "contracts.tonnes_per_year": "volume, t a year",
    "contracts.price_rule": "fixed, index or formula",
    "contracts.status": "pending or active",
    "contracts.end_week": "last week of the term (1000000 = open)",
    "contracts.delivered_t": "delivered so far, t",
    "contracts.short_t": "nominated and not delivered so far, t",
    "mail.offer": "code of the offer, for accept, reject, withdraw",
    "mail.from": "who offers",
    "mail.to": "to whom",
    "mail.weeks_open": "weeks since it was made",
    "mail.terms": "the offer command itself",
    "quotes.domestic": "deal index at the good's leading place, USD/kg ex VAT; null = never traded",
    "quotes.fob": "the same for exports from there",
    "quotes.delivered": "deal index of what was bought at the seat's own node",
    "quotes.contract": "deal index of deliveries under contract there",
    "quotes.ask": "European ask quote (seats in Europe only)",
    "policy.rule": "code of the rule",
    "policy.kind": "kind of command that set it",
    "policy.actor": "who set it",
    "policy.start_week": "first week",
    "policy.end_week": "first week without it, or null",
    "policy.terms": "the command itself",
    "news.week": "week of the event",
    "news.event": "code of the event",
    "news.kind": "kind of event",
    "news.actors": "parties it is about",
    "news.text": "in words",
    "news.target": "place the act is aimed at, or empty; what lifts or lowers a measure is aimed at nobody",
    "calendar.date": "Monday of the week to come",
    "calendar.week": "weeks since the start",
    "calendar.month_start": "first Monday of a month",
    "calendar.quarter_start": "first Monday of a quarter",
    "calendar.end": "last date of the scenario",
    "limits.commands": "kinds of command this seat may send",
    "limits.most_commands_a_week": "more are refused",
    "limits.deadline": "date by which commands of this week must be in",
    "history.domestic_last_9_weeks": "sellers' reference at the leading place, oldest first, USD/kg",
    "history.domestic_year_mean": "52-week mean of it, USD/kg",
    "history.use_over_supply": "smoothed use over supply against the base year (oxides only); above 1 = tighter",
}


def words_of(thing: object) -> str:
    """First paragraph of a docstring, on one line."""
    text = inspect.getdoc(thing) or ""
    return " ".join(text.split("\n\n")[0].split())


def _documents() -> list[dict[str, Any]]:
    """Observations of a small world in which something of everything is there."""
    world = build_world(load_scenario("quota_between"), 1)
    world.record.open(world)
    offer = {"kind": "offer", "to": "maker_usa", "side": "sell", "good": "ndpr_oxide", "seller_node": "CHN"}
    offer |= {"buyer_node": "USA", "tonnes_per_year": 100, "start": "2025-09-01", "years": 1}
    plan: dict[int, dict[str, list[Any]]] = {
        27: {"miner": [offer, {"kind": "start_project", "site": "MINE", "tonnes_per_year": 200}]},
        28: {"maker_usa": [{"kind": "accept", "offer": "from:miner"}]},
        29: {"miner": [offer, {"kind": "plan_output", "site": "MINE", "share": 0.9}]},
    }
    seen = []
    while world.week < RUN_TO_WEEK:
        tick(world, plan.get(world.week, {}))
        if world.week in (26, 29, RUN_TO_WEEK):
            seen += [observe(world, party).document() for party in ("chn", "miner", "maker_usa")]
    return seen


def _merge(values: list[Any], path: str, missing: list[str]) -> dict[str, Any]:
    """JSON schema of the values seen at one place."""
    kinds = {type(v) for v in values}
    out: dict[str, Any] = {}
    if path in FIELDS:
        out["description"] = FIELDS[path]
    elif path and "." in path:
        missing.append(path)
    if path in ("mail.terms", "policy.terms"):
        return out | {"type": "object", "description": FIELDS[path], "$comment": "see command.json"}
    names: list[str] = []
    if dict in kinds:
        names.append("object")
        rows = [v for v in values if isinstance(v, dict)]
        keys = list(dict.fromkeys(k for row in rows for k in row))
        out["properties"] = {k: _merge([r[k] for r in rows if k in r], f"{path}.{k}", missing) for k in keys}
        out["required"] = [k for k in keys if f"{path}.{k}" not in OPTIONAL and all(k in row for row in rows)]
    if list in kinds:
        names.append("array")
        items = [x for v in values if isinstance(v, list) for x in v]
        if items and isinstance(items[0], dict):
            out["items"] = _merge(items, path, missing)
        else:
            out["items"] = {"type": "string" if not items or isinstance(items[0], str) else "number"}
    names += ["boolean"] if bool in kinds else []
    names += ["string"] if str in kinds else []
    if kinds & {int, float}:
        names.append("number" if float in kinds else "integer")
    names += ["null"] if type(None) in kinds or path in ("quotes.ask", "policy.end_week") else []
    if path == "policy.end_week":
        names = ["integer", "null"]
    elif path.startswith("quotes."):
        names = ["number", "null"]
    out["type"] = names[0] if len(names) == 1 else names
    return out


def observation_json() -> str:
    """docs/schemas/observation.json."""
    module = importlib.import_module("env.observations")
    seen = _documents()
    missing: list[str] = []
    properties: dict[str, Any] = {"party": {"type": "string", "description": "code of the seat that sees this"}}
    for block in module.BLOCKS:
        getter = inspect.getattr_static(module.Observation, block)
        words = words_of(getter.func if isinstance(getter, functools.cached_property) else getter)
        values = [doc[block] for doc in seen]
        if block in MAPS:
            inner = _merge([row for value in values for row in value.values()], block, missing)
            schema: dict[str, Any] = {"type": "object", "description": words + " Keys are goods."}
            schema["additionalProperties"] = inner
        else:
            schema = _merge(values, block, missing)
            schema = {"type": schema.pop("type"), "description": words, **schema}
        properties[block] = schema
    if missing:
        raise RuntimeError(f"describe in FIELDS: {', '.join(dict.fromkeys(missing))}")
    unseen = [name for name in FIELDS if not _reaches(properties, name)]
    if unseen:
        raise RuntimeError(f"FIELDS names what no observation has: {', '.join(unseen)}")
    whole = {
        "$schema": DRAFT,
        "title": "Offtake observation",
        "description": "What a seat sees in one week. Numbers are plain; dates are ISO; USD, USD/kg, tonnes, weeks.",
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _reaches(properties: Mapping[str, Any], name: str) -> bool:
    """Whether a dotted field name is in the schema."""
    block, *rest = name.split(".")
    here: Mapping[str, Any] = properties.get(block, {})
    here = here.get("additionalProperties", here)
    for part in rest:
        here = here.get("items", here).get("properties", {}).get(part, {})
    return bool(here)
