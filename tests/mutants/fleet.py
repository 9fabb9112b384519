"""Bugs in how a night goes over many machines."""

from __future__ import annotations

from mutants.mutant import Mutant

NIGHT = "tests/flows/fleet/test_run_fleet.py"
SHOWN = "tests/flows/fleet/test_shown_in_prefect.py"
SITE = "tests/test_fleet.py"
PROCESS = "tests/flows/engines/test_process.py"

MUTANTS = (
    Mutant(
        "fleet-the-container-of-a-worker-ends-before-its-runs",
        "flows/fleet/pool_worker.py",
        "                code = os.waitstatus_to_exitcode(status)",
        "                return os.waitstatus_to_exitcode(status)",
        ("tests/flows/fleet/test_pool_worker.py",),
    ),
    Mutant(
        "fleet-a-finished-picture-whose-input-is-gone-is-left-without-a-word",
        "flows/fleet/run.py",
        "if told.name in without:",
        "if told.name in without and False:",
        (f"{NIGHT}::test_a_finished_picture_whose_input_is_gone_fails_tonight_and_stays",),
    ),
    Mutant(
        "fleet-a-deleted-run-is-waited-for-without-end",
        "flows/fleet/submissions.py",
        "        if attempt.unknown < UNKNOWN_LOOKS:",
        "        if attempt.unknown:",
        (f"{SHOWN}::test_a_flow_run_that_was_deleted_is_lost_and_one_that_is_missed_once_is_not",),
    ),
    Mutant(
        "fleet-a-run-that-is-being-cancelled-is-waited-for-without-end",
        "flows/fleet/submissions.py",
        "    StateType.CANCELLING: SILENT_AFTER_S,\n",
        "",
        (f"{SHOWN}::test_a_flow_run_that_is_being_cancelled_on_a_machine_that_is_gone_is_cancelled",),
    ),
    Mutant(
        "fleet-a-run-that-raised-is-believed-to-be-over",
        "flows/fleet/submissions.py",
        " or (state.type == StateType.FAILED and state.name == RAISED)",
        "",
        (f"{SHOWN}::test_a_run_that_did_not_come_to_its_own_end_is_lost",),
    ),
    Mutant(
        "fleet-losses-count-although-pairs-ended-in-between",
        "flows/fleet/submissions.py",
        "        in_vain = 0 if went_on else self.in_vain + 1",
        "        in_vain = self.in_vain + 1",
        (f"{SHOWN}::test_only_losses_in_a_row_that_came_to_nothing_give_a_shard_up",),
    ),
    Mutant(
        "fleet-a-run-stays-in-the-folder-that-prefect-takes-away",
        "flows/fleet/flow_process.py",
        "    leave_empty_folder()\n",
        "",
        (f"{SITE}::test_a_run_that_is_ended_before_its_flow_has_begun_is_known_to_be_lost",),
    ),
    Mutant(
        "fleet-what-ends-a-run-does-not-wait-until-it-has-begun",
        "flows/fleet/flow_process.py",
        "    if os.getppid() != parent:",
        "    heed_ending()\n    if os.getppid() != parent:",
        (f"{SITE}::test_a_run_that_is_ended_before_its_flow_has_begun_is_known_to_be_lost",),
    ),
    Mutant(
        "fleet-no-worker-follows-where-the-folder-is-gone",
        "flows/engines/process_handle.py",
        "        leave_lost_folder()\n",
        "",
        (f"{PROCESS}::test_a_worker_that_dies_after_the_working_folder_is_gone_is_followed_by_another",),
    ),
    Mutant(
        "fleet-a-lost-shard-counts-as-made",
        "flows/fleet/run.py",
        "        if ended.lost:",
        "        if ended.attempts > 9:",
        (f"{NIGHT}::test_a_shard_that_was_lost_is_left_and_the_reason_is_told",),
    ),
    Mutant(
        "fleet-shards-without-anything-to-do-are-submitted",
        "flows/fleet/division.py",
        "Counter(Shard.index_of(planned.pair.name, count) for planned in plan.todo)",
        "Counter(Shard.index_of(planned.pair.name, count) for planned in plan.pairs)",
        (f"{NIGHT}::test_new_pictures_alone_are_asked_for_and_only_their_shards",),
    ),
    Mutant(
        "fleet-old-failures-count-as-tonights",
        "flows/fleet/run.py",
        "if one.failure and one.attempts > attempts.get(one.pair.name, 0):",
        "if one.failure:",
        (f"{NIGHT}::test_failures_of_tonight_count_and_those_that_nobody_tried_again_do_not",),
    ),
    Mutant(
        "fleet-another-division-beside-the-one-at-work",
        "flows/fleet/run.py",
        "count = fleet.shards or count_at_work(storage)",
        "count = fleet.shards",
        (f"{NIGHT}::test_the_division_of_those_at_work_is_kept",),
    ),
    Mutant(
        "fleet-no-sheets-after-the-last-shard",
        "flows/fleet/run.py",
        "    if plan.sheets:",
        "    if not plan.pairs:",
        (f"{NIGHT}::test_contact_sheets_are_drawn_once_all_shards_have_ended",),
    ),
    Mutant(
        "fleet-what-all-machines-took-is-the-parents-time",
        "flows/fleet/run.py",
        'machine_seconds=round(told["machine_seconds"], 3),',
        "machine_seconds=facts.seconds,",
        (f"{NIGHT}::test_all_shards_with_something_to_do_are_submitted_and_counted_from_records",),
    ),
    Mutant(
        "fleet-another-shards-lock-is-a-sign-of-life",
        "flows/fleet/locks.py",
        "return holder.shard == str(shard) or",
        "return bool(holder.shard) or",
        (f"{SHOWN}::test_the_lock_of_another_shard_is_no_sign_of_life",),
    ),
    Mutant(
        "fleet-a-silent-storage-is-a-sign-of-death",
        "flows/fleet/locks.py",
        "                self._holders = None",
        "                self._holders = ()",
        (f"{SHOWN}::test_a_storage_that_does_not_answer_is_no_sign_of_death",),
    ),
    Mutant(
        "fleet-a-console-that-nobody-reads-ends-the-run",
        "flows/fleet/flow_run_log.py",
        "if isinstance(console, Console):",
        "if isinstance(console, str):",
        (f"{SHOWN}::test_a_console_that_nobody_reads_ends_no_run",),
    ),
    Mutant(
        "fleet-strangers-markup-in-reports",
        "flows/fleet/artifacts.py",
        r'return re.sub(r"([\\`*_|<>\[\]])", r"\\\1", safe_text(text))',
        "return safe_text(text)",
        (f"{SHOWN}::test_a_report_shows_counts_speed_and_cost_and_no_markup_of_strangers",),
    ),
)
