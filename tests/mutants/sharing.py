"""Bugs in how several machines share an output."""

from __future__ import annotations

from mutants.mutant import Mutant

LOCK = "tests/flows/storage/test_lock.py"
PLATFORMS = "tests/flows/running/test_platforms.py"

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
)
