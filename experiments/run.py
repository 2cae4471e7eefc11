"""`offtake run`, `offtake scenarios` and `offtake export`: playing scenarios and looking at them.

The engine is reached through `agents.Game` alone and imported when a run begins.  Everything a command
line can get wrong is checked before the first week and before anything is written.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from env import TABLES, Fault, InputError, list_scenarios, load_scenario, scenario_hash, suggest_or_list

if TYPE_CHECKING:
    import pandas
    from rich.console import Console
    from rich.table import Table

    from agents import Game
    from env import WorldSpec

FOREIGN_FOLDER = 6


# ---------------------------------------------------------------- checks before the first week


class Occupied(Exception):
    """The output folder holds something that is not ours to replace."""


def check_out(out: Path) -> None:
    """The folder must be new or empty.  Raises `Occupied` (a folder with content) or `InputError` (a file)."""
    try:
        for place in (out, *out.parents):
            if place.exists() and not place.is_dir():
                what = "is a file, not a folder" if place == out else f"cannot be a folder: {place} is a file"
                raise InputError.one(what, "name a folder that does not exist yet", file=f"--out {out}")
            if place.is_dir():
                # the only sure way to know: root and file systems of the kernel have their own ideas of permission
                Path(tempfile.mkdtemp(prefix=".offtake-", dir=place.parent if place == out else place)).rmdir()
                break
        if not out.is_dir() or not any(out.iterdir()):
            return
    except OSError as error:
        raise _unwritable(out, error) from error
    manifest = out / "manifest.json"
    if manifest.is_file():
        try:
            held = json.loads(manifest.read_text(encoding="utf-8"))
            name, seed = held["scenario"], held["seed"]
        except (ValueError, KeyError, TypeError, OSError):
            name, seed = "unknown", "unknown"
        raise Occupied(f"{out} already holds a run (scenario {name}, seed {seed}); name another folder or remove it")
    raise Occupied(f"{out} holds files that are not an Offtake run; name another folder")


def _unwritable(out: Path, error: OSError) -> InputError:
    """The folder cannot be made or filled."""
    return InputError.one(f"may not be written to: {error.strerror}", "name another folder", file=f"--out {out}")


def check_tables(names: Sequence[str] | None) -> None:
    """`--tables` must name tables of a run."""
    faults = [
        Fault("--tables", None, "", "", f"there is no table '{name}'", suggest_or_list(name, TABLES))
        for name in names or ()
        if name not in TABLES
    ]
    if faults:
        raise InputError(faults)


def check_strategies(strategies: Mapping[str, str]) -> None:
    """`--strategy` files must be there and be Python; whether they play well is found out by playing."""
    faults = []
    for seat, name in strategies.items():
        path = Path(name)
        if not path.is_file():
            faults.append(Fault("--strategy", None, seat, "", f"there is no file {name}", "check the path"))
            continue
        try:
            compile(path.read_text(encoding="utf-8"), name, "exec")
        except (SyntaxError, ValueError) as error:
            line = error.lineno if isinstance(error, SyntaxError) else None
            faults.append(Fault(path.name, line, seat, "", f"is not Python: {error}", "correct the file"))
    if faults:
        raise InputError(faults)


def check_seats(strategies: Mapping[str, str], spec: WorldSpec) -> None:
    """`--strategy` must name parties of the scenario."""
    parties = {party.code for party in spec.parties}
    faults = [
        Fault("--strategy", None, seat, "", f"there is no party '{seat}'", suggest_or_list(seat, parties))
        for seat in strategies
        if seat not in parties
    ]
    if faults:
        raise InputError(faults)


def check_until(until: date | None, spec: WorldSpec) -> None:
    """`--until` must lie inside the scenario."""
    if until is None:
        return
    if until < spec.start:
        message = f"{until} is before the scenario starts on {spec.start}"
        raise InputError.one(message, "write a later date", file="--until")
    if until > spec.end:
        message = f"{until} is after the scenario ends on {spec.end}"
        raise InputError.one(message, f"write an earlier date, or add --set end={until}", file="--until")


# ---------------------------------------------------------------- interruptions and progress


class Interrupted(BaseException):
    """A signal asked for the end of the run; `code` is the exit code.  No error: a strategy may not swallow it."""

    def __init__(self, code: int) -> None:
        super().__init__(f"interrupted ({code})")
        self.code = code


@contextmanager
def stop_signals() -> Iterator[Callable[[], None]]:
    """Within: SIGINT and SIGTERM wait for the end of the week; the yielded function raises `Interrupted`.

    A second signal stops at once.
    """
    asked: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        if asked:
            raise Interrupted(128 + number)
        asked.append(number)

    def check() -> None:
        if asked:
            raise Interrupted(128 + asked[0])

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def progress(game: Game, until: date | None, show: bool) -> Iterator[Callable[[], None]]:
    """A progress bar on stderr when a person watches; the yielded function takes one step."""
    if not show:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    weeks = game.weeks_total
    if until is not None:
        weeks = min(weeks, max(1, game.week + (until - _as_date(game.date)).days // 7 + 1))
    columns = (
        TextColumn("{task.fields[day]}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=weeks, completed=game.week, day=str(game.date), rate="")

        def step() -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:.1f} weeks/s" if speed else ""
            bar.update(task, completed=game.week, day=str(game.date), rate=rate)

        yield step


def _as_date(value: object) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value))


# ---------------------------------------------------------------- run


def run(
    scenario: str,
    seed: int = 0,
    until: date | None = None,
    overrides: Mapping[str, str] | None = None,
    strategies: Mapping[str, str] | None = None,
    out: str | None = None,
    commands: str | None = None,
    replay: str | None = None,
    tables: list[str] | None = None,
    as_json: bool = False,
    quiet: bool = False,
) -> int:
    """Play one scenario; write it to `out`; print manifest or summary.  Returns the exit code.

    Raises `InputError` before anything is written when something of the input is wrong.
    """
    if out is not None and not out.strip():
        raise InputError.one("is empty", "name a folder that does not exist yet", file="--out")
    folder = Path(out) if out is not None else None
    try:
        if folder is not None:
            check_out(folder)
    except Occupied as reason:
        print(reason, file=sys.stderr)
        return FOREIGN_FOLDER
    check_tables(tables)
    check_strategies(strategies or {})
    from agents import Game, read_log

    for log in (commands, replay):
        if log is not None:
            read_log(log)
    spec = load_scenario(scenario, dict(overrides or {}))
    check_until(until, spec)
    check_seats(strategies or {}, spec)

    game = Game(
        scenario,
        seed=seed,
        overrides=dict(overrides or {}),
        strategies=dict(strategies or {}),
        commands=commands,
        replay=replay,
        tables=tables,
    )
    code = _play(game, until, show=sys.stderr.isatty() and not (quiet or as_json))
    try:
        manifest = game.write(folder, complete=code == 0) if folder is not None else game.manifest()
    except OSError as error:
        raise _unwritable(folder or Path(), error) from error
    if as_json:
        manifest = {**manifest, "complete": code == 0, "summary": game.summary()}
        print(json.dumps(manifest, indent=1, default=str))
    elif not quiet:
        print_summary(game.summary(), manifest, folder, interrupted=code != 0)
    if (commands or replay) and not quiet:
        for note in _not_done(game):
            print(note, file=sys.stderr)
    return code


def _not_done(game: Game) -> Iterator[str]:
    """What came of a log's commands of people and events that the world refused or that lie after the last week."""
    refused = [
        f"{row['date']} {row['actor']} {row['kind'] or 'command'}: {row['reason']}"
        for row in game.world.record.commands
        if row["origin"] in ("human", "event") and not row["accepted"]
    ]
    if refused:
        yield f"{_count(len(refused), 'refused')}, first: {refused[0]}"
    late = [
        f"{game.spec.start + timedelta(weeks=week)} {actor} {body.get('kind', 'command')}"
        for week, rows in sorted(game.log.items())
        for actor, body, origin in rows
        if week >= game.week and origin in ("human", "event")
    ]
    if late:
        end = game.date - timedelta(weeks=1)
        yield f"{_count(len(late), 'not played')} (the last week is that of {end}), first: {late[0]}"


def _count(number: int, what: str) -> str:
    return f"1 command was {what}" if number == 1 else f"{number} commands were {what}"


def _play(game: Game, until: date | None, show: bool) -> int:
    """Run the weeks; 0, or 130 or 143 when a signal ended the run at a week's end."""
    try:
        with stop_signals() as check, progress(game, until, show) as step:

            def each_week(*_: object) -> None:
                step()
                check()

            game.run(until=until, on_week=each_week)
    except Interrupted as signalled:
        return signalled.code
    return 0


# ---------------------------------------------------------------- the summary


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False)


def _table(*columns: str, title: str = "") -> Table:
    """A plain table; a column named `>x` is flush right."""
    from rich.table import Table

    table = Table(box=None, title=title or None, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left")
    return table


def number(value: object, digits: int | None = None) -> str:
    """A figure with three significant digits or more, thousands separated; `-` for none."""
    if not isinstance(value, int | float) or value != value:
        return "-"
    if digits is None:
        digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2
    text = f"{value:,.{digits}f}"
    return text.removeprefix("-") if not text.strip("-0.") else text  # no minus before a zero


def _percent(value: object, signed: bool = False) -> str:
    return f"{value:{'+' if signed else ''}.0f}%" if isinstance(value, int | float) and value == value else "-"


def _share(value: object) -> str:
    return _percent(value * 100) if isinstance(value, int | float) else "-"


def _money(usd: object) -> str:
    """USD in millions or billions."""
    if not isinstance(usd, int | float):
        return "-"
    return f"USD {usd / 1e9:,.2f} bn" if abs(usd) >= 1e9 else f"USD {usd / 1e6:,.1f} m"


def print_summary(summary: Mapping[str, Any], manifest: Mapping[str, Any], out: Path | None, interrupted: bool) -> None:
    """What happened, in words and numbers, for somebody who follows the market."""
    from rich.markup import escape

    console = _console()
    head = f"{manifest.get('scenario')}, seed {manifest.get('seed')}: {manifest.get('start')} to {manifest.get('end')}"
    console.print(f"[bold]{escape(head)}[/bold]")
    weeks, wall = manifest.get("weeks"), manifest.get("wall_s")
    if weeks is not None:
        console.print(f"{weeks} weeks played" + (f" in {wall:.1f} s" if isinstance(wall, int | float) else "") + ".")
    if interrupted:
        console.print("Interrupted: these are the weeks that were finished.")
    for part in (_prices, _shares, _stoppages, _defaults, _events, _explained):
        part(console, summary)
    if out is not None:
        console.print(f"\nWritten to {escape(str(out))}")


def _prices(console: Console, summary: Mapping[str, Any]) -> None:
    rows = summary.get("prices") or []
    if not rows:
        return
    console.print()
    title = "Prices in the first and the last week, USD per kg ex VAT"
    table = _table("good", "price", "at", "tax", ">then", ">now", ">change", ">t a year", title=title)
    good = ""
    for row in rows:
        name = str(row.get("name") or row.get("good"))
        table.add_row(
            "" if name == good else name,
            str(row.get("kind", "")),
            str(row.get("place", "")),
            str(row.get("tax_basis", "")),
            number(row.get("then")),
            number(row.get("now")),
            _percent(row.get("change_pct"), signed=True)
            if row.get("volume_t") or row.get("kind") == "ask"
            else "no trade",
            number(row.get("volume_t")),
        )
        good = name
    console.print(table)


def _shares(console: Console, summary: Mapping[str, Any]) -> None:
    shares = summary.get("shares") or {}
    if not shares:
        return
    console.print()
    table = _table(
        "stage", ">China then", ">China now", "largest places now", title="Who makes it, share of world output"
    )
    for stage, row in shares.items():
        top = ", ".join(_top(entry) for entry in row.get("top", [])[:4])
        table.add_row(str(stage), _share(row.get("china_then")), _share(row.get("china_now")), top)
    console.print(table)


def _top(entry: object) -> str:
    """`MYS 5%` out of {"place": ..., "share": ...} or a pair."""
    if isinstance(entry, Mapping):
        return f"{entry.get('place')} {_share(entry.get('share'))}"
    if isinstance(entry, Sequence) and not isinstance(entry, str) and len(entry) == 2:
        return f"{entry[0]} {_share(entry[1])}"
    return str(entry)


def _stoppages(console: Console, summary: Mapping[str, Any]) -> None:
    rows = summary.get("stoppages") or []
    console.print()
    if not rows:
        console.print("[bold]Stopped lines[/bold]\nNo user had to stop for want of material.")
        return
    total = summary.get("output_lost_usd") or 0.0
    table = _table(
        "who",
        "end use",
        "place",
        ">weeks",
        "first",
        ">output lost",
        title=f"Stopped lines: {_money(total)} of output lost",
    )
    for row in rows[:10]:
        table.add_row(
            str(row.get("party")), str(row.get("end_use")), str(row.get("place")), number(row.get("weeks"), 0),
            str(row.get("first_date")), _money(row.get("output_lost_usd")),
        )  # fmt: skip
    console.print(table)
    if len(rows) > 10:
        console.print(f"and {len(rows) - 10} more")


def _defaults(console: Console, summary: Mapping[str, Any]) -> None:
    rows = summary.get("defaults") or []
    if rows:
        console.print("\n[bold]Defaults[/bold]")
    for row in rows:
        _line(console, row, _texts(summary))


def _events(console: Console, summary: Mapping[str, Any]) -> None:
    rows = summary.get("events") or []
    if rows:
        console.print("\n[bold]What moved the market[/bold]")
    for row in rows[:5]:
        _line(console, row, _texts(summary))


def _texts(summary: Mapping[str, Any]) -> dict[str, str]:
    """Texts of the events told here, by id; a cause that is not among them is left out."""
    rows = [*(summary.get("events") or []), *(summary.get("defaults") or [])]
    return {str(row["id"]): str(row.get("text", "")) for row in rows if isinstance(row, Mapping) and "id" in row}


def _line(console: Console, row: object, texts: Mapping[str, str]) -> None:
    """One event: date, text, causes."""
    from rich.markup import escape

    if not isinstance(row, Mapping):
        console.print(escape(str(row)))
        return
    causes = [str(c["text"]) if isinstance(c, Mapping) else texts.get(str(c), "") for c in row.get("causes") or []]
    known = "; ".join(dict.fromkeys(cause for cause in causes if cause))
    tail = f" (because: {known})" if known else ""
    console.print(escape(f"{row.get('date', '')}  {row.get('text', '')}{tail}".strip()))


PARTS = ("supply", "demand", "stocks", "policy", "contracts", "expectations")


def _explained(console: Console, summary: Mapping[str, Any]) -> None:
    rows = summary.get("explained") or []
    if not rows:
        return
    console.print()
    heads = {"contracts": "contr.", "expectations": "expect."}  # 80 columns are few
    columns = ["move", "when", ">change", *(f">{heads.get(part, part)}" for part in PARTS)]
    table = _table(*columns, title="Largest moves of a cleared price and what they came from, percentage points")
    table.columns[1].no_wrap = True
    for row in rows[:3]:
        parts = row.get("parts") or {}
        way = f"{number(row.get('before'))} to {number(row.get('after'))}"
        what = f"{row.get('good')} {row.get('kind', '')} {row.get('place', '')}, {way}"
        shown = [number(parts.get(part), 0) for part in PARTS]
        table.add_row(what, str(row.get("date")), _percent(row.get("change_pct"), signed=True), *shown)
    console.print(table)


# ---------------------------------------------------------------- scenarios


def list_all(as_json: bool = False) -> int:
    """`offtake scenarios list`."""
    found = list_scenarios()
    if as_json:
        rows = [{"name": info.name, "title": info.title, "description": info.description} for info in found]
        print(json.dumps({"scenarios": rows}, indent=1))
        return 0
    table = _table("name", "what it is")
    for info in found:
        table.add_row(info.name, info.title)
    console = _console()
    console.print(table)
    console.print("\nMore of one: offtake scenarios show NAME. Play it: offtake run NAME")
    return 0


def check(scenario: str) -> int:
    """`offtake scenarios check FILE`: every fault of a file, or one line that it is fine."""
    spec = load_scenario(scenario)
    weeks = (spec.end - spec.start).days // 7 + 1
    print(
        f"{scenario} is fine: {len(spec.nodes)} places, {len(spec.sites)} sites, {len(spec.uses)} uses, "
        f"{weeks} weeks from {spec.start}, hash {scenario_hash(spec)[:12]}"
    )
    return 0


def show(scenario: str, as_json: bool = False) -> int:
    """`offtake scenarios show NAME`: what the world is made of; estimates are marked."""
    spec = load_scenario(scenario)
    if as_json:
        print(spec.model_dump_json(indent=1))
        return 0
    from rich.markup import escape

    console = _console()
    console.print(f"[bold]{escape(spec.title or spec.name)}[/bold] ({spec.name})")
    if spec.description:
        console.print(escape(" ".join(spec.description.split())))
    demand = "constant" if spec.constant_demand else spec.demand_variant
    weeks = (spec.end - spec.start).days // 7 + 1
    console.print(
        f"{spec.start} to {spec.end}, {weeks} weeks after {spec.burn_in_weeks} of burn-in. "
        f"Demand {demand}, strategies {'on' if spec.strategies else 'off'}. Hash {scenario_hash(spec)[:12]}."
    )
    console.print("Rows marked est. are estimates of this project, not published figures.")
    for part in (_show_nodes, _show_sites, _show_demand, _show_goods, _show_stocks, _show_contracts, _show_events):
        part(console, spec)
    return 0


def _est(estimate: bool) -> str:
    return "est." if estimate else ""


def _show_nodes(console: Console, spec: WorldSpec) -> None:
    members: dict[str, list[str]] = defaultdict(list)
    for place in spec.places:
        members[place.node].append(place.name or place.code)
    table = _table("place", "jurisdictions", title="Places where orders meet")
    for node in spec.nodes:
        table.add_row(node.code, ", ".join(members[node.code]) or node.name)
    console.print()
    console.print(table)


STAGE_NAMES = {
    "mine": "Mines, t TREO in concentrate",
    "separation_light": "Separation, light, t TREO treated",
    "separation_heavy": "Separation, heavy, t SEG+ treated",
    "metal": "Metal, t",
    "magnet": "Magnets, t finished",
    "recycling": "Recycling, t oxide out",
    "byproduct": "By-product, t oxide",
}


def _show_sites(console: Console, spec: WorldSpec) -> None:
    names = {party.code: party.name or party.code for party in spec.parties}
    order = list(STAGE_NAMES)
    sites = sorted(spec.sites, key=lambda site: (order.index(site.stage), -sum(r.base_t for r in site.recipes)))
    for stage, group in groupby(sites, key=lambda site: site.stage):
        table = _table("site", "firm", "place", ">could make", ">makes", "state", "", title=STAGE_NAMES[stage])
        for column in table.columns:
            column.no_wrap = True  # one line a site; a long firm name is cut
        for site in group:
            made = sum(recipe.base_t for recipe in site.recipes)
            when = f" {site.announced_start:%Y-%m}" if site.announced_start else ""
            table.add_row(
                site.code, names.get(site.party, site.party), site.node, number(site.nameplate_t, 0), number(made, 0),
                "" if site.status == "operating" else site.status + when, _est(site.estimate),
            )  # fmt: skip
        console.print()
        console.print(table)


def _show_demand(console: Console, spec: WorldSpec) -> None:
    tonnes: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    guessed: dict[str, bool] = defaultdict(bool)
    for use in spec.uses:
        tonnes[use.end_use][use.node] += sum(use.goods_t.values())
        guessed[use.end_use] |= use.estimate
    table = _table("end use", ">t a year", "where, t a year", "", title="Demand at the start")
    for end_use, nodes in sorted(tonnes.items(), key=lambda item: -sum(item[1].values())):
        ranked = sorted(nodes.items(), key=lambda item: -item[1])
        where = ", ".join(f"{node} {number(amount, 0)}" for node, amount in ranked)
        table.add_row(end_use, number(sum(nodes.values()), 0), where, _est(guessed[end_use]))
    console.print()
    console.print(table)


def _show_goods(console: Console, spec: WorldSpec) -> None:
    table = _table(
        "code", "good", "stage", ">home", ">FOB", "", title="Goods and their prices at the start, USD per kg ex VAT"
    )
    for good in spec.goods:
        table.add_row(
            good.code, good.name or good.code, good.stage, number(good.base_price_usd_per_kg),
            number(good.base_fob_usd_per_kg), _est(good.estimate),
        )  # fmt: skip
    console.print()
    console.print(table)


def _show_stocks(console: Console, spec: WorldSpec) -> None:
    if spec.stocks:
        table = _table(
            "holder", "place", "good", ">t", title="Stocks held at the start (plants and users: by their cover)"
        )
        for stock in spec.stocks:
            table.add_row(stock.holder, stock.node, stock.good, number(stock.tonnes))
        console.print()
        console.print(table)
    if spec.traders:
        table = _table("trader", "place", "good", ">target, t", title="Traders' stocks")
        for hub in spec.traders:
            table.add_row(hub.party, hub.node, hub.good, number(hub.target_t))
        console.print()
        console.print(table)


def _show_contracts(console: Console, spec: WorldSpec) -> None:
    if not spec.contracts:
        return
    most = 15
    largest = sorted(spec.contracts, key=lambda contract: -contract.volume_t_per_year)[:most]
    title = f"Contracts in force: {len(spec.contracts)}" + (", the largest:" if len(spec.contracts) > most else "")
    table = _table("seller", "buyer", "good", ">t a year", "to", "price", "", title=title)
    for row in largest:
        price = number(row.price_usd_per_kg) if row.price_rule == "fixed" else "index"
        end = "open" if row.end.year > 2090 else f"{row.end:%Y-%m}"
        table.add_row(row.seller, row.buyer, row.good, number(row.volume_t_per_year, 0), end, price, _est(row.estimate))
    console.print()
    console.print(table)


def _show_events(console: Console, spec: WorldSpec) -> None:
    console.print()
    if not spec.events:
        console.print("[bold]Dated events[/bold]\nNone.")
        return
    table = _table("date", "who", "what", "source", title="Dated events (commands in the name of a party)")
    for event in sorted(spec.events, key=lambda event: event.date):
        what = event.text or str(event.command.get("kind", ""))
        table.add_row(str(event.date), event.actor, what, event.source)
    console.print(table)


# ---------------------------------------------------------------- export


def export(folder: str, as_csv: bool = True, as_long: bool = False) -> int:
    """`offtake export DIR`: the tables of a run as CSV, one a table or one long one.  Returns 0.

    The long table has the columns date, table, key, variable, value (numbers only).
    """
    place = Path(folder)
    if not (place / "manifest.json").is_file():
        remedy = "name a folder written by 'offtake run --out DIR'"
        raise InputError.one("there is no run in it (no manifest.json)", remedy, file=str(place))
    import pandas

    found = sorted(place.glob("*.parquet"))
    if not found:
        remedy = "run again without --tables, or with the tables you need"
        raise InputError.one("the run kept no tables", remedy, file=str(place))
    longs = []
    for path in found:
        frame = pandas.read_parquet(path)
        if as_csv:
            target = path.with_suffix(".csv")
            frame.to_csv(target, index=False)
            print(f"{target} {len(frame)} rows")
        if as_long:
            longs.append(_long(frame, path.stem))
    if as_long:
        target = place / "long.csv"
        table = pandas.concat(longs, ignore_index=True)
        table.to_csv(target, index=False)
        print(f"{target} {len(table)} rows")
    return 0


def _long(frame: pandas.DataFrame, name: str) -> pandas.DataFrame:
    """One table in long form: every number in a row of its own, the texts of the row joined as its key."""
    when = next((column for column in ("date", "date_shipped", "quarter", "applied", "start") if column in frame), None)
    values = list(frame.select_dtypes(include="number").columns)
    texts = [column for column in frame.columns if column not in values and column != when]
    columns = [frame[column].astype("string").fillna("") for column in texts]
    keys = columns[0].str.cat(columns[1:], sep="/") if columns else ""
    head = frame.assign(key=keys, when=frame[when].astype(str) if when else "")
    long = head.melt(id_vars=["when", "key"], value_vars=values, var_name="variable", value_name="value")
    long.insert(1, "table", name)
    return long.rename(columns={"when": "date"}).dropna(subset=["value"])
