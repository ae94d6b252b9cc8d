"""Settings that hold for every test: how hard hypothesis tries.

`HYPOTHESIS_PROFILE=full` tries twenty times as many examples as the default `fast`. A failing example prints
a blob that replays it.
"""

import os

from hypothesis import settings

settings.register_profile("fast", max_examples=50, deadline=None, derandomize=False, print_blob=True)
settings.register_profile("full", settings.get_profile("fast"), max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))
