"""What is true: the world, its rules, its week.  No agents, no charts, no files but its own tables.

Start reading at `env.tick`: the week is a table of contents.
"""

from env.build import build_world
from env.calendar import week_index, weeks_between
from env.commands import (
    Accept,
    AdvanceProject,
    CancelProject,
    Command,
    Hold,
    Idle,
    OfferContract,
    PlanOutput,
    Reject,
    Restart,
    SetOrder,
    StartProject,
    Terminate,
    Withdraw,
    command_schema,
    parse_command,
)
from env.errors import Fault, InputError, suggest_or_list
from env.explain import Explanation, NoTrade, explain_week
from env.facts import Facts, load_facts
from env.instruments import (
    Embargo,
    OfferFloor,
    SetControlList,
    SetDuty,
    SetLicenceDial,
    SetPriceTarget,
    SetQuota,
    SetTariff,
    StockpileBuy,
    StockpileRelease,
)
from env.observations import Observation, observe
from env.record import TABLES
from env.roles import MAY
from env.scenario import check_scenario, list_scenarios, load_scenario, scenario_hash
from env.spec import WorldSpec
from env.streams import stream
from env.tick import tick
from env.world import World

__all__ = [
    "MAY",
    "TABLES",
    "Accept",
    "AdvanceProject",
    "CancelProject",
    "Command",
    "Embargo",
    "Explanation",
    "Facts",
    "Fault",
    "Hold",
    "Idle",
    "InputError",
    "NoTrade",
    "Observation",
    "OfferContract",
    "OfferFloor",
    "PlanOutput",
    "Reject",
    "Restart",
    "SetControlList",
    "SetDuty",
    "SetLicenceDial",
    "SetOrder",
    "SetPriceTarget",
    "SetQuota",
    "SetTariff",
    "StartProject",
    "StockpileBuy",
    "StockpileRelease",
    "Terminate",
    "Withdraw",
    "World",
    "WorldSpec",
    "build_world",
    "check_scenario",
    "command_schema",
    "explain_week",
    "list_scenarios",
    "load_facts",
    "load_scenario",
    "observe",
    "parse_command",
    "scenario_hash",
    "stream",
    "suggest_or_list",
    "tick",
    "week_index",
    "weeks_between",
]
