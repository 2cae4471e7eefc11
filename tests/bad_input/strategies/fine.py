def decide(observation, rng):
    return []
