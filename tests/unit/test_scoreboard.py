"""The table of what was measured beside what was expected."""

import json
import math

import pytest

from hepflows import provenance, records, scoreboard
from hepflows.errors import DataError


def report(notebook="05_gluon_momenta", profile="quick", made=()):
    return {
        "notebook": notebook,
        "profile": profile,
        "seed": 1,
        "hardware": {},
        "versions": {},
        "commit": None,
        "seconds": 1.0,
        "peak_memory_bytes": 1,
        "records": list(made),
    }


@pytest.fixture
def results(tmp_path):
    made = [
        records.make("auc", 0.512, 0.004, reference=0.5, source="lecture, p. 12"),
        records.make("efficiency", 0.30, 0.03, reference=(0.38, 0.04), source="arXiv:2001.05486"),
        records.make("events", 20000),
        records.make("nll", -1.5, 0.01, reference="< baseline"),
    ]
    for content in (report(made=made), report("01_flow_basics", made=made[:1]), report(profile="full", made=made[1:2])):
        path = tmp_path / content["profile"] / f"{content['notebook'][:2]}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
    return tmp_path


def test_pull():
    assert records.pull(records.make("a", 0.512, 0.004, reference=0.5)) == pytest.approx(3.0)
    both = records.make("a", 0.30, 0.03, reference=(0.38, 0.04))
    assert records.pull(both) == pytest.approx(-0.08 / math.sqrt(0.03**2 + 0.04**2))
    for nothing in (
        records.make("a", 1.0, reference=1.0),
        records.make("a", 1.0, 0.0, reference=1.0),
        records.make("a", 1.0, 0.1),
        records.make("a", 1.0, 0.1, reference="<= 2"),
    ):
        assert records.pull(nothing) is None


def test_rows(results):
    rows = scoreboard.rows(scoreboard.read_all(results))
    assert [row[:3] for row in rows] == [
        ("05_gluon_momenta", "full", "efficiency"),
        ("01_flow_basics", "quick", "auc"),
        ("05_gluon_momenta", "quick", "auc"),
        ("05_gluon_momenta", "quick", "efficiency"),
        ("05_gluon_momenta", "quick", "events"),
        ("05_gluon_momenta", "quick", "nll"),
    ]
    assert rows[2][3:] == ("0.5120 +- 0.0040", "0.5", "+3.0", "lecture, p. 12")
    assert rows[3][3:] == ("0.300 +- 0.030", "0.380 +- 0.040", "-1.6", "arXiv:2001.05486")
    assert rows[4][3:] == ("20000", "", "", "")
    assert rows[5][3:] == ("-1.500 +- 0.010", "< baseline", "", "")


def test_table_stands_in_columns(results):
    lines = scoreboard.table(scoreboard.read_all(results, "quick")).splitlines()
    assert len(lines) == 2 + 5 and "full" not in "".join(lines)
    column = lines[0].index("pull")
    assert lines[3][column : column + 4] == "+3.0" and lines[0].split() == list(scoreboard.HEADINGS)


def test_what_is_no_report_is_refused(tmp_path):
    with pytest.raises(DataError, match="expected reports of profile full"):
        scoreboard.read_all(tmp_path, "full")
    path = tmp_path / "05.json"
    for content in ("{", "[]", json.dumps({"notebook": "05"})):
        path.write_text(content)
        with pytest.raises(DataError, match="05.json: expected the JSON report"):
            scoreboard.read(path)


def test_shipped_results_are_notebooks_beside_benchmarks():
    shipped = provenance.REPOSITORY / "results"
    assert (shipped / "benchmarks" / "flows.json").is_file()
    reports = scoreboard.read_all(shipped)
    assert {made["notebook"] for made in reports} >= {"01_flow_basics", "05_gluon_momenta"}
    assert "coverage_68" in scoreboard.table(reports)
