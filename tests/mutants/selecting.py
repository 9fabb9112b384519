"""Bugs in which part of a manifest is made, and in what is cleaned up."""

from __future__ import annotations

from mutants.mutant import Mutant

SELECTION = "tests/flows/running/test_selection.py"
LEFTOVERS = "tests/flows/running/upkeep/test_leftovers.py"
SEARCH = "flows/running/upkeep/leftovers.py"
DOUBT = "flows/running/upkeep/doubt.py"

MUTANTS = (
    Mutant(
        "selecting-what-is-made-again-begins-with-the-same-pairs-each-night",
        "flows/planning/selecting.py",
        "sorted(done, key=_made_at)",
        "done",
        (f"{SELECTION}::test_a_night_that_could_not_make_all_again_is_gone_on_with_by_the_next_one",),
    ),
    Mutant(
        "selecting-an-empty-mount-point-takes-its-pictures-along",
        DOUBT,
        "if empty := _empty(manifest):",
        "if (empty := _empty(manifest)) and False:",
        (f"{LEFTOVERS}::test_nothing_is_removed_while_only_the_mount_point_of_a_disk_is_there",),
    ),
    Mutant(
        "selecting-a-limit-counts-what-is-done",
        "flows/planning/selecting.py",
        'todo = [one.pair.name for one in pairs if one.status == "todo"]',
        "todo = [one.pair.name for one in pairs]",
        (f"{SELECTION}::test_a_limit_counts_what_is_to_do_and_goes_on_the_next_time",),
    ),
    Mutant(
        "selecting-what-is-forced-is-skipped-by-the-worker",
        "flows/worker/prepare.py",
        "if record and not task.job.force and makes_done(",
        "if record and makes_done(",
        (f"{SELECTION}::test_what_is_done_is_made_again_when_asked_and_comes_out_the_same",),
    ),
    Mutant(
        "selecting-a-forced-failure-is-hidden-by-the-old-picture",
        "flows/worker/publish.py",
        "told = recorded or unread or task.job.force",
        "told = recorded or unread",
        (f"{SELECTION}::test_a_picture_that_cannot_be_made_again_stays_and_the_failure_is_told",),
    ),
    Mutant(
        "selecting-a-preview-goes-into-the-real-output",
        "flows/manifest/preview.py",
        "return replace(manifest, output=preview_output(manifest.output), preview=True,",
        "return replace(manifest, preview=True,",
        (f"{SELECTION}::test_a_preview_is_small_and_leaves_the_real_results_alone",),
    ),
    Mutant(
        "cleaning-results-of-another-manifest",
        SEARCH,
        "if record.manifest in self.ours:",
        "if record.manifest:",
        (f"{LEFTOVERS}::test_what_was_made_for_another_manifest_stays_unless_it_was_this_one",),
    ),
    Mutant(
        "cleaning-a-picture-that-somebody-changed",
        SEARCH,
        "return self.sizes[file] == sizes[file] if file in sizes",
        "return True if file in sizes",
        (f"{LEFTOVERS}::test_a_picture_that_somebody_changed_is_theirs",),
    ),
    Mutant(
        "cleaning-pictures-before-their-records",
        SEARCH,
        "order = (name, *gone) if done",
        "order = (*gone, name) if done",
        (f"{LEFTOVERS}::test_a_record_goes_before_its_picture_and_that_of_a_try_after_its_files",),
    ),
    Mutant(
        "cleaning-what-was-made-of-a-folder-that-is-away",
        DOUBT,
        "    if away := _away(plan):",
        "    if (away := _away(plan)) and not plan.todo:",
        (f"{LEFTOVERS}::test_nothing_is_removed_while_a_folder_is_away",),
    ),
    Mutant(
        "cleaning-everything-where-nothing-is-named",
        DOUBT,
        'if plan.counts["planned"] == 0:',
        'if plan.counts["planned"] < 0:',
        (f"{LEFTOVERS}::test_nothing_is_removed_while_nobody_knows_what_the_manifest_names",),
    ),
)
