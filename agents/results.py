"""What a run leaves behind: manifest, tables as Parquet, logs as JSON lines, and the facts of the summary."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import shutil
import subprocess
import tempfile
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from env import TABLES, NoTrade

if TYPE_CHECKING:
    from agents.game import Game

PACKAGES = ("mesa", "numpy", "numba", "pandas", "pyarrow", "pydantic")
SHOWN = (
    ("ndpr_oxide", ("domestic", "fob", "delivered")), ("dy_oxide", ("domestic", "fob", "delivered", "ask")),
    ("tb_oxide", ("domestic", "ask")), ("ce_oxide", ("domestic",)), ("ndpr_metal", ("domestic",)),
    ("magnet_n", ("domestic", "fob")), ("magnet_uh_gbd", ("domestic", "delivered", "contract")),
)  # fmt: skip
THIN_MARKET_USD_PER_WEEK = 50_000.0
SHOWN_PLACE = {"domestic": None, "fob": None, "delivered": "EUU", "contract": "EUU", "ask": "EUU"}
QUARTER_WEEKS = 13
#: rank of kinds of events in the summary: rules that close lanes, then what followed, then plans
WEIGHT = {
    "default": 4.5, "set_control_list": 9.0, "embargo": 9.0, "floor": 8.0, "terminate": 6.0, "stoppage": 7.0,
    "set_quota": 5.0, "tariff": 4.0, "set_tariff": 5.0, "set_licence_dial": 3.0, "offtake": 3.0, "fid": 3.0,
    "project": 2.0, "hold": 4.0,
}  # fmt: skip


def manifest(game: Game, *, complete: bool) -> dict[str, Any]:
    """Provenance of a run."""
    weeks = game.week
    return {
        "scenario": game.spec.name, "scenario_hash": game.scenario_hash, "seed": game.world.seed,
        "start": game.spec.start.isoformat(),
        "end": game.world.date.isoformat() if weeks < game.weeks_total else game.spec.end.isoformat(), "weeks": weeks,
        "overrides": {k: str(v) for k, v in game.overrides.items()}, "engine_version": _version("offtake"),
        "git": _git(), "python": platform.python_version(), "packages": {name: _version(name) for name in PACKAGES},
        "wall_s": round(perf_counter() - game.began, 3), "state_hash": game.world.state_hash(),
        "largest_gap": {k: float(v) for k, v in game.world.record.largest_gap.items() if k != "cash_total"},
        "complete": complete,
    }  # fmt: skip


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _git() -> str:
    """Commit of the source tree, empty outside one."""
    try:
        here = Path(__file__).resolve().parent
        command = ["git", "-C", str(here), "rev-parse", "HEAD"]
        # a fixed command on our own folder; which git is the user's business
        run = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ""
    return run.stdout.strip() if run.returncode == 0 else ""


def write(game: Game, out: Path, *, complete: bool) -> dict[str, Any]:
    """Write every kept table into a folder beside `out`, then move it there: whole or not at all."""
    record = game.world.record
    head = manifest(game, complete=complete)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        for name in TABLES:
            if name in record.keep:
                write_table(part / f"{name}.parquet", record.table(name, game.world))
        _write_lines(part / "events.jsonl", [{k: v for k, v in e.items() if k != "week"} for e in record.events])
        header = {
            "schema": 1, "scenario": head["scenario"], "scenario_hash": head["scenario_hash"], "seed": head["seed"],
            "engine_version": head["engine_version"], "overrides": head["overrides"], "start": head["start"],
        }  # fmt: skip
        _write_lines(part / "commands.jsonl", [header, *record.commands])
        head["wall_s"] = round(perf_counter() - game.began, 3)
        (part / "manifest.json").write_text(json.dumps(head, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        if out.exists():
            out.rmdir()  # only an empty folder may stand there
        part.replace(out)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    out.chmod(0o755)
    return head


def write_table(path: Path, columns: dict[str, Any]) -> None:
    """One Parquet file; text columns as dictionaries."""
    arrays, names = [], []
    for name, values in columns.items():
        array = np.asarray(values)
        if array.dtype == object:
            arrays.append(pa.array(array, type=pa.string(), from_pandas=True).dictionary_encode())
        elif array.dtype.kind == "M":
            arrays.append(pa.array(array.astype("datetime64[D]")))
        else:
            arrays.append(pa.array(array))
        names.append(name)
    pq.write_table(pa.Table.from_arrays(arrays, names=names), path, compression="zstd")


def _write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as handle:
        for row in rows:
            handle.write(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n")


# ---- summary --------------------------------------------------------------------------------------------
def summary(game: Game) -> dict[str, Any]:
    """Prices then and now, shares, stoppages, defaults, largest events, three moves explained."""
    return {
        "scenario": game.spec.name, "seed": game.world.seed, "start": game.spec.start.isoformat(), "weeks": game.week,
        "prices": _prices(game), "shares": _shares(game), "output_lost_usd": _lost_usd(game),
        "stoppages": _stoppages(game),
        "defaults": [e for e in _plain(game) if e["kind"] == "default"], "events": _largest(game),
        "explained": _explained(game),
    }  # fmt: skip


def _plain(game: Game) -> list[dict[str, Any]]:
    return [
        {
            "id": e["id"],
            "date": e["date"],
            "kind": e["kind"],
            "actors": e["actors"],
            "text": e["text"],
            "causes": e["causes"],
        }
        for e in game.world.record.events
    ]


def _prices(game: Game) -> list[dict[str, Any]]:
    if not game.world.record.weeks:
        return []
    frame = game.frame("prices")
    st = game.world.structure
    goods = [(g, kinds) for g, kinds in SHOWN if g in st.goods] or [
        (g, ("domestic", "delivered")) for g in st.goods.codes[:6]
    ]
    rows = []
    for good, kinds in goods:
        hub = st.nodes.codes[int(st.hub[st.goods.index[good]])]
        for kind in kinds:
            place = SHOWN_PLACE.get(kind) or hub
            part = frame[(frame["good"] == good) & (frame["kind"] == kind)]
            if place in set(part["place"]):
                part = part[part["place"] == place]
            elif len(part):
                place = str(part.groupby("place")["volume_t"].sum().idxmax())
                part = part[part["place"] == place]
            if not len(part):
                continue
            then, now = float(part["price_usd_kg"].iloc[0]), float(part["price_usd_kg"].iloc[-1])
            name = next(g.name for g in st.spec.goods if g.code == good)
            rows.append({
                "good": good, "name": name or good, "kind": kind, "place": place, "then": then, "now": now,
                "change_pct": 100.0 * (now / then - 1.0) if then else 0.0, "unit": "USD/kg ex VAT",
                "tax_basis": str(part["tax_basis"].iloc[-1]), "volume_t": float(part["volume_t"].tail(52).sum()),
            })  # fmt: skip
    return rows


def _shares(game: Game) -> dict[str, Any]:
    if not game.world.record.weeks:
        return {}
    frame = game.frame("shares")
    frame["date"] = pd.to_datetime(frame["date"])
    out: dict[str, Any] = {}
    for stage, group, label in (
        ("mining", "all", "mining"), ("separation", "all", "separation"), ("separation", "heavy", "heavy separation"),
        ("metal", "all", "metal"), ("magnet", "all", "magnets"),
    ):  # fmt: skip
        part = frame[(frame["stage"] == stage) & (frame["group"] == group)]
        if not len(part):
            continue
        first, last = part["date"].min() + pd.Timedelta(weeks=13), part["date"].max() - pd.Timedelta(weeks=13)
        then, now = _share_of(part[part["date"] < first]), _share_of(part[part["date"] > last])
        out[label] = {
            "china_then": then.get("CHN", 0.0), "china_now": now.get("CHN", 0.0),
            "top": [{"place": p, "share": v} for p, v in sorted(now.items(), key=lambda x: -x[1])[:4] if v > 0.001],
        }  # fmt: skip
    return out


def _share_of(part: pd.DataFrame) -> dict[str, float]:
    tonnes = part.groupby("place")["tonnes"].sum()
    total = float(tonnes.sum())
    return {str(k): float(v) / total for k, v in tonnes.items()} if total > 0 else {}


def _stoppages(game: Game) -> list[dict[str, Any]]:
    """Buyers whose lines stood still, by weeks lost, worst first."""
    if not game.world.record.weeks:
        return []
    st, record = game.world.structure, game.world.record
    stopped = np.array([w.stopped for w in record.weeks])
    lost = np.array([w.lost for w in record.weeks])
    wanted = np.array([w.wanted for w in record.weeks])
    groups: dict[tuple[str, str, str], list[int]] = {}
    for u, slot in enumerate(st.u_slot):
        holder = int(st.b_holder[slot])
        key = (
            st.parties.codes[st.holder_party[holder]],
            st.end_uses.codes[st.u_end_use[u]],
            st.nodes.codes[st.holder_node[holder]],
        )
        groups.setdefault(key, []).append(u)
    rows: list[dict[str, Any]] = []
    for (party, end_use, place), cols in groups.items():
        weight = wanted[:, cols]
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.nan_to_num((stopped[:, cols] * weight).sum(axis=1) / weight.sum(axis=1))
        weeks = float(share.sum())
        if weeks < 0.5:
            continue
        first = int(np.flatnonzero(share > 0.05)[0]) if (share > 0.05).any() else int(np.flatnonzero(share > 0)[0])
        rows.append({
            "party": party, "end_use": end_use, "place": place, "weeks": weeks,
            "first_date": str(game.world.record._dates(np.array([record.weeks[first].week]))[0]),
            "output_lost_usd": float(lost[:, cols].sum()),
        })  # fmt: skip
    return sorted(rows, key=lambda r: -float(r["output_lost_usd"]))


def _lost_usd(game: Game) -> float:
    """Output lost of all users, stops of less than half a week included."""
    return float(sum(w.lost.sum() for w in game.world.record.weeks))


def _largest(game: Game) -> list[dict[str, Any]]:
    """Five largest events, one of each text and two of a kind at most, in order of date.

    By kind (`WEIGHT`: what usually moves more trade stands higher) and within a kind by reach: output lost by all users
    in the quarter that begins with it.
    """
    lost = {w.week: float(w.lost.sum()) for w in game.world.record.weeks}
    seen: set[str] = set()
    ranked = []
    for e in game.world.record.events:
        if e["text"] in seen:
            continue
        seen.add(e["text"])
        reach = sum(lost.get(e["week"] + k, 0.0) for k in range(QUARTER_WEEKS))
        ranked.append((-WEIGHT.get(e["kind"], 1.0), -reach, e["date"], e["id"]))
    kinds: dict[str, int] = {}
    chosen: set[str] = set()
    by_id = {e["id"]: e for e in _plain(game)}
    for *_, event in sorted(ranked):
        kind = by_id[event]["kind"]
        kinds[kind] = kinds.get(kind, 0) + 1
        if kinds[kind] <= 2 and len(chosen) < 5:
            chosen.add(event)
    return sorted((by_id[event] for event in chosen), key=lambda e: (e["date"], e["id"]))


def _explained(game: Game) -> list[dict[str, Any]]:
    """The three largest weekly moves of well-traded goods (one a good), attributed.

    Candidates are found by the deal index, which lags; a move counts when the cleared price itself moved as much.
    """
    record, st = game.world.record, game.world.structure
    if len(record.weeks) < 2 or record.price_cells is None:
        return []
    kind, good, node = record.price_cells
    price = np.array([w.price for w in record.weeks])
    volume = np.array([w.volume for w in record.weeks])
    watched = np.isin(kind, (0, 2)) & np.array([st.good_stage[g] in ("oxide", "metal", "magnet") for g in good])
    usual = np.median(volume, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        move = np.abs(np.log(price[1:] / price[:-1]))
    thin = usual * np.nanmedian(np.where(np.isnan(price), 0.0, price), axis=0) < THIN_MARKET_USD_PER_WEEK
    move[:, thin] = 0.0
    move[(volume[1:] <= 0.2 * usual) | (volume[:-1] <= 0.0) | ~watched[None, :] | (usual <= 0)[None, :]] = 0.0
    move = np.nan_to_num(move)
    out: list[dict[str, Any]] = []
    used: set[int] = set()
    for flat in np.argsort(-move, axis=None)[:400]:
        week, cell = divmod(int(flat), move.shape[1])
        if move[week, cell] <= 0 or int(good[cell]) in used or len(out) == 3:
            continue
        name = "domestic" if kind[cell] == 0 else "delivered"
        try:
            told = game.explain(
                st.goods.codes[good[cell]], _day(game, record.weeks[week + 1].week),
                place=st.nodes.codes[node[cell]], kind=name,
            )  # fmt: skip
        except NoTrade:
            continue
        if abs(told.change_pct) < 50.0 * float(move[week, cell]):
            continue
        used.add(int(good[cell]))
        out.append({
            "good": told.good, "place": told.place, "kind": name,
            "date": _day(game, record.weeks[week + 1].week).isoformat(),
            "before": told.before, "after": told.after, "change_pct": told.change_pct,
            "parts": {k: 100.0 * v / told.before for k, v in told.parts.items()}, "parts_usd_per_kg": told.parts,
            "words": told.in_words(),
        })  # fmt: skip
    return out


def _day(game: Game, week: int) -> date:
    from datetime import timedelta

    return game.spec.start + timedelta(weeks=week)
