"""What people see of a run: live progress, the summary, the log.

What draws is imported where it is used: a terminal's library takes time to load.
"""

from orchestrator.report.counting import Counting
from orchestrator.report.observers import QuietObserver, RunObserver

__all__ = ["Counting", "QuietObserver", "RunObserver"]
