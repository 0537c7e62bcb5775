"""The report as plain data: statuses, exit codes, and the JSON document that docs/report.md promises."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import combinations, permutations
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedframe import errors
from seedframe.changes import Action, Change, Changes, Counts, Finding, Marker, Severity, Verdict
from seedframe.errors import Problem, SeedframeError
from seedframe.history import RunRecord, SeedRecord
from seedframe.report import (
    Mode,
    Report,
    ResourceOutcome,
    SeedOutcome,
    Status,
    worst_status,
)
from seedframe.reporting.formats import BUILT_IN
from seedframe.reporting.history import run_document, runs_document
from seedframe.reporting.json import encode
from seedframe.reporting.page import Page
from seedframe.secrets import Secret
from tests.made_reports import report

DOCS = Path(__file__).parent.parent / "docs" / "report.md"

DIFFERENT = Changes(counts=Counts(update=1, unchanged=3))


def outcome(status: Status = Status.IN_SYNC, **fields: Any) -> SeedOutcome:
    return SeedOutcome(**{"seed": "20_reference", "origin": "seeds/20_reference.py", "status": status} | fields)


def differing(verdict: Verdict | None, *, critical: bool = True, **fields: Any) -> SeedOutcome:
    status = Status(verdict.value) if verdict is not None else Status.IN_SYNC
    resources = (ResourceOutcome("rows:medications", verdict, DIFFERENT),)
    known: dict[str, Any] = {"status": status, "critical": critical, "resources": resources}
    return outcome(**(known | fields))


def failed(code: str, *, critical: bool = True) -> SeedOutcome:
    return outcome(Status.FAILED, critical=critical, error=Problem(code, "what happened"))


# -------------------------------------------------------------------------
# Statuses
# -------------------------------------------------------------------------

WORST_FIRST = ["failed", "conflict", "drift", "orphan", "pending", "changed", "in_sync", "skipped"]


@pytest.mark.parametrize(("worse", "better"), list(combinations(WORST_FIRST, 2)))
def test_the_worst_status_wins(worse: str, better: str) -> None:
    assert worst_status([Status(better), Status(worse)]) is Status(worse)
    assert report("verify", outcome(Status(better)), outcome(Status(worse))).status is Status(worse)


def test_every_status_has_a_rank() -> None:
    assert sorted(WORST_FIRST) == sorted(Status)


def test_a_run_with_an_error_of_its_own_has_failed() -> None:
    assert report("apply", outcome(), error=Problem("connection", "lost")).status is Status.FAILED


@pytest.mark.parametrize("mode", get_args(Mode))
def test_no_seeds_at_all_is_never_ok(mode: Mode) -> None:
    empty = report(mode)
    assert empty.status is Status.FAILED
    assert empty.exit_code == 3


def test_counts_are_summed_over_resources_and_seeds() -> None:
    seed = outcome(
        resources=(
            ResourceOutcome("rows:a", Verdict.PENDING, Changes(counts=Counts(1, 2, 3, 4))),
            ResourceOutcome("rows:b", Verdict.PENDING, Changes(counts=Counts(10, 20, 30, 40))),
        )
    )
    assert seed.counts == Counts(11, 22, 33, 44)
    assert report("dry_run", seed, seed).summary == Counts(22, 44, 66, 88)


# -------------------------------------------------------------------------
# Exit codes
# -------------------------------------------------------------------------

VERIFY = {
    "in sync": (outcome(), 0),
    "skipped": (outcome(Status.SKIPPED), 0),
    "an info": (outcome(findings=(Finding("fine", "info"),)), 0),
    "a warning": (outcome(findings=(Finding("hm", "warning"),)), 1),
    "an error finding": (outcome(Status.FAILED, findings=(Finding("wrong"),)), 2),
    "an error finding whose status forgot it": (outcome(findings=(Finding("wrong"),)), 2),
    "pending": (differing(Verdict.PENDING), 1),
    "drift": (differing(Verdict.DRIFT), 2),
    "conflict": (differing(Verdict.CONFLICT), 2),
    "orphan": (differing(Verdict.ORPHAN), 2),
    "a seed that is gone": (outcome(Status.ORPHAN), 2),
    "a difference without a verdict": (differing(None), 2),
    "a difference that says it is in sync": (differing(Verdict.IN_SYNC), 2),
    "a required table that is gone": (failed("missing_table"), 2),
    "a seed that raised": (failed("hook_failed"), 3),
    "no permission to look": (failed("permission"), 3),
    "a broken seed": (failed("seed_import"), 3),
    "failed, and nobody knows why": (outcome(Status.FAILED), 3),
    "not critical: pending": (differing(Verdict.PENDING, critical=False), 1),
    "not critical: drift": (differing(Verdict.DRIFT, critical=False), 1),
    "not critical: an error finding": (outcome(Status.FAILED, critical=False, findings=(Finding("wrong"),)), 1),
    "not critical: a missing table": (failed("missing_table", critical=False), 1),
    "not critical: raised": (failed("hook_failed", critical=False), 3),
    "drift found before it raised": (replace(differing(Verdict.DRIFT), error=Problem("ref", "no row")), 2),
}


@pytest.mark.parametrize(("seed", "code"), VERIFY.values(), ids=VERIFY)
def test_exit_code_of_verify(seed: SeedOutcome, code: int) -> None:
    assert report("verify", seed).exit_code == code
    assert report("verify", outcome(), seed, outcome()).exit_code == code


def test_verify_prefers_critical_then_unknown_then_warning() -> None:
    for (name, (seed, code)), (other_name, (other, other_code)) in permutations(VERIFY.items(), 2):
        expected = min(code, other_code, key=[2, 3, 1, 0].index)
        assert report("verify", seed, other).exit_code == expected, f"{name}, then {other_name}"


def test_verify_that_could_not_go_on_is_unknown_unless_it_found_worse() -> None:
    lost = Problem("connection", "lost")
    assert report("verify", outcome(), error=lost).exit_code == 3
    assert report("verify", error=lost).exit_code == 3
    assert report("verify", differing(Verdict.PENDING), error=lost).exit_code == 3
    assert report("verify", differing(Verdict.DRIFT), error=lost).exit_code == 2


APPLY = {
    "nothing to do": (outcome(), {}, 0),
    "done": (differing(Verdict.PENDING, status=Status.CHANGED), {}, 0),
    "skipped": (outcome(Status.SKIPPED), {}, 1),
    "critical failed": (failed("constraint"), {}, 1),
    "not critical failed": (failed("constraint", critical=False), {}, 0),
    "not critical failed, strict": (failed("constraint", critical=False), {"strict": True}, 1),
    "an error finding": (outcome(Status.FAILED, findings=(Finding("wrong"),)), {}, 1),
    "a warning": (outcome(findings=(Finding("hm", "warning"),)), {}, 0),
    "critical lost the server": (failed("connection"), {}, 3),
    "critical waited for a lock": (failed("lock"), {}, 3),
    "not critical waited for a lock": (failed("lock", critical=False), {}, 0),
    "not critical waited for a lock, strict": (failed("lock", critical=False), {"strict": True}, 3),
    "cannot be imported, so who knows whether it is critical": (failed("seed_import", critical=False), {}, 3),
    "could not run": (outcome(), {"error": Problem("config", "bad")}, 3),
}


@pytest.mark.parametrize(("seed", "fields", "code"), APPLY.values(), ids=APPLY)
@pytest.mark.parametrize("mode", ["apply", "dry_run", "rehearse"])
def test_exit_code_of_apply(seed: SeedOutcome, fields: dict[str, Any], code: int, mode: Mode) -> None:
    assert report(mode, seed, **fields).exit_code == code


@pytest.mark.parametrize(
    ("mode", "detailed", "seeds", "code"),
    [
        ("dry_run", True, [differing(Verdict.PENDING, status=Status.CHANGED)], 2),
        ("dry_run", True, [outcome()], 0),
        ("dry_run", False, [differing(Verdict.PENDING, status=Status.CHANGED)], 0),
        ("apply", True, [differing(Verdict.PENDING, status=Status.CHANGED)], 0),
        ("dry_run", True, [differing(Verdict.PENDING, status=Status.CHANGED), failed("bad_data")], 1),
        ("dry_run", True, [differing(Verdict.PENDING, status=Status.CHANGED), failed("seed_import")], 3),
    ],
)
def test_detailed_exit_code(mode: Mode, detailed: bool, seeds: list[SeedOutcome], code: int) -> None:
    assert report(mode, *seeds, detailed_exitcode=detailed).exit_code == code


# -------------------------------------------------------------------------
# The document
# -------------------------------------------------------------------------


def full_report() -> Report:
    """A report in which every key has a value, the run's own error included."""
    change = Change(
        "update",
        {"sku": "SEMA-025"},
        {"price": "249.00", "token": Marker.SECRET},
        {"price": "299.00", "token": Marker.SECRET},
        Verdict.PENDING,
        "the catalogue moved on",
    )
    created = Change(
        "create", {"slug": "starter"}, None, {"medication_id": Marker.KNOWN_AFTER_APPLY, "notes": None, "name": ""}
    )
    seed = SeedOutcome(
        seed="20_reference",
        origin="seeds/20_reference.py",
        status=Status.FAILED,
        duration_s=0.1,
        resources=(
            ResourceOutcome(
                "rows:medications",
                Verdict.PENDING,
                Changes(counts=Counts(12, 1, 0, 3), sample=(change, created), omitted=11),
            ),
            ResourceOutcome("rows:pharmacies", None, Changes(skipped_reason="optional table pharmacies is not there")),
        ),
        findings=(Finding("fewer than five active medications"),),
        error=Problem("bad_data", "not a date", "write YYYY-MM-DD", "seeds/data/x.csv:12"),
    )
    lost, more = Problem("connection", "the connection was lost"), Problem("os", "and the disk is full")
    return report(
        "dry_run",
        seed,
        run=7,
        marked=True,
        plan="7f00",
        findings=(Finding("x", "info"),),
        error=lost,
        more_errors=(more,),
    )


def test_the_document_whole() -> None:
    assert full_report().as_dict() == {
        "schema": 1,
        "command": "apply",
        "mode": "dry_run",
        "run": 7,
        "version": "0.1.0",
        "env": "development",
        "target": {
            "project": "telehealth",
            "database": "telehealth",
            "schema": "public",
            "host": "127.0.0.1",
            "server": "17.10",
        },
        "status": "failed",
        "exit_code": 3,
        "started_at": "2026-01-02T03:04:05Z",
        "duration_s": 0.41,
        "summary": {"create": 12, "update": 1, "delete": 0, "unchanged": 3},
        "seeds": [
            {
                "seed": "20_reference",
                "origin": "seeds/20_reference.py",
                "status": "failed",
                "critical": True,
                "duration_s": 0.1,
                "counts": {"create": 12, "update": 1, "delete": 0, "unchanged": 3},
                "resources": [
                    {
                        "resource": "rows:medications",
                        "verdict": "pending",
                        "counts": {"create": 12, "update": 1, "delete": 0, "unchanged": 3},
                        "skipped_reason": None,
                        "changes": [
                            {
                                "action": "update",
                                "verdict": "pending",
                                "key": {"sku": "SEMA-025"},
                                "before": {"price": "249.00", "token": {"secret": True}},
                                "after": {"price": "299.00", "token": {"secret": True}},
                                "reason": "the catalogue moved on",
                            },
                            {
                                "action": "create",
                                "verdict": None,
                                "key": {"slug": "starter"},
                                "before": None,
                                "after": {"medication_id": {"known_after_apply": True}, "notes": None, "name": ""},
                            },
                        ],
                        "changes_omitted": 11,
                    },
                    {
                        "resource": "rows:pharmacies",
                        "verdict": None,
                        "counts": {"create": 0, "update": 0, "delete": 0, "unchanged": 0},
                        "skipped_reason": "optional table pharmacies is not there",
                        "changes": [],
                        "changes_omitted": 0,
                    },
                ],
                "findings": [{"severity": "error", "text": "fewer than five active medications"}],
                "error": {
                    "code": "bad_data",
                    "message": "not a date",
                    "hint": "write YYYY-MM-DD",
                    "where": "seeds/data/x.csv:12",
                },
            }
        ],
        "marked": True,
        "plan": "7f00",
        "findings": [{"severity": "info", "text": "x"}],
        "error": {"code": "connection", "message": "the connection was lost", "hint": None, "where": None},
        "errors": [
            {"code": "connection", "message": "the connection was lost", "hint": None, "where": None},
            {"code": "os", "message": "and the disk is full", "hint": None, "where": None},
        ],
    }


def test_a_run_without_an_error_of_its_own_has_no_such_key() -> None:
    assert "error" not in report("apply", outcome()).as_dict()


def test_the_start_is_told_in_utc() -> None:
    east = datetime(2026, 1, 2, 3, 0, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert report("apply", outcome(), started_at=east).as_dict()["started_at"] == "2026-01-01T21:30:00Z"


def test_what_a_check_returns_by_mistake_is_shown_as_text_and_a_secret_never() -> None:
    wrong: dict[str, Any] = {"port": 5432, "on": True, "password": Secret("canary-7f3a")}
    changes = Changes.of([Change("other", {"host": "mail"}, None, wrong)])
    document = report("verify", outcome(resources=(ResourceOutcome("hook:check", None, changes),))).as_dict()
    text = encode(document)
    assert "canary" not in text
    assert document["seeds"][0]["resources"][0]["changes"][0]["after"] == {
        "port": "5432",
        "on": "True",
        "password": {"secret": True},
    }


@given(st.text(st.characters(codec=None, categories=None)))
def test_json_is_one_utf8_document_that_reads_back_and_steers_no_terminal(text: str) -> None:
    encoded = encode({text: text})
    assert json.loads(encoded.encode().decode()) == {text: text}
    assert encoded.endswith("}\n")
    unseen = re.sub(r"\n", "", encoded)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", unseen)


def test_the_json_format_is_the_document() -> None:
    shown = BUILT_IN[1].document(full_report(), Page(width=40, color=True, unicode=False, verbosity=-1))
    assert json.loads(shown) == full_report().as_dict()
    assert list(json.loads(shown)) == list(full_report().as_dict())


# -------------------------------------------------------------------------
# The documentation
# -------------------------------------------------------------------------


def section(title: str) -> str:
    found = re.search(rf"(?ms)^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", DOCS.read_text(encoding="utf-8"))
    assert found, f"docs/report.md has no section {title!r}"
    return found[1]


def first_column(title: str) -> list[str]:
    """The code words in the first column of the section's table."""
    rows = [row.split("|")[1] for row in section(title).splitlines() if row.startswith("| ")]
    return [word for row in rows for word in re.findall(r"`([^`]+)`", row)]


def test_each_key_is_documented_and_none_that_is_not_there() -> None:
    document = full_report().as_dict()
    seed = document["seeds"][0]
    resource = seed["resources"][0]
    assert first_column("The run") == list(document)
    assert first_column("`target`") == list(document["target"])
    assert first_column("Counts") == list(document["summary"])
    assert [key for key in first_column("A seed") if key != "writes"] == list(seed)  # it is only there of a plugin's
    assert first_column("A resource") == list(resource)
    assert first_column("A change") == list(resource["changes"][0])
    assert first_column("A finding") == list(seed["findings"][0])
    assert first_column("An error") == list(seed["error"])


def test_each_key_of_the_history_is_documented() -> None:
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    seed = SeedRecord("00_core", "failed", Counts(), 0.1, Problem("lock", "held"))
    record = RunRecord(
        1, moment, None, "apply", "apply", "test", "failed", "0.1.0", "ada", "web", 1.0, Counts(), (seed,)
    )
    listed, one = runs_document([record]), run_document(record)
    assert first_column("The history") == list(one["run"])
    assert list(listed["runs"][0]) == [key for key in one["run"] if key != "seeds"]
    row = re.search(r"\| `seeds` \|(.*)\|", section("The history"))
    assert row
    assert re.findall(r"`([a-z_]+)`", row[1]) == list(one["run"]["seeds"][0])
    assert one["run"]["started_at"] == "2026-01-02T00:00:00Z"
    assert one["run"]["finished_at"] is None


def test_each_word_is_documented() -> None:
    assert first_column("Statuses") == [status.value for status in reversed(Status)]
    assert first_column("Verdicts") == [verdict.value for verdict in Verdict]
    assert first_column("Modes") == list(get_args(Mode))
    assert words_of("A change", "action") == list(get_args(Action))
    assert words_of("A finding", "severity") == list(get_args(Severity))


def words_of(title: str, key: str) -> list[str]:
    """The words a key may have, as the first sentence of its row lists them."""
    row = re.search(rf"\| `{key}` \|([^|;(]*)", section(title))
    assert row
    return re.findall(r"`([a-z]+)`", row[1])


def kinds_of_error() -> list[type[SeedframeError]]:
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SeedframeError)]


@pytest.mark.parametrize("kind", kinds_of_error(), ids=lambda kind: kind.__name__)
def test_an_error_that_is_no_seeds_own_means_that_apply_could_not_run(kind: type[SeedframeError]) -> None:
    own = issubclass(kind, errors.SeedError) or kind is SeedframeError
    assert report("apply", failed(kind.code)).exit_code == (1 if own else 3)


def test_each_error_code_is_documented() -> None:
    assert sorted(first_column("Error codes")) == sorted({kind.code for kind in kinds_of_error()})


def test_each_format_is_documented() -> None:
    assert first_column("Formats") == [reporter.name for reporter in BUILT_IN]


def test_a_plugins_seed_tells_what_it_writes() -> None:
    foreign = outcome(Status.CHANGED, seed="05_iso", origin="seedframe-iso 1.0", writes=("countries", "languages"))
    document = report("dry_run", foreign).as_dict()
    assert document["seeds"][0]["writes"] == ["countries", "languages"]
    assert "    seedframe-iso 1.0: writes countries, languages\n" in BUILT_IN[0].document(
        report("dry_run", foreign), Page()
    )
    assert "writes" not in BUILT_IN[0].document(report("apply", foreign), Page())
    assert "writes no table" in BUILT_IN[0].document(report("apply", replace(foreign, writes=())), Page(verbosity=1))


def test_the_example_is_a_report() -> None:
    example = re.search(r"```json\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert example
    document = json.loads(example[1])
    assert list(document) == [
        key for key in full_report().as_dict() if key not in ("marked", "plan", "findings", "error", "errors")
    ]
    seed = document["seeds"][0]
    assert list(seed) == list(full_report().as_dict()["seeds"][0])
    assert document["summary"] == seed["counts"] == seed["resources"][0]["counts"]
    rebuilt = report(
        document["mode"],
        SeedOutcome(
            seed=seed["seed"],
            origin=seed["origin"],
            status=Status(seed["status"]),
            critical=seed["critical"],
            duration_s=seed["duration_s"],
            resources=tuple(
                ResourceOutcome(
                    each["resource"],
                    Verdict(each["verdict"]),
                    Changes(
                        counts=Counts(**each["counts"]),
                        sample=tuple(
                            Change(change["action"], change["key"], change["before"], change["after"],
                                   Verdict(change["verdict"]))
                            for change in each["changes"]
                        ),
                        omitted=each["changes_omitted"],
                    ),
                )
                for each in seed["resources"]
            ),
        ),
        duration_s=document["duration_s"],
        started_at=datetime.fromisoformat(document["started_at"]),
    )  # fmt: skip
    assert rebuilt.as_dict() == document


def exit_code_table() -> dict[int, tuple[str, str]]:
    rows = re.findall(r"^\| (\d) \| (.*?) \| (.*?) \|$", section("Exit codes"), re.MULTILINE)
    return {int(code): (apply, verify) for code, apply, verify in rows}


def test_each_exit_code_is_documented() -> None:
    assert list(exit_code_table()) == [0, 1, 2, 3]
