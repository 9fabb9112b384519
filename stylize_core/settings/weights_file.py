"""A weights file as settings name it."""

from __future__ import annotations

from dataclasses import dataclass, field

from stylize_core.architecture import ConventionName
from stylize_core.errors import SettingsError
from stylize_core.settings.fields import check_choice
from stylize_core.settings.fields import setting as _setting


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightsFile:
    """A weights file that the user staged, pinned by its digest."""

    file: str = field(metadata={"about": "path or s3:// URI of a state dict (.safetensors or .pth)"})
    sha256: str = field(metadata={"about": "the file's sha256, 64 hex digits"})
    convention: ConventionName = _setting("torchvision", "how pictures are prepared for these weights")

    def __post_init__(self) -> None:
        """Refuse a digest that cannot be one.

        Raises:
            SettingsError: naming `weights.sha256`.
        """
        if len(self.sha256) != 64 or set(self.sha256) - set("0123456789abcdef"):
            raise SettingsError("weights.sha256", self.sha256, "it must be 64 lower-case hex digits")
        check_choice(self, "convention", "weights.convention")
