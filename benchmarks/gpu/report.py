"""What was measured on a device, as Markdown for docs/performance.md and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.gpu.evaluations import Evaluation
from benchmarks.gpu.night import Night
from benchmarks.gpu.steps import Step

MISSING = "not enough memory"


@dataclass(slots=True)
class Report:
    """Everything that one call of the command found.

    Attributes:
        device: as records name it.
        peaks: TFLOP/s of a large convolution, by number format.
        left_out: what there was no time for, in words.
    """

    device: str
    torch: str
    peaks: dict[str, float] = field(default_factory=dict)
    evaluations: list[Evaluation] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    nights: list[Night] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write both forms; their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        text, data = folder / f"{name}.md", folder / f"{name}.json"
        text.write_text(self.markdown(), encoding="utf-8")
        data.write_text(json.dumps(self.plain(), indent=1) + "\n", encoding="utf-8")
        return text, data

    def plain(self) -> dict[str, object]:
        """All of it, with what is worked out of it."""
        return asdict(self) | {
            "evaluations": [asdict(one) | {"ratio": one.ratio} for one in self.evaluations],
            "nights": [asdict(one) | {"pairs_per_hour": one.pairs_per_hour} for one in self.nights],
        }

    def markdown(self) -> str:
        """The tables of docs/performance.md."""
        peaks = ", ".join(f"{rate:.1f} TFLOP/s in {name}" for name, rate in self.peaks.items())
        parts = [
            f"On {self.device}, PyTorch {self.torch}; one large convolution: {peaks or 'not measured'}.",
            _table(
                ("network", "px", "batch", "precision", "chain, ms", "plain PyTorch fp32, ms", "ratio",
                 "of the peak", "peak memory"),
                map(_evaluation, self.evaluations),
            ),
            _table(("network", "px", "batch", "steps are", "ms per evaluation, solver included"),
                   map(_step, self.steps)),
            _table(("network", "px", "steps", "pairs", "seconds", "pairs/hour", "device has work",
                 "peak memory"),
                   map(_night, self.nights)),
        ]  # fmt: skip
        parts += [f"Not measured, for lack of time: {'; '.join(self.left_out)}."] if self.left_out else []
        return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _evaluation(one: Evaluation) -> list[str]:
    return [
        one.encoder,
        str(one.size),
        str(one.batch),
        one.precision,
        MISSING if one.seconds is None else f"{one.seconds * 1e3:.2f}",
        MISSING if one.plain_s is None else f"{one.plain_s * 1e3:.2f}",
        "" if one.ratio is None else f"{one.ratio:.1f}",
        "" if one.share is None else f"{one.share:.0%}",
        _memory(one.peak_bytes),
    ]


def _step(one: Step) -> list[str]:
    return [one.encoder, str(one.size), str(one.batch), one.way, f"{one.seconds * 1e3:.2f}"]


def _night(one: Night) -> list[str]:
    return [
        one.encoder,
        str(one.size),
        str(one.steps),
        str(one.pairs),
        f"{one.seconds:.1f}",
        f"{one.pairs_per_hour:.0f}",
        f"{one.busy:.0%}",
        _memory(one.peak_bytes),
    ]


def _memory(peak: int | None) -> str:
    return "" if peak is None else f"{peak / 1e9:.2f} GB"
