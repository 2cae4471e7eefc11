"""Is the start credible?  The first quarter of 2025 in the baseline against published figures.

`python -m experiments.quarter` prints one row a target: band, median and range over seeds, and whether every seed lies
inside.  Targets come from the fact tables (base_prices_2025.csv, trade.csv) and the shares of docs/data.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field
from statistics import median

import pandas as pd

from agents import Game
from env import load_facts

QUARTER_END = "2025-03-31"
WEEKS = 13
#: published NdFeB magnet exports of the quarter (t) and MP's NdPr of 2024 (t a year)
EXPORTS_T, MP_NDPR_T = 15266.0, 1294.0
ND_FACTOR = 57.88 / 56.14  # Nd oxide over NdPr oxide, FOB (base_prices_2025.csv)
DATED_PRICES = {"ndpr_oxide": 52.7, "dy_oxide": 204.9, "tb_oxide": 857.7}  # USD/kg ex VAT, 10 April 2025
ND_FOB = {"2025-01": 56.5, "2025-02": 60.9, "2025-03": 62.4}


@dataclass
class Row:
    """One target with its band and what the seeds gave."""

    name: str
    low: float
    high: float
    values: list[float] = field(default_factory=list)

    def inside(self) -> int:
        """How many seeds lie in the band."""
        return sum(self.low <= v <= self.high for v in self.values)


def _good_code(name: str) -> str | None:
    """Good code of a row of base_prices_2025.csv; None for what is no good of the model (Nd, Pr, Ho, Er ...)."""
    word, _, kind = name.partition(" ")
    if kind == "oxide":
        return {"HoYb": "ho_yb_oxide"}.get(word, f"{word.lower()}_oxide" if word in OXIDES else None)
    if kind == "metal":
        return f"{word.lower()}_metal" if word in ("NdPr", "Dy", "Tb", "Sm") else None
    return f"magnet_{kind.lower()}" if word == "magnet" else None


OXIDES = ("La", "Ce", "NdPr", "Sm", "Eu", "Gd", "Tb", "Dy", "Y", "Lu", "Sc")


def targets() -> dict[str, Row]:
    """All targets of the quarter."""
    rows = {
        "share mining": Row("Chinese share of mining", 0.66, 0.76),
        "share separation": Row("Chinese share of separation", 0.88, 0.93),
        "share heavy": Row("Chinese share of heavy separation", 0.97, 1.0),
        "share magnets": Row("Chinese share of magnets", 0.90, 0.95),
        "exports": Row("Chinese NdFeB exports of the quarter, t", 0.88 * EXPORTS_T, 1.12 * EXPORTS_T),
        "mp": Row("MP NdPr oxide, t a year", 0.85 * MP_NDPR_T, 1.15 * MP_NDPR_T),
        "volume": Row("weekly volume over the balance, least of NdPr, Dy, magnets", 0.90, 9.0),
    }
    for good, price in DATED_PRICES.items():
        rows[f"price {good}"] = Row(f"{good} domestic ex VAT, USD/kg", 0.85 * price, 1.15 * price)
    for month, price in ND_FOB.items():
        rows[f"fob {month}"] = Row(f"Nd oxide FOB {month}, USD/kg", 0.85 * price, 1.15 * price)
    means: dict[str, list[float]] = {}
    for row in load_facts().base_prices:
        code = _good_code(row.good)
        if (
            row.node == "CHN"
            and row.tier == "domestic ex VAT"
            and row.month >= "2025-01"
            and code
            and code not in DATED_PRICES
        ):
            means.setdefault(code, []).append(row.price_usd_per_kg)
    for code, values in means.items():
        mean = sum(values) / len(values)
        rows[f"price {code}"] = Row(f"{code} domestic ex VAT, USD/kg", mean / 1.5, mean * 1.5)
    return rows


def measure(seed: int, rows: dict[str, Row]) -> None:
    """Play the quarter with one seed and add its figures."""
    game = Game("baseline", seed=seed, tables=["prices", "shares", "flows", "process"])
    game.run(until=QUARTER_END)
    shares, prices, flows, process = (game.frame(t) for t in ("shares", "prices", "flows", "process"))
    for key, stage, group in (
        ("mining", "mining", "all"),
        ("separation", "separation", "all"),
        ("heavy", "separation", "heavy"),
        ("magnets", "magnet", "all"),
    ):
        part = shares[(shares["stage"] == stage) & (shares["group"] == group)]
        rows[f"share {key}"].values.append(float(part[part["place"] == "CHN"]["tonnes"].sum() / part["tonnes"].sum()))
    prices["month"] = pd.to_datetime(prices["date"]).dt.strftime("%Y-%m")
    home = prices[(prices["place"] == "CHN") & (prices["kind"] == "domestic")].groupby("good")["price_usd_kg"].mean()
    for key, row in rows.items():
        if key.startswith("price "):
            row.values.append(float(home.get(key.removeprefix("price "), float("nan"))))
    fob = (
        prices[(prices["good"] == "ndpr_oxide") & (prices["kind"] == "fob") & (prices["place"] == "CHN")]
        .groupby("month")["price_usd_kg"]
        .mean()
    )
    for month in ND_FOB:
        rows[f"fob {month}"].values.append(float(fob[month]) * ND_FACTOR)
    shipped = pd.to_datetime(flows["date_shipped"])
    ndfeb = flows["good"].str.startswith("magnet_") & (flows["good"] != "magnet_smco")
    abroad = (flows["origin"] == "CHN") & (flows["destination"] != "CHN") & (shipped >= "2025-01-06")
    rows["exports"].values.append(float(flows[ndfeb & abroad]["tonnes"].sum()))
    mp = process[(process["site"] == "SEP_USA_MP") & (process["good"] == "ndpr_oxide")]
    rows["mp"].values.append(float(mp["tonnes"].sum()) * 52 / WEEKS)
    st = game.world.structure
    least = 9.0
    for good in ("ndpr_oxide", "dy_oxide", "ndpr_metal", "magnet_n", "magnet_uh_gbd"):
        g = st.goods.index[good]
        base = float((st.ro_coef * st.r_base_kg[st.ro_recipe])[st.ro_good == g].sum()) / 1e3
        made = process[(process["good"] == good) & (process["tonnes"] > 0)]["tonnes"].sum() / WEEKS
        least = min(least, float(made) / base)
    rows["volume"].values.append(least)


def main(argv: list[str] | None = None) -> int:
    """Print the table; exit 1 when a median lies outside its band."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    rows = targets()
    for seed in range(options.seeds):
        measure(seed, rows)
        if sys.stderr.isatty():
            print(f"\rseed {seed + 1} of {options.seeds}", end="", file=sys.stderr)
    table = [
        {"target": r.name, "low": r.low, "high": r.high, "median": median(r.values), "min": min(r.values),
         "max": max(r.values), "inside": r.inside(), "seeds": len(r.values)}
        for r in rows.values()
    ]  # fmt: skip
    if options.json:
        print(json.dumps({"rows": table}, indent=2))
    else:
        print(f"{'target':62s}{'band':>21s}{'median':>10s}{'range':>21s}  inside")
        for t in table:
            mark = "" if t["low"] <= t["median"] <= t["high"] else "  <-- outside"
            print(
                f"{t['target']:62s}{t['low']:10.4g} -{t['high']:9.4g}{t['median']:10.4g}"
                f"{t['min']:10.4g} -{t['max']:9.4g}  {t['inside']}/{t['seeds']}{mark}"
            )
    return int(any(not t["low"] <= t["median"] <= t["high"] for t in table))


if __name__ == "__main__":
    sys.exit(main())
