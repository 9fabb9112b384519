"""The unit of the whole product: one content, one style, one set of settings, one name."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from flows.model.blend import Blend
from flows.model.observed import Observed
from flows.model.regions import Regions, roles
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.style import StyleSettings


@dataclass(frozen=True, slots=True)
class Input:
    """A picture to read.

    Attributes:
        uri: absolute local path or `s3://bucket/key`.
        token: what storage says to tell two versions apart (modification time, ETag); empty if unknown.
        sha256: digest of its bytes where the plan knows it, else empty.
        within: the folder that a pattern found it in, which no link may leave; empty where the user named it.
    """

    uri: str
    token: str = ""
    sha256: str = ""
    within: str = ""


# Why so many: a value: what a pair is made of, and the names that follow from that.
@dataclass(frozen=True, slots=True)
class Pair:
    """One picture to make.

    Attributes:
        name: path below the output without suffix; unique in a plan.
        content: None where the settings do without, and the style alone counts.
        style: the first one of a blend; None where the settings do without.
        blend: the pictures of a blend with their shares.
        regions: parts of the content with styles of their own; `style` is that of the rest.
        init: the picture to start from when `style_settings.init` is `image`.
    """

    name: str
    content: Input | None
    style: Input | None
    style_settings: StyleSettings
    picture_settings: PictureSettings
    init: Input | None = None
    blend: Blend[Input] = ()
    regions: Regions[Input] = ()

    @property
    def others(self) -> dict[str, Input]:
        """By role, every picture that it is made of beside content, style and init."""
        if not self.blend and not self.regions:
            return {}
        blend = {f"style[{at}]": part.picture for at, part in enumerate(self.blend) if at}
        return blend | roles(self.regions)

    @property
    def output_name(self) -> str:
        """Where the picture goes, below the output."""
        return self.name + self.picture_settings.suffix

    @property
    def record_name(self) -> str:
        """Where its record goes, below the output."""
        return self.name + ".json"

    @property
    def animation_name(self) -> str:
        """Where its animation goes, if there is one."""
        return f"{self.name}.{self.picture_settings.animation}"

    @property
    def snapshot_steps(self) -> range:
        """After how many evaluations a snapshot is wanted."""
        every, steps = self.style_settings.snapshot_every, self.style_settings.steps
        return range(every, steps + 1, every) if every else range(0)

    @property
    def is_shown(self) -> bool:
        """Whether anything is to be made of it on its way."""
        return bool(self.snapshot_steps) or self.picture_settings.animation != "none"

    @property
    def extra_names(self) -> tuple[str, ...]:
        """Where its snapshots and its animation go, below the output."""
        snapshots = tuple(map(self.snapshot_name, self.snapshot_steps))
        return snapshots if self.picture_settings.animation == "none" else (*snapshots, self.animation_name)

    def snapshot_name(self, step: int) -> str:
        """Where the snapshot of that step goes, below the output."""
        return f"{self.name}.{step:04d}{self.picture_settings.suffix}"


@dataclass(frozen=True, slots=True)
class Job:
    """A pair on its way to a worker.

    Attributes:
        output: root of the output, an absolute folder or `s3://` URI.
        identity: what the plan expects; empty if the plan could not know every digest.
        attempts: how often the pair was begun before.
        timeout_s: how long a device may take for it; infinite if there is no limit.
        replace_foreign: whether it may replace files that are not of this program.
        force: whether it is made although its picture is there; that stays if the new try fails.
        manifest: what asks for it, for the record.
        checkpoint_s: after how much time what the pair is at is kept for another run; 0 for never.
    """

    pair: Pair
    output: str
    identity: str = ""
    attempts: int = 0
    timeout_s: float = math.inf
    replace_foreign: bool = False
    force: bool = False
    manifest: str = ""
    checkpoint_s: float = 0.0


OutcomeStatus = Literal["done", "skipped", "failed", "stopped"]


@dataclass(frozen=True, slots=True)
class Effort:
    """What a pair took of its device.

    Attributes:
        device: as records name it; empty if the pair did not come so far.
        began_at: when the device turned to the pair, or reading began, in seconds since 1970.
        seconds: how long the device was at it, with its whole batch.
        peak_memory_bytes: what the device held at most, for all pairs in the batch; None where nobody knows.
        evaluations: of loss and gradient.
    """

    device: str
    began_at: float
    seconds: float
    peak_memory_bytes: int | None = None
    evaluations: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended.

    Attributes:
        status: `done`, `skipped` (it was done already), `failed` (recorded) or `stopped` (nothing recorded).
        kind: the error's word, if it failed.
        message: what went wrong, fit for a user.
        fatal: every further pair would fail as well.
        seconds: time that the pair's own phases took in the worker.
        retries: how often storage had to be asked again since the worker's last outcome, for whichever pair.
        double_work: it was made here, and another run had recorded the same picture meanwhile; then it is
            `skipped`.
        effort: what it took, for those who plot; None where its worker did not live to tell.
        worker: which worker of the engine had it; None where none had.
        observed: what it took, for estimates, if it was made here.
    """

    name: str
    status: OutcomeStatus
    kind: str = ""
    message: str = ""
    fatal: bool = False
    seconds: float = 0.0
    retries: int = 0
    double_work: bool = False
    effort: Effort | None = None
    worker: int | None = None
    observed: Observed | None = None
