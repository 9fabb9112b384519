from __future__ import annotations

from pathlib import Path

import pytest
import torch

from stylize_core.errors import BadImage
from training.pictures import Crops, read_pictures


def test_pictures_come_in_the_order_of_their_paths_within_the_long_edge(pictures: Path) -> None:
    found = read_pictures(pictures, long_edge=65)
    assert [tuple(picture.shape) for picture in found] == [(3, 45, 65)] * 4
    assert all(picture.dtype == torch.uint8 for picture in found)


def test_a_folder_without_pictures_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadImage, match="holds no pictures"):
        read_pictures(tmp_path)


def test_a_broken_picture_is_refused_by_name(pictures: Path) -> None:
    (pictures / "broken.png").write_bytes((pictures / "waves_0.png").read_bytes()[:400])
    with pytest.raises(BadImage, match=r"broken\.png"):
        read_pictures(pictures)


def test_crops_are_the_same_for_the_same_seed_and_go_on_changing(pictures: Path) -> None:
    found = read_pictures(pictures)
    crops, again = (Crops(found, size=24, seed=3) for _ in range(2))
    first = crops.batch(8)
    assert torch.equal(first, again.batch(8))
    assert not torch.equal(first, crops.batch(8))


def test_crops_stay_in_range_whatever_is_done_to_them(pictures: Path) -> None:
    batch = Crops(read_pictures(pictures), size=24, seed=0).batch(200)
    assert batch.shape == (200, 3, 24, 24)
    assert batch.min() >= 0
    assert batch.max() <= 1


def test_a_picture_smaller_than_a_crop_is_enlarged() -> None:
    tiny = torch.randint(0, 256, (3, 9, 5), dtype=torch.uint8)
    assert Crops([tiny], size=32, seed=0).batch(4).shape == (4, 3, 32, 32)
