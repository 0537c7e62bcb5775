"""The text format: what a person reads, on a terminal of any width and in a pipe, whatever is in the data."""

import io
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from rich.console import Console

from seedframe.changes import Cell, Change, Changes, Counts, Finding, Marker, Verdict
from seedframe.errors import Problem
from seedframe.history import RunRecord, SeedRecord
from seedframe.report import Mode, Report, ResourceOutcome, SeedOutcome, Status, Target
from seedframe.reporting.cells import cell_pair_texts, cell_text, key_text, pad, text_width, visible
from seedframe.reporting.history import record_lines, run_lines
from seedframe.reporting.page import Page, folded, line_text
from seedframe.reporting.text import document, render, text_of
from seedframe.reporting.words import counts_text, duration, holdings_text, number, plural
from seedframe.secrets import Secret
from tests.made_reports import report

HEADER = "telehealth · development · telehealth.public on 127.0.0.1 · PostgreSQL 17.10\n"
SGR = re.compile(r"\x1b\[[0-9;]*m")

anything = st.text(st.characters(codec=None, categories=None), max_size=30)
cells = st.one_of(st.none(), st.sampled_from(Marker), anything)


def rows(
    name: str, *changes: Change, unchanged: int = 0, more: int = 0, verdict: Verdict = Verdict.PENDING
) -> ResourceOutcome:
    listed = Changes.of(changes, unchanged=unchanged)
    found = replace(listed, counts=listed.counts + Counts(create=more), omitted=more)
    return ResourceOutcome(name, verdict if found else Verdict.IN_SYNC, found)


def seed(label: str, status: Status, *resources: ResourceOutcome, **fields: Any) -> SeedOutcome:
    known: dict[str, Any] = {"duration_s": 0.04, "origin": f"seeds/{label}.py"}
    return SeedOutcome(seed=label, status=status, resources=resources, **(known | fields))


CORE = seed("00_core", Status.IN_SYNC, rows("rows:settings", unchanged=5), rows("extension:pgcrypto", unchanged=1))
CREATE = Change(
    "create",
    {"sku": "SEMA-025"},
    None,
    {"sku": "SEMA-025", "name": "Semaglutide", "price": "249.00", "notes": None, "alias": "", "label": "NULL"},
)
UPDATE = Change("update", {"sku": "FINA-1"}, {"price": "249.00"}, {"price": "299.00"})
DELETE = Change("delete", {"sku": "OLD-1"}, {"name": "Old thing"}, None)
PLAN = Change("create", {"slug": "starter"}, None, {"medication_id": Marker.KNOWN_AFTER_APPLY, "token": Marker.SECRET})
REFERENCE = seed(
    "20_reference",
    Status.CHANGED,
    rows("rows:medications", CREATE, UPDATE, DELETE, unchanged=3, more=4950),
    rows("rows:plans", PLAN),
    ResourceOutcome("rows:pharmacies", None, Changes(skipped_reason="optional table pharmacies does not exist")),
)
BAD_DATE = Problem(
    "bad_data", "'2024-13-01' is not a date", "write YYYY-MM-DD", "seeds/data/medications.csv:12, column starts_on"
)


def piped(told: Report, **fields: Any) -> str:
    return document(told, Page(**fields))


# -------------------------------------------------------------------------
# Cells
# -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (None, "NULL"),
        ("", "''"),
        ("NULL", "'NULL'"),
        ("null", "'null'"),
        ("249.00", "249.00"),
        ("two words", "two words"),
        (" led by a space", "' led by a space'"),
        ("trailed by one ", "'trailed by one '"),
        ("one, two", "'one, two'"),
        ("1 → 2", "'1 → 2'"),
        ("it's", "it's"),
        ("'quoted'", r"'\'quoted\''"),
        (r"C:\data", r"C:\data"),
        (r"\x1b", r"\x1b"),
        ("\x1b", r"'\x1b'"),
        ("\\\x1b", r"'\\\x1b'"),
        ("a\r\n\tb", r"'a\r\n\tb'"),
        ("\x9b31m", r"'\x9b31m'"),
        ("\u202egpj.exe", r"'\u202egpj.exe'"),
        ("a\u200bb", r"'a\u200bb'"),
        ("a\u00a0b", r"'a\xa0b'"),
        ("\U000e0041", r"'\U000e0041'"),
        ("\udc80", r"'\udc80'"),
        ("Ångström 漢字", "Ångström 漢字"),
        ("(secret)", "'(secret)'"),
        (Marker.SECRET, "(secret)"),
        (Marker.KNOWN_AFTER_APPLY, "(known after apply)"),
        ("secret", "secret"),
        (Secret("canary"), "(secret)"),
        (5432, "5432"),
    ],
)
def test_a_cell(cell: object, shown: str) -> None:
    assert cell_text(cell) == shown


@given(cells, cells, st.booleans(), st.booleans())
@example("\\", "\\\\", True, True)
@example("é", r"\xe9", True, False)
@example("'", "\\'", False, False)
def test_no_two_cells_look_the_same(one: Cell, other: Cell, ascii_only: bool, in_key: bool) -> None:
    same = one is other or (type(one) is type(other) and one == other)
    looks = [cell_text(cell, ascii_only=ascii_only, in_key=in_key) for cell in (one, other)]
    assert (looks[0] == looks[1]) == same


@given(anything, st.booleans())
def test_nothing_unseen_is_printed(text: str, ascii_only: bool) -> None:
    for shown in (visible(text, ascii_only=ascii_only), cell_text(text, ascii_only=ascii_only)):
        assert shown.isprintable()
        assert shown.isascii() or not ascii_only


@given(st.text(max_size=200), st.integers(16, 60))
@example("x" * 1_000_000, 60)
@example("\x1b" * 1000, 16)
@example("漢" * 100, 17)
@example("e" + "\u0301" * 500, 20)
def test_a_long_cell_is_cut_to_fit_and_says_so(text: str, limit: int) -> None:
    shown = cell_text(text, limit=limit)
    assert text_width(shown) <= limit
    assert shown == cell_text(text) or shown.endswith("…")


@given(st.text("abc dé漢", max_size=120), st.text("abc dé漢", max_size=120), st.integers(30, 60))
def test_two_long_values_are_cut_so_that_the_difference_is_seen(old: str, new: str, limit: int) -> None:
    assume(old != new)
    shown = cell_pair_texts(old, new, limit=limit)
    assert shown[0] != shown[1]
    assert max(map(text_width, shown)) <= limit


def test_the_difference_deep_in_a_long_text_is_what_is_shown() -> None:
    start = "The patient reads and signs the consent form before the first appointment "
    shown = cell_pair_texts(f"{start}today.", f"{start}tomorrow.", limit=30)
    assert shown == ("…intment today.", "…intment tomorrow.")


@given(st.text("eéao\u0301\u0308", max_size=12))
def test_what_would_look_the_same_is_told_apart(text: str) -> None:
    composed, apart = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    assume(composed != apart)
    shown = cell_pair_texts(composed, apart)
    assert shown[0] != shown[1]
    assert all(each.isascii() for each in shown)


def test_a_key_of_several_columns() -> None:
    assert key_text({"code": "US", "name": "New York", "era": None, "x=y": "a=b"}) == (
        "code=US name='New York' era=NULL x=y='a=b'"
    )


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("漢字", 4), ("e\u0301", 1), ("", 0)])
def test_width_is_counted_in_columns(text: str, width: int) -> None:
    assert text_width(text) == width
    assert text_width(pad(text, 6)) == 6


# -------------------------------------------------------------------------
# Words
# -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.00s"),
        (0.041, "0.04s"),
        (9.994, "9.99s"),
        (9.996, "10.0s"),
        (59.94, "59.9s"),
        (59.96, "1m 00s"),
        (125, "2m 05s"),
        (3599.6, "1h 00m"),
        (7440, "2h 04m"),
    ],
)
def test_a_duration(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_numbers_and_counts() -> None:
    assert number(1234567) == "1,234,567"
    assert [plural(count, "seed") for count in (0, 1, 2, 1000)] == ["0 seeds", "1 seed", "2 seeds", "1,000 seeds"]
    some = Counts(create=4950, delete=1, unchanged=20)
    assert counts_text(some, "dry_run") == "4,950 to create, 1 to delete, 20 unchanged"
    assert counts_text(some, "rehearse") == counts_text(some, "dry_run")
    assert counts_text(some, "apply", zeros=True) == "4,950 created, 0 updated, 1 deleted, 20 unchanged"
    assert counts_text(some, "verify") == "4,950 missing, 1 not declared, 20 as declared"
    assert counts_text(Counts(), "apply") == ""


def test_what_is_held_is_counted_by_kind_rows_first() -> None:
    held = [
        rows("tables:users,plans", unchanged=2),
        rows("extension:pgcrypto", unchanged=1),
        rows("rows:a", unchanged=999),
        rows("rows:b", unchanged=1),
        rows("rows:c"),
    ]
    assert holdings_text(held) == "1,000 rows, 2 tables, 1 extension"


# -------------------------------------------------------------------------
# Whole reports
# -------------------------------------------------------------------------


def test_a_dry_run_in_a_pipe() -> None:
    assert piped(report("dry_run", CORE, REFERENCE)) == (
        f"{HEADER}\n"
        "✓ 00_core       in sync     0.04s  5 rows, 1 extension\n"
        "~ 20_reference  to change   0.04s  4,952 to create, 1 to update, 1 to delete, 3 unchanged\n"
        "    + medications sku=SEMA-025  name: Semaglutide, price: 249.00, notes: NULL, alias: '', label: 'NULL'\n"
        "    ~ medications sku=FINA-1    price: 249.00 → 299.00\n"
        "    - medications sku=OLD-1     name: Old thing\n"
        "    … and 4,950 more in medications\n"
        "    + plans       slug=starter  medication_id: (known after apply), token: (secret)\n"
        "    ○ pharmacies skipped: optional table pharmacies does not exist\n"
        "\n"
        "2 seeds: 4,952 to create, 1 to update, 1 to delete, 9 unchanged (0.41s)\n"
        "Dry run: nothing was written. `seedframe apply` makes these changes.\n"
    )


def test_a_dry_run_that_finds_nothing_still_says_that_nothing_was_written() -> None:
    shown = piped(report("dry_run", CORE))
    assert shown.endswith(
        "\n1 seed: 0 to create, 0 to update, 0 to delete, 6 unchanged (0.41s)\nDry run: nothing was written.\n"
    )


def test_an_apply() -> None:
    shown = piped(report("apply", CORE, REFERENCE, run=7))
    assert "✓ 20_reference  changed   0.04s  4,952 created, 1 updated, 1 deleted, 3 unchanged\n" in shown
    assert "    + plans       slug=starter  medication_id: (set by apply), token: (secret)\n" in shown
    assert shown.endswith("\n2 seeds: 4,952 created, 1 updated, 1 deleted, 9 unchanged (run 7, 0.41s)\n")


def test_an_apply_tells_of_the_first_changes_and_of_all_when_asked() -> None:
    many = [replace(CREATE, key={"sku": f"S-{number:03}"}) for number in range(25)]
    told = report("apply", seed("20_reference", Status.CHANGED, rows("rows:medications", *many, more=75)))
    usual, full = piped(told), piped(told, verbosity=1)
    assert usual.count("    + medications sku=") == 10
    assert "… and 90 more in medications\n" in usual
    assert full.count("    + medications sku=") == 25
    assert "… and 75 more in medications\n" in full


def test_an_apply_says_what_it_overwrote() -> None:
    edited = replace(UPDATE, verdict=Verdict.DRIFT)
    shown = piped(report("apply", seed("20_reference", Status.CHANGED, rows("rows:medications", edited))))
    assert "price: 249.00 → 299.00  (drift)\n" in shown


def test_a_rehearsal_says_that_it_was_one() -> None:
    shown = piped(report("rehearse", REFERENCE))
    assert "4,952 to create" in shown
    assert shown.endswith("Rehearsal: everything was rolled back, nothing was kept.\n")


def test_a_failed_seed_says_why_where_and_what_to_do_and_counts_nothing() -> None:
    told = report(
        "apply",
        CORE,
        seed("20_reference", Status.FAILED, *REFERENCE.resources, error=BAD_DATE),
        seed("30_more", Status.SKIPPED, findings=(Finding("not tried: 20_reference failed", "info"),)),
        run=7,
    )
    assert piped(told) == (
        f"{HEADER}\n"
        "✓ 00_core       in sync   0.04s  5 rows, 1 extension\n"
        "✗ 20_reference  failed    0.04s  rolled back\n"
        "    ○ pharmacies skipped: optional table pharmacies does not exist\n"
        "    error: seeds/data/medications.csv:12, column starts_on: '2024-13-01' is not a date\n"
        "     hint: write YYYY-MM-DD\n"
        "○ 30_more       skipped          not tried: 20_reference failed\n"
        "\n"
        "failed: 20_reference was rolled back\n"
        "3 seeds (1 failed, 1 skipped): 0 created, 0 updated, 0 deleted, 6 unchanged (run 7, 0.41s)\n"
    )


def test_a_seed_that_is_not_critical_fails_with_a_warning() -> None:
    shown = piped(report("apply", seed("20_reference", Status.FAILED, error=BAD_DATE, critical=False), CORE))
    assert "! 20_reference  failed    0.04s  rolled back, not critical\n" in shown
    assert "\nwarning: 20_reference was rolled back; it is not critical, so the run went on\n" in shown


def test_a_verify_that_finds_all_in_sync() -> None:
    other = seed("20_reference", Status.IN_SYNC, rows("rows:medications", unchanged=28))
    assert piped(report("verify", CORE, other, CORE)).endswith("\n3 seeds in sync, 38 rows, 2 extensions (0.41s)\n")


def test_a_verify_that_finds_drift_names_the_row_and_says_what_to_do() -> None:
    edited = replace(UPDATE, verdict=Verdict.DRIFT)
    gone = replace(CREATE, verdict=Verdict.DRIFT)
    drifted = seed(
        "20_reference", Status.DRIFT, rows("rows:medications", edited, gone, unchanged=18, verdict=Verdict.DRIFT)
    )
    assert piped(report("verify", CORE, drifted)) == (
        f"{HEADER}\n"
        "✓ 00_core       in sync   0.04s  5 rows, 1 extension\n"
        "✗ 20_reference  drift     0.04s  1 missing, 1 different, 18 as declared\n"
        "    drift    medications sku=FINA-1    price: 249.00 (declared 299.00)\n"
        "    drift    medications sku=SEMA-025  missing\n"
        "\n"
        "2 seeds: 1 drift, 1 in sync; 1 missing, 1 different, 24 as declared (0.41s)\n"
        "drift: the database has changed since the last apply\n"
        "  seedframe apply --dry-run               shows what would be restored\n"
        "  seedframe apply                         restores what is declared\n"
        "  seedframe apply --on-conflict=database  accepts what was changed in rows\n"
    )


@pytest.mark.parametrize(
    ("verdict", "row", "meaning", "advice"),
    [
        (Verdict.PENDING, "pending  medications sku=FINA-1  price", "declared, but not applied yet", "makes it so"),
        (Verdict.CONFLICT, "conflict medications sku=FINA-1  price", "both the seeds and the database", "restores"),
        (Verdict.ORPHAN, "orphan   medications sku=FINA-1  price", "no longer declared", "restores"),
    ],
)
def test_each_verdict_is_named_and_explained(verdict: Verdict, row: str, meaning: str, advice: str) -> None:
    found = rows("rows:medications", replace(UPDATE, verdict=verdict), verdict=verdict)
    shown = piped(report("verify", seed("20_reference", Status(verdict.value), found)))
    assert f"    {row}" in shown
    assert re.search(rf"\n{verdict}: .*{meaning}", shown)
    assert re.search(rf"\n  seedframe apply +{advice}", shown)


@pytest.mark.parametrize(
    ("changes", "would", "does"),
    [
        ((DELETE,), "deleted", "deletes what is not declared"),
        ((UPDATE, DELETE), "restored and deleted", "restores what is declared, deletes what is not"),
        ((CREATE, UPDATE), "restored", "restores what is declared"),
    ],
)
def test_a_verify_says_what_an_apply_would_do(changes: tuple[Change, ...], would: str, does: str) -> None:
    found = rows("rows:medications", *(replace(each, verdict=Verdict.DRIFT) for each in changes), verdict=Verdict.DRIFT)
    shown = piped(report("verify", seed("20_reference", Status.DRIFT, found)))
    assert f"\n  seedframe apply --dry-run               shows what would be {would}\n" in shown
    assert f"\n  seedframe apply                         {does}\n" in shown


def test_what_is_ours_and_no_longer_declared_is_no_arrow_either() -> None:
    left = rows("rows:medications", replace(DELETE, verdict=Verdict.ORPHAN), verdict=Verdict.ORPHAN)
    assert "    orphan   medications sku=OLD-1  no longer declared\n" in piped(
        report("verify", seed("20_reference", Status.ORPHAN, left))
    )


def test_findings_are_told_with_their_severity() -> None:
    findings = (Finding("too few"), Finding("getting old", "warning"), Finding("looked at 3", "info"))
    shown = piped(report("verify", seed("20_reference", Status.FAILED, findings=findings)))
    assert "    error: too few\n    warning: getting old\n    info: looked at 3\n" in shown


def test_a_warning_marks_a_seed_that_is_in_sync() -> None:
    assert "! 00_core" in piped(report("verify", replace(CORE, findings=(Finding("getting old", "warning"),))))


def test_a_seed_in_sync_is_one_line_and_v_shows_what_was_skipped() -> None:
    skipped = ResourceOutcome("extension:uuid-ossp", None, Changes(skipped_reason="this server does not offer it"))
    told = report("verify", replace(CORE, resources=(*CORE.resources, skipped)))
    assert "✓ 00_core  in sync   0.04s  5 rows, 1 extension, 1 skipped\n\n" in piped(told)
    assert "    ○ extension:uuid-ossp skipped: this server does not offer it\n" in piped(told, verbosity=1)


def test_quiet_is_trouble_and_the_summary_only() -> None:
    told = report("verify", CORE, seed("20_reference", Status.DRIFT, rows("rows:m", UPDATE, verdict=Verdict.DRIFT)))
    assert piped(told, verbosity=-1).startswith("✗ 20_reference")
    assert piped(report("verify", CORE), verbosity=-1) == "1 seed in sync, 5 rows, 1 extension (0.41s)\n"


def test_verbose_shows_origins_and_cells_in_full() -> None:
    long = replace(UPDATE, before={"text": "x" * 300}, after={"text": "y" * 300})
    shown = piped(report("dry_run", CORE, seed("20_reference", Status.CHANGED, rows("rows:m", long))), verbosity=1)
    assert f"text: {'x' * 300} → {'y' * 300}\n" in shown
    assert "  seeds/20_reference.py\n" in shown
    assert "    ✓ settings  5 rows\n" in shown


def test_a_reason_follows_its_change() -> None:
    told = replace(UPDATE, reason="the catalogue moved on")
    shown = piped(report("dry_run", seed("20_reference", Status.CHANGED, rows("rows:m", told))))
    assert "price: 249.00 → 299.00  — the catalogue moved on\n" in shown


def test_a_key_that_repeats_the_resource_is_left_out() -> None:
    made = rows("extension:pgcrypto", Change("create", {"extension": "pgcrypto"}, None, {"schema": "public"}))
    shown = piped(report("dry_run", seed("00_core", Status.CHANGED, made)))
    assert "    + extension:pgcrypto  schema: public\n" in shown


def test_a_run_that_never_began_tells_its_error_and_nothing_else() -> None:
    lost = Problem("connection", "no server answers at 127.0.0.1:5432", "start it")
    untried = seed("00_core", Status.SKIPPED, findings=(Finding("not tried: the run could not go on", "info"),))
    expected = "error: no server answers at 127.0.0.1:5432\n hint: start it\n"
    assert piped(report("apply", error=lost)) == expected
    assert piped(report("apply", untried, error=lost)) == expected
    assert piped(report("apply")) == "no seeds: nothing was checked\n"


def test_a_run_that_was_cut_off_tells_both() -> None:
    shown = piped(report("apply", CORE, error=Problem("connection", "the connection was lost")))
    assert "✓ 00_core" in shown
    assert "\nerror: the connection was lost\n" in shown


# -------------------------------------------------------------------------
# Widths
# -------------------------------------------------------------------------

WIDE = Change(
    "update",
    {"sku": "SEMA-025"},
    {"description": f"{'long ' * 40}before", "price": "1.00", "name": "a", "title": "b"},
    {"description": f"{'long ' * 40}after", "price": "2.00", "name": "c", "title": "d"},
    reason="because it is so, and for a reason that is long",
)
FAILED = seed("30_failed", Status.FAILED, error=replace(BAD_DATE, message="word " * 60, hint="advice " * 40))


@pytest.mark.parametrize("mode", ["dry_run", "apply", "rehearse", "verify"])
@pytest.mark.parametrize("width", [60, 80, 100, 160, 300])
def test_a_terminal_is_never_overrun(width: int, mode: Mode) -> None:
    changes = rows("rows:medications", CREATE, WIDE, DELETE, unchanged=3, more=4950)
    told = report(mode, CORE, seed("20_reference", Status.CHANGED, changes, rows("rows:plans", PLAN)), FAILED)
    for line in document(told, Page(width=width)).splitlines():
        assert text_width(line) <= width


def test_80_columns_show_what_changes_and_how_much_is_not_shown() -> None:
    shown = document(report("dry_run", REFERENCE), Page(width=80))
    assert "    + medications sku=SEMA-025  name: Semaglutide, price: 249.00, … +3 columns\n" in shown
    assert "    ~ medications sku=FINA-1    price: 249.00 → 299.00\n" in shown


def test_every_differing_cell_of_an_update_is_shown_however_narrow_the_terminal() -> None:
    shown = document(report("dry_run", seed("2", Status.CHANGED, rows("rows:medications", WIDE))), Page(width=60))
    for words in ("…", "before", "after", "price: 1.00 → 2.00", "name: a → c", "title: b → d", "because it is so"):
        assert words in shown


@given(st.lists(st.tuples(st.text("ab 漢", max_size=30), st.just("plain")), max_size=6), st.integers(4, 40))
def test_folding_loses_nothing_but_spaces(line: list[tuple[str, Any]], width: int) -> None:
    parts = list(folded(line, Page(width=width), indent=2))
    assert "".join(map(line_text, parts)).replace(" ", "") == line_text(line).replace(" ", "")
    for part in parts:
        assert text_width(line_text(part)) <= width or " " not in line_text(part).strip()


def test_a_pipe_has_one_line_for_each_change() -> None:
    changes = rows("rows:medications", CREATE, WIDE, DELETE)
    shown = piped(report("dry_run", seed("20_reference", Status.CHANGED, changes)))
    assert len([line for line in shown.splitlines() if line.startswith("    ")]) == 3


# -------------------------------------------------------------------------
# Terminals
# -------------------------------------------------------------------------


def hostile(text: str) -> Report:
    change = Change("update", {text: text}, {text: text, "b": text}, {text: text + "x", "b": None}, reason=text)
    problem = Problem("bad_data", text, text, text)
    told = seed(
        text,
        Status.CHANGED,
        rows(f"rows:{text}", change, replace(change, action="create"), replace(change, action="delete")),
        ResourceOutcome(f"rows:{text}", None, Changes(skipped_reason=text)),
        findings=(Finding(text), Finding(text, "info")),
        error=problem,
        origin=text,
    )
    target = Target(text, text, text, text, text)
    return report("dry_run", told, seed(text, Status.SKIPPED), env=text, target=target, error=problem)


@given(anything, st.sampled_from(["dry_run", "apply", "verify"]), st.sampled_from([None, 60]), st.booleans())
@example("\x1b]8;;https://example.org\x1b\\click\x1b]8;;\x1b\\", "dry_run", None, True)
@example("[red]not red[/red] :smile: [link=x]", "apply", 60, True)
def test_no_data_steers_the_terminal(text: str, mode: Mode, width: int | None, color: bool) -> None:
    told = hostile(text)
    told = replace(told, mode=mode, command="verify" if mode == "verify" else "apply")
    for verbosity in (-1, 0, 1):
        shown = document(told, Page(width=width, color=color, verbosity=verbosity))
        assert SGR.sub("", shown).replace("\n", "").isprintable()
        plain = document(told, Page(width=width, verbosity=verbosity))
        assert [line.rstrip() for line in SGR.sub("", shown).split("\n")] == plain.split("\n")


def test_markup_in_data_is_text() -> None:
    told = report("dry_run", seed("20_reference", Status.CHANGED, rows("rows:m", replace(UPDATE, key={"k": "[red]"}))))
    assert "k=[red]" in SGR.sub("", document(told, Page(color=True)))


def test_a_page_without_unicode_is_ascii() -> None:
    change = replace(UPDATE, key={"name": "Müller"}, before={"c": "é"}, after={"c": "e\u0301"})
    for mode in ("dry_run", "apply", "verify"):
        told = report(mode, CORE, seed("20_ü", Status.CHANGED, rows("rows:größe", change, more=4950)), FAILED)
        shown = document(told, Page(unicode=False))
        assert shown.isascii()
        assert r"name='M\xfcller'" in shown


def test_render_prints_the_same_with_the_consoles_colours() -> None:
    told = report("dry_run", CORE, REFERENCE)
    colored, plain = io.StringIO(), io.StringIO()
    render(told, Console(file=colored, force_terminal=True, color_system="standard", width=80), width=80)
    render(told, Console(file=plain, color_system=None, width=80))
    assert "\x1b[" in colored.getvalue()
    assert "\x1b" not in plain.getvalue()
    assert SGR.sub("", colored.getvalue()) == document(told, Page(width=80))
    assert plain.getvalue() == document(told, Page())


# -------------------------------------------------------------------------
# History
# -------------------------------------------------------------------------


def record(**fields: Any) -> RunRecord:
    known: dict[str, Any] = {
        "id": 7,
        "started_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "finished_at": datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC),
        "command": "apply",
        "mode": "apply",
        "env": "production",
        "status": "failed",
        "version": "0.1.0",
        "who": "ada",
        "host": "web-1",
        "duration_s": 1.25,
        "counts": Counts(12, 1, 0, 20),
        "seeds": (
            SeedRecord("00_core", "changed", Counts(12, 1, 0, 20), 0.5, None),
            SeedRecord("20_reference", "failed", Counts(), 0.25, BAD_DATE),
            SeedRecord("30_more", "skipped", Counts(), 0.0, None),
        ),
    }
    return RunRecord(**(known | fields))


def shown_lines(lines: Iterator[Any]) -> str:
    return text_of(lines, Page())


def test_runs_are_a_table() -> None:
    older = record(id=6, status="changed", seeds=(), finished_at=None)
    assert shown_lines(run_lines([record(), older], Page())) == (
        "run  when (UTC)           env         mode   status    took  who        changes\n"
        "  7  2026-01-02 03:04:05  production  apply  failed   1.25s  ada@web-1  12 created, 1 updated, 20 unchanged\n"
        "  6  2026-01-02 03:04:05  production  apply  changed      ?  ada@web-1  12 created, 1 updated, 20 unchanged\n"
    )


@pytest.mark.parametrize("width", [200, 99, 80, 60, 40])
def test_a_table_of_runs_fits_the_terminal(width: int) -> None:
    older = record(id=6, status="in_sync", who="grace", counts=Counts(0, 0, 0, 33))
    shown = shown_lines(run_lines([record(), older], Page(width=width)))
    title = shown[: shown.index("7")]
    assert max(map(len, shown.splitlines())) <= width
    assert [word in title for word in ("run", "when (UTC)", "status", "took", "changes")] == [True] * 5
    assert ("mode" in title) == (width == 200)  # it says the same of all
    assert "33" in shown
    wide = shown_lines(run_lines([record(), older], Page()))
    assert (shown == wide) == (width == 200)


def test_no_runs_say_what_makes_the_first() -> None:
    assert shown_lines(run_lines([], Page())) == "No run is recorded yet: seedframe apply makes the first.\n"


def test_one_run_in_detail() -> None:
    assert shown_lines(record_lines(record(), Page())) == (
        "run 7  failed\n"
        "  command   apply\n"
        "  env       production\n"
        "  who       ada@web-1\n"
        "  version   seedframe 0.1.0\n"
        "  started   2026-01-02 03:04:05 UTC\n"
        "  finished  2026-01-02 03:04:06 UTC (1.25s)\n"
        "\n"
        "✓ 00_core       changed   0.50s  12 created, 1 updated, 20 unchanged\n"
        "    not in the audit trail\n"
        "✗ 20_reference  failed    0.25s  rolled back\n"
        "    error: seeds/data/medications.csv:12, column starts_on: '2024-13-01' is not a date\n"
        "     hint: write YYYY-MM-DD\n"
        "    not in the audit trail\n"
        "○ 30_more       skipped   0.00s\n"
        "\n"
        "3 seeds: 12 created, 1 updated, 20 unchanged\n"
    )


def test_what_ended_a_run_itself_and_what_it_was_told() -> None:
    told = record(
        seeds=(),
        error=Problem("lock", "another run is at work", "wait for it"),
        arguments={"seeds": ["a", "b"], "transaction": "run", "on_conflict": "seed", "keep_going": True, "tags": []},
    )
    shown = shown_lines(record_lines(told, Page()))
    assert "  with      seeds a, b; transaction run; keep going\n" in shown
    assert "  error: another run is at work\n   hint: wait for it\n" in shown


def test_a_run_that_never_ended_says_so() -> None:
    shown = shown_lines(record_lines(record(finished_at=None, status="running", seeds=()), Page()))
    assert "  finished  never: the run was cut off\n" in shown


@given(anything)
def test_no_record_steers_the_terminal(text: str) -> None:
    problem = Problem(text, text, text, text)
    fields: Mapping[str, Any] = dict.fromkeys(("env", "status", "version", "who", "host", "mode", "command"), text)
    told = record(**fields, seeds=(SeedRecord(text, text, Counts(), 0.0, problem),))
    for shown in (shown_lines(record_lines(told, Page())), shown_lines(run_lines([told], Page()))):
        assert shown.replace("\n", "").isprintable()
