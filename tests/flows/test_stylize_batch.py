from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from processes import family
from small_batch import manifest, report, small_batch, tree

from flows.worker.devices import slots

DEPLOYED = """
import json, sys
from prefect_server import prefect_server

if __name__ == "__main__":
    with prefect_server():
        from prefect.client.orchestration import get_client

        from flows.fleet.artifacts import percent_shown
        from flows.stylize_batch import stylize_batch

        client = get_client(sync_client=True)
        for given in {runs!r}:
            state = stylize_batch(**given, return_state=True)
            print("state", json.dumps([state.type.value, state.name, state.message]), flush=True)
            print("shown", percent_shown(client, state.state_details.flow_run_id), flush=True)
"""


@pytest.mark.slow
def test_a_deployment_sees_complete_runs_partial_failures_and_runs_that_cannot_start(tmp_path: Path) -> None:
    if slots("auto") != ("cpu",):
        pytest.skip("this machine has a GPU")
    good, bad, elsewhere = tmp_path / "good", tmp_path / "bad", tmp_path / "elsewhere"
    manifests = {home: str(small_batch(home)) for home in (good, bad, elsewhere)}
    (bad / "photos/p1.png").write_text("no photo")
    manifest(elsewhere, "device: cuda\ncontents: ['photos/*']\nstyles: ['paintings/*']")
    runs: list[dict[str, Any]] = [
        {"manifest": manifests[good], "device": "cpu"},
        {"manifest": manifests[bad], "device": "cpu", "batch": "2", "workers": 1},
        {"manifest": manifests[good], "metrics": str(tmp_path / "good.prom")},
        {"manifest": manifests[elsewhere]},
        {"manifest": manifests[good], "batch": "many"},
    ]
    with family(DEPLOYED.format(runs=runs)) as program:
        ends = [(json.loads(program.wait_for("state")), program.wait_for("shown")) for _ in runs]
        assert program.end() == 0, program.errors()
        assert "Traceback" not in program.errors()
    states, shown = zip(*ends, strict=True)
    assert shown == ("100.0", "100.0", "0.0", "0.0", "0.0"), "who submits shards again asks for that"
    assert states[0] == ["COMPLETED", "Completed", "4 of 4 done (4 now, 0 before)"]
    assert states[1][:2] == ["FAILED", "PartialFailure"]
    assert "2 failed (bad_image 2)" in states[1][2]
    assert states[2] == ["COMPLETED", "Completed", "4 of 4 done (0 now, 4 before)"]
    assert "stylize_pairs_done_before{" in (tmp_path / "good.prom").read_text()
    assert states[3][:2] == ["FAILED", "NothingStarted"], "the manifest's device was not asked for"
    assert "no device 'cuda'" in states[3][2]
    assert states[4][:2] == ["FAILED", "NothingStarted"]
    assert report(bad)["failures_by_kind"] == {"bad_image": 2}
    assert len(tree(good / "out")) == 8
    assert not (elsewhere / "out").exists() or tree(elsewhere / "out") == {}
