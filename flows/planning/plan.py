"""What a run has to do: every pair of a manifest, done or to do, and why. Reads, never writes.

A plan needs neither torch nor Prefect, and no S3 client for local files, so that a run with nothing to do
costs nothing but its own reading.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from flows.errors import (
    ForeignFile,
    ManifestError,
    Problem,
)
from flows.manifest.load import MAX_PROBLEMS
from flows.manifest.model import Manifest
from flows.manifest.paths import one_spelling
from flows.manifest.staged_weights import check_weights
from flows.model.blend import converted
from flows.model.pair import Input, Pair
from flows.model.regions import converted_regions, roles
from flows.model.selection import EVERYTHING, Selection
from flows.model.shard import WHOLE, Shard
from flows.model.sheet import Sheet
from flows.planning.candidates import Candidate
from flows.planning.conflicts import keep_inputs_apart
from flows.planning.freshness import Assessment, Status, assess
from flows.planning.inputs import Found, expand
from flows.planning.left_out import LeftOut, counted, sentences
from flows.planning.output import view_of
from flows.planning.pairing import pair_up
from flows.planning.selecting import count_of, narrowed
from flows.planning.sheets import sheets_of
from flows.planning.threads import REMOTE_THREADS, in_threads
from flows.planning.versions import look_up
from flows.records.record import Failure
from flows.records.report import Failed
from flows.storage.access import use_access
from flows.storage.globs import literal
from flows.storage.location import is_remote
from flows.storage.opening import open_storage
from stylize_core.image.extras import check_extras


@dataclass(frozen=True, slots=True)
class PlannedPair:
    """A pair and what is to be done about it; see `Assessment` for the fields.

    Attributes:
        forced: it is done, and to be made again all the same.
    """

    pair: Pair
    status: Status
    reason: str
    identity: str
    attempts: int = 0
    failure: Failure | None = None
    forced: bool = False
    finished_at: datetime | None = None
    alike: bool = False


# Why so many: what is planned, what is not, and what a user should know of both.
@dataclass(frozen=True)
class Plan:
    """Everything that a manifest asks for.

    Attributes:
        output: where the results go, as in the manifest.
        pairs: pairs of one style and equal settings stand together; the same order every time.
        warnings: what the user should know although nothing is wrong with the manifest.
        sheets: the contact sheets of what is swept.
        refused: what cannot be made and is not even tried, beside `pairs`: files that a pattern found and
            nobody can use, lines of a list that name no picture, and pairs where somebody else's file stands
            in the result's place.
        left_out: the files that folders and patterns pass over.
        replace_foreign: whether results may replace files that are not of this program.
        source: what the manifest is called.
        selection: what of it was asked for.
        not_asked: how many pairs were not.
    """

    output: str
    pairs: tuple[PlannedPair, ...]
    warnings: tuple[str, ...] = ()
    sheets: tuple[Sheet, ...] = ()
    refused: tuple[Failed, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    replace_foreign: bool = False
    source: str = ""
    selection: Selection = EVERYTHING
    not_asked: int = 0

    @cached_property
    def todo(self) -> tuple[PlannedPair, ...]:
        """The pairs that are not done."""
        return tuple(planned for planned in self.pairs if planned.status == "todo")

    @property
    def counts(self) -> dict[str, int]:
        """How many pairs are planned, done and to do; the rest is refused."""
        return {
            "planned": len(self.pairs) + len(self.refused),
            "done": len(self.pairs) - len(self.todo),
            "todo": len(self.todo),
        }

    @property
    def reasons(self) -> dict[str, int]:
        """How many pairs are to do for each reason, the commonest first."""
        return dict(Counter(planned.reason for planned in self.todo).most_common())


def make_plan(manifest: Manifest, *, shard: Shard = WHOLE, selection: Selection = EVERYTHING) -> Plan:
    """Expand, pair, name and assess what `manifest` asks for in a shard, as far as it is selected.

    Names are checked over the whole manifest; pictures and records are looked at for the shard's pairs alone,
    and for those whose names are asked for. Contact sheets, which may show pairs of several shards, belong to
    the whole manifest only.

    Raises:
        BadArguments: a pattern of the selection fits no pair.
        ManifestError: a pattern matches nothing, names that the user wrote collide, results would replace
            inputs, or staged weights end before a layer that is used; carries every such problem.
        StorageError: the output or a bucket cannot be reached.
        BadWeights: the installation lacks the built-in weights.
        MissingExtra: it lacks a library that a pair to do needs.
    """
    use_access(manifest.s3)
    contents = expand(manifest, manifest.contents, where="contents")
    styles = expand(manifest, manifest.styles, where="styles")
    listed = [*contents.found, *styles.found]
    pairing = pair_up(manifest, contents.found, styles.found)
    apart = keep_inputs_apart(pairing.candidates, listed, manifest.output)
    _raise_problems(manifest, [*contents.problems, *styles.problems, *pairing.problems, *apart.problems])
    refused = _each_once([*contents.refused, *styles.refused, *pairing.refused])
    names = [*(one.name for one in apart.candidates), *(one.name for one in refused)]
    of_shard = count_of(shard, names, selection, source=manifest.source)
    candidates = [one for one in apart.candidates if shard.holds(one.name) and selection.names(one.name)]
    inputs, missing = look_up(_places(listed, candidates), bounds=_bounds(manifest, listed, candidates))
    pairs = [_pair(candidate, inputs) for candidate in candidates]
    planned, foreign, replaced = _assessed(manifest, pairs, candidates, of=len(apart.candidates))
    sheets = sheets_of(apart.candidates)
    later = [] if shard == WHOLE or not sheets else ["contact sheets are made by a run without shards only"]
    left_out = _left_out([*contents.left_out, *styles.left_out, *apart.left_out], candidates)
    plan = Plan(
        manifest.output,
        planned,
        warnings=(
            *sentences(left_out),
            *contents.warnings,
            *styles.warnings,
            *pairing.warnings,
            *missing,
            *replaced,
            *later,
        ),
        sheets=sheets if shard == WHOLE else (),
        refused=(*(one for one in refused if shard.holds(one.name)), *foreign),
        left_out=left_out,
        replace_foreign=manifest.replace_foreign,
        source=one_spelling(manifest.source),
    )
    plan = narrowed(plan, selection, of=of_shard)
    for item in plan.todo:
        check_extras(item.pair.picture_settings)
    problems, gone = check_weights(item.pair.style_settings for item in plan.todo)
    _raise_problems(manifest, problems)
    return replace(plan, warnings=(*plan.warnings, *gone)) if gone else plan


def _each_once(refused: Iterable[Failed]) -> list[Failed]:
    """Each failure once, by its name: two entries may find the same file, or take the same list."""
    return list({one.name: one for one in refused}.values())


def _left_out(left_out: Iterable[LeftOut], candidates: Iterable[Candidate]) -> tuple[LeftOut, ...]:
    """What no entry takes: what one entry passes over may be another one's picture."""
    used = {uri for candidate in candidates for uri in candidate.reads}
    return tuple(item for item in dict.fromkeys(left_out) if item.uri not in used)


def _raise_problems(manifest: Manifest, problems: list[Problem]) -> None:
    if len(problems) > MAX_PROBLEMS:
        more = len(problems) - MAX_PROBLEMS
        problems = [*problems[:MAX_PROBLEMS], Problem("", f"and {more} more problems")]
    if problems:
        raise ManifestError(manifest.source, problems)


def _places(listed: Sequence[Found], candidates: Sequence[Candidate]) -> list[tuple[str, str]]:
    """URI and token, as far as it is known, of every picture that some pair needs."""
    tokens = {found.uri: found.token for found in listed}
    needed = dict.fromkeys(uri for candidate in candidates for uri in candidate.reads)
    return [(uri, tokens.get(uri, "")) for uri in needed]


def _bounds(manifest: Manifest, listed: Sequence[Found], candidates: Sequence[Candidate]) -> dict[str, str]:
    """The folder that each picture was found in, unless the manifest names that very picture as well."""
    found = {picture.uri: picture.within for picture in listed}
    named = {literal(entry.image) for entry in (*manifest.contents, *manifest.styles)}
    named |= {path for pair in manifest.pairs for path in (pair.content, pair.style)}
    blends = [style.blend for style in manifest.styles] + [pair.blend for pair in manifest.pairs]
    named |= {part.picture for blend in blends for part in blend}
    named |= {uri for pair in manifest.pairs for uri in roles(pair.regions).values()}
    named |= {candidate.settings.init for candidate in candidates}
    return found | {one_spelling(path): "" for path in named if path}


def _pair(candidate: Candidate, inputs: Mapping[str, Input]) -> Pair:
    settings = candidate.settings
    return Pair(
        name=candidate.name,
        content=inputs.get(candidate.content),
        style=inputs.get(candidate.style),
        style_settings=settings.style,
        picture_settings=settings.picture,
        init=inputs[settings.init] if settings.init else None,
        blend=converted(candidate.blend, inputs.__getitem__),
        regions=converted_regions(candidate.regions, inputs.__getitem__),
    )


def _assessed(
    manifest: Manifest, pairs: Sequence[Pair], candidates: Sequence[Candidate], *, of: int
) -> tuple[tuple[PlannedPair, ...], list[Failed], list[str]]:
    """The pairs with what is to be done about them, those that are refused, and a warning about records.

    Args:
        of: how many pairs the whole manifest has.
    """
    names = frozenset(n for pair in pairs for n in (pair.output_name, pair.record_name, *pair.extra_names))
    expected = len(names) * of // max(1, len(pairs))
    output = view_of(open_storage(manifest.output), names, expected=expected)
    # Small local files are read fastest one after the other: more threads only queue for Python's lock.
    threads = REMOTE_THREADS if is_remote(manifest.output) else 1

    def assessment(at: int) -> Assessment:
        return assess(pairs[at], candidates[at].settings, output, replace_foreign=manifest.replace_foreign)

    found = list(in_threads(assessment, range(len(pairs)), threads=threads))
    planned = tuple(
        PlannedPair(
            pair,
            one.status,
            one.reason,
            one.identity,
            one.attempts,
            one.failure,
            finished_at=one.finished_at,
            alike=one.alike,
        )
        for pair, one in zip(pairs, found, strict=True)
        if not one.refused
    )
    refused = [
        Failed(pair.name, ForeignFile.kind, one.refused)
        for pair, one in zip(pairs, found, strict=True)
        if one.refused
    ]
    return planned, refused, _replaced(pairs, found)


def _replaced(pairs: Sequence[Pair], assessments: Sequence[Assessment]) -> list[str]:
    """One warning for all the files that stand where a record belongs and will be replaced."""
    found = [
        f"{pair.record_name} ({assessment.reason})"
        for pair, assessment in zip(pairs, assessments, strict=True)
        if assessment.unreadable and not assessment.refused
    ]
    if not found:
        return []
    return [f"no record of this version, to be replaced when the pair is made: {counted(found, 'file')}"]
