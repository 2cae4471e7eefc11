"""Policy instruments in force: one file each, the same shape, listed here.

An instrument is a frozen command in force (`Rule`) plus a handler with a fixed set of hooks: `tariff`,
`export_tax`, `cap` (lanes), `output` (sites), `start`, `weekly` and `settle`.  Adding one takes a file and a line
below.
"""

from env.instruments.base import Handler, Rule
from env.instruments.duty import ExportDuty, SetDuty
from env.instruments.embargo import Embargo, ExportEmbargo
from env.instruments.floor import OfferFloor, PriceFloor
from env.instruments.licensing import ControlListRule, LicenceDialRule, SetControlList, SetLicenceDial
from env.instruments.price_target import PriceTarget, SetPriceTarget
from env.instruments.quota import Quota, SetQuota
from env.instruments.stockpile import Release, Stockpile, StockpileBuy, StockpileRelease
from env.instruments.tariff import SetTariff, Tariff

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

__all__ = [
    "HANDLERS",
    "Embargo",
    "Handler",
    "OfferFloor",
    "Rule",
    "SetControlList",
    "SetDuty",
    "SetLicenceDial",
    "SetPriceTarget",
    "SetQuota",
    "SetTariff",
    "StockpileBuy",
    "StockpileRelease",
]
