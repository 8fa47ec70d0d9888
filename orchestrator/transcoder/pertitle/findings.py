"""What an analysis found, and how the status tells of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator.transcoder.pertitle.search import Choice
from orchestrator.transcoder.ports import Member, Notice, Produced


@dataclass(frozen=True, slots=True)
class Verdict:
    """The choice for one output; ``sampled`` and ``seconds`` are the samples' and its lengths."""

    choice: Choice
    sampled: float
    seconds: float

    @property
    def saved(self) -> int:
        """Bytes less than with the encoder's default, as far as the samples tell."""
        less = self.choice.default.size - self.choice.chosen.size
        return round(less * self.seconds / self.sampled)

    def document(self) -> dict[str, Any]:
        """The ``per_title`` of an output's ``meta``. All but ``crf`` is of the samples."""
        chosen, default = self.choice.chosen, self.choice.default
        percent = 100.0 * (1 - chosen.size / default.size)
        return {
            "crf": chosen.crf,
            "vmaf": round(chosen.score, 2),
            "default_crf": default.crf,
            "default_vmaf": round(default.score, 2),
            "saved": self.saved,
            "saved_percent": round(percent, 1),
            "estimated": True,
        }


@dataclass(frozen=True, slots=True)
class Findings:
    """The rate factors by tag, why, and what the client should know.

    ``shares`` is the percent of each output that its analysis was.
    """

    crfs: Mapping[str, float] = field(default_factory=dict)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    warnings: tuple[Notice, ...] = ()
    shares: Mapping[str, float] = field(default_factory=dict)

    def told(self, outputs: Iterable[Produced]) -> tuple[Produced, ...]:
        """The outputs, each with what was found for it in its ``meta``."""
        return tuple(self._output(made) for made in outputs)

    def _output(self, made: Produced) -> Produced:
        members = tuple(replace(each, meta=self._meta(each)) for each in made.members)
        return replace(made, meta=self._meta(made), members=members)

    def _meta(self, made: Produced | Member) -> Mapping[str, Any]:
        verdict = self.verdicts.get(made.tag)
        return made.meta if verdict is None else {**made.meta, "per_title": verdict.document()}
