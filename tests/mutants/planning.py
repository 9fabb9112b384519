"""Bugs in what is taken as an input, in what may be replaced, and in whom a bad name costs."""

from __future__ import annotations

from mutants.mutant import Mutant

CLI = "tests/flows/cli/test_cli.py"
CONFLICTS = "tests/flows/planning/test_conflicts.py"
INPUTS = "tests/flows/planning/test_inputs.py"
NAMING = "tests/flows/planning/test_naming.py"
PLAN = "tests/flows/planning/test_plan.py"
WORLDS = "tests/faults/test_changing_worlds.py"
SKIPPED = f"{PLAN}::test_what_failed_for_a_reason_of_its_own_is_left_out_on_request_and_counts_as_failed"
RESULTS = f"{INPUTS}::test_what_this_program_made_is_no_input_whichever_manifest_it_is_of"
TAKEN = f"{NAMING}::test_a_found_file_whose_name_is_taken_costs_its_own_pair_alone"

MUTANTS = (
    Mutant(
        "planning-a-foreign-picture-is-taken-as-ours",
        "flows/records/ownership.py",
        "    if not ours:\n",
        "    if False:\n",
        (
            f"{CONFLICTS}::test_a_foreign_picture_where_a_result_goes_is_no_input_and_costs_its_own_pair_alone",
        ),
    ),
    Mutant(
        "planning-a-newer-record-is-taken-as-ours",
        "flows/records/ownership.py",
        "        if not error.damaged:\n",
        "        if False:\n",
        (f"{WORLDS}::test_row_47_what_comes_between_plan_and_pair_stays_and_costs_that_pair_alone",),
    ),
    Mutant(
        "planning-a-worker-does-not-look-whose-file-it-replaces",
        "flows/worker/prepare.py",
        "storage, careful = open_storage(task.job.output), not task.job.replace_foreign",
        "storage, careful = open_storage(task.job.output), False",
        (f"{WORLDS}::test_row_47_what_comes_between_plan_and_pair_stays_and_costs_that_pair_alone",),
    ),
    Mutant(
        "planning-foreign-files-replaced-without-leave",
        "flows/planning/freshness.py",
        'if found.status == "done" or replace_foreign:',
        "if True:",
        (
            f"{CONFLICTS}::test_a_foreign_picture_where_a_result_goes_is_no_input_and_costs_its_own_pair_alone",
        ),
    ),
    Mutant(
        "planning-a-result-without-a-record-is-an-input",
        "flows/planning/ours.py",
        "lambda uri: carries_facts(uri) or is_recorded(uri)",
        "lambda uri: is_recorded(uri)",
        (RESULTS,),
    ),
    Mutant(
        "planning-a-result-that-lost-its-facts-is-an-input",
        "flows/planning/ours.py",
        "lambda uri: carries_facts(uri) or is_recorded(uri)",
        "lambda uri: carries_facts(uri)",
        (RESULTS,),
    ),
    Mutant(
        "planning-a-record-is-an-input",
        "flows/planning/ours.py",
        "return sidecars | _local(local)",
        "return _local(local)",
        (RESULTS,),
    ),
    Mutant(
        "planning-results-in-a-bucket-are-inputs",
        "flows/planning/ours.py",
        "return recorded | _those(unsure, carries_facts, REMOTE_THREADS)",
        "return recorded",
        (f"{INPUTS}::test_only_folders_that_hold_results_are_looked_into_in_a_bucket",),
    ),
    Mutant(
        "planning-excluded-files-are-not-told",
        "flows/planning/inputs.py",
        "for uri in listing.matches.keys() - set(matches)",
        "for uri in ()",
        (f"{INPUTS}::test_excluded_files_are_not_taken",),
    ),
    Mutant(
        "planning-passed-over-files-are-not-told",
        "flows/planning/listing.py",
        "    found.left_out += _passed_over(sorted(near - found.matches.keys()))\n",
        "",
        (f"{INPUTS}::test_a_pattern_says_what_it_nearly_takes",),
    ),
    Mutant(
        "planning-left-out-files-are-lost-by-the-plan",
        "flows/planning/plan.py",
        "        left_out=left_out,\n",
        "",
        (f"{CONFLICTS}::test_a_result_whose_record_was_never_written_does_not_stop_the_next_run",),
    ),
    Mutant(
        "planning-left-out-files-are-not-counted",
        "flows/planning/left_out.py",
        'return f"{len(names)} {noun}{plural}',
        'return f"{min(len(names), EXAMPLES)} {noun}{plural}',
        (f"{INPUTS}::test_a_plan_counts_all_that_is_left_out_and_names_a_few",),
    ),
    Mutant(
        "planning-exclude-ignored",
        "flows/planning/inputs.py",
        "[uri for uri in listing.matches if not is_excluded(uri, manifest.exclude)]",
        "list(listing.matches)",
        (f"{INPUTS}::test_excluded_files_are_not_taken",),
    ),
    Mutant(
        "planning-allow-empty-ignored",
        "flows/planning/inputs.py",
        "if not chosen and not manifest.allow_empty and",
        "if not chosen and",
        (f"{INPUTS}::test_a_pattern_may_find_nothing_where_the_manifest_allows_it",),
    ),
    Mutant(
        "planning-empty-always-allowed",
        "flows/planning/inputs.py",
        "if not chosen and not manifest.allow_empty and",
        "if False and",
        (f"{INPUTS}::test_a_pattern_that_matches_nothing_is_a_problem_with_its_line",),
    ),
    Mutant(
        "planning-skip-failed-retries",
        "flows/running/run.py",
        "plan = without_failed(plan) if skip_failed else plan",
        "plan = plan if skip_failed else plan",
        (f"{CLI}::test_a_run_that_skips_what_failed_reads_it_not_again_and_fails_all_the_same",),
    ),
    Mutant(
        "planning-skip-failed-skips-what-may-pass",
        "flows/planning/selecting.py",
        "if one.failure and one.alike and one.failure.kind not in MAY_PASS",
        "if one.failure and one.alike",
        (SKIPPED,),
    ),
    Mutant(
        "planning-skip-failed-skips-what-was-mended",
        "flows/planning/selecting.py",
        "if one.failure and one.alike and",
        "if one.failure and",
        (SKIPPED,),
    ),
    Mutant(
        "planning-skip-failed-skips-objects-that-were-replaced",
        "flows/planning/freshness.py",
        "alike = same and (bool(wanted) or speaks_of_the_same(record, pair))",
        "alike = same",
        (f"{PLAN}::test_a_broken_object_is_left_out_on_request_until_it_is_replaced",),
    ),
    Mutant(
        "planning-skip-failed-skips-objects-under-other-settings",
        "flows/records/failed.py",
        "return settings == as_recorded(pair.style_settings, pair.picture_settings)",
        "return True",
        (f"{PLAN}::test_an_object_that_was_too_large_is_tried_under_other_settings",),
    ),
    Mutant(
        "planning-skip-failed-skips-a-disk-that-was-away",
        "flows/planning/selecting.py",
        "TimedOut, StorageError, StorageTransient, NotFound, Denied)",
        "TimedOut, StorageTransient)",
        (f"{PLAN}::test_what_failed_because_storage_was_out_of_reach_is_never_left_out",),
    ),
    Mutant(
        "planning-skipped-failures-do-not-count",
        "flows/planning/selecting.py",
        "refused=(*plan.refused, *hopeless.values())",
        "refused=plan.refused",
        (SKIPPED,),
    ),
    Mutant(
        "planning-two-found-files-of-one-name-are-not-told-apart",
        "flows/planning/naming.py",
        "if len({one.uri for one in group}) > 1:",
        "if False:",
        (f"{NAMING}::test_two_found_files_that_want_one_name_get_names_that_tell_them_apart",),
    ),
    Mutant(
        "planning-two-found-files-of-one-name-fail-the-whole-plan",
        "flows/planning/conflicts.py",
        "    if found:\n",
        "    if False:\n",
        (TAKEN,),
    ),
    Mutant(
        "planning-both-of-two-files-of-one-name-fail",
        "flows/planning/conflicts.py",
        "lost[max(found, key=lambda one: one.is_sheet)] = problem.message",
        "lost |= dict.fromkeys(found, problem.message)",
        (TAKEN,),
    ),
    Mutant(
        "planning-a-failure-that-two-entries-find-counts-twice",
        "flows/planning/plan.py",
        "return list({one.name: one for one in refused}.values())",
        "return list(refused)",
        (f"{PLAN}::test_a_failure_that_several_entries_find_counts_once",),
    ),
    Mutant(
        "planning-pairs-that-lost-one-name-are-one-failure",
        "flows/planning/conflicts.py",
        "called = one.name if free else",
        "called = one.name if True else",
        (f"{NAMING}::test_each_of_several_pairs_that_want_one_name_counts",),
    ),
    Mutant(
        "planning-sheets-of-pairs-that-clash-fail-the-whole-plan",
        "flows/planning/conflicts.py",
        "    sheets = sheet_candidates(pairs)",
        "    sheets = sheet_candidates(usable)",
        (f"{NAMING}::test_a_swept_pair_whose_name_is_taken_takes_its_sheet_along_and_nothing_else",),
    ),
    Mutant(
        "planning-a-found-sheet-whose-name-is-taken-costs-the-pair",
        "flows/planning/conflicts.py",
        "max(found, key=lambda one: one.is_sheet)",
        "min(found, key=lambda one: one.is_sheet)",
        (f"{NAMING}::test_a_found_contact_sheet_whose_name_is_taken_is_left_out_with_a_warning",),
    ),
    Mutant(
        "planning-dreams-without-what-is-around-them",
        "stylize_core/settings/resolved.py",
        "        return wandering_of(settings, width=width, height=height)[1]",
        "        return 0",
        ("tests/core/test_dream.py::test_the_network_sees_so_much_around_a_dream_as_estimates_count",),
    ),
)
