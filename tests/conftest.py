"""What every test shares: Hypothesis draws the same examples on every machine that sets CI."""

from __future__ import annotations

import os

from hypothesis import settings

# deadline=None: the first call of a compiled function takes seconds, and a shared machine is slow at times.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))
