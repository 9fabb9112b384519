"""The paper's quantities against NumPy, by hand, and in what must not change them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import reference
import torch
from reference import array
from small_networks import waves
from torch import Tensor

from stylize_core.loss import functional as losses
from stylize_core.loss import pixels
from stylize_core.loss.functional import (
    Form,
    content_loss,
    gram_matrix,
    style_loss,
)
from stylize_core.loss.pixels import VARIATIONS, penalised_excess, total_variation, weighted_variation
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.weights import builtin_weights
from stylize_core.settings.style import StyleSettings

Loss = Callable[[Tensor, Tensor, Form], Tensor]
FORMS: tuple[Form, ...] = ("relative", "gatys", "mean")


def _features(seed: int, *shape: int) -> Tensor:
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def _close(value: Tensor, expected: object) -> None:
    np.testing.assert_allclose(array(value), np.asarray(expected), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 3, 4, 5), (3, 7, 1, 9), (1, 16, 6, 2)])
def test_the_gram_matrix_is_that_of_numpy(shape: tuple[int, ...]) -> None:
    features = _features(0, *shape)
    _close(gram_matrix(features), [reference.gram(array(row)) for row in features])


@pytest.mark.parametrize("size", [(5, 7), (32, 32), (64, 80), (71, 83)], ids=str)
@pytest.mark.parametrize("order", [torch.channels_last, torch.contiguous_format], ids=str)
def test_the_gram_matrix_of_bfloat16_features_is_float32_and_nearly_exact(
    size: tuple[int, int], order: torch.memory_format
) -> None:
    features = _features(1, 2, 24, *size).relu().bfloat16().contiguous(memory_format=order).requires_grad_()
    exact = features.detach().double().requires_grad_()
    slope = _features(2, 2, 24, 24)
    found, expected = gram_matrix(features), gram_matrix(exact)
    assert found.dtype == torch.float32
    assert _distance(found, expected) < 2e-3
    (found_gradient,) = torch.autograd.grad((found * slope).sum(), features)
    (expected_gradient,) = torch.autograd.grad((expected * slope).sum(), exact)
    assert found_gradient.dtype == torch.bfloat16
    assert _distance(found_gradient, expected_gradient) < 5e-3


def _distance(found: Tensor, expected: Tensor) -> float:
    return float((found.detach().double() - expected.detach()).norm() / expected.detach().norm())


def test_a_gram_matrix_computed_by_hand() -> None:
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, -1.0]]]], dtype=torch.float64)
    # F Fᵀ = [[1+4, 3-2], [3-2, 9+1]], divided by 2 channels times 2 places
    _close(gram_matrix(features), [[[1.25, 0.25], [0.25, 2.5]]])


def test_a_gram_matrix_is_symmetric_and_positive_semi_definite() -> None:
    matrix = gram_matrix(_features(1, 2, 9, 2, 3))
    _close(matrix, array(matrix.transpose(1, 2)))
    assert float(torch.linalg.eigvalsh(matrix).min()) > -1e-12


def test_a_gram_matrix_does_not_know_where_features_lie() -> None:
    features = _features(2, 1, 5, 4, 6)
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0))
    shuffled = features.flatten(2)[:, :, order].view(features.shape)
    _close(gram_matrix(shuffled), array(gram_matrix(features)))


def test_a_gram_matrix_grows_with_the_square_of_features_and_not_with_the_picture() -> None:
    features = _features(3, 1, 4, 5, 5)
    _close(gram_matrix(3 * features), 9 * array(gram_matrix(features)))
    _close(gram_matrix(features.repeat(1, 1, 2, 3)), array(gram_matrix(features)))


def test_features_of_a_large_picture_do_not_overflow_half_precision() -> None:
    features = torch.full((1, 2, 64, 64), 100.0, dtype=torch.float16)  # the plain sum would be 4e7
    assert torch.isfinite(gram_matrix(features)).all()


def test_only_counted_places_enter_the_gram_matrix() -> None:
    features = _features(4, 1, 6, 4, 5)
    counts = torch.tensor(np.random.default_rng(5).integers(0, 2, (1, 1, 4, 5)), dtype=torch.float64)
    counted = features[:, :, counts[0, 0] > 0][:, :, None, :]
    _close(gram_matrix(features, share_b1hw=counts), array(gram_matrix(counted)))


def test_a_place_that_counts_twice_as_much_is_like_two_places() -> None:
    features = _features(6, 1, 3, 1, 2)
    share = torch.tensor([[[[1.0, 0.5]]]], dtype=torch.float64)
    doubled = features[..., [0, 0, 1]]
    _close(gram_matrix(features, share_b1hw=share), array(gram_matrix(doubled)))
    np.testing.assert_allclose(
        array(gram_matrix(features, share_b1hw=share)[0]),
        reference.gram(array(features[0]), array(share[0, 0])),
    )


@pytest.mark.parametrize("share", [1.0, 0.25])
def test_an_even_share_changes_nothing(share: float) -> None:
    features = _features(7, 2, 3, 4, 4)
    even = torch.full((2, 1, 4, 4), share, dtype=torch.float64)
    _close(gram_matrix(features, share_b1hw=even), array(gram_matrix(features)))


def test_without_any_counted_place_the_gram_matrix_is_zero() -> None:
    assert not gram_matrix(_features(8, 1, 3, 4, 4), share_b1hw=torch.zeros(1, 1, 4, 4)).any()


@pytest.mark.parametrize(
    ("form", "expected"), [("relative", reference.relative), ("gatys", reference.gatys_content)]
)
def test_content_losses_are_those_of_numpy(form: Form, expected: Callable[..., float]) -> None:
    features, target = _features(9, 3, 4, 5, 6), _features(10, 3, 4, 5, 6)
    rows = [expected(array(f), array(p)) for f, p in zip(features, target, strict=True)]
    _close(content_loss(features, target, form), rows)


def test_the_relative_style_loss_is_that_of_numpy() -> None:
    features, target = _features(11, 2, 4, 5, 6), _features(12, 2, 4, 3, 7)
    rows = [
        reference.relative(reference.gram(array(f)), reference.gram(array(a)))
        for f, a in zip(features, target, strict=True)
    ]
    _close(style_loss(gram_matrix(features), gram_matrix(target)), rows)


def test_for_equal_sizes_the_gatys_style_loss_is_equation_4_of_the_paper() -> None:
    features, target = _features(13, 2, 5, 4, 6), _features(14, 2, 5, 4, 6)
    rows = [reference.gatys_style(array(f), array(a)) for f, a in zip(features, target, strict=True)]
    _close(style_loss(gram_matrix(features), gram_matrix(target), "gatys"), rows)


def test_losses_computed_by_hand() -> None:
    features, target = torch.tensor([[[[3.0, 0.0]]]]), torch.tensor([[[[1.0, 2.0]]]])
    assert content_loss(features, target).tolist() == pytest.approx([8 / 5])
    assert content_loss(features, target, "gatys").tolist() == [4.0]
    # Gram matrices of one channel at two places: 9/2 and 5/2
    grams = gram_matrix(features), gram_matrix(target)
    assert style_loss(*grams).tolist() == pytest.approx([4 / 6.25])
    assert style_loss(*grams, "gatys").tolist() == pytest.approx([1.0])


@pytest.mark.parametrize("form", FORMS)
def test_content_losses_are_zero_at_the_target_only(form: Form) -> None:
    target = _features(15, 1, 3, 4, 4)
    assert content_loss(target, target, form).tolist() == [0.0]
    assert float(content_loss(target + 1e-3, target, form)) > 0


@pytest.mark.parametrize("form", FORMS)
def test_style_losses_are_zero_for_equal_statistics(form: Form) -> None:
    features = _features(16, 1, 3, 4, 4)
    mirrored = gram_matrix(features.flip(3))
    assert float(style_loss(mirrored, gram_matrix(features), form)) == pytest.approx(0, abs=1e-25)


def test_relative_losses_are_free_of_units() -> None:
    features, target = _features(17, 1, 3, 4, 4), _features(18, 1, 3, 4, 4)
    _close(content_loss(1e3 * features, 1e3 * target), array(content_loss(features, target)))
    small = style_loss(gram_matrix(1e-1 * features), gram_matrix(1e-1 * target))
    _close(small, array(style_loss(gram_matrix(features), gram_matrix(target))))


def test_a_silent_picture_is_at_distance_one() -> None:
    target = _features(19, 1, 3, 4, 4)
    silent = torch.zeros_like(target)
    assert content_loss(silent, target).tolist() == [1.0]
    assert style_loss(gram_matrix(silent), gram_matrix(target)).tolist() == [1.0]


def test_a_silent_target_divides_by_a_floor_and_not_by_nothing() -> None:
    features, silent = _features(20, 1, 3, 4, 4), torch.zeros(1, 3, 4, 4, dtype=torch.float64)
    content = content_loss(features, silent)
    style = style_loss(gram_matrix(features), gram_matrix(silent))
    _close(content, array(features.square().mean((1, 2, 3))) / losses.SILENT_FEATURES)
    _close(style, array(gram_matrix(features).square().mean((1, 2))) / losses.SILENT_GRAM)


def test_total_variation_is_that_of_numpy() -> None:
    image = _features(21, 3, 3, 6, 5)
    _close(total_variation(image), [reference.total_variation(array(row)) for row in image])


def test_total_variation_by_hand() -> None:
    assert total_variation(torch.tensor([[[[0.0, 1.0], [3.0, 3.0]]]])).tolist() == [0.5 + 6.5]
    assert total_variation(torch.full((2, 3, 4, 4), 0.3)).tolist() == [0.0, 0.0]


def test_total_variation_does_not_grow_with_the_picture() -> None:
    board = (torch.arange(8)[:, None] + torch.arange(8)) % 2
    small = total_variation(board[None, None].double())
    assert total_variation(board.repeat(3, 5)[None, None].double()).tolist() == small.tolist() == [2.0]


@pytest.mark.parametrize(("height", "width", "expected"), [(1, 2, 4.0), (2, 1, 4.0), (1, 1, 0.0)])
def test_a_picture_one_pixel_wide_varies_along_its_length(height: int, width: int, expected: float) -> None:
    image = torch.tensor([0.0, 2.0])[: height * width].view(1, 1, height, width).requires_grad_()
    value = total_variation(image)
    value.sum().backward()  # type: ignore[no-untyped-call]
    assert value.tolist() == [expected]
    assert image.grad is not None
    assert torch.isfinite(image.grad).all()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_total_variation_hides_no_broken_pixel(bad: float) -> None:
    image = torch.zeros(2, 3, 4, 4)
    image[1, 0, 1, 1] = bad
    value = total_variation(image)
    assert torch.isfinite(value).tolist() == [True, False]


def test_losses_of_a_pair_at_twice_the_size_are_the_same_within_8_percent() -> None:
    """The same textures on 128 px and on 256 px; the rest is the picture's border, seen by deep layers."""
    small, large = _losses_of_a_pair(1), _losses_of_a_pair(2)
    for name in ("relative_content", "relative_style", "gatys_style"):
        assert large[name] == pytest.approx(small[name], rel=0.08), name
    assert large["gatys_content"] == pytest.approx(4 * small["gatys_content"], rel=0.08)


def _losses_of_a_pair(times: int) -> dict[str, float]:
    settings = StyleSettings()
    encoder = Encoder(builtin_weights(), layers=settings.layers)
    content = waves(0.2, height=128, width=128)
    style = waves(1.3, height=128, width=128, finer=4) * torch.tensor([1.0, 0.4, 0.1]).view(3, 1, 1)
    one, other = (encoder(picture.repeat(1, 1, times, times)) for picture in (content, style))
    sums = dict.fromkeys(("relative_content", "gatys_content", "relative_style", "gatys_style"), 0.0)
    for layer in settings.content_layer_weights:
        sums["relative_content"] += float(content_loss(one[layer], other[layer]))
        sums["gatys_content"] += float(content_loss(one[layer], other[layer], "gatys"))
    for layer in settings.style_layer_weights:
        grams = gram_matrix(one[layer]), gram_matrix(other[layer])
        sums["relative_style"] += float(style_loss(*grams))
        sums["gatys_style"] += float(style_loss(*grams, "gatys"))
    return sums


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("loss", [content_loss, style_loss])
def test_gradients_of_losses_are_their_differences(loss: Loss, form: Form) -> None:
    def value(features: Tensor, target: Tensor) -> Tensor:
        if loss is style_loss:
            return loss(gram_matrix(features), gram_matrix(target), form)
        return loss(features, target, form)

    features = _features(22, 2, 3, 3, 4).requires_grad_()
    assert torch.autograd.gradcheck(value, (features, _features(23, 2, 3, 3, 4)))


def test_gradients_of_the_shared_gram_matrix_and_of_variation_are_their_differences() -> None:
    features, share = _features(24, 2, 3, 3, 4).requires_grad_(), _features(25, 2, 1, 3, 4).abs()
    assert torch.autograd.gradcheck(lambda f: gram_matrix(f, share_b1hw=share), (features,))
    assert torch.autograd.gradcheck(total_variation, (features,))


def test_the_range_penalty_is_the_mean_squared_excess_with_its_gradient() -> None:
    image = torch.tensor([[[[-0.5, 0.25], [1.0, 3.0]]]], dtype=torch.float64)
    gradient = torch.ones_like(image)
    assert penalised_excess(image, 2.0, gradient).tolist() == [2 * (0.25 + 4.0) / 4]
    assert gradient.tolist() == [[[[0.5, 1.0], [1.0, 3.0]]]]


def test_pictures_in_range_have_no_range_penalty() -> None:
    gradient = torch.zeros(2, 3, 5, 4)
    assert penalised_excess(torch.rand(2, 3, 5, 4), 5.0, gradient).tolist() == [0, 0]
    assert not gradient.any()


@pytest.mark.parametrize("form", sorted(VARIATIONS))
def test_pixels_in_strips_are_those_of_the_whole_picture(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    image = _features(26, 2, 3, 11, 7)
    whole, strips = torch.zeros_like(image), torch.zeros_like(image)
    settings = StyleSettings(tv_weight=3.0, tv_form=form)  # type: ignore[arg-type]
    found = [weighted_variation(image, settings, whole), penalised_excess(image, 2.0, whole)]
    monkeypatch.setattr(pixels, "STRIP_PX", 3 * 7)
    again = [weighted_variation(image, settings, strips), penalised_excess(image, 2.0, strips)]
    torch.testing.assert_close(torch.stack(again), torch.stack(found))
    torch.testing.assert_close(strips, whole)
