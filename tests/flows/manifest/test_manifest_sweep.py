from __future__ import annotations

import pytest

from flows.errors import ManifestError
from flows.manifest.load import load_manifest
from flows.manifest.model import Manifest

BASE = "version: 1\noutput: out\ncontents: [a.jpg]\nstyles: [b.jpg]\n"


def load(text: str) -> Manifest:
    return load_manifest("/jobs/m.yaml", text=text)


def problems_of(text: str) -> list[str]:
    with pytest.raises(ManifestError) as refused:
        load(text)
    return [str(problem) for problem in refused.value.problems]


def test_a_sweep_stands_at_the_top_with_a_style_and_with_a_pair() -> None:
    found = load(
        "version: 1\noutput: out\ncontents: [a.jpg]\nsweep: {size: [64, 128]}\nsheet: false\n"
        "styles: [{image: b.jpg, sweep: {init: [noise, start.png]}}]\n"
        "pairs: [{content: a.jpg, style: c.jpg, sweep: {style_layers: [[relu1_1], {relu2_1: 2}]}}]\n"
    )
    assert (found.sweep, found.sheet) == ({"size": (64, 128)}, False)
    assert found.styles[0].sweep == {"init": ("noise", "/jobs/start.png")}
    assert found.pairs[0].sweep == {"style_layers": (("relu1_1",), {"relu2_1": 2.0})}


def test_a_manifest_without_a_sweep_has_none_and_would_have_sheets() -> None:
    assert (load(BASE).sweep, load(BASE).sheet) == ({}, True)


@pytest.mark.parametrize(
    ("sweep", "said"),
    [
        ("sweep: {steps: [1, 2, 1.5]}", "line 5: sweep.steps[2]: '1.5' is not accepted"),
        ("sweep:\n  steps:\n    - 1\n    - 0", "line 8: sweep.steps[1]: '0' is not accepted"),
        ("sweep: {steps: 5}", "sweep.steps: this must be a list of the values"),
        ("sweep: {steps: []}", "sweep.steps: this list is empty"),
        ("sweep: {style_weight: [10, 5, 10.0]}", "sweep.style_weight[2]: this value stands twice"),
        ("sweep: {stepz: [5]}", "sweep.stepz: unknown key; did you mean `steps`?"),
        ("sweep: {}", "sweep: nothing is swept"),
        ("sweep: [size]", "sweep: this must be a mapping"),
        ("sweep: {style_layers: [relu1_1]}", "sweep.style_layers[0]: this must be a list of layer names"),
        ("sweep: {style_layers: [[relu1_1], [relu9_1]]}", "sweep.style_layers[1]: 'relu9_1' is not accepted"),
        ("settings: {size: 64}\nsweep: {size: [64]}", "line 6: sweep.size: `size` stands under `settings:`"),
        ("sheet: yes", "sheet: 'yes' is not accepted; it must be true or false"),
        (
            "sweep: {seed: [1, 2]}\nname: '{content}_{seed}'",
            "only {content}, {style}, {sweep}, ",
        ),
    ],
)
def test_a_wrong_sweep_is_refused_at_the_very_value(sweep: str, said: str) -> None:
    (problem,) = problems_of(BASE + sweep + "\n")
    assert said in problem


def test_too_many_variants_are_counted_before_they_are_made() -> None:
    many = ", ".join(map(str, range(100)))
    (problem,) = problems_of(
        BASE + f"sweep: {{seed: [{many}], size: [64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74]}}\n"
    )
    assert "line 5: sweep: seed x size make 1100 variants of each pair; 1000 are accepted" in problem


def test_layers_may_belong_to_an_encoder_that_is_swept_itself() -> None:
    load(BASE + "sweep: {encoder: [vgg16, vgg19]}\nsettings: {style_layers: [relu5_1]}\n")
    (problem,) = problems_of(BASE + "sweep: {encoder: [vgg16, slim]}\nsettings: {style_layers: [relu5_1]}\n")
    assert "line 6: settings.style_layers" in problem
    assert "in the variant encoder=slim" in problem


def test_variants_that_contradict_themselves_are_named_once_for_each_value() -> None:
    sweep = "sweep: {bit_depth: [8, 16], format: [png, jpeg, webp]}\n"
    (problem,) = problems_of(BASE + sweep)
    assert "sweep.bit_depth[1]" in problem
    assert "in the variant bit_depth=16,format=jpeg" in problem


def test_a_style_is_judged_under_the_sweep_above_it() -> None:
    top = "version: 1\noutput: out\ncontents: [a.jpg]\nsweep: {encoder: [slim, vgg19]}\n"
    (problem,) = problems_of(top + "styles: [{image: b.jpg, settings: {content_layers: [relu4_2]}}]\n")
    assert "styles[0].settings.content_layers" in problem
    load(top + "styles: [{image: b.jpg, settings: {encoder: vgg19, content_layers: [relu4_2]}}]\n")


def test_contents_have_no_sweep() -> None:
    entries = "version: 1\noutput: out\nstyles: [b.jpg]\ncontents: [{image: a.jpg, sweep: {size: [64]}}]\n"
    (problem,) = problems_of(entries)
    assert "contents[0].sweep: settings are for styles and pairs" in problem
