"""Balances recomputed from result tables alone, with nothing of the engine: pandas and the tables' meaning.

Tables are data frames with time stamps for dates and plain text for names.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

Tables = Mapping[str, pd.DataFrame]
TABLE_NAMES = (
    "prices",
    "shares",
    "dependence",
    "flows",
    "stocks",
    "process",
    "use",
    "payments",
    "books",
    "contracts",
    "licences",
    "projects",
)
WHERE = ["party", "place", "good"]
KG = 1e-3  # the smallest turnover that counts, in tonnes


def load(folder: Path) -> dict[str, pd.DataFrame]:
    """All Parquet files of a run folder."""
    tables = {}
    for name in TABLE_NAMES:
        frame = pd.read_parquet(folder / f"{name}.parquet")
        for column in frame.columns:
            if column.startswith("date") or column in ("applied", "decided", "signed", "start", "end"):
                frame[column] = pd.to_datetime(frame[column])
            elif isinstance(frame[column].dtype, pd.CategoricalDtype):
                frame[column] = frame[column].astype(object)
        tables[name] = frame
    return tables


def moves(tables: Tables) -> pd.DataFrame:
    """Every move of stock, in rows: date, party, place, good, what, tonnes (all positive)."""
    flows, process, use = tables["flows"], tables["process"], tables["use"]
    came = flows[flows["date_arrived"].notna()]
    made, drawn = process[process["tonnes"] > 0], process[process["tonnes"] < 0]
    parts = [
        pd.DataFrame(
            {
                "date": came["date_arrived"],
                "party": came["buyer"],
                "place": came["destination"],
                "good": came["good"],
                "what": "arrived",
                "tonnes": came["tonnes"],
            }
        ),
        pd.DataFrame(
            {
                "date": flows["date_shipped"],
                "party": flows["seller"],
                "place": flows["origin"],
                "good": flows["good"],
                "what": "shipped",
                "tonnes": flows["tonnes"],
            }
        ),
        pd.DataFrame(
            {
                "date": made["date"],
                "party": made["party"],
                "place": made["place"],
                "good": made["good"],
                "what": "made",
                "tonnes": made["tonnes"],
            }
        ),
        pd.DataFrame(
            {
                "date": drawn["date"],
                "party": drawn["party"],
                "place": drawn["place"],
                "good": drawn["good"],
                "what": "drawn",
                "tonnes": -drawn["tonnes"],
            }
        ),
        pd.DataFrame(
            {
                "date": use["date"],
                "party": use["buyer"],
                "place": use["place"],
                "good": use["good"],
                "what": "used",
                "tonnes": use["used_t"],
            }
        ),
    ]
    return pd.concat(parts, ignore_index=True)


def balance(tables: Tables, where: list[str] | None = None) -> pd.DataFrame:
    """Opening + made + arrived - drawn - used - shipped - closing by week and `where`; `gap` is relative to what
    was there and came."""
    where = WHERE if where is None else where
    held = tables["stocks"][tables["stocks"]["kind"] == "stock"]
    closing = held.pivot_table(index=where, columns="date", values="tonnes", aggfunc="sum", fill_value=0.0)
    weeks = list(closing.columns)
    moved = moves(tables)
    moved = moved[(moved["date"] >= weeks[1]) & (moved["date"] <= weeks[-1])]
    table = moved.pivot_table(index=where, columns=["what", "date"], values="tonnes", aggfunc="sum", fill_value=0.0)
    every = closing.index.union(table.index)
    closing = closing.reindex(every, fill_value=0.0)

    def part(what: str) -> pd.DataFrame:
        inside = table[what] if what in table.columns.get_level_values(0) else pd.DataFrame(index=table.index)
        return inside.reindex(index=every, columns=weeks[1:], fill_value=0.0)

    opening = closing[weeks[:-1]].set_axis(weeks[1:], axis=1)
    inward = part("made") + part("arrived")
    outward = part("drawn") + part("used") + part("shipped")
    gap = (opening + inward - outward - closing[weeks[1:]]).abs()
    scale = (opening + inward).clip(lower=KG)
    return gap / scale


def at_sea(flows: pd.DataFrame, day: pd.Timestamp) -> pd.Series:
    """Tonnes on ships at the end of the week of `day`, by good."""
    on_ship = flows[(flows["date_shipped"] <= day) & (flows["date_arrived"].isna() | (flows["date_arrived"] > day))]
    return on_ship.groupby("good")["tonnes"].sum()


def world_balance(tables: Tables) -> pd.DataFrame:
    """The same for the whole world by good: stock and ships against made, drawn and used."""
    held = tables["stocks"][tables["stocks"]["kind"] == "stock"]
    closing = held.pivot_table(index="good", columns="date", values="tonnes", aggfunc="sum", fill_value=0.0)
    weeks = list(closing.columns)
    sea = pd.DataFrame({day: at_sea(tables["flows"], day) for day in weeks}).reindex(closing.index).fillna(0.0)
    total = closing + sea
    moved = moves(tables)
    sign = moved["what"].map({"made": 1.0, "drawn": -1.0, "used": -1.0}).fillna(0.0)
    moved = moved.assign(net=sign * moved["tonnes"])
    net = moved.pivot_table(index="good", columns="date", values="net", aggfunc="sum", fill_value=0.0)
    net = net.reindex(index=closing.index, columns=weeks[1:], fill_value=0.0)
    gap = (total[weeks[1:]] - total[weeks[:-1]].set_axis(weeks[1:], axis=1) - net).abs()
    return gap / total[weeks[1:]].clip(lower=KG)


def batches(tables: Tables) -> pd.DataFrame:
    """Per batch: contained oxide and loss summed, whether it was begun and finished within the record."""
    process = tables["process"]
    rows = process[process["stage"] != "tailings"]
    sums = rows.groupby("batch").agg(
        reo=("contained_reo_t", "sum"),
        loss=("loss_t", "sum"),
        size=("contained_reo_t", lambda x: x.abs().max()),
        made=("tonnes", lambda x: (x > 0).any()),
        drew=("tonnes", lambda x: (x < 0).any()),
        stage=("stage", "first"),
    )
    return sums


def work_in_progress(tables: Tables) -> pd.DataFrame:
    """Recorded work in progress by (holder, good, date) beside what was begun and not yet finished, in tonnes."""
    process = tables["process"]
    rows = process[process["stage"] != "tailings"]
    done = rows[rows["tonnes"] > 0].groupby("batch")["date"].min()
    fed = rows[rows["tonnes"] < 0].assign(done=lambda f: f["batch"].map(done))
    held = tables["stocks"][tables["stocks"]["kind"] == "work in progress"]
    days = sorted(tables["stocks"]["date"].unique())
    parts = []
    for day in days:
        inside = fed[(fed["date"] <= day) & (fed["done"].isna() | (fed["done"] > day))]
        sums = (-inside["tonnes"]).groupby([inside["holder"], inside["good"]]).sum()
        parts.append(sums.rename("begun").reset_index().assign(date=day))
    begun = pd.concat(parts).set_index(["holder", "good", "date"])["begun"]
    recorded = held.groupby(["holder", "good", "date"])["tonnes"].sum()
    return pd.DataFrame({"recorded": recorded, "begun": begun}).fillna(0.0).reset_index()


def quarter_of(day: pd.Series) -> pd.Series:
    return day.dt.year.astype(str) + "Q" + ((day.dt.month - 1) // 3 + 1).astype(str)


def received(payments: pd.DataFrame) -> pd.DataFrame:
    """Money in less money out by firm and quarter."""
    quarter = quarter_of(payments["date"])
    got = payments.groupby([payments["payee"].rename("firm"), quarter.rename("quarter")])["usd"].sum()
    gave = payments.groupby([payments["payer"].rename("firm"), quarter.rename("quarter")])["usd"].sum()
    return got.sub(gave, fill_value=0.0).unstack(fill_value=0.0)
