"""The command `stylize weights`: what there is, what is downloaded, and how a manifest names a file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.console import Console

from flows.cli.answers import print_json
from flows.cli.arguments import Json
from flows.cli.exits import errors_become_exit_codes
from flows.errors import BadArguments
from flows.manifest.values import did_you_mean
from flows.storage.location import absolute_path
from flows.storage.opening import read_uri
from flows.text import safe_text
from stylize_core.architecture import (
    ARCHITECTURES,
    DEFAULT_CONTENT_LAYERS,
    DEFAULT_STYLE_LAYERS,
    PACKAGED,
    PUBLISHED,
    Architecture,
    in_words,
    layer_names,
    usable_layers,
)
from stylize_core.errors import SettingsError


def weights(
    name: Annotated[
        str | None,
        typer.Argument(
            help="slim, vgg19, vgg16, googlenet, or a file.",
            autocompletion=lambda incomplete: [name for name in ARCHITECTURES if name.startswith(incomplete)],
        ),
    ] = None,
    architecture: Annotated[
        str, typer.Option(help="The network that a file is for: slim, vgg19, vgg16 or googlenet.")
    ] = "vgg19",
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Download the named published weights into torch's cache.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the known weights, download published ones, or print what a manifest needs to name a file."""
    with errors_become_exit_codes():
        found = describe_weights(name, architecture=architecture, fetch=fetch)
        if as_json:
            print_json(found)
        else:
            print_weights(found, Console())


def describe_weights(name: str | None, *, architecture: str, fetch: bool) -> list[dict[str, Any]]:
    """Facts about all known weights, about one of them, or about a file.

    Args:
        name: `slim`, `vgg19`, `vgg16`, `googlenet`, a path or `s3://` URI; None for all known ones.
        architecture: the network that a file is for.
        fetch: download published weights that are not there yet.

    Raises:
        BadWeights: a file that does not fit, or a failed download.
        StorageError: a file that cannot be read.
        SettingsError: an unknown architecture.
        BadArguments: nothing is named to be downloaded, or a name means nothing.
    """
    if name is None and fetch:
        raise BadArguments("--fetch: name what is to be downloaded: " + ", ".join(PUBLISHED))
    if name is None:
        return [_known(known, fetch=False) for known in ARCHITECTURES]
    if name in ARCHITECTURES:
        return [_known(name, fetch=fetch)]
    if re.fullmatch(r"[\w-]+", name) and not Path(name).exists():
        near = did_you_mean(name, ARCHITECTURES)
        known = ", ".join(ARCHITECTURES)
        raise BadArguments(f"weights: {name!r} is neither one of {known} nor a file that is here{near}")
    if architecture not in ARCHITECTURES:
        raise SettingsError("--architecture", architecture, "choose one of " + ", ".join(ARCHITECTURES))
    return [_file(name, cast("Architecture", architecture))]


def print_weights(found: list[dict[str, Any]], console: Console) -> None:
    """The facts for people, one paragraph for each."""
    for facts in found:
        for key, value in facts.items():
            console.print(
                safe_text(f"{key}: {value}"), markup=False, highlight=False, soft_wrap=True, no_wrap=True
            )
        console.print()


def _known(name: str, *, fetch: bool) -> dict[str, Any]:
    from stylize_core.networks import weights as published

    facts = {"name": name, "layers": in_words(layer_names(name))}
    if name not in PUBLISHED:
        built_in = published.builtin_weights()
        licence = "CC BY 4.0; see NOTICE.md"
        deeper = {
            f"sha256 of {one}": hashlib.sha256(published.builtin_bytes(one)).hexdigest()
            for one in PACKAGED[1:]
        }
        return facts | {"sha256": built_in.sha256} | deeper | {"licence": licence, "where": "built in"}
    path = published.published_path(name)
    if fetch:
        published.published_weights(name)
    where = str(path) if path.exists() else f"not downloaded yet: stylize weights {name} --fetch"
    return facts | {
        "sha256 begins": PUBLISHED[name].sha256_prefix,
        "url": published.published_url(name),
        "size": f"{published.published_mib(name):.0f} MiB",
        "licence": PUBLISHED[name].licence,
        "cache": str(path),
        "where": where,
    }


def _file(uri: str, architecture: Architecture) -> dict[str, Any]:
    from stylize_core.networks.weights import declared_convention, weights_from_bytes

    file = absolute_path(uri)
    data = read_uri(file)
    convention = declared_convention(data, source=uri)
    digest = hashlib.sha256(data).hexdigest()
    weights = weights_from_bytes(
        data, sha256=digest, architecture=architecture, convention=convention or "torchvision", source=uri
    )
    usable = usable_layers(architecture, weights.layers)
    named = {"file": file, "sha256": digest, "convention": convention or "torchvision"}
    settings = {"encoder": architecture, "weights": named} | _layers_within(architecture, usable)
    return {
        "name": uri,
        "layers": in_words(usable),
        "sha256": digest,
        "convention": convention or "not stated in the file: torchvision, or else say caffe or features",
        # JSON is YAML, whatever the file is called
        "in a manifest": "settings: " + json.dumps(settings),
    }


def _layers_within(architecture: str, usable: Sequence[str]) -> dict[str, list[str]]:
    """The layers to name for weights that end before the encoder's own; nothing for others."""
    content, style = DEFAULT_CONTENT_LAYERS[architecture], DEFAULT_STYLE_LAYERS[architecture]
    if {*content, *style} <= set(usable):
        return {}
    kept = [layer for layer in content if layer in usable] or [
        [layer for layer in usable if not layer.startswith("pool")][-1]
    ]
    return {"content_layers": kept, "style_layers": [layer for layer in style if layer in usable]}
