"""How a notebook starts: seeds, threads, device, profile, style, and what it records."""

import json
import os
import random

import numpy as np
import pytest
import threadpoolctl
import torch

from hepflows import course, records
from hepflows.errors import InputError


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for variable in ("SEED", "PROFILE", "DEVICE", "THREADS", "RECORDS"):
        monkeypatch.delenv(f"HEPFLOWS_{variable}", raising=False)
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(variable, "1")
    course._collected.clear()
    yield
    torch.set_num_threads(1)
    threadpoolctl.threadpool_limits(1)
    course._collected.clear()


def draws(lesson):
    return [lesson.rng.normal(), np.random.rand(), random.random(), torch.rand(1).item()]  # noqa: NPY002


def test_start_repeats_with_the_same_seed():
    first, again, other = draws(course.start(seed=4)), draws(course.start(seed=4)), draws(course.start(seed=5))
    assert first == again
    assert all(one != two for one, two in zip(first, other, strict=True))


def test_start_prints_one_line_each(capsys):
    course.start(seed=4)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["device", "threads", "seed", "profile", "versions"]
    assert lines[2].split()[1] == "4" and lines[3].split()[1] == "quick"
    assert f"torch {torch.__version__}" in lines[4]


def test_defaults():
    lesson = course.start()
    assert (lesson.seed, lesson.threads, lesson.profile) == (1, 1, "quick")
    assert lesson.choose(quick=10, full=20) == 10


def test_environment_wins(monkeypatch):
    monkeypatch.setenv("HEPFLOWS_SEED", "9")
    monkeypatch.setenv("HEPFLOWS_THREADS", "2")
    monkeypatch.setenv("HEPFLOWS_PROFILE", "full")
    monkeypatch.setenv("HEPFLOWS_DEVICE", "cpu")
    lesson = course.start(seed=4, threads=1)
    assert (lesson.seed, lesson.threads, lesson.profile) == (9, 2, "full")
    assert lesson.device == torch.device("cpu")
    assert lesson.choose(quick=10, full=20) == 20
    assert torch.get_num_threads() == 2
    pools = threadpoolctl.threadpool_info()
    assert pools and all(pool["num_threads"] <= 2 for pool in pools)
    assert os.environ["OMP_NUM_THREADS"] == "2"  # for a library that is imported later


BAD = {
    "HEPFLOWS_SEED": ["one", "-1", "1.5", str(2**32)],
    "HEPFLOWS_THREADS": ["0", "many", "-2"],
    "HEPFLOWS_PROFILE": ["fast", "QUICK"],
    "HEPFLOWS_DEVICE": ["gpu", "cuda:", "cuda:x", "cpu:0", "mps:1", "cuda:99", "tpu"],
}


@pytest.mark.parametrize("variable, value", [(variable, value) for variable in BAD for value in BAD[variable]])
def test_bad_environment_names_the_variable(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    with pytest.raises(InputError, match=rf"{variable}: expected .*, got '{value}'"):
        course.start()


@pytest.mark.parametrize("bad", [{"seed": -1}, {"seed": 1.0}, {"seed": True}, {"threads": 0}])
def test_bad_argument_names_the_argument(bad):
    with pytest.raises(InputError, match=f"{next(iter(bad))}: expected an integer"):
        course.start(**bad)


def test_numpy_seed_is_an_integer():
    assert course.start(seed=np.int64(6)).seed == 6


@pytest.mark.parametrize("has, expected", [(("cuda", "mps"), "cuda"), (("mps",), "mps"), ((), "cpu")])
def test_choice_of_device(monkeypatch, has, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in has)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in has)
    assert course.choose_device() == torch.device(expected)


def test_device_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setenv("HEPFLOWS_DEVICE", "cuda:1")
    assert course.choose_device() == torch.device("cuda", 1)
    monkeypatch.setenv("HEPFLOWS_DEVICE", "cuda:2")
    with pytest.raises(InputError, match="HEPFLOWS_DEVICE: .*'cuda:2'; CUDA devices: 2"):
        course.choose_device()
    monkeypatch.setenv("HEPFLOWS_DEVICE", "mps")
    with pytest.raises(InputError, match="HEPFLOWS_DEVICE: .*'mps'"):
        course.choose_device()


# record


def test_record_prints_and_collects(capsys):
    course.record("auc", 0.5137, 0.00412, reference=0.5, source="arXiv:2106.05285")
    assert capsys.readouterr().out == "auc = 0.5137 +- 0.0041   (reference 0.5, arXiv:2106.05285)\n"
    assert course.records() == [
        {"name": "auc", "value": 0.5137, "uncertainty": 0.00412, "reference": 0.5, "source": "arXiv:2106.05285"}
    ]


@pytest.mark.parametrize("value", [np.float32(0.5), np.array(0.5), np.array([0.5]), torch.tensor(0.5), 0.5])
def test_record_takes_any_single_number(value):
    course.record("half", value, value)
    (made,) = course.records()
    assert made["value"] == made["uncertainty"] == 0.5 and type(made["value"]) is float


def test_record_keeps_integers():
    course.record("events", np.int64(7))
    assert type(course.records()[0]["value"]) is int


def test_record_again_in_a_session_replaces():
    course.record("a", 1)
    course.record("b", 2)
    course.record("a", 3)
    assert [(made["name"], made["value"]) for made in course.records()] == [("a", 3), ("b", 2)]


def test_record_in_a_run_is_gathered_and_unique(monkeypatch, tmp_path):
    gathered = tmp_path / "records.jsonl"
    monkeypatch.setenv("HEPFLOWS_RECORDS", str(gathered))
    course.start(seed=8)
    course.record("a", 1, reference=(2.0, 0.5))
    with pytest.raises(InputError, match="'a' a second time"):
        course.record("a", 2)
    lines = [json.loads(line) for line in gathered.read_text().splitlines()]
    assert lines[0]["course"]["seed"] == 8 and lines[0]["course"]["profile"] == "quick"
    assert [line["record"]["value"] for line in lines[1:]] == [1]
    assert lines[1]["record"]["reference"] == [2.0, 0.5]


WRONG_RECORDS = [
    (("a", float("nan")), {}, "value of 'a': expected a finite number, got nan"),
    (("a", float("inf")), {}, "value of 'a': expected a finite"),
    (("a", 1.0, float("nan")), {}, "uncertainty of 'a': expected a finite"),
    (("a", 1.0, -0.1), {}, "uncertainty of 'a': expected >= 0, got -0.1"),
    (("a", "0.5"), {}, "value of 'a': expected a number, got str"),
    (("a", None), {}, "value of 'a': expected a number, got NoneType"),
    (("a", True), {}, "value of 'a': expected a number, got bool"),
    (("a", np.ones(2)), {}, "value of 'a': expected one number"),
    (("a", torch.ones(2)), {}, "value of 'a': expected one number"),
    (("two words", 1.0), {}, "name: expected an identifier"),
    (("", 1.0), {}, "name: expected an identifier"),
    (("a", 1.0), {"reference": float("nan")}, "reference of 'a': expected a finite"),
    (("a", 1.0), {"reference": (1.0, 2.0, 3.0)}, r"reference of 'a': expected \(value, uncertainty\), got 3"),
    (("a", 1.0), {"source": 2106}, "source of 'a': expected text, got int"),
]


@pytest.mark.parametrize("arguments, keywords, message", WRONG_RECORDS)
def test_wrong_record(arguments, keywords, message):
    with pytest.raises(InputError, match=message):
        course.record(*arguments, **keywords)
    assert course.records() == []


@pytest.mark.parametrize(
    "value, uncertainty, text",
    [
        (0.683112, 0.00471, "0.6831 +- 0.0047"),
        (0.683112, 0.0996, "0.68 +- 0.10"),
        (-2.5, 0.1234, "-2.50 +- 0.12"),
        (123.4, 12.0, "123 +- 12"),
        (1234.6, 120.0, "1230 +- 120"),
        (1.0e-12, 2.0e-13, "1e-12 +- 2e-13"),
        (3.0e9, 2.0e7, "3e+09 +- 2e+07"),
        (0.25, None, "0.25"),
        (200000, None, "200000"),
        (0.0, 0.0, "0 +- 0"),
    ],
)
def test_format_value(value, uncertainty, text):
    assert records.format_value(value, uncertainty) == text


def test_write_atomically_leaves_nothing_half_written(tmp_path, monkeypatch):
    path = records.write_atomically(tmp_path / "new" / "a.json", "one")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        records.write_atomically(path, "two")
    assert path.read_text() == "one" and [entry.name for entry in path.parent.iterdir()] == ["a.json"]
