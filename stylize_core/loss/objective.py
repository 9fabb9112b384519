"""What is minimised: targets and losses tied to one value per picture, with its gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from stylize_core.loss.colour import recoloured
from stylize_core.loss.functional import (
    gatys_content_loss,
    gatys_style_loss,
    gram_matrix,
    mean_content_loss,
    mean_style_loss,
    range_penalty,
    relative_content_loss,
    relative_style_loss,
)
from stylize_core.loss.moments import (
    covariance_root,
    mean_wasserstein_style_loss,
    moments,
    relative_wasserstein_style_loss,
    wasserstein_style_loss,
)
from stylize_core.loss.regions import Area, guidance
from stylize_core.loss.total_variation import VARIATIONS
from stylize_core.networks.encoder import Encoder
from stylize_core.settings.style import StyleSettings

Loss = Callable[[Tensor, Tensor], Tensor]
CONTENT_LOSSES: Mapping[str, Loss] = {
    "relative": relative_content_loss,
    "gatys": gatys_content_loss,
    "mean": mean_content_loss,
}
STYLE_LOSSES: Mapping[str, Loss] = {
    "relative": relative_style_loss,
    "gatys": gatys_style_loss,
    "mean": mean_style_loss,
}
WASSERSTEIN_LOSSES = {
    "relative": relative_wasserstein_style_loss,
    "gatys": wasserstein_style_loss,
    "mean": mean_wasserstein_style_loss,
}

# Layer name to [B, C, h, w] for content; for style to Gram matrices [B, C, C] or moments [B, C+1, C+1].
Targets = Mapping[str, Tensor]


def content_targets(encoder: Encoder, content_bchw: Tensor, settings: StyleSettings) -> Targets:
    """The features of content pictures [B, 3, H, W] at the content layers; none if content has no weight."""
    return _targets(encoder, content_bchw, settings.content_layer_weights if settings.uses_content else ())


def style_targets(
    encoder: Encoder,
    style_bchw: Tensor,
    settings: StyleSettings,
    *,
    alpha_b1hw: Tensor | None = None,
    content_bchw: Tensor | None = None,
    mask_b1hw: Tensor | None = None,
) -> Targets:
    """The statistics of style pictures [B, 3, H, W] at the style layers; none if style has no weight.

    Places count by their opacity `alpha_b1hw` [B, 1, H, W], so transparent pixels carry no style, and by
    `mask_b1hw` [B, 1, H, W], which is inset in each layer as `guidance` does it. The result is small and
    worth keeping between pairs: independent of any content with `colour: style`, for this one otherwise.

    Raises:
        ValueError: the colour setting needs the content, and `content_bchw` is not given.
    """
    share_b1hw = alpha_b1hw
    if mask_b1hw is not None:
        share_b1hw = mask_b1hw if alpha_b1hw is None else mask_b1hw * alpha_b1hw.to(mask_b1hw)
    style_bchw = recoloured(style_bchw, content_bchw, settings, share_b1hw=share_b1hw)
    features = _targets(encoder, style_bchw, settings.style_layer_weights if settings.uses_style else ())
    measure = moments if settings.statistics == "moments" else gram_matrix
    guides = {
        layer: _units(share_b1hw, value, layer, inset=mask_b1hw is not None)
        for layer, value in features.items()
    }
    return {layer: measure(value, share_b1hw=guides[layer]) for layer, value in features.items()}


def _units(share_b1hw: Tensor | None, features_bchw: Tensor, layer: str, *, inset: bool) -> Tensor | None:
    """How much each unit of a layer counts, given how much each place of the picture does."""
    if share_b1hw is None:
        return None
    share_b1hw = share_b1hw.to(features_bchw)
    if inset:
        return guidance(share_b1hw, layer)
    height, width = features_bchw.shape[-2:]
    return functional.adaptive_avg_pool2d(share_b1hw, (height, width))


def mean_targets(parts: Sequence[Targets], shares: Sequence[float]) -> Targets:
    """The statistics of a blend: the mean of its parts', weighted by shares that sum to 1.

    Gram matrices and moments are both means over places, and moments are raw, so this is what a picture would
    have whose places show the styles in these shares. (Means of covariances would leave out how far the
    styles' means lie apart.) A single part stands for itself, without a share; no parts make no targets.
    """
    if len(parts) < 2:
        return parts[0] if parts else {}
    return {
        layer: torch.stack([share * part[layer] for part, share in zip(parts, shares, strict=True)]).sum(0)
        for layer in parts[0]
    }


def stack_targets(rows: Sequence[Targets]) -> Targets:
    """The targets of single pictures as those of one batch; all must have the same layers and shapes."""
    return {layer: torch.cat([row[layer] for row in rows]) for layer in rows[0]}


# Why so many: every term of the loss with its target and its weight.
@dataclass(frozen=True, slots=True)
class Objective:
    """The weighted sum of the losses for a batch of pictures, each row on its own.

    Attributes:
        content: targets of `content_targets`, B rows.
        style: targets of `style_targets`, B rows, for the whole picture.
        areas: styles of parts of the picture, instead of `style`.
        roots: what `statistics: moments` needs of each style at every evaluation.
    """

    encoder: Encoder
    content: Targets
    style: Targets
    settings: StyleSettings
    areas: Sequence[Area] = ()
    roots: Sequence[Targets] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Take the roots once: they are the costly part of a target."""
        if self.style and not self.areas:
            object.__setattr__(self, "areas", (Area(self.style),))
        wanted = self.areas if self.settings.statistics == "moments" else ()
        roots = [{layer: covariance_root(value) for layer, value in area.style.items()} for area in wanted]
        object.__setattr__(self, "roots", roots)

    def __call__(self, image_bchw: Tensor) -> tuple[Tensor, Tensor]:
        """Loss [B] and its gradient [B, 3, H, W] at pictures [B, 3, H, W].

        The loss is the sum of the terms and of the penalty for pixels outside 0..1, which is 0 for any
        finished picture and therefore not among the terms.
        """
        used = {*self.content, *(layer for area in self.areas for layer in area.style)}
        trace = self.encoder.trace(image_bchw) if used else None
        taps = self.encoder.taps(trace) if trace else {}
        # The encoder may know more layers than this objective uses.
        features = {layer: f.requires_grad_() for layer, f in taps.items() if layer in used}
        image = image_bchw.detach().requires_grad_()
        leaves = [*features.values(), *([image] if self.settings.tv_weight else [])]
        with torch.enable_grad():
            loss = _total(self._terms(features, image))
            gradients = torch.autograd.grad(loss.sum(), leaves)
        total = gradients[-1] if self.settings.tv_weight else torch.zeros_like(image_bchw)
        if trace:
            total = total + self.encoder.pull_back(trace, dict(zip(features, gradients, strict=False)))
        if self.settings.colour == "luminance":  # the slope among grey pictures: a grey start stays grey
            total = total.mean(1, keepdim=True).expand(total.shape)
        penalty, inwards = range_penalty(image_bchw)
        weight = self.settings.range_weight
        return loss.detach() + weight * penalty, total + weight * inwards

    def terms(self, image_bchw: Tensor) -> dict[str, Tensor]:
        """The weighted parts of the loss by name, each [B]; parts without weight are left out."""
        with torch.no_grad():
            features = self.encoder(image_bchw) if self.content or self.areas else {}
            return self._terms(features, image_bchw)

    def _terms(self, features: Mapping[str, Tensor], image_bchw: Tensor) -> dict[str, Tensor]:
        terms = {}
        if self.content:
            terms["content"] = self.settings.content_weight * self._content_loss(features)
        if self.areas:
            terms["style"] = self.settings.style_weight * self._style_loss(features)
        if self.settings.tv_weight:
            terms["tv"] = self.settings.tv_weight * VARIATIONS[self.settings.tv_form](image_bchw)
        return terms

    def rows(self, index: Sequence[int]) -> Objective:
        """The objective for some rows of the batch only."""
        chosen = list(index)
        return Objective(
            encoder=self.encoder,
            content={layer: value[chosen] for layer, value in self.content.items()},
            style={},
            settings=self.settings,
            areas=[area.rows(chosen) for area in self.areas],
        )

    def _content_loss(self, features: Mapping[str, Tensor]) -> Tensor:
        loss = CONTENT_LOSSES[self.settings.loss]
        weights = self.settings.content_layer_weights
        return _total(
            {layer: weights[layer] * loss(features[layer], target) for layer, target in self.content.items()}
        )

    def _style_loss(self, features: Mapping[str, Tensor]) -> Tensor:
        losses = {}
        for number, area in enumerate(self.areas):
            loss = self._loss_of(number, features)
            losses[str(number)] = loss if area.weight_b is None else area.weight_b * loss
        return _total(losses)

    def _loss_of(self, area: int, features: Mapping[str, Tensor]) -> Tensor:
        weights = self.settings.style_layer_weights
        layers = self.areas[area].style
        return _total({layer: weights[layer] * self._layer_loss(area, layer, features) for layer in layers})

    def _layer_loss(self, number: int, layer: str, features: Mapping[str, Tensor]) -> Tensor:
        form, area = self.settings.loss, self.areas[number]
        target, guide = area.style[layer], area.guides.get(layer)
        measure = moments if self.settings.statistics == "moments" else gram_matrix
        if guide is None:
            measured = measure(features[layer])
        else:
            measured = measure(guide.pick(features[layer]), share_b1hw=guide.share_b1n)
        if self.settings.statistics == "moments":
            return WASSERSTEIN_LOSSES[form](measured, target, root_bcc=self.roots[number][layer])
        return STYLE_LOSSES[form](measured, target)


def _total(terms: Mapping[str, Tensor]) -> Tensor:
    return torch.stack(list(terms.values())).sum(0)


def _targets(encoder: Encoder, image_bchw: Tensor, layers: Sequence[str] | Mapping[str, float]) -> Targets:
    if not layers:
        return {}
    with torch.no_grad():
        features = encoder(image_bchw)
    return {layer: features[layer] for layer in layers}
