"""Five kinds of deciding actors, and the background: Mesa agent classes by kind of party."""

from agents.kinds.background import Background
from agents.kinds.defence import Defence
from agents.kinds.oem import OemBuyer
from agents.kinds.producer import Producer
from agents.kinds.soe import Soe
from agents.kinds.state import State
from agents.seat import Seat

KIND_CLASS: dict[str, type[Seat]] = {
    "state": State,
    "soe": Soe,
    "producer": Producer,
    "aggregate": Background,
    "oem": OemBuyer,
    "defence": Defence,
    "agency": Defence,
}

__all__ = ["KIND_CLASS", "Background", "Defence", "OemBuyer", "Producer", "Seat", "Soe", "State"]
