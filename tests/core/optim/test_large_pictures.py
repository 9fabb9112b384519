"""Pictures so large that every vector counts are walked in parts: to the same place, and in little memory."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from test_precondition import planes
from test_state import assert_same, gone_on, made
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from stylize_core import chunks, large_pictures
from stylize_core.optim import curvature
from stylize_core.optim import lbfgs as lbfgs_module
from stylize_core.optim.lbfgs import LBFGS
from stylize_core.optim.precondition import Gains, Moving, Preconditioned, lbfgs
from stylize_core.optim.state import buffers
from stylize_core.settings.style import StyleSettings


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every picture counts as large, and is walked in parts of uneven length."""
    monkeypatch.setattr(large_pictures, "COARSE_FROM", 100)
    monkeypatch.setattr(chunks, "CHUNK", 37)


@pytest.fixture
def fine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept in another format for that."""
    for module in (curvature, lbfgs_module):
        monkeypatch.setattr(module, "coarse", lambda dtype, _: dtype)


def bowl(points: Tensor) -> tuple[Tensor, Tensor]:
    bent = torch.linspace(1, 30, points.shape[1], dtype=points.dtype)
    apart = points - 0.3
    return (bent * apart.square()).sum(1) / 2, bent * apart


def driven(solver: Any, steps: int) -> Any:
    for _ in range(steps):
        solver.tell(*bowl(solver.trial))
    return solver


@pytest.mark.usefixtures("large", "fine")
@pytest.mark.parametrize("batch", [1, 3])
def test_in_parts_it_is_the_same_walk_within_rounding(batch: int) -> None:
    start = planes(batch=batch)
    solver = lbfgs(start, history=4, gains=Gains(1.5, 3.0))
    assert isinstance(solver, Moving)
    moving, placed = driven(solver, 20), driven(Preconditioned(start, history=4, gains=Gains(1.5, 3.0)), 20)
    torch.testing.assert_close(moving.best, placed.best, rtol=1e-9, atol=1e-9)
    assert torch.equal(moving.accepted, placed.accepted)
    for solver in (moving, placed):
        solver.revalue()
        assert torch.equal(solver.trial, solver.best)
    torch.testing.assert_close(driven(moving, 3).trial, driven(placed, 3).trial, rtol=1e-6, atol=1e-6)


@pytest.mark.usefixtures("fine")
def test_a_plain_walk_in_parts_is_the_one_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    start = planes(batch=2).flatten(1)
    at_once = driven(LBFGS(start, history=3), 15)
    monkeypatch.setattr(large_pictures, "COARSE_FROM", 100)
    monkeypatch.setattr(chunks, "CHUNK", 37)
    torch.testing.assert_close(driven(LBFGS(start, history=3), 15).best, at_once.best, rtol=1e-9, atol=1e-9)


@pytest.mark.usefixtures("large")
def test_with_coarse_pairs_and_directions_it_comes_to_the_minimum_as_well() -> None:
    solver = driven(lbfgs(planes().float(), history=5, gains=Gains(1.5, 3.0)), 120)
    assert solver.direction.dtype == solver.pairs.buffer.dtype == torch.bfloat16
    torch.testing.assert_close(solver.best, torch.full_like(solver.best, 0.3), atol=1e-4, rtol=0)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("after", [9, 27])
def test_a_checkpoint_of_a_large_picture_is_gone_on_from(after: int) -> None:
    settings = StyleSettings(steps=30, scales=1)
    assert_same(gone_on(settings, after), made(settings))


class Watching(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes how large what is made inside is, in numbers; what lies in given buffers is not made."""

    def __init__(self, given: list[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.given, self.largest = {one.untyped_storage().data_ptr() for one in given}, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for one in tree_leaves(out):
            if isinstance(one, Tensor) and one.untyped_storage().data_ptr() not in self.given:
                self.largest = max(self.largest, one.untyped_storage().nbytes() // one.element_size())
        return out


@pytest.mark.usefixtures("large")
def test_a_step_makes_nothing_of_the_pictures_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylize_core.optim.precondition.STRIP", 3 * 64 * 8)
    solver = lbfgs(planes(64, 64, batch=1).float(), history=3, gains=Gains(1.5, 3.0))
    driven(solver, 3)
    loss, gradient = bowl(solver.trial)
    with Watching([*buffers(solver).values(), gradient]) as watching:
        solver.tell(loss, gradient)
    assert int(solver.accepted) >= 2
    assert 0 < watching.largest < solver.trial.numel() / 3
