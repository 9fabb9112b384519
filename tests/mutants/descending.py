"""Bugs in the steps of a descent, and in what is kept of it between two of them."""

from __future__ import annotations

from mutants.mutant import Mutant

STEPS = "tests/core/optim/test_no_waiting.py::test_a_step_waits_for_nothing_and_moves_no_buffer"
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
)
