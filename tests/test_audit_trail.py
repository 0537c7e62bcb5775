"""The audit trail: a chain of hashes over what changed something or failed, which shows what was done to it since."""

import json
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedframe import Project, __version__
from seedframe.database import audit_trail
from seedframe.database.audit_chain import ENTRY_FACTS, canonical
from seedframe.history import Broken
from seedframe.reporting.chain import head_line, parse_head
from seedframe.running.revision import revision_of
from tests.conftest import Folder, ProjectFactory, Sql
from tests.crowd import Task, crowd
from tests.figures import Figures
from tests.running import apply

_SEED = """
from seedframe import Rows

def resources():
    yield Rows("items", key="sku", mode="sync", rows={rows!r})
"""
_FAILS = "def verify():\n    yield 'never right'\n"


def seed(**names: str) -> str:
    return _SEED.format(rows=[{"sku": sku, "name": name} for sku, name in names.items()])


@pytest.fixture
def folder(project: ProjectFactory, sql: Sql) -> Folder:
    """Five entries: three applies that change something, two that fail; and a run that finds nothing to do."""
    sql("create table items (sku text primary key, name text)")
    folder = project({"seeds/10_a.py": seed(a="1", b="1")})
    apply(folder)
    folder.write({"seeds/20_f.py": _FAILS})
    apply(folder)
    folder.write({"seeds/10_a.py": seed(a="2", b="1", c="1")})
    apply(folder)
    (folder.path / "seeds/20_f.py").unlink()
    folder.write({"seeds/10_a.py": seed(a="3")})
    apply(folder)
    apply(folder)
    assert check(folder) is None
    return folder


def check(folder: Folder, head: str | None = None) -> Broken | None:
    return Project.load(folder.path).check_history(parse_head(head) if head is not None else None).broken


def head(folder: Folder) -> str:
    return head_line(Project.load(folder.path).history_head())


def tamper(sql: Sql, statement: str, params: Any = None) -> None:
    """As somebody may who owns the tables, or the server."""
    sql("set session_replication_role = replica")
    sql(statement, params)
    sql("reset session_replication_role")


# What is entered


def test_only_what_changed_something_or_failed_is_chained(folder: Folder, sql: Sql) -> None:
    assert sql("select position, run_id, seed, status from seedframe.outcome order by id") == [
        (1, 1, "10_a", "changed"),
        (None, 2, "10_a", "in_sync"),
        (2, 2, "20_f", "failed"),
        (3, 3, "10_a", "changed"),
        (4, 3, "20_f", "failed"),
        (5, 4, "10_a", "changed"),
        (None, 5, "10_a", "in_sync"),
    ]


def test_the_changed_rows_are_listed_by_key_and_columns(folder: Folder, sql: Sql) -> None:
    assert sql(
        "select position, number, resource, action, key, columns from seedframe.changed_row c"
        " join seedframe.outcome o on o.id = c.outcome_id order by position, number"
    ) == [
        (1, 1, "rows:items", "create", {"sku": "a"}, None),
        (1, 2, "rows:items", "create", {"sku": "b"}, None),
        (3, 1, "rows:items", "update", {"sku": "a"}, ["name"]),
        (3, 2, "rows:items", "create", {"sku": "c"}, None),
        (5, 1, "rows:items", "delete", {"sku": "b"}, None),
        (5, 2, "rows:items", "delete", {"sku": "c"}, None),
        (5, 3, "rows:items", "update", {"sku": "a"}, ["name"]),
    ]


def test_anyone_can_compute_the_hashes(folder: Folder, sql: Sql) -> None:
    """By the form as docs/ledger.md has it, with nothing of seedframe but the order of the members."""
    moment = """to_char({} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""

    def hashed(text: str) -> str:
        return sha256(text.encode()).hexdigest()

    def plain(value: Any) -> str:
        return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    previous = None
    for entry, run, recorded, started, duration, schema in sql(
        f"select to_jsonb(o), to_jsonb(r), {moment.format('recorded_at')}, {moment.format('started_at')},"
        " o.duration_s::text, o.target_schema from seedframe.outcome o join seedframe.run r on r.id = run_id"
        " where position is not null order by position"
    ):
        run |= {"schema": schema, "started_at": started}
        names = "id project schema env command mode version role os_user host address revision arguments started_at"
        assert entry["run_digest"] == hashed(plain({name: run[name] for name in names.split()}))
        rows = sql(
            "select to_jsonb(c) - 'outcome_id' from seedframe.changed_row c where outcome_id = %s order by number",
            [entry["id"]],
        )
        assert entry["rows_digest"] == hashed("".join(plain(row) + "\n" for (row,) in rows))
        assert entry["previous_hash"] == previous
        entry |= {"schema": schema, "recorded_at": recorded, "duration_s": duration}
        previous = hashed(plain({name: entry[name] for name in ENTRY_FACTS}))
        assert entry["hash"] == previous


def test_who_and_from_where(project: ProjectFactory, sql: Sql) -> None:
    folder = project({"seeds/10_a.py": "def verify():\n    return ()\n"})
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=folder.path, check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder.path, check=True, capture_output=True, text=True)
    apply(folder)
    assert sql("select role, address, revision from seedframe.run") == [("postgres", None, commit.stdout.strip())]
    told = "select version, env, arguments ->> 'transaction' from seedframe.run"
    assert sql(told) == [(__version__, "development", "seed")]


@pytest.mark.parametrize("place", ["checked out", "packed", "a worktree", "detached"])
def test_the_commit_is_read_from_the_repository(tmp_path: Path, place: str) -> None:
    def git(*arguments: str, cwd: Path = tmp_path) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        return subprocess.run(
            ["git", *who, *arguments], cwd=cwd, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "-q")
    assert revision_of(tmp_path) is None
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/x").write_text("x")
    git("add", ".")
    git("commit", "-qm", "x")
    folder = tmp_path / "sub"
    if place == "packed":
        git("pack-refs", "--all")
    elif place == "a worktree":
        git("worktree", "add", "-q", "-b", "other", "tree")
        folder = tmp_path / "tree"
        (folder / "y").write_text("y")
        git("add", ".", cwd=folder)
        git("commit", "-qm", "y", cwd=folder)
    elif place == "detached":
        git("checkout", "-q", "--detach")
    assert revision_of(folder) == git("rev-parse", "HEAD", cwd=folder)


def test_the_digests_of_a_seed_tell_code_and_data_apart(folder: Folder, sql: Sql) -> None:
    def digests() -> tuple[str, str]:
        ((code, data),) = sql("select code_digest, data_digest from seedframe.outcome order by id desc limit 1")
        return code, data

    before = digests()
    file = folder.path / "seeds/10_a.py"
    file.write_text(file.read_text() + "# the same\n")
    apply(folder)
    assert (digests()[0] != before[0], digests()[1]) == (True, before[1])
    folder.write({"seeds/10_a.py": seed(a="4")})
    apply(folder)
    assert digests()[1] != before[1]


# What is done to it

_TAMPERED = {
    "an edit": ("update seedframe.outcome set created = 7 where position = 3", "edited", 3, "was edited"),
    "a delete": ("delete from seedframe.outcome where position = 2", "gone", 2, "entry 2 is gone"),
    "two deletes": ("delete from seedframe.outcome where position in (2, 3)", "gone", 2, "entries 2 to 3 are gone"),
    "the first one gone": ("delete from seedframe.outcome where position = 1", "gone", 1, "entry 1 is gone"),
    "another order": (
        ("update seedframe.outcome set position = -position where position in (2, 4);"
        " update seedframe.outcome set position = 6 + position where position < 0"),
        "order",
        2,
        "stands in the place of another",
    ),
    "an entry between": (
        ("update seedframe.outcome set position = 5 + position where position > 2;"
        " update seedframe.outcome set position = position - 4 where position > 5;"
        " insert into seedframe.outcome (run_id, seed, origin, status, created, updated, deleted, unchanged,"
        " duration_s, project, target_schema, form, position, run_digest, rows_digest, previous_hash, hash)"
        " select run_id, 'new', origin, status, 1, 0, 0, 0, 1, project,"
        " target_schema, form, 3, run_digest, rows_digest, previous_hash, hash"
        " from seedframe.outcome where position = 2"),
        "order",
        3,
        "stands in the place of another",
    ),
    "an entry before all": (
        "update seedframe.outcome set position = 0 where position = 1",
        "order",
        0,
        "stands where no entry was ever made",
    ),
    "an edit of the run": ("update seedframe.run set os_user = 'eve' where id = 3", "run", 3, "run 3 was edited"),
    "a run that is gone": ("delete from seedframe.run where id = 3", "run", 3, "run 3 is gone"),
    "an edit of a changed row": ("update seedframe.changed_row set action = 'x'", "rows", 1, "changed rows"),
    "a changed row less": ("delete from seedframe.changed_row where action = 'update'", "rows", 3, "changed rows"),
    "a changed row more": (
        ("insert into seedframe.changed_row (outcome_id, number, resource, action)"
        " select id, 1, 'rows:items', 'create' from seedframe.outcome where position = 2"),
        "rows",
        2,
        "changed rows",
    ),
    "all changed rows gone": ("truncate seedframe.changed_row", "rows", 1, "changed rows"),
    "another version": ("update seedframe.ledger set version = 2", "version", None, "of version 2"),
    "no positions": ("update seedframe.outcome set position = null", "unchained", None, "ought to be an entry"),
    "no last position": (
        "update seedframe.outcome set position = null where position = 5", "unchained", None, "run 4, seed 10_a"
    ),
    "no trace of having been the last": (
        ("update seedframe.outcome set position = null, hash = null, previous_hash = null, run_digest = null,"
        " rows_digest = null, resources = null where position = 5"),
        "unchained",
        None,
        "ought to be an entry",
    ),
    "an outcome more": (
        ("insert into seedframe.outcome (run_id, seed, origin, status, created, updated, deleted, unchanged,"
        " duration_s)"
        " values (5, 'x', 'x', 'changed', 1, 0, 0, 0, 1)"),
        "unchained",
        None,
        "run 5, seed x, has an outcome (changed)",
    ),
    "a failed run made good": (
        "update seedframe.run set status = 'changed', error = null where id = 3", "status", None, "run 3 is entered as"
    ),
    "a run made idle": ("update seedframe.run set status = 'in_sync' where id = 1", "status", None, "seed 10_a"),
    "a link to another": (
        "update seedframe.outcome set previous_hash = repeat('0', 64) where position = 4", "edited", 4, "was edited"
    ),
}  # fmt: skip


@pytest.mark.promise(
    "somebody edits, removes, adds, moves or unchains entries of the audit trail",
    "`seedframe history --check` names the first link that does not fit: entry, run, seed, and what is wrong",
)
@pytest.mark.parametrize("what", _TAMPERED)
def test_what_was_tampered_with_is_named(folder: Folder, sql: Sql, what: str) -> None:
    statement, kind, position, text = _TAMPERED[what]
    tamper(sql, statement)
    found = check(folder)
    assert found is not None
    assert (found.kind, found.position) == (kind, position), found
    assert text in found.text
    shown = folder.run("history", "--check")
    assert shown.returncode == 1, shown
    assert text in shown.stdout.replace("\n  ", " ")
    assert max(map(len, shown.stdout.splitlines())) <= 120
    assert "compare it with a backup" in shown.stdout
    document = json.loads(folder.run("history", "--check", "--format", "json").stdout)["check"]
    assert (document["ok"], document["broken"]["kind"]) == (False, kind)


# What of a chained entry is not part of it: numbers of rows that mean nothing by themselves, and how its run ended.
_NOT_PART = {
    "outcome": {"id"},
    "run": {"id", "status", "finished_at", "duration_s", "error", "backend_pid"},
    "changed_row": {"outcome_id"},
}
_ROW = {
    "outcome": "position = %s",
    "run": "id = (select run_id from seedframe.outcome where position = %s)",
    "changed_row": "number = 1 and outcome_id = (select id from seedframe.outcome where position = %s)",
}


@st.composite
def edits(draw: st.DrawFn, kind: str, *, nullable: bool) -> str:
    """SQL that makes another value of {}."""
    if nullable and draw(st.booleans()):
        return "case when {0} is null then " + draw(edits(kind, nullable=False)) + " end"
    number = draw(st.integers(10, 1000))
    return {
        "text": draw(st.sampled_from(["coalesce({0}, '') || ' '", "coalesce({0}, '') || chr(" + str(number) + ")"])),
        "bigint": f"coalesce({{0}}, 0) + {number}",
        "integer": f"coalesce({{0}}, 0) + {number}",
        "jsonb": "jsonb_build_array({0}, " + str(number) + ")",
        "timestamp with time zone": draw(
            st.sampled_from(["{0} + interval '1 microsecond'", "'infinity'", "{0} - interval '1 day'"])
        ),
        "double precision": draw(st.sampled_from(["{0} + 1e-12", "'nan'", "-{0} - 1"])),
        "ARRAY": "coalesce({0}, '{{}}') || '" + str(number) + "'::text",
    }[kind]


@pytest.mark.promise("any column of an entry, of its run or of its changed rows is edited", "the check finds it")
def test_every_column_is_covered(folder: Folder, sql: Sql) -> None:
    exported = head(folder)
    columns = {
        table: sql(
            "select column_name::text, data_type::text, is_nullable = 'YES' from information_schema.columns"
            " where table_schema = 'seedframe' and table_name = %s and column_name <> all (%s) order by 1",
            [table, sorted(_NOT_PART[table])],
        )
        for table in _ROW
    }
    sql("set session_replication_role = replica")

    @settings(max_examples=80, deadline=None)
    @given(st.data())
    def edited(data: st.DataObject) -> None:
        table = data.draw(st.sampled_from(sorted(_ROW)))
        column, kind, nullable = data.draw(st.sampled_from(columns[table]))
        position = data.draw(st.sampled_from([1, 3, 5] if table == "changed_row" else [1, 2, 3, 4, 5]))
        ((old, place),) = sql(f"select {column}::text, ctid from seedframe.{table} where {_ROW[table]}", [position])
        change = data.draw(edits(kind, nullable=nullable)).format(column)
        ((place,),) = sql(f"update seedframe.{table} set {column} = {change} where ctid = %s returning ctid", [place])
        assert check(folder, exported) is not None, f"{table}.{column} of entry {position}: {change}"
        sql(f"update seedframe.{table} set {column} = %s::text::{_TYPES.get(kind, kind)} where ctid = %s", [old, place])

    edited()
    sql("reset session_replication_role")
    assert check(folder, exported) is None


_TYPES = {"ARRAY": "text[]"}


# The head


@pytest.mark.promise(
    "the end of the audit trail is cut off, or all of it is made anew",
    "a head that was exported before shows it; without one, nothing can",
)
@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("delete from seedframe.outcome where position = 5", "entry 5 is gone, which the exported head has"),
        ("delete from seedframe.outcome where position >= 3", "entries 3 to 5 are gone, which the exported head has"),
        ("delete from seedframe.outcome", "entries 1 to 5 are gone, which the exported head has"),
        ("drop schema seedframe cascade", "entries 1 to 5 are gone, which the exported head has"),
    ],
)
def test_truncation_is_seen_by_the_head(folder: Folder, sql: Sql, statement: str, text: str) -> None:
    exported = folder.run("history", "--export-head")
    assert (exported.returncode, exported.stdout.count("\n")) == (0, 1), exported
    tamper(sql, statement)
    assert folder.run("history", "--check").returncode == 0
    checked = folder.run("history", "--check", "--head", "-", stdin=exported.stdout)
    assert (checked.returncode, text in checked.stdout) == (1, True), checked
    folder.write({"head.json": exported.stdout})
    assert folder.run("history", "--check", "--head", "head.json").returncode == 1


def test_a_chain_made_anew_is_seen_by_the_head(folder: Folder, sql: Sql) -> None:
    exported = head(folder)
    sql("drop schema seedframe cascade; truncate items")
    for name in "123456":
        folder.write({"seeds/10_a.py": seed(a=name)})
        apply(folder)
    assert check(folder) is None
    found = check(folder, exported)
    assert found is not None
    assert (found.kind, found.position) == ("rewritten", 5)


def test_a_chain_that_went_on_fits_its_head(folder: Folder) -> None:
    exported = head(folder)
    folder.write({"seeds/10_a.py": seed(a="4")})
    apply(folder)
    assert check(folder, exported) is None
    shown = folder.run("history", "--check", "--head", "-", stdin=exported)
    assert "6 entries, each as it was made" in shown.stdout
    assert "entry 5 is the one that was exported on 20" in shown.stdout


def test_the_head_of_another_project_is_refused(folder: Folder) -> None:
    exported = json.loads(head(folder))
    for wrong in ({"project": "other"}, {"schema": "other"}):
        done = folder.run("history", "--check", "--head", "-", stdin=json.dumps(exported | wrong))
        assert (done.returncode, "the head is of project" in done.stderr) == (3, True), done


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", "x", '{"at": 1}', "[" * 5000, '{"position": 1, "hash": null}', "\x00"]
)
def test_what_is_no_head_is_refused(folder: Folder, text: str) -> None:
    done = folder.run("history", "--check", "--head", "-", stdin=text)
    assert (done.returncode, "holds no exported head" in done.stderr) == (3, True), done


def test_a_head_survives_its_text(folder: Folder) -> None:
    found = Project.load(folder.path).history_head()
    assert parse_head(head_line(found)) == found


def test_what_ought_to_be_chained_and_is_not_is_marked(folder: Folder, sql: Sql) -> None:
    assert "not in the audit trail" not in folder.run("history", "4").stdout
    tamper(sql, "update seedframe.outcome set position = null where position = 5")
    assert "not in the audit trail" in folder.run("history", "4").stdout
    done = folder.run("history", "x")
    assert (done.returncode, "RUN is a number from 1 on, not 'x'" in done.stderr) == (3, True), done


def test_options_that_do_not_go_together(folder: Folder) -> None:
    for arguments in (
        ["3", "--check"],
        ["--check", "--export-head"],
        ["--export-head", "--head", "-"],
        ["--check", "--limit", "3"],
    ):
        assert folder.run("history", *arguments).returncode == 3, arguments


# Who may do what


@pytest.mark.promise(
    "an entry of the audit trail is changed by a slip", "a trigger refuses UPDATE, DELETE and TRUNCATE of it"
)
@pytest.mark.parametrize(
    "statement",
    [
        "update seedframe.outcome set seed = 'x' where position = 1",
        "delete from seedframe.outcome where position = 1",
        "truncate seedframe.outcome cascade",
        "truncate seedframe.run cascade",
        "delete from seedframe.run where id = 1",
        "update seedframe.run set os_user = 'x'",
        "update seedframe.changed_row set action = 'x'",
        "delete from seedframe.changed_row",
        "truncate seedframe.changed_row",
    ],
)
def test_a_slip_is_refused(folder: Folder, sql: Sql, statement: str) -> None:
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="is an audit trail"):
        sql(statement)
    assert check(folder) is None


def test_select_and_insert_are_enough_to_append(folder: Folder, sql: Sql) -> None:
    sql("drop role if exists appender; create role appender login; grant all on items to appender")
    sql(
        "grant usage on schema seedframe to appender;"
        " grant select, insert on all tables in schema seedframe to appender"
    )
    sql(
        "grant update, delete on seedframe.run, seedframe.applied_seed, seedframe.baseline, seedframe.baseline_row,"
        " seedframe.owned_row, seedframe.extra_row, seedframe.guard to appender"
    )
    url = folder.env["DATABASE_URL"].replace("postgres@", "appender@")
    folder.write({"seeds/10_a.py": seed(a="9", b="9"), "seeds/20_f.py": _FAILS})
    done = folder.run("apply", env={"DATABASE_URL": url})
    assert done.returncode == 1, done
    assert (check(folder), sql("select max(position) from seedframe.outcome")) == (None, [(7,)])
    assert folder.run("history", "--check", env={"DATABASE_URL": url}).returncode == 0
    sql("drop owned by appender; drop role appender")


def test_what_cannot_be_read_cannot_be_checked(folder: Folder, sql: Sql) -> None:
    sql("drop role if exists nobody_s; create role nobody_s login")
    url = folder.env["DATABASE_URL"].replace("postgres@", "nobody_s@")
    done = folder.run("history", "--check", env={"DATABASE_URL": url})
    assert (done.returncode, "the ledger cannot be read" in done.stderr) == (3, True), done
    sql("drop role nobody_s")


# Many at once


@pytest.mark.promise("16 runs change something and fail at once", "one chain, whole, of all their entries")
def test_sixteen_writers_leave_one_chain(
    project: ProjectFactory, sql: Sql, database: str, rounds: Callable[[int], int], tell: Figures
) -> None:
    sql("create table items (sku text primary key, name text)")
    folder = project(
        {
            "seeds/10_a.py": _TURN,
            "seeds/20_f.py": "CRITICAL = False\n" + _FAILS,
        }
    )
    number = rounds(3)
    with crowd(16) as processes:
        for _ in range(number):
            reports = processes.apply(Task(folder.path, database))
            assert {report["exit_code"] for report in reports} == {0}, reports
    entries = sql("select count(*), max(position), count(distinct position) from seedframe.outcome where position > 0")
    assert entries == [(32 * number, 32 * number, 32 * number)]
    assert check(folder) is None
    tell(f"{32 * number} entries by 16 processes at once, 0 broken links")


# Every process finds the row as another left it.
_TURN = """
import os
from seedframe import Rows

def resources():
    yield Rows("items", key="sku", rows=[{"sku": "a", "name": str(os.getpid()) + os.urandom(8).hex()}])
"""


# Bounds


def test_a_long_chain_is_read_page_by_page(folder: Folder, sql: Sql, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_trail, "_PAGE", 2)
    assert check(folder) is None
    tamper(sql, "update seedframe.outcome set seed = 'x' where position = 5")
    found = check(folder)
    assert found is not None
    assert found.position == 5


def test_before_the_first_entry_there_is_nothing_to_check(project: ProjectFactory, sql: Sql) -> None:
    folder = project({"seeds/10_a.py": "def verify():\n    return ()\n"})
    for _ in range(2):
        done = folder.run("history", "--check")
        assert (done.returncode, "No entry is chained yet" in done.stdout) == (0, True), done
        assert "is seen with --head" in done.stdout
        exported = folder.run("history", "--export-head").stdout
        assert (json.loads(exported)["position"], json.loads(exported)["hash"]) == (0, None)
        assert check(folder, exported) is None
        apply(folder)


def test_what_a_message_may_hold_can_be_entered(project: ProjectFactory, sql: Sql) -> None:
    folder = project({"seeds/10_a.py": "def verify():\n    yield 'a\\x00b\\ud800c'\n"})
    report = apply(folder)
    assert not any("could not be entered" in finding.text for finding in report.seeds[0].findings)
    assert sql("select error ->> 'message' from seedframe.outcome") == [("a\N{REPLACEMENT CHARACTER}b?c",)]
    assert check(folder) is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_the_canonical_text_says_the_same(value: Any) -> None:
    text = canonical(value)
    assert json.loads(text) == value
    assert canonical(json.loads(text)) == text


def test_the_canonical_text_is_that_of_rfc_8785() -> None:
    names = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7}
    assert [json.loads(canonical(names))[name] for name in json.loads(canonical(names))] == [2, 4, 6, 7, 1, 5, 3]
    assert canonical('\u20ac$\x0f\nA\'B"\\\\"/') == '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'


@pytest.mark.promise("a seed's secrets", "nothing of them is in the ledger: no value, no key, no hash")
def test_no_secret_is_in_the_ledger(project: ProjectFactory, sql: Sql, server: Any) -> None:
    sql("create table keys (token text primary key, name text); create table users (name text primary key, hash text)")
    folder = project(
        {
            "seeds/10_a.py": """
from seedframe import Change, Rows, Secret, Setting

SETTINGS = [Setting("TOKEN", Secret, default=None)]

def resources(settings):
    token = settings["TOKEN"].reveal()
    yield Rows("keys", key="token", secret=["token"], rows=[{"token": token, "name": "x"}])
    yield Rows("users", key="name", secret=["hash"], rows=[{"name": "u", "hash": token}])

def check(db, settings):
    if not db.scalar("select count(*) from users where name = 'own'"):
        yield Change("create", {"token": settings["TOKEN"]}, None, {"hash": settings["TOKEN"]})

def apply(db, settings):
    db.execute("insert into users values ('own', 'x')")
"""
        },
        config='[project]\nname = "shop"\n',
    )
    done = folder.run("apply", env={"TOKEN": "canary-7c1d"})
    assert done.returncode == 0, done
    tables = [name for (name,) in sql("select tablename from pg_tables where schemaname = 'seedframe'")]
    everything = "".join(str(sql(f"select to_jsonb(t) from seedframe.{name} t")) for name in tables)
    assert "canary" not in everything
    assert sha256(b"canary-7c1d").hexdigest() not in everything
    assert sql("select resource, action, key from seedframe.changed_row order by number") == [
        ("rows:keys", "create", None),
        ("rows:users", "create", {"name": "u"}),
        ("hook:check", "create", None),
    ]
    assert "(secret key)" in folder.run("history", "1").stdout
