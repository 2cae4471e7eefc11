"""The only door: commands are checked (who, what, bounds), carried out or refused with a reason, and logged."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from env import commands as c
from env import deals, projects
from env.body import Body
from env.contracts import ACTIVE, TERMINATED
from env.events import note
from env.instruments import HANDLERS, Rule
from env.policy import start_rule
from env.roles import MAY, MOST_COMMANDS_A_WEEK

if TYPE_CHECKING:
    from env.world import World


MOST_DEPTH = 4  # of lists and tables in a command
FAR = 2**1023  # larger whole numbers are no numbers to compute with


class Refused(Exception):
    """A command that cannot be carried out; the text is the reason shown to its sender."""


def receive(world: World, orders: Mapping[str, Iterable[Any]], origin: str = "strategy") -> None:
    """Carry out the commands of all seats, in the order of their codes, and log each with its fate."""
    for actor in sorted(orders):
        for count, body in enumerate(orders[actor]):
            if count >= MOST_COMMANDS_A_WEEK:
                log(world, actor, _dump(body), origin, False, f"more than {MOST_COMMANDS_A_WEEK} commands in one week")
                break
            carry_out(world, actor, body, origin)


def receive_events(world: World) -> None:
    """Dated inputs that are due: commands in the name of a party."""
    while world.pending and world.pending[0][0] <= world.week:
        _, _, event = world.pending.pop(0)
        if world.structure.spec.strategies or world.structure.spec.events:
            carry_out(world, event.actor, event.command, "event", text=event.text)


def receive_inbox(world: World) -> None:
    """Commands of people and of logs, in the order they came; a seat has as many a week as through `receive`."""
    inbox, world.inbox = world.inbox, []
    counts: dict[tuple[str, str], int] = {}
    for actor, body, origin in inbox:
        count = counts[actor, origin] = counts.get((actor, origin), 0) + 1
        if origin == "event" or count <= MOST_COMMANDS_A_WEEK:
            carry_out(world, actor, body, origin)
        elif count == MOST_COMMANDS_A_WEEK + 1:
            log(world, actor, _dump(body), origin, False, f"more than {MOST_COMMANDS_A_WEEK} commands in one week")


def carry_out(world: World, actor: str, body: object, origin: str, text: str = "") -> bool:
    """Check and execute one command; True when accepted."""
    shown = _dump(body)
    try:
        if not isinstance(body, (Body, Mapping)):
            raise Refused(f"{type(body).__name__} is not a command; write a table with a kind and its fields")
        command = c.parse_command(body if isinstance(body, Body) else shown)
        if command is not body:
            shown = _dump(command)
        if actor not in world.structure.parties.index:
            raise Refused(f"unknown seat {actor!r}")
        kind = world.structure.party_kind[world.structure.parties.index[actor]]
        if command.kind not in MAY.get(kind, ()):
            raise Refused(f"a seat of kind {kind} may not {command.kind}")
        EXECUTE[type(command)](world, actor, command, text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(x) for x in first["loc"])
        log(world, actor, shown, origin, False, f"{where}: {first['msg']}")
        return False
    except Refused as error:
        log(world, actor, shown, origin, False, str(error))
        return False
    log(world, actor, shown, origin, True, "")
    return True


def log(world: World, actor: str, body: dict[str, Any], origin: str, accepted: bool, reason: str) -> None:
    """One row of the command log."""
    s = world.state
    number = s.next_ids.get("command", 1)
    s.next_ids["command"] = number + 1
    row = {
        "seq": number, "date": world.date.isoformat(), "week": world.week, "actor": actor,
        "kind": str(body.get("kind", "")), "body": body, "origin": origin, "accepted": accepted, "reason": reason,
    }  # fmt: skip
    world.record.commands.append(row)


@cache
def _needed(kind: type[Body]) -> frozenset[str]:
    """Fields a command cannot do without, even where they are empty."""
    return frozenset(name for name, info in kind.model_fields.items() if info.is_required())


def _dump(body: object) -> dict[str, Any]:
    """A command as it is judged and logged: JSON that reads back as the same command, whatever was handed in."""
    if isinstance(body, Body):
        needed = _needed(type(body))
        return {k: v for k, v in body.model_dump(mode="json").items() if v is not None or k in needed}
    if isinstance(body, Mapping):
        return {_text(key): _plain(value) for key, value in body.items()}
    return {"kind": "", "value": _plain(body)}


def _plain(value: object, depth: int = 1) -> object:
    """JSON for anything: what JSON cannot say is named by its type (an address or an order would differ by run)."""
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) < FAR else _text(float("inf"))
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _text(value)
    if depth < MOST_DEPTH and isinstance(value, Mapping):
        return {_text(key): _plain(item, depth + 1) for key, item in value.items()}
    if depth < MOST_DEPTH and isinstance(value, (list, tuple)):
        return [_plain(item, depth + 1) for item in value]
    return _text(value)


def _text(value: object) -> str:
    """A value as text that any file can hold."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, date):
        return value.isoformat()
    return repr(value) if isinstance(value, (bool, int, float, bytes)) else f"<{type(value).__name__}>"


# ---- checks ---------------------------------------------------------------------------------------------
def _good(world: World, code: str) -> int:
    if code not in world.structure.goods.index:
        raise Refused(f"unknown good {code!r}")
    return world.structure.goods.index[code]


def _node(world: World, code: str) -> int:
    if code not in world.structure.nodes.index:
        raise Refused(f"unknown market node {code!r}")
    return world.structure.nodes.index[code]


def _own_site(world: World, actor: str, code: str) -> int:
    st = world.structure
    if code not in st.sites.index:
        raise Refused(f"unknown site {code!r}")
    site = st.sites.index[code]
    if st.site_party[site] != st.parties.index[actor]:
        raise Refused(f"site {code} belongs to {st.parties.codes[st.site_party[site]]}")
    return site


def _own_project(world: World, actor: str, code: str) -> projects.Project:
    for project in world.state.projects:
        if project.id == code:
            if project.owner != world.structure.parties.index[actor]:
                raise Refused(f"project {code} belongs to somebody else")
            return project  # type: ignore[no-any-return]
    raise Refused(f"unknown project {code!r}")


# ---- what each command does -----------------------------------------------------------------------------
def _rule(world: World, actor: str, cmd: Any, text: str) -> None:
    """Put a policy instrument in force: its handler checks, announces and words it."""
    handler = HANDLERS[cmd.kind]
    reason = handler.refuse(world, actor, cmd)
    if reason:
        raise Refused(reason)
    note(
        world, cmd.kind, [actor], text or handler.words(actor, cmd), about=handler.about(world, cmd),
        data=cmd.model_dump(mode="json", exclude_none=True),
        target="" if _eases(world, actor, cmd) else handler.target(cmd),
    )  # fmt: skip
    handler.announced(world, actor, cmd)
    start_rule(world, actor, cmd, world.week, getattr(cmd, "weeks", None))


def _eases(world: World, actor: str, cmd: Any) -> bool:
    """True when a measure is lifted, or set no higher than it stands: that is aimed at nobody."""
    if getattr(cmd, "lift", False):
        return True
    rate = getattr(cmd, "rate", None)
    if rate is None:
        return False
    scope = HANDLERS[cmd.kind].scope(Rule("", cmd.kind, actor, cmd, world.week))
    standing = [
        r.terms.rate for r in world.state.instruments
        if r.kind == cmd.kind and r.active(world.week) and HANDLERS[r.kind].scope(r) == scope
    ]  # fmt: skip
    return bool(rate <= max(standing, default=0.0))


def _plan_output(world: World, actor: str, cmd: c.PlanOutput, text: str) -> None:
    world.state.plan_override[_own_site(world, actor, cmd.site)] = np.nan if cmd.share is None else cmd.share


def _set_order(world: World, actor: str, cmd: c.SetOrder, text: str) -> None:
    st, s = world.structure, world.state
    g = _good(world, cmd.good)
    party = st.parties.index[actor]
    holders, goods = (st.b_holder, st.b_good) if cmd.side == "buy" else (st.s_holder, st.s_good)
    mine = (goods == g) & (st.holder_party[holders] == party)
    if cmd.node:
        mine &= st.holder_node[holders] == _node(world, cmd.node)
    rows = np.flatnonzero(mine)
    if not len(rows):
        raise Refused(f"{actor} does not {cmd.side} {cmd.good}{' at ' + cmd.node if cmd.node else ''}")
    if cmd.rule == "ladder":
        table = s.manual_bid if cmd.side == "buy" else s.manual_ask
        share = cmd.tonnes_per_week * 1e3 / len(rows)
        table[rows] = (share, cmd.limit_usd_per_kg, float(cmd.weeks))
        return
    if cmd.side != "buy":
        raise Refused("the cover rule is for buyers; sellers use hold or a ladder")
    if cmd.cover_weeks is None:
        raise Refused("the cover rule needs cover_weeks")
    base = s.cover_target[rows]
    trader = st.b_role[rows] >= 2
    if trader.any():
        raise Refused("traders set ladders, not covers")
    s.order_scale[rows] = np.divide(cmd.cover_weeks, base, out=np.ones_like(base), where=base > 0)


def _hold(world: World, actor: str, cmd: c.Hold, text: str) -> None:
    st = world.structure
    g = _good(world, cmd.good)
    mine = (st.s_good == g) & (st.holder_party[st.s_holder] == st.parties.index[actor])
    if cmd.node:
        mine &= st.s_node == _node(world, cmd.node)
    if not mine.any():
        raise Refused(f"{actor} does not sell {cmd.good}")
    world.state.hold[mine] = cmd.share
    if cmd.share > 0.5:
        note(world, "hold", [actor], text or f"{actor} withholds {cmd.good} from sale", about=[f"good:{cmd.good}"])


def _idle(world: World, actor: str, cmd: c.Idle, text: str) -> None:
    site = _own_site(world, actor, cmd.site)
    if world.state.site_on[site] < 1.0:
        raise Refused(f"site {cmd.site} does not run")
    world.state.site_on[site] = 0.0
    note(world, "idle", [actor], text or f"{actor} puts {cmd.site} on care and maintenance", data={"site": cmd.site})


def _restart(world: World, actor: str, cmd: c.Restart, text: str) -> None:
    s = world.state
    site = _own_site(world, actor, cmd.site)
    if s.site_on[site] >= 1.0:
        raise Refused(f"site {cmd.site} already runs")
    if s.closed[world.structure.parties.index[actor]] > 0:
        raise Refused(f"{actor} is wound up")
    if s.site_restart_week[site] >= 0:
        raise Refused(f"site {cmd.site} is restarting already")
    if world.structure.opening_ramp[site] <= 0.0 and np.isnan(s.ramp_from[site, 0]):
        raise Refused(f"site {cmd.site} is not built")
    s.site_restart_week[site] = world.week + int(world.params["restart.weeks"])
    note(world, "restart", [actor], text or f"{actor} restarts {cmd.site}", data={"site": cmd.site})


def _start_project(world: World, actor: str, cmd: c.StartProject, text: str) -> None:
    site = _own_site(world, actor, cmd.site)
    s = world.state
    running = [p for p in s.projects if p.site == site and p.stage not in ("ramp", "cancelled")]
    if running:
        raise Refused(f"site {cmd.site} has a project under way: {running[0].id}")
    built = world.structure.opening_ramp[site] > 0 or not np.isnan(s.ramp_from[site, 0])
    if cmd.tonnes_per_year > 0 and not built:
        raise Refused(f"site {cmd.site} is not built; start the project itself first")
    if cmd.tonnes_per_year <= 0 and built:
        raise Refused(f"site {cmd.site} runs; name tonnes_per_year of the expansion")
    project = projects.start(world, site, cmd.tonnes_per_year)
    note(world, "project", [actor], text or f"{actor} starts {project.id}", data={"project": project.id})


def _advance_project(world: World, actor: str, cmd: c.AdvanceProject, text: str) -> None:
    project = _own_project(world, actor, cmd.project)
    if project.stage != "finance" or project.decided:
        raise Refused(f"project {cmd.project} has no decision due (stage {project.stage})")
    project.decided = True
    note(
        world,
        "fid",
        [actor],
        text or f"{actor} takes the investment decision on {project.id}",
        data={"project": project.id},
    )


def _cancel_project(world: World, actor: str, cmd: c.CancelProject, text: str) -> None:
    project = _own_project(world, actor, cmd.project)
    if project.stage in ("ramp", "cancelled"):
        raise Refused(f"project {cmd.project} is {project.stage}")
    project.stage = "cancelled"
    note(world, "project", [actor], text or f"{actor} gives {project.id} up", data={"project": project.id})


def _terminate(world: World, actor: str, cmd: c.Terminate, text: str) -> None:
    st, s = world.structure, world.state
    table = s.contracts
    me = st.parties.index[actor]
    rows = [i for i, code in enumerate(table.code) if code == cmd.contract or code.startswith(cmd.contract + "_")]
    mine = [
        i for i in rows
        if me in (st.holder_party[st.s_holder[table.seller_slot[i]]], st.holder_party[st.b_holder[table.buyer_slot[i]]])
        and table.status[i] == ACTIVE
    ]  # fmt: skip
    if not mine:
        raise Refused(f"no contract {cmd.contract!r} of {actor} in force")
    table.status[mine] = TERMINATED
    goods = sorted({st.goods.codes[st.s_good[table.seller_slot[i]]] for i in mine})
    note(world, "terminate", [actor], text or f"{actor} ends {cmd.contract}", about=[f"good:{g}" for g in goods])


def _deal(function: Callable[..., str | None]) -> Callable[..., None]:
    def run(world: World, actor: str, cmd: Any, text: str) -> None:
        reason = function(world, actor, cmd, text)
        if reason:
            raise Refused(reason)

    return run


EXECUTE: dict[type[Any], Callable[..., None]] = {
    **{handler.terms: _rule for handler in HANDLERS.values() if not handler.offered},
    **{handler.terms: _deal(deals.offer_floor) for handler in HANDLERS.values() if handler.offered},
    c.PlanOutput: _plan_output, c.SetOrder: _set_order, c.Hold: _hold, c.Idle: _idle, c.Restart: _restart,
    c.StartProject: _start_project, c.AdvanceProject: _advance_project, c.CancelProject: _cancel_project,
    c.Terminate: _terminate, c.OfferContract: _deal(deals.offer), c.Accept: _deal(deals.accept),
    c.Reject: _deal(deals.reject), c.Withdraw: _deal(deals.withdraw),
}  # fmt: skip
