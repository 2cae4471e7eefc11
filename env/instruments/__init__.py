"""Policy instruments in force: one file each, the same shape, listed here.

An instrument is a frozen command in force (`Rule`) plus a handler with a fixed set of hooks: `tariff`,
`export_tax`, `cap` (lanes), `output` (sites), `start` and `weekly`.  Adding one takes a file and a line below.
"""

from env.instruments.base import Handler, Rule
from env.instruments.duty import ExportDuty
from env.instruments.embargo import ExportEmbargo
from env.instruments.floor import PriceFloor
from env.instruments.licensing import ControlListRule, LicenceDialRule
from env.instruments.price_target import PriceTarget
from env.instruments.quota import Quota
from env.instruments.stockpile import Release, Stockpile
from env.instruments.tariff import Tariff

HANDLERS: dict[str, Handler] = {
    handler.kind: handler
    for handler in (
        Tariff(),
        ExportDuty(),
        Quota(),
        ExportEmbargo(),
        ControlListRule(),
        LicenceDialRule(),
        Stockpile(),
        Release(),
        PriceTarget(),
        PriceFloor(),
    )
}

__all__ = ["HANDLERS", "Handler", "Rule"]
