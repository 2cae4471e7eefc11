"""CPU seconds of a step of an SCML 2024 OneShot world with 16 agents.  Run by path, in an interpreter that has scml."""

from __future__ import annotations

import json
import random
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")

from scml.oneshot.agents import RandomOneShotAgent, SyncRandomOneShotAgent  # noqa: E402
from scml.oneshot.world import SCML2024OneShotWorld  # noqa: E402

STEPS = 20


def step_seconds(agent: type) -> tuple[float, int]:
    """Mean CPU seconds of a step after the first, and how many agents play."""
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    config = SCML2024OneShotWorld.generate(
        agent_types=[agent], n_steps=STEPS + 5, n_processes=2, n_agents_per_process=8
    )
    world = SCML2024OneShotWorld(**config, compact=True, no_logs=True)
    world.step()
    start = time.process_time()
    for _ in range(STEPS):
        world.step()
    return (time.process_time() - start) / STEPS, sum(not a.startswith(("SELLER", "BUYER")) for a in world.agents)


if __name__ == "__main__":
    out = {}
    for kind in (RandomOneShotAgent, SyncRandomOneShotAgent):
        seconds, agents = step_seconds(kind)
        out[kind.__name__] = seconds
        out["agents"] = agents
    print(json.dumps(out))
