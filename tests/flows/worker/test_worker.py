from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import worker_here as worker
from object_store import ObjectStore
from PIL import Image
from small_batch import FAST, draw, manifest, record, small_batch, tree, waves, written_at

from flows.manifest.load import load_manifest
from flows.model.pair import Job, Outcome
from flows.planning.plan import make_plan
from flows.planning.selecting import without_failed
from flows.records import experience
from flows.storage.opening import open_storage
from stylize_core.errors import BadWeights, SettingsError
from stylize_core.image.decode import embedded_facts


@pytest.fixture(autouse=True)
def _device() -> None:
    worker.start("cpu")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with one photo, one painting and a manifest for them."""
    small_batch(tmp_path, photos=1, paintings=1)
    return tmp_path


def jobs(path: Path) -> list[Job]:
    plan = make_plan(load_manifest(path))
    return [Job(p.pair, plan.output, p.identity, p.attempts) for p in plan.todo]


def do(path: Path) -> dict[str, Outcome]:
    """Everything that is to do, in this process."""
    return {job.pair.name: worker.run_pair(job) for job in jobs(path)}


def do_one(home: Path, settings: str = FAST) -> Outcome:
    (outcome,) = do(manifest(home, settings=settings)).values()
    return outcome


def reasons(path: Path) -> dict[str, str]:
    return {planned.pair.name: planned.reason for planned in make_plan(load_manifest(path)).todo}


def picture(home: Path, name: str = "p0__s0.png") -> Image.Image:
    with Image.open(home / "out" / name) as image:
        image.load()
    return image


def test_a_pair_leaves_a_picture_and_the_record_that_tells_of_it(home: Path) -> None:
    assert do_one(home).status == "done"
    told, made = record(home, "p0__s0"), (home / "out/p0__s0.png").read_bytes()
    assert told.output is not None
    assert (told.output.size_bytes, told.output.width, told.output.height) == (len(made), 64, 48)
    assert told.optimisation is not None
    assert told.optimisation.evaluations == 5
    assert {"targets", "read", "optimise", "encode"} <= set(told.timings_s)
    assert embedded_facts(made)["stylize:identity"] == told.identity


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_record_names_the_precision(home: Path, precision: str) -> None:
    assert do_one(home, FAST + f", precision: {precision}").status == "done"
    assert record(home, "p0__s0").precision == precision


def test_a_texture_has_its_own_shape_and_nothing_of_the_contents_transparency(home: Path) -> None:
    clear = np.dstack([waves(1), np.full(waves(1).shape[:2], 7, dtype=np.uint8)])
    Image.fromarray(clear).save(next((home / "photos").iterdir()), "PNG")
    assert do_one(home, FAST + ', mode: texture, aspect: "1:2"').status == "done"
    assert (picture(home).size, picture(home).mode) == ((32, 64), "RGB")
    told = record(home, "p0__s0")
    assert told.ingredients is not None
    assert told.ingredients.settings["aspect"] == "1:2"
    assert told.optimisation is not None
    assert set(told.optimisation.loss_terms) == {"style"}


def test_a_pair_that_is_delivered_twice_is_made_once(home: Path) -> None:
    (job,) = jobs(home / "m.yaml")
    assert worker.run_pair(job).status == "done"
    before = written_at(home / "out")
    assert worker.run_pair(job).status == "skipped"
    assert written_at(home / "out") == before


def test_a_copied_record_makes_no_other_pair_done(home: Path) -> None:
    """Two pairs of equal inputs: the record of one says nothing about the picture of the other."""
    entries = "pairs:\n" + "".join(
        f"  - {{content: photos/p0.png, style: paintings/s0.png, name: {name}}}\n" for name in "ab"
    )
    path = manifest(home, entries)
    do(path)
    (home / "out/b.json").write_bytes((home / "out/a.json").read_bytes())
    (home / "out/b.png").unlink()
    assert reasons(path) == {"b": "record names another picture"}
    assert {name: outcome.status for name, outcome in do(path).items()} == {"b": "done"}
    assert (home / "out/b.png").read_bytes() != b""
    assert record(home, "b").name == "b"
    assert reasons(path) == {}


@pytest.mark.parametrize("colour", ["luminance", "match"])
def test_a_style_takes_the_colours_of_each_content_whatever_came_before_it(
    tmp_path: Path, colour: str
) -> None:
    small_batch(tmp_path, photos=2, paintings=1)
    settings = f"{FAST}, colour: {colour}"
    assert {o.status for o in do(manifest(tmp_path, settings=settings)).values()} == {"done"}
    both = (tmp_path / "out/p1__s0.png").read_bytes()
    worker.start("cpu")  # forgets the style as it was measured for the first content
    entries = "contents: [photos/p1.png]\nstyles: ['paintings/*']"
    do(manifest(tmp_path, entries, settings=settings, output="alone"))
    assert (tmp_path / "alone/p1__s0.png").read_bytes() == both
    do(manifest(tmp_path, entries, output="plain"))
    assert (tmp_path / "plain/p1__s0.png").read_bytes() != both


def test_a_start_from_the_style_shows_the_region_that_is_used(home: Path) -> None:
    """After a single evaluation the result is the start."""
    draw(home / "paintings/s0.png", 10, width=128, height=96)
    settings = "encoder: slim, size: 64, steps: 1, init: style"
    made = []
    for region in ("[0, 0, 1, 1]", "[0.5, 0.5, 1, 1]"):
        assert do_one(home, f"{settings}, style_crop: {region}").status == "done"
        made.append(np.asarray(picture(home), np.float64))
    with Image.open(home / "paintings/s0.png") as painting:
        quarter = np.asarray(painting.convert("RGB").crop((64, 48, 128, 96)), np.float64)
    assert np.abs(made[1] - quarter).mean() < 2
    assert np.abs(made[0] - quarter).mean() > 10


def test_a_region_that_leaves_too_little_is_told_with_its_picture(home: Path) -> None:
    outcome = do_one(home, f"{FAST}, style_crop: [0, 0, 0.1, 1]")
    assert outcome.status == "failed"
    assert "s0.png: style_crop leaves 6x48 px of 64x48; each side must be at least 16 px" in outcome.message


def test_a_result_in_luminance_has_the_colours_of_its_content_in_the_file(home: Path) -> None:
    assert do_one(home, f"{FAST}, colour: luminance").status == "done"
    with Image.open(home / "photos/p0.png") as photo:
        apart = [
            np.abs(np.asarray(image.convert("YCbCr"), np.float64)[..., 1:] - 128)
            for image in (picture(home), photo)
        ]
    assert (apart[0] - apart[1]).max() <= 2, "more colour than the content has"
    assert np.abs(apart[0] - apart[1]).mean() < 10
    assert record(home, "p0__s0").ingredients is not None
    assert "colour" in reasons(manifest(home))["p0__s0"]


def test_the_same_pair_gives_the_same_bytes_whatever_came_before_it(tmp_path: Path) -> None:
    path = small_batch(tmp_path)
    do(path)
    first = tree(tmp_path / "out")
    for file in (tmp_path / "out").iterdir():
        file.unlink()
    for job in reversed(jobs(path)):
        worker.run_pair(job)
    assert tree(tmp_path / "out") == first


def cut_jpeg() -> bytes:
    out = io.BytesIO()
    Image.fromarray(waves(1)).save(out, "JPEG")
    return out.getvalue()[:-200]


def bomb() -> bytes:
    out = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(out, "GIF")
    return out.getvalue()


def dot() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (1, 1)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "make", "kind", "word"),
    [
        ("cut.jpg", cut_jpeg, "bad_image", "cut off"),
        ("text.jpg", lambda: b"Dear all, the photo follows.\n", "bad_image", "this is text"),
        ("empty.png", bytes, "bad_image", "empty"),
        ("dot.png", dot, "too_small", "1x1"),
        ("bomb.gif", bomb, "too_large", "400"),
    ],
)
def test_a_bad_picture_is_recorded_with_its_kind_and_name(
    home: Path, name: str, make: Callable[[], bytes], kind: str, word: str
) -> None:
    (home / "photos/p0.png").unlink()
    (home / "photos" / name).write_bytes(make())
    outcome = do_one(home)
    assert (outcome.status, outcome.kind) == ("failed", kind)
    told = record(home, f"{Path(name).stem}__s0")
    assert told.failure is not None
    assert (told.failure.kind, told.failure.phase, told.failure.attempts) == (kind, "read", 1)
    assert name in told.failure.message
    assert word in told.failure.message
    assert sorted(tree(home / "out")) == [f"{Path(name).stem}__s0.json"]


def test_a_bad_painting_fails_its_own_pairs_alone(tmp_path: Path) -> None:
    path = small_batch(tmp_path)
    (tmp_path / "paintings/s0.png").write_bytes(b"no painting")
    outcomes = do(path)
    assert {name: outcome.status for name, outcome in outcomes.items()} == {
        "p0__s0": "failed",
        "p1__s0": "failed",
        "p0__s1": "done",
        "p1__s1": "done",
    }
    assert "s0.png" in outcomes["p0__s0"].message


def test_every_try_of_a_bad_picture_is_counted(home: Path) -> None:
    (home / "photos/p0.png").write_bytes(b"no photo")
    for attempt in (1, 2, 3):
        do_one(home)
        failure = record(home, "p0__s0").failure
        assert failure is not None
        assert failure.attempts == attempt


@pytest.mark.parametrize("place", ["folder", "bucket"])
def test_a_raised_limit_tries_what_was_too_large_again_and_makes_nothing_else_again(
    home: Path, object_store: ObjectStore, place: str
) -> None:
    draw(home / "photos/large.png", 3, width=100, height=80)
    entries = "contents: ['photos/*']\nstyles: ['paintings/*']"
    if place == "bucket":
        for path in (*home.glob("photos/*"), *home.glob("paintings/*")):
            object_store.put(f"{path.parent.name}/{path.name}", path.read_bytes())
        entries = f"contents: ['{object_store.root}/photos/*']\nstyles: ['{object_store.root}/paintings/*']"
    low = manifest(home, entries, settings=f"{FAST}, max_megapixels: 0.004")
    assert do(low)["large__s0"].kind == "too_large"
    assert without_failed(make_plan(load_manifest(low))).todo == ()
    raised = manifest(home, entries, settings=f"{FAST}, max_megapixels: 1")
    tried = without_failed(make_plan(load_manifest(raised))).todo
    assert [one.pair.name for one in tried] == ["large__s0"]
    assert do(raised)["large__s0"].status == "done"
    assert reasons(raised) == {}


def test_a_photo_that_vanished_after_the_plan_is_a_failure_of_its_pair(home: Path) -> None:
    (job,) = jobs(home / "m.yaml")
    (home / "photos/p0.png").unlink()
    outcome = worker.run_pair(job)
    assert (outcome.kind, outcome.fatal) == ("not_found", False)
    assert "p0.png does not exist" in outcome.message


@pytest.mark.parametrize("away", ["photos/p0.png", "paintings/s0.png"])
def test_an_input_that_cannot_be_read_takes_no_finished_picture_along(home: Path, away: str) -> None:
    entries = "pairs: [{content: photos/p0.png, style: paintings/s0.png}]"  # nothing that is only found
    path = manifest(home, entries)
    do(path)
    before = written_at(home / "out")
    (home / away).rename(home / "elsewhere")
    for _ in range(2):
        (outcome,) = do(path).values()
        assert (outcome.status, outcome.kind) == ("failed", "not_found")
        assert written_at(home / "out") == before
    (home / "elsewhere").rename(home / away)
    assert reasons(path) == {}


def test_nor_does_one_that_is_lost_after_the_plan_of_a_run_with_other_settings(home: Path) -> None:
    do_one(home)
    before = written_at(home / "out")
    path = manifest(home, settings="encoder: slim, size: 64, steps: 6")
    (job,) = jobs(path)
    (home / "photos/p0.png").rename(home / "elsewhere")
    worker.start("cpu")  # which has nothing in its cache
    outcome = worker.run_pair(job)
    assert (outcome.status, outcome.kind) == ("failed", "not_found")
    assert written_at(home / "out") == before
    (home / "elsewhere").rename(home / "photos/p0.png")
    assert reasons(path) == {"p0__s0": "settings: steps 5 -> 6"}


def test_a_pair_without_a_picture_whose_input_cannot_be_read_is_recorded(home: Path) -> None:
    path = manifest(home, "pairs: [{content: photos/p0.png, style: paintings/gone.png}]")
    do(path)
    failure = record(home, "p0__gone").failure
    assert failure is not None
    assert failure.kind == "not_found"


def test_the_picture_of_older_settings_goes_when_the_new_ones_fail(home: Path) -> None:
    do_one(home)
    (home / "photos/p0.png").write_bytes(b"no photo any more")
    do_one(home)
    assert sorted(tree(home / "out")) == ["p0__s0.json"]


def test_changed_settings_are_a_reason_and_a_new_picture(home: Path) -> None:
    do_one(home)
    old = (home / "out/p0__s0.png").read_bytes()
    path = manifest(home, settings="encoder: slim, size: 64, steps: 6")
    assert reasons(path) == {"p0__s0": "settings: steps 5 -> 6"}
    do(path)
    assert (home / "out/p0__s0.png").read_bytes() != old
    assert reasons(path) == {}


def test_a_style_with_settings_of_its_own_is_made_again_alone(tmp_path: Path) -> None:
    small_batch(tmp_path)
    entries = "contents: ['photos/*']\nstyles: [paintings/s0.png, {{image: paintings/s1.png, settings: {}}}]"
    do(manifest(tmp_path, entries.format("{tv_weight: 0}")))
    before = written_at(tmp_path / "out")
    path = manifest(tmp_path, entries.format("{tv_weight: 2}"))
    assert reasons(path) == dict.fromkeys(("p0__s1", "p1__s1"), "settings: tv_weight 0.0 -> 2.0")
    do(path)
    unchanged = {name for name, moment in written_at(tmp_path / "out").items() if before[name] == moment}
    assert unchanged == {"p0__s0.png", "p0__s0.json", "p1__s0.png", "p1__s0.json"}


def test_a_changed_photo_is_a_reason_and_a_new_picture(home: Path) -> None:
    do_one(home)
    draw(home / "photos/p0.png", 7)
    assert reasons(home / "m.yaml") == {"p0__s0": "content changed"}
    assert do_one(home).status == "done"
    assert reasons(home / "m.yaml") == {}


def test_a_deleted_picture_and_a_damaged_record_are_made_again(tmp_path: Path) -> None:
    path = small_batch(tmp_path)
    do(path)
    whole = tree(tmp_path / "out")
    (tmp_path / "out/p0__s0.png").unlink()
    (tmp_path / "out/p1__s0.json").write_bytes((tmp_path / "out/p1__s0.json").read_bytes()[:-5])
    why = reasons(path)
    assert sorted(why) == ["p0__s0", "p1__s0"]
    assert why["p0__s0"] == "picture missing"
    assert "cut short" in why["p1__s0"]
    do(path)
    assert tree(tmp_path / "out") == whole


def test_a_new_format_takes_the_place_of_the_old_picture(home: Path) -> None:
    do_one(home)
    do_one(home, FAST + ", format: jpeg")
    assert sorted(tree(home / "out")) == ["p0__s0.jpg", "p0__s0.json"]


@pytest.mark.parametrize(
    ("settings", "suffix", "form", "mode"),
    [
        ("format: png", ".png", "PNG", "RGB"),
        ("format: jpeg, quality: 80", ".jpg", "JPEG", "RGB"),
        ("format: webp", ".webp", "WEBP", "RGB"),
        ("format: tiff", ".tif", "TIFF", "RGB"),
    ],
)
def test_pictures_come_in_every_format(home: Path, settings: str, suffix: str, form: str, mode: str) -> None:
    assert do_one(home, f"{FAST}, {settings}").status == "done"
    made = picture(home, "p0__s0" + suffix)
    assert (made.format, made.mode, made.size) == (form, mode, (64, 48))


def test_sixteen_bits_are_sixteen_bits(home: Path) -> None:
    assert do_one(home, FAST + ", format: png, bit_depth: 16").status == "done"
    head = (home / "out/p0__s0.png").read_bytes()[:25]
    assert head[24] == 16


def with_alpha(path: Path, seed: int, hidden: int) -> None:
    """A picture whose right half is transparent, with the grey level `hidden` under it."""
    pixels = np.dstack([waves(seed), np.full((48, 64), 255, np.uint8)])
    pixels[:, 32:] = (hidden, hidden, hidden, 0)
    Image.fromarray(pixels).save(path)


def test_the_photos_transparency_is_put_back(home: Path) -> None:
    with_alpha(home / "photos/p0.png", 1, hidden=0)
    do_one(home)
    made = picture(home)
    assert made.mode == "RGBA"
    assert np.asarray(made)[:, :30, 3].min() == 255
    assert np.asarray(made)[:, 34:, 3].max() == 0


def test_a_translucent_photo_shows_on_white_as_if_it_had_been_flattened_before(home: Path) -> None:
    pixels = np.dstack([waves(1), np.full((48, 64), 255, np.uint8)])
    pixels[..., 3] = np.linspace(0, 255, 64).round()
    share = pixels[..., 3:] / 255
    shown = []
    for photo in (pixels, np.rint(share * pixels[..., :3] + 255 * (1 - share)).astype(np.uint8)):
        Image.fromarray(photo).save(home / "photos/p0.png")
        do_one(home)
        made = np.asarray(picture(home)).astype(float)
        part = made[..., 3:] / 255 if made.shape[2] == 4 else 1
        shown.append(part * made[..., :3] + 255 * (1 - part))
    soft, flat = shown
    ink = 255 - flat
    shows = 255 - ink * np.minimum(1, 255 * share / np.maximum(ink.max(-1, keepdims=True), 1))
    apart = np.abs(soft - shows).mean()
    assert apart < 3, "what five steps make of rounding; it was 28 where colours faded twice"


def test_what_lies_under_transparent_paint_has_no_style(home: Path) -> None:
    made = []
    for hidden in (0, 255):
        with_alpha(home / "paintings/s0.png", 1, hidden=hidden)
        do_one(home)
        made.append(np.asarray(picture(home)).astype(int))
    assert np.abs(made[0] - made[1]).max() <= 1


def test_the_transparent_part_of_a_painting_has_no_style(home: Path) -> None:
    """The visible half counts as if all of the painting were like it."""
    half, painting = waves(10)[:, :32], home / "paintings/s0.png"
    white = np.full_like(half, 255)
    opaque, hidden = np.full((48, 32, 1), 255, np.uint8), np.zeros((48, 32, 1), np.uint8)
    made = []
    for right, alpha in ((half, opaque), (white, hidden), (white, opaque)):
        pixels = np.hstack([np.dstack([half, opaque]), np.dstack([right, alpha])])
        Image.fromarray(pixels).save(painting)
        do_one(home, "encoder: slim, size: 64, steps: 20, scales: 1")
        made.append(np.asarray(picture(home)).astype(int))
    twice, once, beside_white = made
    assert np.abs(once - twice).mean() < 0.5 * np.abs(beside_white - twice).mean()


def test_a_picture_is_done_although_nothing_can_be_learned_of_how_long_it_took(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise SettingsError("scales", 9, "it must be at most 8")

    monkeypatch.setattr(experience, "work_of", broken)
    outcome = do_one(home)
    assert (outcome.status, outcome.observed) == ("done", None)
    assert record(home, "p0__s0").status == "done"


def test_a_picture_may_start_from_its_style(home: Path) -> None:
    do_one(home)
    plain = (home / "out/p0__s0.png").read_bytes()
    do_one(home, FAST + ", init: style")
    assert (home / "out/p0__s0.png").read_bytes() != plain
    assert reasons(manifest(home, settings=FAST + ", init: style")) == {}


def test_a_picture_may_start_from_any_other(home: Path) -> None:
    draw(home / "start.png", 5, width=200, height=100)
    settings = FAST + ", init: start.png"
    assert do_one(home, settings).status == "done"
    init = record(home, "p0__s0").init
    assert init is not None
    assert init.uri == str(home / "start.png")
    draw(home / "start.png", 6)
    assert reasons(manifest(home, settings=settings)) == {"p0__s0": "init changed"}


def test_the_longest_name_fits_into_files_records_and_pictures(home: Path) -> None:
    name = "/".join(["ü" * 100, "🎨" * 50, "x" * 200])
    pair = f"pairs: [{{content: photos/p0.png, style: paintings/s0.png, name: {name}}}]"
    for suffix in ("png", "jpeg", "webp", "tiff"):
        (outcome,) = do(manifest(home, pair, settings=f"{FAST}, format: {suffix}")).values()
        assert outcome.status == "done"
    assert len(tree(home / "out")) == 2


def test_weights_that_are_not_the_promised_ones_are_refused_with_both_digests(home: Path) -> None:
    (home / "w.safetensors").write_bytes(b"not the weights")
    settings = f"{FAST}, weights: {{file: w.safetensors, sha256: {'ab' * 32}}}"
    (job,) = jobs(manifest(home, settings=settings))
    with pytest.raises(BadWeights, match="abab") as refusal:
        worker.worker.check_weights(job.pair.style_settings)
    assert "w.safetensors" in str(refusal.value)
    assert hashlib.sha256(b"not the weights").hexdigest() in str(refusal.value)


def test_a_failure_that_no_record_can_hold_is_still_told(home: Path) -> None:
    (home / "photos/p0.png").write_bytes(b"no photo")
    (job,) = jobs(home / "m.yaml")
    (home / "out").write_bytes(b"a file where the folder should be")
    outcome = worker.run_pair(job)
    assert (outcome.status, outcome.fatal) == ("failed", True)
    assert str(home / "out") in outcome.message


def test_one_closed_folder_of_an_output_costs_its_own_pairs_and_leaves_nothing_there(
    home: Path, object_store: ObjectStore
) -> None:
    named = "{{content: photos/p0.png, style: paintings/s0.png, name: {}}}"
    entries = f"pairs: [{named.format('closed/a')}, {named.format('open/a')}]"
    path = manifest(home, entries, output=f"{object_store.root}/out")
    object_store.fail("PUT", "out/closed/*", "access_denied")
    outcomes = do(path)
    assert (outcomes["closed/a"].kind, outcomes["closed/a"].fatal) == ("denied", False)
    assert outcomes["open/a"].status == "done"
    left = [one.name for one in open_storage(f"{object_store.root}/out").list()]
    assert left == ["open/a.json", "open/a.png"]


def test_an_output_that_takes_no_file_at_all_is_fatal_with_its_place_and_what_to_do(
    home: Path, object_store: ObjectStore
) -> None:
    (job,) = jobs(manifest(home, output=f"{object_store.root}/out"))
    object_store.fail("PUT", "*", "access_denied")
    outcome = worker.run_pair(job)
    assert (outcome.status, outcome.kind, outcome.fatal) == ("failed", "storage_fatal", True)
    assert outcome.message.startswith(f"{object_store.root}/out takes no file any more")
    assert "allow s3:GetObject, s3:PutObject" in outcome.message


def test_a_failure_of_an_input_that_cannot_be_recorded_is_no_reason_to_end_the_run(
    home: Path, object_store: ObjectStore
) -> None:
    (home / "photos/p0.png").write_bytes(b"no photo")
    (job,) = jobs(manifest(home, output=f"{object_store.root}/out"))
    object_store.fail("PUT", "*", "access_denied")
    outcome = worker.run_pair(job)
    assert (outcome.kind, outcome.fatal) == ("denied", False)


def test_objects_that_moved_are_read_once_more_and_then_known(home: Path, object_store: ObjectStore) -> None:
    photo, painting = (home / name for name in ("photos/p0.png", "paintings/s0.png"))
    for key, path in (("old/p0.png", photo), ("new/p0.png", photo), ("s0.png", painting)):
        object_store.put(key, path.read_bytes())
    entries = f"contents: ['{object_store.root}/{{}}/*']\nstyles: ['{object_store.root}/s0.png']"
    assert do(manifest(home, entries.format("old")))["p0__s0"].status == "done"
    made = written_at(home / "out")
    moved = manifest(home, entries.format("new"))
    assert do(moved)["p0__s0"].status == "skipped"
    assert reasons(moved) == {}
    assert written_at(home / "out")["p0__s0.png"] == made["p0__s0.png"]


def test_a_content_alone_is_made_once_and_again_when_it_changes(home: Path) -> None:
    path = manifest(home, "contents: ['photos/*']", settings=FAST + ", mode: content")
    assert do(path)["p0"].status == "done"
    told = record(home, "p0")
    assert (told.style, told.content and told.content.width) == (None, 64)
    assert told.ingredients is not None
    assert told.ingredients.style == ""
    assert "stylize:style" not in embedded_facts((home / "out/p0.png").read_bytes())
    assert reasons(path) == {}
    draw(home / "photos/p0.png", 9)
    assert reasons(path) == {"p0": "content changed"}


@pytest.mark.parametrize(
    ("more", "size"),
    [("", (64, 48)), (', aspect: "1:2"', (32, 64)), (", style_crop: [0, 0, 0.5, 1]", (43, 64))],
)
def test_a_texture_alone_has_the_shape_of_its_style(home: Path, more: str, size: tuple[int, int]) -> None:
    path = manifest(home, "styles: ['paintings/*']", settings=FAST + ", mode: texture" + more)
    assert do(path)["s0"].status == "done"
    assert picture(home, "s0.png").size == size
    told = record(home, "s0")
    assert (told.content, told.ingredients and told.ingredients.content) == (None, "")
    assert reasons(path) == {}
    draw(home / "paintings/s0.png", 9)
    assert reasons(path) == {"s0": "style changed"}


def test_a_texture_alone_is_that_of_a_content_of_the_same_shape(home: Path) -> None:
    settings = FAST + ", mode: texture"
    assert do_one(home, settings).status == "done"
    do(manifest(home, "styles: ['paintings/*']", settings=settings))
    assert (np.asarray(picture(home)) == np.asarray(picture(home, "s0.png"))).all()


DREAM = "encoder: slim, size: 64, steps: 6, mode: dream, octaves: 2"


def test_a_dream_is_made_recorded_and_filmed_as_other_pictures_are(home: Path) -> None:
    extras = ", dream_layers: [relu1_2, 'relu2_1:3'], snapshot_every: 3, animation: gif"
    path = manifest(home, "contents: ['photos/*']", settings=DREAM + extras)
    assert do(path)["p0"].status == "done"
    told = record(home, "p0")
    assert told.optimisation is not None
    assert told.optimisation.evaluations == len(told.optimisation.loss_curve) == 6
    assert set(told.optimisation.loss_terms) == {"dream"}
    assert told.optimisation.loss_terms["dream"] < -1
    assert [extra.name for extra in told.snapshots] == ["p0.0003.png", "p0.0006.png"]
    assert picture(home, "p0.0003.png").size == picture(home, "p0.png").size == (64, 48)
    assert (np.asarray(picture(home, "p0.0006.png")) == np.asarray(picture(home, "p0.png"))).all()
    assert (home / "out/p0.gif").exists()
    assert reasons(path) == {}
    assert reasons(manifest(home, "contents: ['photos/*']", settings=DREAM + ", jitter: 3")).keys() == {"p0"}


def test_octaves_that_a_dream_does_without_stand_in_its_record(home: Path) -> None:
    assert (
        do(manifest(home, "contents: ['photos/*']", settings=DREAM.replace("2", "9")))["p0"].status == "done"
    )
    assert any("of 9 octaves" in decision for decision in record(home, "p0").decisions)


def test_a_channel_that_a_staged_network_does_not_have_stops_a_run_before_it_starts(home: Path) -> None:
    data = resources.files("stylize_core").joinpath("networks/pretrained/slim.safetensors").read_bytes()
    (home / "w.safetensors").write_bytes(data)
    staged = f"weights: {{file: w.safetensors, sha256: {hashlib.sha256(data).hexdigest()}}}"
    settings = DREAM + f", {staged}, dream_layers: ['relu2_1:999']"
    (job,) = jobs(manifest(home, "contents: ['photos/*']", settings=settings))
    with pytest.raises(SettingsError, match=r"relu2_1 has the channels 0 to \d+"):
        worker.worker.check_weights(job.pair.style_settings)
