from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.model.shard import WHOLE, Shard


@given(name=st.text(st.characters(exclude_categories=["Cs"])), count=st.integers(1, 50))
def test_every_name_is_in_exactly_one_shard(name: str, count: int) -> None:
    assert sum(Shard(index, count).holds(name) for index in range(count)) == 1


def test_the_whole_holds_everything() -> None:
    assert Shard(0, 1) == WHOLE
    assert WHOLE.holds("anything at all")


def test_a_shard_is_the_digest_of_the_name_modulo_the_count() -> None:
    """The SHA-256 of `abc` is ba7816bf...f20015ad: its last two bits are 01, the last three 101."""
    assert [Shard(index, 4).holds("abc") for index in range(4)] == [False, True, False, False]
    assert Shard(5, 8).holds("abc")


def test_shards_are_about_equally_large() -> None:
    sizes = [sum(Shard(index, 8).holds(f"pair{number}") for number in range(8000)) for index in range(8)]
    assert sum(sizes) == 8000
    assert all(850 < size < 1150 for size in sizes)


@pytest.mark.parametrize("text", ["0/1", "3/4", "999/1000"])
def test_a_shard_is_read_as_it_is_written(text: str) -> None:
    assert str(Shard.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "1", "4/4", "-1/4", "1/0", "01/4", "1/4 ", "1 / 4", "1/4/2", "a/b", "٣/4"]
)
def test_what_is_no_shard_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="such as 0/4"):
        Shard.parse(text)
