"""Steps that are captured and repeated, with a stand-in for CUDA graphs, and rows that end meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from test_minimise import _nowhere, changed, objective_of, pairs
from torch import Tensor

from stylize_core.optim import minimise as loop
from stylize_core.optim import steps
from stylize_core.optim.minimise import minimise
from stylize_core.optim.watching import RowReport
from stylize_core.settings.style import StyleSettings


class Stream:
    """A stream that does its work at once."""

    device = torch.device("cpu")

    def wait_stream(self, other: Stream) -> None:
        assert isinstance(other, Stream)


@dataclass
class Graphs:
    """What was captured and how often it was repeated.

    Attributes:
        refusal: why a capture fails; empty if it does not.
    """

    refusal: str = ""
    captures: int = 0
    replays: int = 0
    modes: list[str] = field(default_factory=list)

    def graph(self) -> Any:
        return Graph(self)

    @contextmanager
    def capture(self, graph: Graph, *, stream: Stream, capture_error_mode: str) -> Iterator[None]:
        """While a graph is captured nothing is computed."""
        self.captures += 1
        self.modes.append(capture_error_mode)
        real = steps.advance
        steps.advance = lambda *given: graph.steps.append(lambda: real(*given))
        try:
            yield
            if self.refusal:
                raise RuntimeError(self.refusal)
        finally:
            steps.advance = real


class Graph:
    """Steps that were recorded instead of taken."""

    def __init__(self, graphs: Graphs) -> None:
        self.graphs, self.steps = graphs, list[Callable[[], None]]()

    def replay(self) -> None:
        self.graphs.replays += 1
        for step in self.steps:
            step()


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> Graphs:
    found = Graphs()
    monkeypatch.setattr(steps, "_side_stream", lambda device: Stream())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", found.graph)
    monkeypatch.setattr(torch.cuda, "graph", found.capture)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream())
    return found


def run(rows: int = 2, trouble: Any = None, **settings: Any) -> tuple[Tensor, list[RowReport]]:
    chosen = StyleSettings(**{"steps": 33, **settings})
    contents, styles = pairs(rows)
    objective = objective_of(contents, styles, chosen)
    return minimise(changed(objective, trouble) if trouble else objective, contents, settings=chosen)


@pytest.mark.parametrize(
    "settings", [{}, {"optimizer": "adam", "average": 0.5}, {"optimizer": "gd"}], ids=str
)
def test_captured_steps_are_those_that_are_taken_one_by_one(
    graphs: Graphs, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    captured, reports = run(**settings)
    assert (graphs.captures, graphs.replays) == (1, 33 - steps.EAGER)
    assert graphs.modes == ["thread_local"]
    monkeypatch.setattr(steps, "_side_stream", lambda device: None)
    plain, expected = run(**settings)
    assert torch.equal(captured, plain)
    assert reports == expected


def test_where_a_capture_fails_steps_go_on_one_by_one_and_the_record_says_so(graphs: Graphs) -> None:
    graphs.refusal = "operation not permitted when stream is capturing\nat some place"
    made, reports = run()
    assert (graphs.captures, graphs.replays) == (1, 0)
    said = "steps were launched one by one, as they could not be captured: operation not permitted when "
    assert [report.decisions for report in reports] == [[f"{said}stream is capturing"]] * 2
    graphs.refusal = ""
    assert torch.equal(made, run()[0])


def test_after_rows_have_left_the_smaller_batch_is_captured_anew(graphs: Graphs) -> None:
    _, reports = run(3, _nowhere(pairs()[0][1:2]))
    assert [report.stop_reason for report in reports] == ["steps", "diverged", "steps"]
    assert graphs.captures == 3, "of three rows, of two, and of the one that Adam rescues"


@pytest.mark.parametrize(("rows", "computed"), [(3, [3] * 33), (2, [2] * 10 + [1] * 23)])
def test_on_a_device_rows_that_have_ended_stay_until_half_are_gone(
    rows: int, computed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    hopeless, seen = _nowhere(pairs()[0][1:2]), list[int]()

    def watched(image: Tensor) -> Tensor:
        seen.append(len(image))
        return hopeless(image)

    at_once, expected = run(rows, hopeless)
    monkeypatch.setattr(loop, "on_host", lambda _: False)
    made, reports = run(rows, watched)
    assert seen[:33] == computed
    assert repr(reports) == repr(expected)
    assert torch.equal(made, at_once)
