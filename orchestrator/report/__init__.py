"""What people see of a run: live progress, the summary, the log."""

from orchestrator.report.counting import Counting
from orchestrator.report.progress import QuietObserver, RunObserver, progress

__all__ = ["Counting", "QuietObserver", "RunObserver", "progress"]
