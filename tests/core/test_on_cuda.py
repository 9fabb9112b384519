"""What a real GPU makes, held against the CPU; `make gpu` runs it where there is one."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from commands import ROOT
from small_networks import waves

from stylize_core.loss.objective import Objective
from stylize_core.loss.targets import content_targets, style_targets
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.weights import builtin_weights
from stylize_core.optim import steps
from stylize_core.settings.style import StyleSettings
from stylize_core.transfer import Stylized, stylize

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

CONTENTS = torch.cat([waves(0.3, height=64, width=96), waves(0.9, height=64, width=96)])
STYLES = torch.cat([waves(1.7, height=64, width=64), waves(1.1, height=64, width=64)])
MODES: list[dict[str, Any]] = [
    {}, {"mode": "content"}, {"mode": "texture"}, {"statistics": "moments"}, {"colour": "luminance"},
    {"optimizer": "adam"}, {"tv_weight": 10.0},
]  # fmt: skip


def encoder_of(settings: StyleSettings, device: str, dtype: torch.dtype = torch.float32) -> Encoder:
    return Encoder(
        builtin_weights(),
        layers=settings.layers,
        pooling=settings.network_pooling,
        device=torch.device(device),
        dtype=dtype,
    )


def made_on(device: str, dtype: torch.dtype = torch.float32, **settings: Any) -> Stylized:
    chosen = StyleSettings(**{"steps": 40, "scales": 1, **settings})
    given = CONTENTS.to(device), STYLES.to(device)
    return stylize(*given, settings=chosen, encoder=encoder_of(chosen, device, dtype))


@pytest.mark.parametrize("settings", MODES, ids=str)
def test_loss_and_gradient_are_the_cpus(settings: dict[str, Any]) -> None:
    chosen, found = StyleSettings(**settings), []
    for device in ("cpu", "cuda:0"):
        encoder, contents, styles = encoder_of(chosen, device), CONTENTS.to(device), STYLES.to(device)
        objective = Objective(
            encoder=encoder,
            content=content_targets(encoder, contents, chosen),
            style=style_targets(encoder, styles, chosen, content_bchw=contents),
            settings=chosen,
        )
        loss, gradient = objective(contents.flip(-1))[:2]
        found.append((loss.cpu(), gradient.cpu()))
    (loss, gradient), (loss_there, gradient_there) = found
    torch.testing.assert_close(loss_there, loss, rtol=2e-3, atol=1e-5)
    assert float((gradient_there - gradient).norm() / gradient.norm()) < 1e-2


@pytest.mark.parametrize("settings", MODES, ids=str)
def test_an_optimisation_ends_as_well_as_the_cpus(settings: dict[str, Any]) -> None:
    ours, theirs = (made_on(device, **settings) for device in ("cuda:0", "cpu"))
    for one, other in zip(ours.reports, theirs.reports, strict=True):
        assert one.best_loss < 1.1 * other.best_loss + 1e-4
        assert one.stop_reason == other.stop_reason


def test_bf16_ends_near_fp32() -> None:
    rough, exact = (made_on("cuda:0", dtype, steps=100) for dtype in (torch.bfloat16, torch.float32))
    for one, other in zip(rough.reports, exact.reports, strict=True):
        assert one.best_loss < 1.1 * other.best_loss


@pytest.mark.parametrize("settings", [{}, {"optimizer": "adam"}, {"plateau": 16.0, "steps": 200}], ids=str)
def test_a_captured_step_is_the_step_itself(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    captured = made_on("cuda:0", **settings)
    assert [report.decisions for report in captured.reports] == [[], []], "the capture failed"
    monkeypatch.setattr(steps, "EAGER", 10_000)
    for one, other in zip(captured.reports, made_on("cuda:0", **settings).reports, strict=True):
        assert one.evaluations == other.evaluations
        assert one.loss_curve[:20] == pytest.approx(other.loss_curve[:20], rel=1e-2)


PINNED = """
import sys, torch
from flows.engines.base import WorkerSpec
from flows.engines.local import LocalEngine
from flows.worker.devices import slots

if __name__ == "__main__":
    engine = LocalEngine(on_progress=lambda _: None, note=print)
    wanted = slots("cuda")
    found = engine.start(WorkerSpec(wanted))
    engine.close()
    assert [one.split(" ")[0] for one in found] == list(wanted), found
"""


def test_every_card_has_a_worker_that_calls_it_by_its_name() -> None:
    subprocess.run([sys.executable, "-c", PINNED], check=True, cwd=ROOT, timeout=240)
