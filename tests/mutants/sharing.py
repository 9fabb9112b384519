"""Bugs in how several machines share an output."""

from __future__ import annotations

from mutants.mutant import Mutant

S3 = "tests/flows/storage/test_storage_s3.py"
LOCK = "tests/flows/storage/test_lock.py"
PLATFORMS = "tests/flows/running/test_platforms.py"
KEEP = "tests/flows/records/test_keep_picture.py"
OUTPUT = "tests/flows/planning/test_output.py"
REPORT = "tests/flows/records/test_report.py"
REQUESTS = "tests/flows/running/test_requests.py"
OLD_STORES = f"{S3}::test_a_store_that_knows_no_conditions_is_looked_at_first_and_that_is_said_once"

MUTANTS = (
    Mutant(
        "sharing-rivals-of-another-division-not-looked-for",
        "flows/storage/lock.py",
        "if other.count != shard.count:",
        "if other.count < 0:",
        (f"{LOCK}::test_another_division_of_the_same_pairs_is_refused_and_leaves_nothing",),
    ),
    Mutant(
        "sharing-a-lock-kept-where-rivals-cannot-be-looked-for",
        "flows/storage/lock.py",
        "    except BaseException:",
        "    except ZeroDivisionError:",
        (f"{LOCK}::test_a_lock_is_given_back_where_rivals_cannot_be_looked_for",),
    ),
    Mutant(
        "sharing-a-later-attempt-at-a-job-waits-for-the-earlier-one",
        "flows/storage/lock_holder.py",
        "if job and holder.job == job:",
        "if job and not holder.job:",
        (f"{LOCK}::test_a_later_attempt_at_the_same_job_takes_over_at_once_from_another_machine",),
    ),
    Mutant(
        "sharing-a-run-of-the-same-job-taken-over-while-it-is-at-work",
        "flows/storage/lock_holder.py",
        "if holder.place == pid_namespace_id():",
        "if holder.place == pid_namespace_id() and holder.job != job:",
        (f"{LOCK}::test_two_runs_of_one_job_on_one_machine_are_two_runs",),
    ),
    Mutant(
        "sharing-a-part-of-an-array-taken-for-all-of-it",
        "flows/running/platforms.py",
        "if first not in (0, 1) or last - first + 1 != int(count):",
        "if int(count) < 1:",
        (f"{PLATFORMS}::test_a_part_of_an_array_is_not_taken_for_the_whole_of_one",),
    ),
    Mutant(
        "sharing-a-new-record-written-over-another-runs",
        "flows/records/store.py",
        "if before is None and storage.create(pair.record_name, record.to_bytes(), content_type=_JSON):",
        "if before is None and not storage.write(pair.record_name, record.to_bytes(), content_type=_JSON):",
        (f"{KEEP}::test_a_record_of_the_same_picture_that_came_meanwhile_stays",),
    ),
    Mutant(
        "sharing-the-same-picture-of-another-run-recorded-again",
        "flows/records/store.py",
        "    if not same or (now.output, now.files) != (record.output, record.files):",
        "    if True:",
        (f"{KEEP}::test_a_record_of_the_same_picture_that_came_meanwhile_stays",),
    ),
    Mutant(
        "sharing-another-manifests-picture-taken-for-the-same",
        "flows/records/store.py",
        "    same = now.identity == record.identity",
        "    same = True",
        (f"{KEEP}::test_another_manifests_picture_that_came_meanwhile_is_replaced_whole",),
    ),
    Mutant(
        "sharing-other-bits-of-the-same-picture-left-under-our-record",
        "flows/records/store.py",
        " between our picture and our record.\n        write()\n",
        " between our picture and our record.\n",
        (
            f"{KEEP}::test_where_devices_differ_in_their_bits_picture_and_record_agree_all_the_same",
            f"{KEEP}::test_another_manifests_picture_that_came_meanwhile_is_replaced_whole",
        ),
    ),
    Mutant(
        "sharing-the-record-that-was-there-before-taken-for-another-runs",
        "flows/records/store.py",
        'if now is None or now == before or now.status != "done":',
        'if now is None or now.status != "done":',
        (f"{KEEP}::test_the_record_that_was_there_before_is_no_other_runs_work",),
    ),
    Mutant(
        "sharing-a-failure-recorded-over-another-runs-picture",
        "flows/records/store.py",
        "        if makes_done(old, pair, wanted, storage):",
        "        if False:",
        (f"{KEEP}::test_a_failure_does_not_replace_what_another_run_has_done",),
    ),
    Mutant(
        "sharing-double-work-not-counted",
        "flows/records/report.py",
        "            self.double_work += outcome.double_work\n",
        "",
        (f"{REPORT}::test_what_another_run_made_as_well_is_done_and_told_as_double_work",),
    ),
    Mutant(
        "sharing-a-store-without-conditions-ends-the-run",
        "flows/storage/s3.py",
        'if "IfNoneMatch" in request and is_about_the_request(error):',
        "if False:",
        (OLD_STORES,),
    ),
    Mutant(
        "sharing-a-store-without-conditions-asked-again-and-again",
        "flows/storage/conditions.py",
        "        _unaware.add((endpoint, bucket))\n",
        "",
        (OLD_STORES,),
    ),
    Mutant(
        "sharing-a-small-shard-lists-the-whole-output",
        "flows/planning/output.py",
        "    if asking_is_cheaper(len(names), expected, remote=is_remote(storage.root)):",
        "    if False:",
        (f"{REQUESTS}::test_a_shard_lists_locks_and_checkpoints_alone_and_asks_for_its_own_pair_alone",),
    ),
    Mutant(
        "sharing-a-picture-asked-for-and-not-found-taken-as-there",
        "flows/planning/output.py",
        "        return None if stat is None else stat.size",
        "        return 0 if stat is None else stat.size",
        (f"{OUTPUT}::test_asking_and_listing_judge_every_pair_alike",),
    ),
)
