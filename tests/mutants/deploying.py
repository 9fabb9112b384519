"""Bugs in what clusters are given."""

from __future__ import annotations

from mutants.mutant import Mutant

JOB, JOB_TEST = "deploy/kubernetes/indexed-job.yaml", "tests/deploy/test_indexed_job.py"
POOL, POOL_TEST = "deploy/kubernetes/pool-template.json", "tests/deploy/test_pool_template.py"
BATCH, BATCH_TEST = "deploy/aws/batch-job-definition.json", "tests/deploy/test_batch_job_definition.py"
POLICY, POLICY_TEST = "deploy/aws/iam-policy.json", "tests/deploy/test_iam_policy.py"
SLURM, SLURM_TEST = "deploy/slurm/stylize.sbatch", "tests/deploy/test_sbatch.py"
SKY, SKY_TEST = "deploy/skypilot.yaml", "tests/deploy/test_skypilot.py"
COMPOSE, COMPOSE_TEST = "deploy/compose.yaml", "tests/deploy/test_compose.py"
DOCS, DOCS_TEST = "docs/fleet.md", "tests/test_fleet_docs.py"

MUTANTS = (
    Mutant(
        "deploying-more-shards-than-pods",
        JOB,
        "completions: 64",
        "completions: 60",
        (f"{JOB_TEST}::test_there_are_as_many_pods_as_shards_and_each_makes_another_one",),
    ),
    Mutant(
        "deploying-a-field-that-kubernetes-does-not-know",
        JOB,
        "backoffLimitPerIndex: 3",
        "backoffLimitPerShard: 3",
        (f"{JOB_TEST}::test_the_api_knows_every_field_and_takes_every_value",),
    ),
    Mutant(
        "deploying-all-jobs-of-a-cluster-as-one",
        JOB,
        "value: $(JOB_UID)/$(JOB_INDEX)",
        "value: stylize/$(JOB_INDEX)",
        (f"{JOB_TEST}::test_attempts_at_a_pod_are_one_job_and_other_pods_and_other_jobs_are_not",),
    ),
    Mutant(
        "deploying-a-pod-with-failed-pairs-again-and-again",
        JOB,
        "values: [1, 4, 11, 130]",
        "values: [1, 3, 4, 11, 130]",
        (f"{JOB_TEST}::test_the_policy_names_every_exit_code_of_the_program_and_no_other",),
    ),
    Mutant(
        "deploying-a-pool-whose-runs-have-no-gpu",
        POOL,
        ', "nvidia.com/gpu": "{{ gpus }}"',
        "",
        (f"{POOL_TEST}::test_every_variable_is_used_and_every_use_has_its_variable",),
    ),
    Mutant(
        "deploying-a-pool-whose-pods-are-killed-at-once",
        POOL,
        '"terminationGracePeriodSeconds": "{{ grace_period_seconds }}"',
        '"terminationGraceSeconds": "{{ grace_period_seconds }}"',
        (f"{POOL_TEST}::test_the_job_of_a_run_is_one_that_the_api_accepts",),
    ),
    Mutant(
        "deploying-tasks-that-do-not-outlive-a-spot-machine",
        BATCH,
        '"onStatusReason": "Host EC2*"',
        '"onReason": "Host EC2*"',
        (f"{BATCH_TEST}::test_the_end_of_a_spot_machine_is_no_end_of_the_task",),
    ),
    Mutant(
        "deploying-a-limit-that-comes-before-the-run-ends-by-itself",
        BATCH,
        '"--max-time", "110m"',
        '"--max-time", "120m"',
        (f"{BATCH_TEST}::test_a_run_ends_by_itself_before_the_limit_after_which_there_is_no_other_attempt",),
    ),
    Mutant(
        "deploying-a-role-that-cannot-give-locks-back",
        POLICY,
        ', "s3:DeleteObject"]',
        "]",
        (f"{POLICY_TEST}::test_all_that_a_run_asks_for_is_allowed",),
    ),
    Mutant(
        "deploying-a-role-that-may-write-everywhere",
        POLICY,
        '"arn:aws:s3:::OUTPUT-BUCKET/OUTPUT-PREFIX/*"',
        '"arn:aws:s3:::OUTPUT-BUCKET/*"',
        (f"{POLICY_TEST}::test_what_no_run_needs_is_not_allowed",),
    ),
    Mutant(
        "deploying-a-shell-between-slurm-and-the-run",
        SLURM,
        "exec stylize run",
        "stylize run",
        (f"{SLURM_TEST}::test_sigterm_reaches_the_run_which_reports_and_gives_its_lock_back",),
    ),
    Mutant(
        "deploying-nodes-that-one-failed-pair-ends",
        SKY,
        "[ $code -eq 3 ] || exit $code",
        "exit $code",
        (f"{SKY_TEST}::test_failed_pairs_do_not_end_the_other_nodes_and_all_else_does",),
    ),
    Mutant(
        "deploying-a-server-open-to-the-network",
        COMPOSE,
        '["127.0.0.1:4200:4200"]',
        '["4200:4200"]',
        (f"{COMPOSE_TEST}::test_nothing_is_reachable_from_other_machines",),
    ),
    Mutant(
        "deploying-a-worker-whose-health-nobody-can-ask",
        COMPOSE,
        ", --with-healthcheck",
        "",
        (
            f"{COMPOSE_TEST}::test_the_server_on_postgres_and_the_worker_start_and_their_health_checks_find_them_well",
        ),
    ),
    Mutant(
        "deploying-by-an-option-that-aws-does-not-know",
        DOCS,
        "--array-properties size=64",
        "--array-size 64",
        (f"{DOCS_TEST}::test_every_command_is_run",),
    ),
    Mutant(
        "deploying-by-a-file-that-is-not-there",
        DOCS,
        "kubectl create -f deploy/kubernetes/indexed-job.yaml",
        "kubectl create -f deploy/indexed-job.yaml",
        (f"{DOCS_TEST}::test_every_command_is_run",),
    ),
)
