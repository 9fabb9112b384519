from __future__ import annotations

import unicodedata
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.manifest.model import Entry, Manifest, PairEntry
from flows.planning.candidates import Candidate, ResolvedSettings
from flows.planning.conflicts import settle_names
from flows.planning.inputs import Found
from flows.planning.pairing import Pairing, pair_up
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.style import StyleSettings

SETTINGS = ResolvedSettings(StyleSettings(), PictureSettings(), None, {}, "w")


def candidate(name: str, *, line: int = 1, settings: ResolvedSettings = SETTINGS) -> Candidate:
    return Candidate(name, f"/in/{line}.jpg", "/in/style.jpg", settings, (line,))


def problems(*names: str) -> list[str]:
    return [
        str(p)
        for p in settle_names([candidate(name, line=at) for at, name in enumerate(names, start=1)]).problems
    ]


def content(name: str, line: int) -> Found:
    uri = f"/in/{name}.jpg"
    return Found(uri, name, Entry(uri, None, {}, line))


def style(name: str, line: int, file: str = "", **settings: object) -> Found:
    uri = f"/art/{file or name}.jpg"
    return Found(uri, name, Entry(uri, name, settings, line))


def manifest(*pairs: PairEntry, name: str = "{content}__{style}") -> Manifest:
    return Manifest(
        source="/m.yaml",
        folder="/",
        output="/out",
        name=name,
        contents=(),
        styles=(),
        pairs=pairs,
        settings={"encoder": "vgg19", "steps": 50},
    )


def names(pairing: Pairing) -> list[str]:
    assert not pairing.problems
    return [candidate.name for candidate in pairing.candidates]


def test_each_content_meets_each_style_grouped_by_style() -> None:
    pairing = pair_up(manifest(), [content("a", 2), content("b", 2)], [style("x", 4), style("y", 5)])
    assert names(pairing) == ["a__x", "b__x", "a__y", "b__y"]
    assert pairing.candidates[0].lines == (2, 4)


def test_explicit_pairs_stand_with_their_style_and_settings() -> None:
    early = PairEntry("/in/b.jpg", "/art/x.jpg", "large", {"size": 1024}, 9)
    late = PairEntry("/in/c.jpg", "/art/x.jpg", None, {}, 10)
    pairing = pair_up(manifest(early, late), [content("a", 2)], [style("x", 4), style("y", 5)])
    assert names(pairing) == ["a__x", "c__x", "large", "a__y"]


def test_settings_are_laid_defaults_below_style_below_pair() -> None:
    pair = PairEntry("/in/b.jpg", "/art/x.jpg", None, {"size": 1024}, 9)
    pairing = pair_up(manifest(pair), [content("a", 2)], [style("x", 4, style_weight=3.0)])
    by_name = {d.name: d.settings.style for d in pairing.candidates}
    for settings in by_name.values():
        assert (settings.steps, settings.style_weight) == (50, 3.0)
    assert (by_name["a__x"].size, by_name["b__x"].size) == (512, 1024)


def test_a_picture_of_a_pair_keeps_the_name_it_has_under_contents_and_styles() -> None:
    pair = PairEntry("/in/./b.jpg", "/art/../art/wave.jpg", None, {"steps": 7}, 9)
    hero = Found("/in/b.jpg", "hero", Entry("/in/b.jpg", "hero", {}, 3))
    pairing = pair_up(manifest(pair), [hero], [style("water", 4, "wave")])
    (problem,) = map(str, pairing.problems)
    assert "line 9: name: 'hero__water' is taken" in problem
    assert problem.count("/in/b.jpg in the style of /art/wave.jpg") == 2
    assert "(lines 3 and 4)" in problem


def test_a_pair_whose_style_is_listed_twice_takes_neither_settings_and_says_so() -> None:
    pair = PairEntry("/in/b.jpg", "/art/wave.jpg", None, {}, 9)
    styles = [style("strong", 4, "wave", style_weight=9.0), style("soft", 5, "wave", style_weight=1.0)]
    pairing = pair_up(manifest(pair), [content("a", 2)], styles)
    (own,) = (d for d in pairing.candidates if d.name == "b__wave")
    assert own.settings.style.style_weight == StyleSettings().style_weight
    assert "line 9" in pairing.warnings[0]


def test_settings_that_contradict_each_other_only_together_are_a_problem() -> None:
    pair = PairEntry("/in/b.jpg", "/art/x.jpg", None, {"format": "jpeg"}, 9, where="pairs[0]")
    pairing = pair_up(manifest(pair), [content("a", 2)], [style("x", 4, bit_depth=16)])
    assert [(p.where, p.line) for p in pairing.problems] == [("pairs[0].settings", 9)]


def test_pairs_of_equal_settings_share_one_recipe() -> None:
    pairs = [PairEntry(f"/in/{n}.jpg", "/art/x.jpg", None, {"size": 64}, n) for n in range(100)]
    pairing = pair_up(manifest(*pairs), [content("a", 2)], [style("x", 4)])
    assert len({id(d.settings) for d in pairing.candidates}) == 2


def test_one_name_for_two_pairs_is_a_problem_that_shows_both_lines() -> None:
    (problem,) = problems("a", "b", "a")
    assert problem.startswith("line 3: name: 'a' is taken: /in/1.jpg")
    assert "(line 1)" in problem
    assert "(line 3)" in problem


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("sea", "SEA"),
        ("straße", "STRASSE"),
        ("caf\u00e9", "CAF\u00c9"),
        ("\u212b", "\u00e5"),
        ("a/b", "A/B"),
        ("\u03c3", "\u03c2"),
    ],
)
def test_names_collide_without_regard_to_case_and_spelling(first: str, second: str) -> None:
    composed = [unicodedata.normalize("NFC", name) for name in (first, second)]
    (problem,) = problems(*composed)
    assert "one name where case does not count" in problem or "is taken" in problem


@pytest.mark.parametrize(
    "name", ["report", "REPORT", "report.json/a", "../a", "a//b", "", "/a", ".a", "a\nb"]
)
def test_names_that_leave_the_output_or_cover_our_own_files_are_problems(name: str) -> None:
    (problem,) = problems(name)
    assert "cannot be used" in problem
    assert problem.isprintable()


@pytest.mark.parametrize(
    ("names", "clash"),
    [
        (["a", "a.png/b"], True),
        (["a.json/b", "a"], True),
        (["A", "a.PNG/b/c"], True),
        (["d/a", "d/a.json/b"], True),
        (["a", "a/b"], False),
        (["a", "a.jpg/b"], False),
        (["a", "a.png"], False),
        (["a.json", "a"], False),
        (["a/b", "a/c"], False),
    ],
)
def test_a_name_that_needs_a_folder_where_another_has_a_file_is_a_problem(
    names: list[str], clash: bool
) -> None:
    found = problems(*names)
    assert bool(found) == clash
    assert all("needs a folder where" in problem for problem in found)


def test_the_format_decides_which_file_is_in_the_way() -> None:
    jpeg = ResolvedSettings(StyleSettings(), PictureSettings(format="jpeg"), None, {}, "w")
    assert settle_names([candidate("a", settings=jpeg), candidate("a.jpg/b", line=2)]).problems
    assert not settle_names([candidate("a", settings=jpeg), candidate("a.png/b", line=2)]).problems


LETTERS = st.text("aAß\u017fsS.éÉ\u0130i\u0131/pngjso", min_size=1, max_size=7)
ANY = st.text(max_size=6)


@given(
    st.lists(LETTERS | ANY, max_size=6).map(lambda names: [unicodedata.normalize("NFC", n) for n in names])
)
def test_names_without_problems_never_share_a_file_on_any_file_system(names: list[str]) -> None:
    if problems(*names):
        return
    files: set[str] = set()
    for name in names:
        for file in (f"{name}.png", f"{name}.json"):
            for spelled in {file.casefold(), unicodedata.normalize("NFD", file).casefold()}:
                assert spelled not in files
            files |= {file.casefold(), unicodedata.normalize("NFD", file).casefold()}
            assert ".." not in PurePosixPath(file).parts
    folders = {str(parent).casefold() for name in names for parent in PurePosixPath(name).parents}
    assert not folders & files
    assert "report.json" not in files | folders


@given(st.lists(LETTERS, min_size=1, max_size=5, unique=True))
def test_names_without_problems_can_all_be_written(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    if problems(*names):
        return
    root = tmp_path_factory.mktemp("out")
    files = [Path(root, name + suffix) for name in names for suffix in (".png", ".json")]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(file))
    assert [file.read_text() for file in files] == [str(file) for file in files]


@given(st.lists(st.sampled_from(["a", "A", "b"]), min_size=1, max_size=6))
def test_every_second_use_of_a_name_is_reported(names: list[str]) -> None:
    assert len(problems(*names)) == len(names) - len({name.casefold() for name in names})


def swept(name: str, line: int, **sweep: tuple[object, ...]) -> Found:
    return Found(f"/art/{name}.jpg", name, Entry(f"/art/{name}.jpg", name, {}, line, sweep))


def test_a_swept_style_meets_each_content_in_every_variant() -> None:
    pairing = pair_up(manifest(), [content("a", 2), content("b", 2)], [swept("x", 4, size=(64, 128))])
    assert names(pairing) == ["a__x__size=64", "b__x__size=64", "a__x__size=128", "b__x__size=128"]
    assert [d.settings.style.size for d in pairing.candidates] == [64, 64, 128, 128]
    assert [d.sheet for d in pairing.candidates] == ["a__x__sheet", "b__x__sheet"] * 2


def test_a_template_says_where_the_swept_values_stand() -> None:
    where = manifest(name="{sweep}/{content}_{style}")
    pairing = pair_up(where, [content("a", 2)], [swept("x", 4, steps=(1, 2)), style("y", 5)])
    assert names(pairing) == ["steps=1/a_x", "steps=2/a_x", "plain/a_y"]
    assert pairing.candidates[0].sheet == "sheet/a_x"


def test_an_explicit_pair_lays_its_own_word_over_the_sweep_of_its_style() -> None:
    named = PairEntry("/in/a.jpg", "/art/x.jpg", "cover", {"steps": 7}, 9, {"seed": (1, 2)})
    fixed = PairEntry("/in/b.jpg", "/art/x.jpg", None, {"size": 256}, 10)
    pairing = pair_up(manifest(named, fixed), [content("c", 2)], [swept("x", 4, size=(64, 128))])
    found = {d.name: d for d in pairing.candidates}
    assert not pairing.problems
    assert {d for d in found if d.startswith("cover")} == {
        f"cover__size={size},seed={seed}" for size in (64, 128) for seed in (1, 2)
    }
    assert found["cover__size=64,seed=2"].settings.style.steps == 7
    assert found["cover__size=64,seed=2"].sheet == "cover__sheet"
    assert (found["b__x"].settings.style.size, found["b__x"].sheet) == (256, "")


def test_a_pair_whose_variants_contradict_themselves_is_named() -> None:
    pair = PairEntry("/in/a.jpg", "/art/x.jpg", None, {"encoder": "slim"}, 9, where="pairs[0]")
    layers = swept("x", 4, style_layers=(("relu5_1",), ("relu1_1",)))
    (problem,) = pair_up(manifest(pair), [], [layers]).problems
    assert "line 9: pairs[0].settings: style_layers: 'relu5_1'" in str(problem)


def test_a_pair_that_lies_where_a_sheet_goes_is_refused() -> None:
    pair = PairEntry("/in/b.jpg", "/art/y.jpg", "A__x__sheet", {}, 9)
    pairing = pair_up(manifest(pair), [content("a", 2)], [swept("x", 4, size=(64, 128))])
    (problem,) = map(str, pairing.problems)
    assert "one name where case does not count" in problem
    assert "the contact sheet of /in/a.jpg" in problem


WATCHED = ResolvedSettings(StyleSettings(snapshot_every=20), PictureSettings(animation="gif"), None, {}, "w")


def watched_problems(*names: str) -> list[str]:
    candidates = [candidate(name, line=at, settings=WATCHED) for at, name in enumerate(names, start=1)]
    return [str(p) for p in settle_names(candidates).problems]


@pytest.mark.parametrize("number", ["0020", "0021", "12345"])
def test_the_names_of_snapshots_are_kept_for_them(number: str) -> None:
    (problem,) = watched_problems(f"A.{number}", "a")
    assert f"'A.{number}' is kept for the snapshots of 'a'" in problem
    assert problems(f"a.{number}", "a") == []


@pytest.mark.parametrize("name", ["a.20", "a.020", "a.x0020", "a0020", "b.0020", "x/a.0020"])
def test_other_numbers_in_names_are_free(name: str) -> None:
    assert watched_problems(name, "a") == []


@pytest.mark.parametrize("folder", ["a.0020.png", "a.gif", "A.GIF"])
def test_no_folder_may_stand_where_a_snapshot_or_an_animation_goes(folder: str) -> None:
    (problem,) = watched_problems("a", f"{folder}/b")
    assert "needs a folder where 'a' has a file" in problem
    assert problems("a", f"{folder}/b") == []


def test_contents_and_styles_that_stand_alone_give_their_names() -> None:
    alone = pair_up(manifest(), [content("a", 2), content("b", 2)], [])
    assert names(alone) == ["a", "b"]
    first = alone.candidates[0]
    assert (first.content, first.style, first.lines) == ("/in/a.jpg", "", (2,))
    assert names(pair_up(manifest(), [], [style("x", 4, mode="texture")])) == ["x"]
    swept_alone = replace(manifest(), sweep={"seed": (1, 2)})
    assert names(pair_up(swept_alone, [content("a", 2)], [])) == ["a__seed=1", "a__seed=2"]
    assert pair_up(manifest(), [], []).candidates == []


def test_a_single_picture_is_named_without_the_other() -> None:
    (only,) = pair_up(manifest(), [content("a", 2)], []).candidates
    assert (str(only), only.reads) == ("/in/a.jpg (line 2)", ("/in/a.jpg",))
    (only,) = pair_up(manifest(), [], [style("x", 4)]).candidates
    assert (str(only), only.reads) == ("the style of /art/x.jpg (line 4)", ("/art/x.jpg",))


def test_a_pair_takes_a_mode_from_its_style_and_may_lack_a_picture_by_it() -> None:
    alone = PairEntry("", "/art/x.jpg", "c", {}, 9, where="pairs[0]")
    assert names(pair_up(manifest(alone), [], [style("x", 4, mode="texture")])) == ["x", "c"]
    (problem,) = pair_up(manifest(alone), [], [style("x", 4, size=64)]).problems
    assert str(problem).startswith("line 9: pairs[0]: `mode: transfer` needs a content; add one")


def test_a_template_with_both_pictures_does_not_name_a_pair_with_one() -> None:
    alone = PairEntry("/in/a.jpg", "", None, {"mode": "content"}, 9)
    (problem,) = pair_up(manifest(alone, name="{style}/{content}"), [], []).problems
    assert "the name '{style}/{content}' needs a style, and this pair has none; give it a `name`" in str(
        problem
    )
    named = replace(alone, name="d")
    assert names(pair_up(manifest(named, name="{style}/{content}"), [], [])) == ["d"]
