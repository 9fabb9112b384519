"""Bugs in how a run goes on, ends and tells of it."""

from __future__ import annotations

from mutants.mutant import Mutant

RECORDED = "tests/flows/running/test_recorded.py"
FAILED = "tests/flows/records/test_failed.py"
SUPERVISOR = "tests/flows/engines/test_supervisor.py"
UNHEARD = "tests/faults/test_unheard.py"
SIGNALS = "tests/flows/running/test_signals.py"
PROCESS = "tests/flows/engines/test_process.py"
PROCESS_WORKER = "tests/flows/engines/test_process_worker.py"
TRACE = "tests/flows/records/test_trace.py"
SNAPSHOTS = "tests/flows/worker/test_snapshots.py"
WORKER = "tests/flows/worker/test_worker.py"
SIZING = "tests/flows/running/test_sizing.py"
EARLY = "tests/faults/test_early_ends.py"
FORECAST = "tests/flows/model/test_forecast.py"
METRICS = "tests/flows/running/test_metrics.py"

MUTANTS = (
    Mutant(
        "running-a-terminal-that-is-closed-leaves-no-report",
        "flows/running/signals.py",
        "                handlers[signal.SIGHUP] = self._terminated\n",
        "                pass\n",
        (f"{EARLY}::test_row_06_two_busy_workers_stop_and_leave_whole_pairs_only",),
    ),
    Mutant(
        "running-a-terminal-that-is-closed-takes-the-workers-along",
        "flows/engines/process_child.py",
        "PARENT_DECIDES = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)",
        "PARENT_DECIDES = (signal.SIGINT, signal.SIGTERM)",
        (f"{PROCESS}::test_what_ends_whole_process_groups_is_for_the_parent_to_decide",),
    ),
    Mutant(
        "running-nohup-does-not-help",
        "flows/running/signals.py",
        "            if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:",
        "            if True:",
        (f"{SIGNALS}::test_under_nohup_a_terminal_that_is_closed_ends_nothing",),
    ),
    Mutant(
        "running-what-is-foreseen-of-each-pair-looks-at-all-of-them",
        "flows/model/forecast.py",
        "            self._add(one, usual_pace)",
        "            self._add(one, _usual_pace(prospect))",
        (f"{FORECAST}::test_what_is_foreseen_of_many_pairs_is_not_gone_through_for_each_of_them",),
    ),
    Mutant(
        "running-a-disk-that-is-away-takes-finished-pictures-along",
        "flows/worker/publish.py",
        "    unread = isinstance(error, StorageError) and not _of_the_output(task, error)",
        "    unread = False",
        (f"{WORKER}::test_an_input_that_cannot_be_read_takes_no_finished_picture_along",),
    ),
    Mutant(
        "running-a-crash-takes-a-picture-along-of-which-nobody-knows-whether-it-is-the-same",
        "flows/engines/supervisor.py",
        "        unread = not record.identity",
        "        unread = False",
        (
            f"{SUPERVISOR}::test_a_picture_stays_where_nobody_knows_what_the_pair_that_kills_its_workers_is_made_of",
        ),
    ),
    Mutant(
        "running-an-output-that-takes-no-file-costs-every-pair",
        "flows/worker/publish.py",
        "        in_vain = _of_the_output(task, error) and not second.fatal",
        "        in_vain = False",
        (f"{WORKER}::test_an_output_that_takes_no_file_at_all_is_fatal_with_its_place_and_what_to_do",),
    ),
    Mutant(
        "running-a-closed-folder-ends-the-run",
        "flows/records/probe.py",
        'name = f"{HIDDEN}-probe-{os.getpid()}"',
        'name = f"closed/{HIDDEN}-probe-{os.getpid()}"',
        (f"{WORKER}::test_one_closed_folder_of_an_output_costs_its_own_pairs_and_leaves_nothing_there",),
    ),
    Mutant(
        "running-a-probe-stays-in-the-output",
        "flows/records/probe.py",
        "        storage.delete(name)",
        "        pass",
        (f"{WORKER}::test_one_closed_folder_of_an_output_costs_its_own_pairs_and_leaves_nothing_there",),
    ),
    Mutant(
        "running-a-picture-goes-before-it-is-made-again",
        "flows/worker/publish.py",
        "keep_done=task.job.force)",
        "keep_done=False)",
        (f"{SNAPSHOTS}::test_a_picture_that_is_made_again_in_vain_stays_with_all_that_its_record_speaks_of",),
    ),
    Mutant(
        "running-a-death-between-two-calls-goes-unheard",
        "flows/engines/process_worker.py",
        ", going_on=True",
        "",
        (f"{PROCESS_WORKER}::test_a_worker_that_is_killed_between_two_calls_costs_no_pair_and_ends_in_time",),
    ),
    Mutant(
        "running-a-death-begins-pairs-although-there-is-enough",
        "flows/engines/supervisor.py",
        "self._one_by_one(crash, () if self.enough() else ahead)",
        "self._one_by_one(crash, ahead)",
        (f"{SUPERVISOR}::test_when_there_is_enough_a_death_begins_nothing_that_was_only_read",),
    ),
    Mutant(
        "running-a-full-disk-of-temporary-files-ends-the-run",
        "flows/running/reporting.py",
        "            with suppress(OSError):\n                self._rows.close()",
        "            self._rows.close()",
        (f"{TRACE}::test_a_full_disk_of_temporary_files_costs_the_trace_and_nothing_else",),
    ),
    Mutant(
        "running-a-guarded-listener-swallows-sigterm",
        "flows/running/listeners.py",
        "            except Terminated:  # none of the listener's own\n                raise\n",
        "",
        (f"{SIGNALS}::test_what_a_listener_is_told_when_a_signal_comes_does_not_swallow_it",),
    ),
    Mutant(
        "running-a-lost-signal-is-forgotten",
        "flows/running/signals.py",
        "            run.stop(*self._lost)",
        "            pass",
        (
            f"{SIGNALS}::test_a_signal_whose_exception_is_lost_in_a_destructor_ends_the_run_before_its_first_pair",
        ),
    ),
    Mutant(
        "running-planning-not-counted-in-a-budget",
        "flows/running/run.py",
        "spent_s=began.seconds,",
        "spent_s=0.0,",
        ("tests/flows/running/test_budget.py::test_the_time_that_planning_takes_is_part_of_the_budget",),
    ),
    Mutant(
        "running-a-workers-beats-not-heard",
        "flows/engines/process_handle.py",
        "        self.silent_s = 0.0 if message is not None else self.silent_s + waited_s",
        "        self.silent_s = 0.0 if isinstance(message, PairProgress) else self.silent_s + waited_s",
        ("tests/flows/engines/test_process.py::test_beats_alone_are_signs_of_life_and_no_progress",),
    ),
    Mutant(
        "running-workers-of-several-gpus-all-on-the-first-by-the-engine",
        "flows/engines/local.py",
        "            self._add_worker(slot)",
        "            self._add_worker(spec.slots[0])",
        ("tests/flows/engines/test_local.py::test_workers_of_several_gpus_are_each_on_its_own",),
    ),
    Mutant(
        "running-workers-of-several-gpus-all-on-the-first-by-the-slots",
        "flows/worker/devices.py",
        "islice(cycle(found),",
        "islice(cycle(found[:1]),",
        ("tests/flows/worker/test_devices.py::test_a_machine_with_two_gpus",),
    ),
    Mutant(
        "running-workers-of-several-gpus-all-with-a-context-on-the-first",
        "flows/worker/calls.py",
        "    here = pin(device)",
        '    here = "cuda:0" if pin else device',
        ("tests/flows/engines/test_local.py::test_the_process_of_each_worker_sees_its_own_gpu_alone",),
    ),
    Mutant(
        "running-workers-of-several-gpus-all-pinned-to-the-first",
        "flows/worker/devices.py",
        "_entry(name, int(number)) for",
        "_entry(name, 0) for",
        ("tests/flows/worker/test_devices.py::test_a_process_is_pinned_to_one_entry_of_what_it_may_see",),
    ),
    Mutant(
        "running-records-not-asked-after-a-stop",
        "flows/running/run.py",
        "as_recorded(self._given_up, self._plan):",
        "self._given_up:",
        (f"{RECORDED}::test_what_a_stopped_worker_did_not_tell_is_counted_by_its_records",),
    ),
    Mutant(
        "running-a-listener-that-raises-ends-the-run",
        "flows/running/listeners.py",
        "except (Exception, SystemExit) as error:",
        "except ZeroDivisionError as error:",
        (f"{UNHEARD}::test_a_listener_that_raises_is_told_no_more_and_the_run_goes_on",),
    ),
    Mutant(
        "running-a-lost-answer-is-no-error",
        "flows/cli/exits.py",
        "if why := lost_answer():",
        "if why := lost_answer()[:0]:",
        (f"{UNHEARD}::test_an_answer_that_is_lost_is_an_error_in_one_line",),
    ),
    Mutant(
        "running-a-full-pipe-holds-up-the-run",
        "flows/streams.py",
        "    if sys.stderr is sys.__stderr__:",
        "    if sys.stderr is None:",
        (f"{UNHEARD}::test_a_reader_that_does_not_read_holds_up_no_picture_and_ctrl_c_still_works",),
    ),
    Mutant(
        "running-fewer-shards-than-keep-every-slot-busy",
        "flows/running/sizing.py",
        "max(round(minutes / AIM_MIN), _per_slot(minutes / slots) * slots)",
        "round(minutes / AIM_MIN)",
        (f"{SIZING}::test_a_division_keeps_all_its_bounds",),
    ),
    Mutant(
        "running-shards-shorter-than-their-start",
        "flows/running/sizing.py",
        "int(minutes / SHORTEST_MIN)",
        "SHARDS_PER_SLOT",
        (f"{SIZING}::test_no_shard_is_shorter_than_two_minutes_but_the_only_one_of_its_slot",),
    ),
    Mutant(
        "running-a-slots-further-devices-not-counted",
        "flows/running/sizing.py",
        "pairs * seconds_per_pair / devices / 60",
        "pairs * seconds_per_pair / 60",
        (f"{SIZING}::test_a_slot_of_four_devices_is_done_in_a_quarter_of_the_time",),
    ),
    Mutant(
        "running-device-seconds-of-one-worker-alone",
        "flows/records/report.py",
        "facts.seconds * len(facts.devices)",
        "facts.seconds",
        ("tests/flows/records/test_report.py::test_every_worker_counts_the_seconds_of_the_run",),
    ),
    Mutant(
        "running-metrics-of-a-broken-off-run-say-that-it-ended-well",
        "flows/running/metrics.py",
        '"broken_off" if self._broken_off else self._report().end',
        "self._report().end",
        (f"{METRICS}::test_a_run_that_an_error_breaks_off_has_not_ended_well",),
    ),
    Mutant(
        "running-metrics-that-cannot-be-written-noted-every-time",
        "flows/running/metrics.py",
        "            self._complained = True\n",
        "",
        (f"{METRICS}::test_a_file_that_cannot_be_written_is_noted_once_and_the_run_goes_on",),
    ),
    Mutant(
        "running-a-failed-record-without-its-inputs",
        "flows/records/failed.py",
        "if given}",
        "if not given}",
        (f"{FAILED}::test_it_names_the_inputs_with_their_digests_and_what_was_to_be_made_of_them",),
    ),
    Mutant(
        "running-a-crashed-pairs-record-without-its-device",
        "flows/engines/supervisor.py",
        '.model_copy(update={"device": device})',
        "",
        (f"{SUPERVISOR}::test_a_pair_that_kills_every_worker_is_recorded_and_the_others_are_done",),
    ),
    Mutant(
        "running-an-estimate-that-fails-ends-the-run",
        "flows/running/estimating/prospects.py",
        "            except Exception as error:",
        "            except ZeroDivisionError as error:",
        ("tests/flows/running/test_prospects.py::test_an_estimate_that_fails_costs_itself_and_no_other",),
    ),
    Mutant(
        "running-a-finished-picture-that-nothing-is-learned-of-fails",
        "flows/records/experience.py",
        "    except Exception as error:  # what estimates learn",
        "    except ZeroDivisionError as error:  # what estimates learn",
        (
            "tests/flows/worker/test_worker.py::test_a_picture_is_done_although_nothing_can_be_learned_of_how_long_it_took",
        ),
    ),
)
