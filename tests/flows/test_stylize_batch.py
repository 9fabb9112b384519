from __future__ import annotations

import json
from pathlib import Path

import pytest
from processes import family
from small_batch import report, small_batch, tree

DEPLOYED = """
import json, sys
from prefect_server import prefect_server

if __name__ == "__main__":
    with prefect_server():
        from flows.stylize_batch import stylize_batch

        for manifest in {manifests!r}:
            state = stylize_batch(manifest=manifest, device="cpu", return_state=True)
            print("state", json.dumps([state.type.value, state.name, state.message]), flush=True)
"""


@pytest.mark.slow
def test_a_deployment_sees_complete_runs_and_partial_failures(tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    manifests = [str(small_batch(home)) for home in (good, bad)]
    (bad / "photos/p1.png").write_text("no photo")
    with family(DEPLOYED.format(manifests=[*manifests, manifests[0]])) as program:
        states = [json.loads(program.wait_for("state")) for _ in range(3)]
        assert program.end() == 0, program.errors()
    assert states[0] == ["COMPLETED", "Completed", "4 of 4 done (4 now, 0 before)"]
    assert states[1][:2] == ["FAILED", "PartialFailure"]
    assert "2 failed (bad_image 2)" in states[1][2]
    assert states[2] == ["COMPLETED", "Completed", "4 of 4 done (0 now, 4 before)"]
    assert report(bad)["failures_by_kind"] == {"bad_image": 2}
    assert len(tree(good / "out")) == 8
