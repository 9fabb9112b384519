"""Words of other programs, and slips of the pen, for what is called otherwise here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches

KEYS: Mapping[str, tuple[str, ...]] = {
    "iterations": ("steps",), "num_iterations": ("steps",), "n_iterations": ("steps",), "iter": ("steps",),
    "iters": ("steps",), "max_iter": ("steps",), "max_iterations": ("steps",), "num_steps": ("steps",),
    "epochs": ("steps",), "niter": ("steps",),
    "lr": ("learning_rate",), "step_size": ("learning_rate",),
    "image_size": ("size",), "imsize": ("size",), "img_size": ("size",), "max_size": ("size",),
    "max_dim": ("size",), "resolution": ("size",), "width": ("size",), "height": ("size",),
    "end_scale": ("size",), "long_edge": ("size",),
    "model": ("encoder",), "network": ("encoder",), "net": ("encoder",), "backbone": ("encoder",),
    "arch": ("encoder",), "architecture": ("encoder",), "cnn": ("encoder",), "model_type": ("encoder",),
    "model_file": ("weights",), "checkpoint": ("weights",), "weights_file": ("weights",),
    "content": ("contents", "content"), "content_image": ("content", "contents"),
    "content_images": ("contents",), "content_dir": ("contents",), "content_path": ("content", "contents"),
    "photos": ("contents",), "images": ("contents",), "inputs": ("contents",), "input": ("contents",),
    "style": ("styles", "style"), "style_image": ("style", "styles"), "style_images": ("styles",),
    "style_dir": ("styles",), "style_path": ("style", "styles"), "paintings": ("styles",),
    "output_image": ("output", "name"), "output_dir": ("output",), "output_folder": ("output",),
    "output_path": ("output",), "out": ("output",), "out_dir": ("output",), "save_path": ("output",),
    "path": ("image",), "file": ("image",), "uri": ("image",), "url": ("image",), "src": ("image",),
    "alpha": ("content_weight",), "beta": ("style_weight",), "cw": ("content_weight",),
    "sw": ("style_weight",), "tv": ("tv_weight",), "tv_loss": ("tv_weight",),
    "total_variation": ("tv_weight",), "total_variation_weight": ("tv_weight",), "tvw": ("tv_weight",),
    "color": ("colour",), "original_colors": ("colour",), "original_colours": ("colour",),
    "preserve_color": ("colour",), "preserve_colors": ("colour",), "keep_colors": ("colour",),
    "optimiser": ("optimizer",), "optim": ("optimizer",), "solver": ("optimizer",),
    "init_image": ("init",), "start": ("init",), "initial": ("init",),
    "random_seed": ("seed",), "pooling_type": ("pooling",), "pool": ("pooling",),
    "ext": ("format",), "extension": ("format",), "output_format": ("format",), "image_format": ("format",),
    "jpeg_quality": ("quality",), "jpg_quality": ("quality",),
    "gpu": ("device",), "cuda": ("device",), "gpus": ("device",), "backend": ("device",),
    "batch_size": ("batch",), "save_iter": ("snapshot_every",), "save_every": ("snapshot_every",),
    "style_size": ("style_scale",), "mask": ("regions",), "style_blend_weights": ("blend",),
    "style_weights": ("blend", "style_weight"), "avg_decay": ("average",), "dtype": ("precision",),
    "ignore": ("exclude",), "skip": ("exclude",),
}  # fmt: skip
"""Each word with the keys that it may mean, the likeliest first."""

VALUES: Mapping[str, tuple[str, ...]] = {
    "jpg": ("jpeg",), "jpe": ("jpeg",), "tif": ("tiff",), "avg": ("average",), "mean": ("average",),
    "random": ("noise",), "l-bfgs": ("lbfgs",), "bfgs": ("lbfgs",), "sgd": ("gd",),
    "vgg": ("vgg19",), "vgg-19": ("vgg19",), "vgg-16": ("vgg16",), "inception": ("googlenet",),
    "float32": ("fp32",), "float": ("fp32",), "bfloat16": ("bf16",), "fp16": ("bf16",), "half": ("bf16",),
    "gpu": ("cuda",), "c": ("cpu",), "yes": ("true",), "on": ("true",), "no": ("false",), "off": ("false",),
    "preserve": ("luminance", "keep"), "original": ("luminance",),
}  # fmt: skip
"""Each value of others with those that it may mean here."""


def meant_key(word: str, known: Collection[str]) -> str:
    """The key of `known` that another program calls so; empty if there is none.

    >>> meant_key("num-iterations", ["size", "steps"])
    'steps'
    """
    candidates = KEYS.get(word.lower().replace("-", "_"), ())
    return next((key for key in candidates if key in known), "")


def meant_value(word: str, accepted: Collection[str]) -> str:
    """The value that somebody means who writes `word`; empty if nothing comes near.

    >>> meant_value("JPG", ["png", "jpeg"]), meant_value("vgg20", ["slim", "vgg19"]), meant_value("x", [])
    ('jpeg', 'vgg19', '')
    """
    lower = word.lower()
    if lower in accepted:
        return lower
    if known := [value for value in VALUES.get(lower, ()) if value in accepted]:
        return known[0]
    near = get_close_matches(lower, accepted, n=1)
    return near[0] if near else ""
