"""Built-in strategies: one small file each, listed in `agents.strategy.BUILT_IN`."""
