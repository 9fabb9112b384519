"""A manifest made small and fast: the same pairs under the same names, in an output of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from flows.manifest.model import Manifest
from flows.manifest.settings import build
from flows.storage.location import is_remote
from stylize_core.errors import SettingsError

LONGEST_PX = 256
MOST_STEPS = 60
_LARGE = ("megapixels", "snapshot_every", "animation")


def preview_of(manifest: Manifest) -> Manifest:
    """The manifest whose pairs are made small and fast, beside the output of the real ones.

    Its results have records, an identity and a lock as any others, so what is there already is not made
    twice, and nothing of it is ever taken for a real result.
    """
    return replace(manifest, output=preview_output(manifest.output), preview=True, replace_foreign=False)


def preview_output(output: str) -> str:
    """Where previews go, for the output of the real results.

    >>> preview_output("/jobs/out/"), preview_output("s3://bucket/night"), preview_output("s3://bucket")
    ('/jobs/out-preview', 's3://bucket/night-preview', 's3://bucket/preview')
    """
    root = output.rstrip("/")
    is_bucket = is_remote(root) and "/" not in root.partition("://")[2]
    return f"{root}/preview" if is_bucket else f"{root}-preview"


def previewed(settings: Mapping[str, object]) -> dict[str, object]:
    """The settings of a preview: at most 256 px and 60 steps, by `slim` where its layers suffice.

    >>> previewed({"encoder": "vgg19", "size": 1024, "steps": 40})
    {'encoder': 'slim', 'size': 256, 'steps': 40, 'weights': None}
    >>> previewed({"encoder": "vgg19", "style_layers": ("relu5_1",), "size": 100})["encoder"]
    'vgg19'
    >>> sorted(previewed({"encoder": "vgg19", "init": "slim"}))  # which begins with itself then
    ['encoder', 'size', 'steps', 'weights']
    """
    style = build(settings).style
    px = style.picture_size.known_px or LONGEST_PX
    kept = {key: value for key, value in settings.items() if key not in _LARGE}
    small = kept | {"size": min(px, LONGEST_PX), "steps": min(style.steps, MOST_STEPS)}
    fast = small | {"encoder": "slim", "weights": None}
    if fast.get("init") == "slim":
        del fast["init"]
    try:
        build(fast)
    except SettingsError:
        return small
    return fast
