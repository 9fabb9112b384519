"""Bugs by which bytes are lost, altered or waited for too long."""

from __future__ import annotations

from mutants.mutant import Mutant

S3 = "tests/flows/storage/test_storage_s3.py"
LOCAL = "tests/flows/storage/test_storage_local.py"
RETRIES = "tests/flows/storage/test_retries.py"
INPUTS = "tests/flows/planning/test_inputs.py"
OUTPUT = "tests/flows/planning/test_output.py"
LOCK = "tests/flows/storage/test_lock.py"
GARBLED = f"{S3}::test_bytes_that_arrive_altered_are_refused_by_the_store_and_sent_again"
MD5 = '        "ContentMD5": base64.b64encode(of_old).decode(),\n'
SHA256 = '        "ChecksumSHA256": base64.b64encode(sha256).decode(),\n'

MUTANTS = (
    Mutant(
        "storage-a-disk-that-fails-in-a-listing-is-an-internal-error",
        "flows/storage/local.py",
        "            except OSError as error:\n                self._pass_over(os.path.dirname",
        "            except FileNotFoundError as error:\n                self._pass_over(os.path.dirname",
        (f"{LOCAL}::test_a_disk_that_fails_while_files_are_listed_is_a_storage_error",),
    ),
    Mutant("storage-put-without-any-checksum", "flows/storage/s3_proof.py", MD5 + SHA256, "", (GARBLED,)),
    Mutant(
        "storage-every-input-fetched-whole-to-see-whose-it-is",
        "flows/records/ownership.py",
        "storage.ends(name, _PEEK_BYTES)",
        "storage.read(name)",
        (f"{INPUTS}::test_no_picture_of_a_bucket_is_fetched_whole_to_see_whose_it_is",),
    ),
    Mutant(
        "storage-credentials-that-are-away-end-the-run-at-once",
        "flows/storage/errors.py",
        "if name in _CREDENTIALS_AWAY or absent_now or is_about_expiry(error):",
        "if False:",
        (f"{RETRIES}::test_credentials_that_are_away_for_a_while_are_waited_for_by_a_run_that_had_them",),
    ),
    Mutant(
        "storage-credentials-that-have-expired-cost-each-pair-by-itself",
        "flows/storage/errors.py",
        "isinstance(error, RuntimeError) and _EXPIRED in str(error)",
        "False",
        (
            f"{RETRIES}::test_credentials_that_have_expired_before_they_are_given_are_waited_for_as_if_they_were_away",
        ),
    ),
    Mutant(
        "storage-absent-credentials-are-waited-for",
        "flows/storage/errors.py",
        'absent_now = name == "NoCredentialsError" and had_credentials()',
        'absent_now = name == "NoCredentialsError"',
        (f"{RETRIES}::test_where_there_never_were_credentials_the_run_ends_at_once",),
    ),
    Mutant(
        "storage-a-client-without-credentials-never-looks-for-them-again",
        "flows/storage/s3.py",
        "                    forget_clients()",
        "                    pass",
        (f"{RETRIES}::test_credentials_that_are_away_for_a_while_are_waited_for_by_a_run_that_had_them",),
    ),
    Mutant(
        "storage-a-busy-service-for-credentials-has-refused-them",
        "flows/storage/errors.py",
        "away = passing and code not in _CREDENTIALS",
        "away = False",
        (f"{RETRIES}::test_a_service_that_is_too_busy_to_give_credentials_is_asked_again",),
    ),
    Mutant(
        "storage-a-new-worker-does-not-know-that-there-were-credentials",
        "flows/worker/calls.py",
        "    if has_credentials:",
        "    if False:",
        ("tests/flows/engines/test_local.py::test_a_worker_knows_whether_its_parent_has_had_credentials",),
    ),
    Mutant(
        "storage-a-closed-folder-ends-the-sweep",
        "flows/storage/local.py",
        "        for file in self._walk(self.root, lambda _: None):",
        "        for file in self._walk(self.root, None):",
        (
            f"{LOCAL}::test_a_folder_that_is_closed_costs_a_sweep_nothing_and_a_list_tells_of_it_or_fails",
            "tests/flows/running/test_run.py::test_a_folder_of_root_in_the_output_is_no_reason_not_to_run",
        ),
    ),
    Mutant(
        "storage-a-closed-root-is-an-empty-one",
        "flows/storage/local.py",
        "if closed is None or folder == self.root:",
        "if closed is None:",
        (f"{LOCAL}::test_a_folder_that_is_closed_costs_a_sweep_nothing_and_a_list_tells_of_it_or_fails",),
    ),
    Mutant(
        "storage-results-in-a-folder-that-cannot-be-listed-are-none",
        "flows/planning/output.py",
        "    for name in names if closed else ():",
        "    for name in ():",
        (f"{OUTPUT}::test_results_in_a_folder_that_cannot_be_listed_are_asked_for_by_name",),
    ),
    Mutant("storage-put-without-md5", "flows/storage/s3_proof.py", MD5, "", (GARBLED,)),
    Mutant("storage-put-without-sha256", "flows/storage/s3_proof.py", SHA256, "", (GARBLED,)),
    Mutant(
        "storage-bad-digest-is-permanent",
        "flows/storage/errors.py",
        '"ConditionalRequestConflict", "BadDigest",',
        '"ConditionalRequestConflict",',
        (GARBLED,),
    ),
    Mutant(
        "storage-etags-of-kms-taken-for-md5",
        "flows/storage/s3_proof.py",
        ' or answer.get("ServerSideEncryption", "AES256") != "AES256"',
        "",
        (f"{S3}::test_what_the_store_encrypts_by_its_own_key_is_not_held_against_its_etag",),
    ),
    Mutant(
        "storage-retries-without-a-limit-of-time",
        "flows/storage/retry.py",
        " or too_late(state)",
        "",
        (f"{RETRIES}::test_no_round_starts_after_the_limit_however_many_rounds_there_may_be",),
    ),
    Mutant(
        "storage-half-an-hour-of-retries",
        "flows/storage/base.py",
        "limit_s: float = 180.0",
        "limit_s: float = 1800.0",
        (f"{RETRIES}::test_no_round_starts_after_the_limit_however_many_rounds_there_may_be",),
    ),
    Mutant(
        "storage-waits-that-do-not-grow",
        "flows/storage/retry.py",
        "tenacity.wait_random_exponential(multiplier=patience.wait_s, max=patience.longest_wait_s)",
        "tenacity.wait_random(0, patience.wait_s)",
        (f"{RETRIES}::test_waits_double_up_to_the_longest",),
    ),
    Mutant(
        "storage-a-read-only-disk-costs-pair-after-pair",
        "flows/storage/errors.py",
        "(number == errno.EROFS or _blocks_all(number, path, root))",
        "_blocks_all(number, path, root)",
        (f"{LOCAL}::test_a_file_system_that_became_read_only_ends_the_run_though_the_output_is_there",),
    ),
    Mutant(
        "storage-folder-not-synced-after-create",
        "flows/storage/local.py",
        "                return False\n            _sync_folder(path.parent)\n",
        "                return False\n",
        (f"{LOCAL}::test_a_created_name_is_durable_before_create_returns",),
    ),
    Mutant(
        "storage-folder-not-synced-after-delete",
        "flows/storage/local.py",
        "            path.unlink()\n            _sync_folder(path.parent)\n",
        "            path.unlink()\n",
        (f"{LOCAL}::test_a_deletion_is_durable_before_delete_returns",),
    ),
    Mutant(
        "storage-a-lock-taken-over-without-a-second-look",
        "flows/storage/lock.py",
        "if now is None or now.token != stale.token:",
        "if now is None:",
        (f"{LOCK}::test_a_run_that_comes_late_to_a_stale_lock_leaves_it_to_the_one_that_took_it",),
    ),
)
