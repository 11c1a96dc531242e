"""Pieces of a long computation: computed once, read afterwards, never mixed up."""

import pytest

from hepflows import pieces
from hepflows.errors import DataError, InputError


def test_a_piece_is_computed_once(tmp_path):
    calls = []

    def compute():
        calls.append(1)
        return {"z": [1.5, -0.5]}

    path = tmp_path / "full" / "null_0.json"
    assert (
        pieces.keep(path, {"events": 10}, compute) == pieces.keep(path, {"events": 10}, compute) == {"z": [1.5, -0.5]}
    )
    assert len(calls) == 1
    with pytest.raises(InputError, match="settings: expected those of"):
        pieces.keep(path, {"events": 11}, compute)


def test_a_piece_that_fails_leaves_nothing(tmp_path):
    def fail():
        raise RuntimeError

    with pytest.raises(RuntimeError):
        pieces.keep(tmp_path / "null_0.json", {}, fail)
    with pytest.raises(ValueError):
        pieces.keep(tmp_path / "null_0.json", {}, lambda: {"z": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_pieces_are_read_in_order_with_their_origin(tmp_path):
    for number in (10, 2, 1):
        pieces.keep(tmp_path / f"null_{number}.json", {"number": number}, lambda number=number: {"value": number})
    (tmp_path / "null_of_another_kind.json").write_text("{}")
    found = pieces.read(tmp_path, "null")
    assert [piece["result"]["value"] for piece in found] == [1, 2, 10]
    assert pieces.origin(found).startswith("stored: 3 of ")
    assert pieces.read(tmp_path, "unheard_of") == [] and pieces.origin([]) == "nothing stored"


@pytest.mark.parametrize("content", ["{", "[]", '{"result": 1}'])
def test_damaged_pieces_are_named(tmp_path, content):
    (tmp_path / "null_0.json").write_text(content)
    with pytest.raises(DataError, match=r"null_0.json: expected a stored piece"):
        pieces.read(tmp_path, "null")
