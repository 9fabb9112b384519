"""Bugs in the steps of a descent, and in what is kept of it between two of them."""

from __future__ import annotations

from mutants.mutant import Mutant

FINISH = "tests/core/optim/test_finish.py"
FORMS = "tests/core/optim/test_forms.py"
NO_WAITING = "tests/core/optim/test_no_waiting.py"
STEPS = f"{NO_WAITING}::test_a_step_waits_for_nothing_and_moves_no_buffer"
MOMENTS = f"{NO_WAITING}::test_nor_with_moments_and_regions"
SKETCH = "tests/core/pyramid/test_sketch.py"
KEPT = "tests/flows/worker/test_checkpoints.py"

MUTANTS = (
    Mutant(
        "descending-with-a-wait-in-every-step",
        "stylize_core/optim/base.py",
        "return on_host(rows) and not bool(rows.any())",
        "return not bool(rows.any())",
        (STEPS,),
    ),
    Mutant(
        "descending-with-a-tensor-of-the-cpu",
        "stylize_core/optim/curvature.py",
        "torch.arange(half, device=gradient.device)",
        "torch.arange(half)",
        (STEPS,),
    ),
    Mutant(
        "descending-with-a-buffer-made-anew",
        "stylize_core/optim/lbfgs.py",
        "self.trial += self.best",
        "self.trial = self.trial + self.best",
        (STEPS,),
    ),
    Mutant(
        "descending-with-a-copy-to-the-device-in-every-step",
        "stylize_core/optim/steps.py",
        "    at += 1\n",
        "    at += torch.tensor([1], device=at.device)\n",
        (STEPS,),
    ),
    Mutant(
        "descending-with-eigenvalues-that-are-waited-for",
        "stylize_core/loss/moments.py",
        'if matrix_bcc.device.type == "cpu":',
        "if matrix_bcc.device.type:",
        (MOMENTS,),
    ),
    Mutant(
        "descending-with-a-ridge-on-the-cpu",
        "stylize_core/loss/moments.py",
        "identity = torch.eye(channels, dtype=covariance_bcc.dtype, device=covariance_bcc.device)",
        "identity = torch.eye(channels, dtype=covariance_bcc.dtype)",
        (MOMENTS,),
    ),
    Mutant(
        "descending-with-the-places-of-a-region-asked-for",
        "stylize_core/loss/regions.py",
        "units_bnc.index_select(1, self.places_n).mT",
        "units_bnc[:, torch.ones_like(self.places_n) > 0][:, : len(self.places_n)].mT",
        (MOMENTS,),
    ),
    Mutant(
        "descending-with-a-weight-that-is-looked-at",
        "stylize_core/loss/pixels.py",
        "if not isinstance(weight, Tensor) and not weight:",
        "if not bool((torch.as_tensor(weight) != 0).any()):",
        (MOMENTS,),
    ),
    Mutant(
        "descending-with-every-layer-launched-alone",
        "stylize_core/loss/terms.py",
        "    statistics = torch._foreach_div(sums, counts)\n",
        "    statistics = [one / 1 / count for one, count in zip(sums, counts, strict=True)]\n",
        (f"{NO_WAITING}::test_an_evaluation_is_launched_in_few_pieces_however_many_pictures_there_are",),
    ),
    Mutant(
        "descending-with-what-noise-said-of-the-curvature",
        "stylize_core/optim/lbfgs.py",
        "        self._guess_anew(~self.pairs.some)\n",
        "",
        ("tests/core/optim/test_solvers.py", "tests/core/test_precision.py"),
    ),
    Mutant(
        "descending-with-a-guess-of-pairs-that-misled",
        "stylize_core/optim/lbfgs.py",
        "        self._guess_anew(misled & ~lost)\n",
        "",
        ("tests/core/optim/test_solvers.py::test_pairs_that_led_nowhere_leave_no_guess_behind",),
    ),
    Mutant(
        "descending-from-a-checkpoint-of-an-older-algorithm",
        "flows/worker/keeping/checkpoints.py",
        "if found.labels.get(key) != value:",
        'if key == "identity" and found.labels.get(key) != value:',
        (f"{KEPT}::test_what_is_of_something_else_is_not_gone_on_from",),
    ),
    Mutant(
        "descending-with-checkpoints-left-behind",
        "flows/worker/publish.py",
        "    if task.job.checkpoint_s:\n",
        "    if not task.job.checkpoint_s:\n",
        (f"{KEPT}::test_a_pair_that_is_stopped_goes_on_where_it_was_and_says_so",),
    ),
    Mutant(
        "descending-to-the-end-of-a-loss-that-nobody-asked-for",
        "stylize_core/optim/finish.py",
        "        objective = self.exact()\n",
        "        objective = self.before(self.exact())\n",
        (f"{FINISH}::test_so_large_a_share_of_the_steps_comes_first",),
    ),
    Mutant(
        "descending-among-axes-that-all-count-alike",
        "stylize_core/loss/whitening.py",
        "weight_bcc = 2 / (1 + pull_bcc / strongest_b11 / KNEE)",
        "weight_bcc = torch.ones_like(pull_bcc)",
        ("tests/core/loss/test_whitening.py", FINISH),
    ),
    Mutant(
        "descending-by-gradients-of-other-coordinates",
        "stylize_core/optim/precondition.py",
        "        if self.forms != 1:\n            raise_forms_(gradient_bchw, self.forms)\n",
        "",
        (f"{FORMS}::test_gradients_go_back_by_the_transposed_matrix_of_both_gains",),
    ),
    Mutant(
        "descending-farther-than-the-gain-says",
        "stylize_core/optim/forms.py",
        "splines.sum(0).amax().sqrt()",
        "splines.sum(0).mean().sqrt()",
        (f"{FORMS}::test_it_is_the_matrix_that_it_says_also_for_the_smallest_pictures",),
    ),
    Mutant(
        "descending-along-large-forms-as-along-the-rest",
        "stylize_core/settings/resolved.py",
        'return settings.forms_gain if settings.mode != "dream" and settings.optimizer == "lbfgs" else 1.0',
        "return 1.0",
        ("tests/flows/worker/test_every_setting.py", f"{FORMS}::test_as_many_steps_come_closer"),
    ),
    Mutant(
        "descending-no-further-where-the-first-steps-have-come-to-rest",
        "stylize_core/optim/finish.py",
        "(self.whitened or not one.still)",
        "not one.still",
        (f"{FINISH}::test_a_picture_that_is_still_before_the_finish_waits_for_it",),
    ),
    Mutant(
        "descending-from-the-content-where-slim-was-to-begin",
        "stylize_core/transfer.py",
        "init_bchw = sketched(final, encoder, measured, callback)",
        "init_bchw = content_bchw",
        (f"{SKETCH}::test_it_starts_from_the_picture_that_slim_makes",),
    ),
    Mutant(
        "descending-from-slim-with-nobody-who-could-stop-it",
        "stylize_core/pyramid/sketch.py",
        "callback=told, frames=None",
        "callback=None, frames=None",
        (f"{SKETCH}::test_who_looks_on_hears_of_step_0_meanwhile_and_may_end_it",),
    ),
    Mutant(
        "descending-blind-where-adding-nothing-is-left-out",
        "stylize_core/optim/base.py",
        "(loss * 0 + totals * 0) == 0",
        "(loss * 0).add_(totals, alpha=0) == 0",
        (
            "tests/core/optim/test_solvers.py::test_what_is_not_finite_is_noticed_where_adding_nothing_is_left_out",
        ),
    ),
    Mutant(
        "descending-further-while-it-waits-for-the-plain-steps",
        "stylize_core/optim/minimise.py",
        "            descent.hold([one.place for one in waiting])",
        "            pass",
        (
            "tests/core/optim/test_finish.py::test_who_waits_for_the_plain_steps_is_as_if_alone_however_long_the_others_walk",
        ),
    ),
    Mutant(
        "descending-with-losses-of-others-in-the-report-of-who-waits",
        "stylize_core/optim/minimise.py",
        "                    look(descent, waiting)",
        "                    look(descent)",
        (
            "tests/core/optim/test_finish.py::test_who_waits_for_the_plain_steps_is_as_if_alone_however_long_the_others_walk",
        ),
    ),
)
