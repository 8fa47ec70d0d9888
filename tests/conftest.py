"""Before any test.

No event loop that nobody closes: pytest-asyncio asks for the current loop before
its first test and leaves open the one that Python 3.11 then makes; with warnings
as errors, some later test would pay for it. A thread that has been told of its
(absent) loop makes none.

No deadlines for single examples: a busy machine is no failure.
"""

import asyncio

from hypothesis import settings

asyncio.set_event_loop(None)
settings.register_profile("default", deadline=None)
settings.load_profile("default")
