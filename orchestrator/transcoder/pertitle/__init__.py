"""Per-title encoding: the rate factor that suits a film, found by measuring samples of it.

The documents: it "allows to decrease output bitrate without sacrificing
quality". So an output gets the highest rate factor at which samples of the film
score what is enough for its size (``target``). Where the encoder's own default
scores less than that already, the default is kept: no output is larger than
it would be without, and none looks worse than both the target and that.
"""

from orchestrator.transcoder.pertitle.analysis import PerTitle
from orchestrator.transcoder.pertitle.findings import Findings, Verdict
from orchestrator.transcoder.pertitle.search import target

__all__ = ["Findings", "PerTitle", "Verdict", "target"]
