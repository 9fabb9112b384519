from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from flows.model.observed import Kind, Observed
from flows.records.experience import (
    FOLDER,
    MOST_OF_A_KIND,
    Experience,
    experience_file,
    load_experience,
    save_experience,
)

CPU = Kind("cpu", "slim", "auto", "lbfgs", small=True)
ONE = Observed(CPU, 4096, 1e9, 2.0, 0.5, "png 8", 9000, None)


def test_what_was_measured_is_known_to_later_runs_of_this_machine() -> None:
    save_experience(Experience().with_more([ONE], start_s=4.0, devices=("cpu (2 threads)",)))
    found = load_experience().knowledge("cpu")
    assert (found.observed, found.start_s) == ((ONE,), 4.0)
    assert found.seconds(CPU, pixels=4096, work=1e9) == 2.0
    assert load_experience().knowledge("cuda (NVIDIA H200)").observed == ()


def test_of_each_kind_and_size_the_newest_are_kept() -> None:
    kept = Experience()
    for number in range(100):
        more = [replace(ONE, output_bytes=number + 1), replace(ONE, pixels=10**6, output_bytes=number + 1)]
        kept = kept.with_more(more, start_s=None, devices=())
    found = kept.knowledge("cpu").observed
    assert len(found) == 2 * MOST_OF_A_KIND
    assert min(one.output_bytes for one in found) == 100 - MOST_OF_A_KIND + 1


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"observed": [{"pixels": -1}]}', b'{"start_s": {"cpu": NaN}}', b"0" * 2**21]
)
def test_a_file_that_nobody_can_use_is_as_good_as_none(data: bytes) -> None:
    experience_file().parent.mkdir(parents=True)
    experience_file().write_bytes(data)
    assert load_experience() == Experience()
    save_experience(Experience().with_more([ONE], start_s=None, devices=()))
    assert load_experience().knowledge("cpu").observed == (ONE,)


def test_a_folder_that_cannot_be_written_costs_a_line_in_the_log_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(FOLDER, str(tmp_path / "file"))
    with caplog.at_level(logging.INFO, "stylize.run"):
        save_experience(Experience())
    assert "what was measured could not be kept" in caplog.text
    assert load_experience() == Experience()
