"""The number format inside the network: which one is chosen, what it costs in quality, how it is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import small_networks
import torch
from intensity import LONG
from small_networks import tiny_encoder, tiny_weights, waves
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from stylize_core.device import SMALLEST_IN_BF16, choose_precision, multiplied_in
from stylize_core.errors import DeviceUnavailable
from stylize_core.image.decode import decode_picture
from stylize_core.image.resize import resize
from stylize_core.loss.objective import Objective
from stylize_core.loss.targets import Targets, content_targets, style_targets
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.weights import Weights, builtin_weights
from stylize_core.optim.minimise import minimise
from stylize_core.optim.watching import CHECK_EVERY, RowReport
from stylize_core.pyramid.level import ViewSpec
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.recipes import defaults_of
from stylize_core.settings.style import StyleSettings
from stylize_core.transfer import stylize

CPU = torch.device("cpu")
takes_minutes = pytest.mark.skipif(not LONG, reason="takes minutes: `make faults`, or STYLIZE_FAULTS=long")
IMAGES = Path(__file__).parents[2] / "manifests" / "images"


def picture(name: str, long_edge: int) -> Tensor:
    path = IMAGES / f"{name}.jpg"
    decoded = decode_picture(path.read_bytes(), source=name, settings=PictureSettings())
    return resize(decoded, long_edge=long_edge, enlarge=True).rgb[None]


def rounding(settings: StyleSettings) -> Encoder:
    """A tiny network that computes in bf16."""
    return Encoder(tiny_weights(), layers=settings.layers, dtype=torch.bfloat16)


@pytest.mark.parametrize(
    "hardware",
    [
        {"avx512_bf16": True, "cpu_name": "AMD EPYC"},
        {"avx512_bf16": True},
        {"avx512_bf16": True, "amx_bf16": True, "cpu_name": "Intel Xeon"},
    ],
)
def test_auto_takes_bf16_where_the_processor_multiplies_it_faster(
    hardware: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: hardware)
    assert choose_precision("auto", CPU, size=512) == "bf16"
    assert choose_precision("auto", CPU, size=SMALLEST_IN_BF16 - 1) == "fp32"


def test_auto_is_fp32_where_bf16_is_not_faster_or_nothing_is_known_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False, "avx512_f": True})
    assert choose_precision("auto", CPU, size=512) == "fp32"
    slow = {"avx512_bf16": True, "amx_bf16": False, "cpu_name": "Intel Xeon"}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: slow)
    assert choose_precision("auto", CPU, size=512) == "fp32"
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert choose_precision("auto", CPU, size=512) == "fp32"
    assert choose_precision("auto", torch.device("mps"), size=512) == "fp32"


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), "fp32"), ((8, 0), "bf16"), ((9, 0), "bf16")])
def test_auto_takes_bf16_on_gpus_since_ampere(
    capability: tuple[int, int], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert choose_precision("auto", torch.device("cuda:0"), size=512) == expected


@pytest.mark.parametrize("name", ["fp32", "bf16"])
def test_a_precision_by_name_is_that_one_at_every_size(name: Any) -> None:
    assert choose_precision(name, CPU, size=64) == name


def test_tf32_is_refused_where_there_is_none() -> None:
    assert choose_precision("tf32", torch.device("cuda:0"), size=512) == "tf32"
    with pytest.raises(DeviceUnavailable, match="precision 'tf32' needs a CUDA device, and this is cpu"):
        choose_precision("tf32", CPU, size=512)


def test_a_network_in_bf16_knows_itself_in_fp32() -> None:
    settings = StyleSettings()
    small = rounding(settings)
    exact = small.exact()
    assert (small.precision, exact.precision) == ("bf16", "fp32")
    assert small.exact() is exact is exact.exact()
    expected = tiny_encoder(settings)(waves(0.3))
    for layer, features in exact(waves(0.3)).items():
        assert torch.equal(features, expected[layer])
        assert not torch.equal(small(waves(0.3))[layer], features)


def test_only_tf32_lets_cuda_round_and_only_inside_the_network() -> None:
    flags: list[bool] = []

    class Looking(Encoder):
        def prepare(self, image_bchw: Tensor) -> Tensor:
            flags.append(torch.backends.cudnn.allow_tf32)
            return super().prepare(image_bchw)

    before = torch.backends.cudnn.allow_tf32
    for tf32 in (True, False):
        Looking(tiny_weights(), layers=["relu1_1"], tf32=tf32)(waves(0.3))
        assert torch.backends.cudnn.allow_tf32 == before
    assert flags == [True, False]


def taken_over_after(report: RowReport) -> int:
    """After how many evaluations fp32 took over."""
    (decision,) = report.decisions
    assert decision.startswith("bf16 rounds too coarsely for the last steps; fp32 took over after ")
    return int(decision.split()[-2])


def test_what_bf16_cannot_improve_is_finished_in_fp32() -> None:
    """It stalls long before the last steps, which are taken all the same."""
    settings = StyleSettings(steps=600, scales=1)
    small = rounding(settings)
    exact = small.exact()
    content, style = waves(0.3, height=48, width=48), waves(1.7, height=48, width=48, finer=3).flip(1)
    made = stylize(content, style, settings=settings, encoder=small)
    (report,) = made.reports
    left = taken_over_after(report)
    assert left % CHECK_EVERY == 0
    assert 0 < left < 360
    assert report.evaluations == len(report.loss_curve) == left + 240
    targets = style_targets(exact, style, settings)
    judge = Objective(exact, content_targets(exact, content, settings), targets, settings)
    coarse = style_targets(small, style, settings)
    before = stylize(content, coarse, settings=replace(settings, steps=left), encoder=small)
    assert before.reports[0].decisions == []
    assert _value(judge, made.image_bchw) < 0.98 * _value(judge, before.image_bchw)


def test_rows_that_stall_in_bf16_wait_for_the_last_steps_and_take_them_together() -> None:
    settings = StyleSettings(steps=600, scales=1)
    contents = torch.cat([waves(angle, height=48, width=48) for angle in (0.3, 1.1)])
    styles = torch.cat([waves(angle, height=48, width=48, finer=3).flip(1) for angle in (1.7, 2.4)])
    made = stylize(contents, styles, settings=settings, encoder=rounding(settings))
    for report in made.reports:
        assert report.evaluations == len(report.loss_curve)
        assert report.evaluations >= taken_over_after(report) + 2 * CHECK_EVERY


@pytest.fixture
def wide_weights(monkeypatch: pytest.MonkeyPatch) -> Weights:
    """A random network with so many channels that bfloat16 goes Winograd's way."""
    monkeypatch.setattr(small_networks, "WIDTHS", (32, 128, 128, 128, 128))
    return tiny_weights("vgg19")


# At one size, so that both precisions begin at the same picture: what is compared is arithmetic.
FIRST = defaults_of(1, "vgg19")

WIDE = StyleSettings(
    **FIRST,
    encoder="vgg19",
    steps=100,
    content_layers=("relu3_1",),
    style_layers=("relu1_1", "relu2_1", "relu3_1"),
)


def test_the_last_steps_of_a_wide_network_in_bf16_are_taken_in_fp32(wide_weights: Weights) -> None:
    content, style = waves(0.3, height=48, width=64), waves(1.7, height=48, width=64, finer=3)
    small = Encoder(wide_weights, layers=WIDE.layers, dtype=torch.bfloat16)
    targets = style_targets(small, style, WIDE)

    def judge(encoder: Encoder) -> Objective:
        return Objective(encoder, content_targets(encoder, content, WIDE), targets, WIDE)

    exact = judge(small.exact())
    made, (report,) = minimise(judge(small), content, settings=WIDE, exact=lambda: exact)
    assert taken_over_after(report) == 60
    assert report.evaluations == len(report.loss_curve) == 100
    assert report.best_loss == pytest.approx(_value(exact, made), rel=1e-5)
    # The first of them looks again at the best picture of before; the next is a step on from it.
    assert report.loss_curve[60] == pytest.approx(min(report.loss_curve[:60]), rel=0.05)
    assert report.loss_curve[61] < report.loss_curve[60]


def test_what_bf16_measured_is_no_target_for_fp32(wide_weights: Weights) -> None:
    """A library's user may hand in statistics alone; then there is nothing to measure again."""
    small = Encoder(wide_weights, layers=WIDE.layers, dtype=torch.bfloat16)
    content, style = waves(0.3, height=32, width=32), waves(1.7, height=32, width=32)
    targets = style_targets(small, style, WIDE)
    views: list[ViewSpec] = []

    def measured(view: ViewSpec) -> tuple[Targets, tuple[Targets, ...]]:
        views.append(view)
        return style_targets(small.exact(), style, WIDE), ()

    settings = replace(WIDE, steps=20)
    alone = stylize(content, targets, settings=settings, encoder=small)
    with_views = stylize(content, targets, settings=settings, encoder=small, measured=measured)
    assert alone.reports[0].decisions == []
    assert views == [ViewSpec(exact=True)]
    assert len(with_views.reports[0].decisions) == 1


def test_rows_of_a_batch_go_on_in_fp32_together(wide_weights: Weights) -> None:
    contents = torch.cat([waves(angle, height=32, width=32) for angle in (0.3, 1.1)])
    styles = torch.cat([waves(angle, height=32, width=32, finer=3) for angle in (1.7, 2.4)])
    small = Encoder(wide_weights, layers=WIDE.layers, dtype=torch.bfloat16)
    made = stylize(contents, styles, settings=replace(WIDE, steps=40), encoder=small)
    assert [len(report.decisions) for report in made.reports] == [1, 1]
    assert [report.evaluations for report in made.reports] == [40, 40]


@pytest.mark.parametrize("optimizer", ["adam", "gd"])
def test_solvers_that_bear_noise_stay_in_bf16(wide_weights: Weights, optimizer: Any) -> None:
    settings = replace(WIDE, optimizer=optimizer, steps=20)
    small = Encoder(wide_weights, layers=WIDE.layers, dtype=torch.bfloat16)
    content = waves(0.3, height=32, width=32)
    made = stylize(content, waves(1.7, height=32, width=32), settings=settings, encoder=small)
    assert made.reports[0].decisions == []


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums in one order, whatever the machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow(25)
@pytest.mark.usefixtures("one_thread")
@takes_minutes
@pytest.mark.parametrize(("content", "style"), [("town", "flow"), ("landscape", "impasto")])
def test_bf16_reaches_the_objective_of_fp32_to_one_percent(content: str, style: str) -> None:
    """Both judged in fp32, with fp32 targets, by one thread, as pictures of this size are always made.

    After 100 steps the objective still depends by some percent on the last bits, such as those that another
    number of threads changes; after 200 hardly.
    """
    settings = StyleSettings(**defaults_of(1), size=256, steps=200)
    contents, styles = picture(f"contents/{content}", 256), picture(f"styles/{style}", 256)
    exact = Encoder(builtin_weights(), layers=settings.layers)
    judge = Objective(
        exact, content_targets(exact, contents, settings), style_targets(exact, styles, settings), settings
    )
    small = Encoder(builtin_weights(), layers=settings.layers, dtype=torch.bfloat16)
    reached = {
        encoder.precision: _value(
            judge, stylize(contents, styles, settings=settings, encoder=encoder).image_bchw
        )
        for encoder in (exact, small)
    }
    assert reached["bf16"] < 1.01 * reached["fp32"], reached


class _Factors(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the number formats that are multiplied."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.formats: set[torch.dtype] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func._schema.name in ("aten::convolution", "aten::bmm", "aten::mm"):
            self.formats |= {one.dtype for one in args if isinstance(one, Tensor)}
        return func(*args, **kwargs or {})


@pytest.mark.parametrize("name", ["avx512_bf16", "amx_bf16", "bf16"])
def test_a_processor_without_bf16_multiplies_the_same_numbers_in_float32(
    wide_weights: Weights, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its products of bf16 would take ten times as long and more."""
    settings = StyleSettings(encoder="vgg19", size=64, style_layers=("relu1_1", "relu2_2"))
    found = []
    for known in (False, True):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda known=known: {name: known, "avx2": True})
        encoder = Encoder(wide_weights, layers=settings.layers, dtype=torch.bfloat16)
        content, style = picture("contents/town", 64), picture("styles/flow", 64)
        with _Factors() as factors:
            objective = Objective(
                encoder,
                content_targets(encoder, content, settings),
                style_targets(encoder, style, settings),
                settings,
            )
            found.append(objective(content))
        assert (torch.bfloat16 in factors.formats) == known
    (loss, gradient), (native_loss, native_gradient) = found
    assert float(loss) == pytest.approx(float(native_loss), rel=0.02)
    assert float((gradient - native_gradient).norm() / native_gradient.norm()) < 0.1


def test_only_a_processor_without_bf16_multiplies_it_in_another_format(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    assert multiplied_in(torch.bfloat16, "cpu") == torch.float32
    assert multiplied_in(torch.bfloat16, "cuda:0") == torch.bfloat16
    for exact in (torch.float32, torch.float64):
        assert multiplied_in(exact, "cpu") == exact


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_a_wide_network_in_bf16_reaches_it_as_well(wide_weights: Weights) -> None:
    settings = replace(WIDE, size=96, steps=150)
    content, style = picture("contents/town", 96), picture("styles/flow", 96)
    small = Encoder(wide_weights, layers=settings.layers, dtype=torch.bfloat16)
    exact = small.exact()
    judge = Objective(
        exact, content_targets(exact, content, settings), style_targets(exact, style, settings), settings
    )
    reached = [
        _value(judge, stylize(content, style, settings=settings, encoder=encoder).image_bchw)
        for encoder in (exact, small)
    ]
    assert reached[1] < 1.01 * reached[0], reached


def _value(judge: Objective, image: Tensor) -> float:
    return float(judge(image)[0])
