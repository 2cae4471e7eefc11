"""Who decides: Mesa agents (seats), their strategies, and `Game`, the facade everything else uses."""

from agents.command_log import read_log
from agents.game import Game
from agents.seat import Seat
from agents.strategy import BUILT_IN, Card, Strategy, load_strategy

__all__ = ["BUILT_IN", "Card", "Game", "Seat", "Strategy", "load_strategy", "read_log"]
