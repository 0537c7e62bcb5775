# ruff: noqa: E501 - seeds stand in one line where they are one thing
"""Rows that refer to each other in a circle, within a table and between tables, and rows that a later resource makes."""

from collections.abc import Callable

import pytest

from seedframe.changes import Marker, Verdict
from seedframe.report import Report
from tests.conftest import Folder, ProjectFactory, Sql
from tests.running import applied, apply, counts, dry_run, error, only, verify

Run = Callable[[Folder], Report]


def seed(*resources: str) -> str:
    body = "\n    ".join(f"yield {resource}" for resource in resources)
    return f"from seedframe import Rows, ref, column\n\ndef resources():\n    {body}\n"


TREE = "create table tree (id serial primary key, code text unique not null, parent_id int references tree, note text);"


def circle(number: int) -> str:
    return (
        'Rows("tree", key="code", rows=({"code": f"c{n}", "parent_id": ref("tree", code=f"c{(n + 1) % NUMBER}")}'
        " for n in range(NUMBER)))"
    ).replace("NUMBER", str(number))


@pytest.mark.parametrize("number", [1, 2, 5, 6_000])
@pytest.mark.trap(
    "rows of one table that refer to each other in a circle", "written in two passes, the reference left NULL at first"
)
def test_a_circle_in_one_table(number: int, project: ProjectFactory, sql: Sql) -> None:
    sql(TREE)
    folder = project({"seeds/10_tree.py": seed(circle(number))})
    assert counts(dry_run(folder)) == (number, 0, 0, 0)
    report = applied(folder)
    assert counts(report) == (number, 0, 0, 0)
    (change, *_) = only(report).resources[0].changes.sample
    assert (change.after or {})["parent_id"] is Marker.KNOWN_AFTER_APPLY
    assert sql(
        "select count(*) from tree c join tree p on p.id = c.parent_id"
        f" where substr(p.code, 2)::int = (substr(c.code, 2)::int + 1) % {number}"
    ) == [(number,)]


@pytest.mark.parametrize("number", [1, 3_000], ids=["parameters", "staged"])
def test_a_row_that_is_there_joins_a_circle(number: int, project: ProjectFactory, sql: Sql) -> None:
    sql(TREE + "insert into tree (code, note) values ('c0', 'kept')")
    folder = project({"seeds/10_tree.py": seed(circle(2 * number))})
    assert counts(dry_run(folder)) == (2 * number - 1, 1, 0, 0)
    assert counts(applied(folder)) == (2 * number - 1, 1, 0, 0)
    assert sql("select note from tree where code = 'c0'") == [("kept",)]


def test_a_circle_through_a_changed_natural_key(project: ProjectFactory, sql: Sql) -> None:
    sql("create table n (id int primary key, code text unique, parent_id int references n)")
    sql("insert into n values (1, 'old')")
    rows = (
        'Rows("n", key="id", rows=[{"id": 1, "code": "new", "parent_id": ref("n", code="child")},'
        ' {"id": 2, "code": "child", "parent_id": ref("n", code="new")}])'
    )
    folder = project({"seeds/10_n.py": seed(rows)})
    assert counts(dry_run(folder)) == (1, 1, 0, 0)
    assert counts(applied(folder)) == (1, 1, 0, 0)
    assert sql("select * from n order by id") == [(1, "new", 2), (2, "child", 1)]


@pytest.mark.trap(
    "rows of one table in a circle of NOT NULL references", "written in one statement where their values are declared"
)
@pytest.mark.parametrize("natural_key", ["id", "code"])
@pytest.mark.parametrize("number", [2, 6_000], ids=["parameters", "staged"])
def test_a_circle_of_not_null_references_with_declared_values(
    number: int, natural_key: str, project: ProjectFactory, sql: Sql
) -> None:
    sql("create table n (id int primary key, code text unique, next_id int not null references n)")
    value = f"(n + 1) % {number}" if natural_key == "id" else f'f"c{{(n + 1) % {number}}}"'
    rows = (
        f'Rows("n", key="id", rows=({{"id": n, "code": f"c{{n}}", "next_id": ref("n", {natural_key}={value})}}'
        f" for n in range({number})))"
    )
    folder = project({"seeds/10_n.py": seed(rows)})
    assert counts(dry_run(folder)) == (number, 0, 0, 0)
    assert counts(applied(folder)) == (number, 0, 0, 0)
    assert sql(f"select count(*) from n where next_id = (id + 1) % {number}") == [(number,)]


def test_a_root_that_refers_to_itself_and_may_not_be_null_is_refused_where_its_id_is_not_declared(
    project: ProjectFactory, sql: Sql
) -> None:
    sql("create table n (id serial primary key, code text unique, parent_id int not null references n)")
    rows = 'Rows("n", key="code", rows=[{"code": "root", "parent_id": ref("n", code="root")}])'
    folder = project({"seeds/10_n.py": seed(rows)})
    told = error(apply(folder))
    assert told.startswith(
        "ref: rows:n row 1 (code=root): parent_id refers to a row that cannot be made before this one"
    )
    assert "let one of these columns be NULL for a moment (no NOT NULL), or make its foreign key deferrable" in told
    assert sql("select count(*) from n") == [(0,)]


# Between tables

TEAMS = """
create table teams (id serial primary key, name text unique not null, head_id int{0});
create table people (id serial primary key, name text unique not null, team_id int not null references teams);
alter table teams add foreign key (head_id) references people{1};
"""


def teams(number: int) -> str:
    return (
        'Rows("teams", key="name", rows=({"name": f"t{n}", "head_id": ref("people", name=f"p{n}")}'
        f" for n in range({number})))"
    )


def people(number: int) -> str:
    return (
        'Rows("people", key="name", rows=({"name": f"p{n}", "team_id": ref("teams", name=f"t{n}")}'
        f" for n in range({number})))"
    )


@pytest.mark.parametrize("number", [2, 6_000], ids=["parameters", "staged"])
@pytest.mark.parametrize("first", ["teams", "people"])
@pytest.mark.trap(
    "tables that refer to each other",
    "written in the order that the references allow; a column that may be NULL is filled in a second pass",
)
def test_tables_that_refer_to_each_other(first: str, number: int, project: ProjectFactory, sql: Sql) -> None:
    sql(TEAMS.format("", ""))
    both = [teams(number), people(number)]
    folder = project({"seeds/10_x.py": seed(*(both if first == "teams" else reversed(both)))})
    planned = dry_run(folder)
    assert counts(planned) == (2 * number, 0, 0, 0)
    assert all(
        Marker.KNOWN_AFTER_APPLY in (change.after or {}).values()
        for resource in only(planned).resources
        for change in resource.changes.sample
    )
    assert counts(applied(folder)) == (2 * number, 0, 0, 0)
    assert sql("select count(*) from people p join teams t on t.id = p.team_id and t.head_id = p.id") == [(number,)]


@pytest.mark.parametrize("number", [2, 6_000], ids=["parameters", "staged"])
@pytest.mark.trap(
    "tables that refer to each other, no column of which may be NULL",
    "written where a foreign key is deferrable and the value it refers to is declared; else refused, naming the rows",
)
def test_tables_that_refer_to_each_other_and_may_not_be_null(number: int, project: ProjectFactory, sql: Sql) -> None:
    sql(TEAMS.format(" not null", " deferrable"))
    with_ids = (
        teams(number).replace('{"name"', '{"id": n + 1, "name"'),
        people(number).replace('{"name"', '{"id": n + 1, "name"'),
    )
    folder = project({"seeds/10_x.py": seed(*with_ids)})
    assert counts(dry_run(folder)) == (2 * number, 2, 0, 0)
    assert counts(applied(folder)) == (2 * number, 2, 0, 0)  # two sequences follow the declared ids
    assert sql("select count(*) from people p join teams t on t.id = p.team_id and t.head_id = p.id") == [(number,)]


@pytest.mark.parametrize("deferrable", ["", " deferrable"])
def test_a_circle_that_has_no_first_row_names_its_rows(deferrable: str, project: ProjectFactory, sql: Sql) -> None:
    sql(TEAMS.format(" not null", deferrable))
    folder = project({"seeds/10_x.py": seed(teams(2), people(2))})
    told = error(apply(folder))
    assert "ref: rows:teams row 1 (name=t0): head_id refers to a row that cannot be made before this one" in told
    assert "with rows:people row 1 (name=p0): team_id" in told
    assert "make its foreign key deferrable and declare the value" in told
    assert "\n" not in told
    assert sql("select (select count(*) from people), (select count(*) from teams)") == [(0, 0)]


def test_a_resource_may_refer_to_a_later_one(project: ProjectFactory, sql: Sql) -> None:
    sql(TEAMS.format("", ""))
    single = 'Rows("teams", key="name", rows=[{"name": "t0"}, {"name": "t1"}])'
    folder = project({"seeds/10_x.py": seed(people(2), single)})
    assert counts(applied(folder)) == (4, 0, 0, 0)


@pytest.mark.parametrize("run", [dry_run, apply, verify], ids=["dry_run", "apply", "verify"])
@pytest.mark.trap(
    "a reference to a row of a later seed", "an error that names the reference and says where to declare it"
)
def test_a_later_seed_is_too_late(run: Run, project: ProjectFactory, sql: Sql) -> None:
    sql(TEAMS.format("", ""))
    folder = project(
        {"seeds/10_x.py": seed(people(1)), "seeds/20_y.py": seed('Rows("teams", key="name", rows=[{"name": "t0"}])')}
    )
    told = error(run(folder))
    assert told == (
        "ref: rows:people row 1: no row of teams has name='t0'"
        " (declare that row in this seed or an earlier one, or correct the reference)"
    )


def test_circles_in_a_file_and_in_what_is_written_once(project: ProjectFactory, sql: Sql) -> None:
    sql(TREE)
    rows = 'Rows("tree", key="code", file="t.csv", initial={}, refs={"parent_id": ref("tree", code=column("up"))})'
    folder = project({"seeds/10_x.py": seed(rows), "seeds/t.csv": "code,up\na,b\nb,c\nc,a\n"})
    for arguments in ("initial={}", 'initial=["parent_id"]', 'mode="insert"'):
        folder.write({"seeds/10_x.py": seed(rows.replace("initial={}", arguments))})
        assert counts(applied(folder)) == (3, 0, 0, 0)
        assert sql("select c.code, p.code from tree c join tree p on p.id = c.parent_id order by 1") == [
            ("a", "b"),
            ("b", "c"),
            ("c", "a"),
        ]
        sql("truncate tree")


def test_initial_references_of_rows_that_are_there_are_left_alone(project: ProjectFactory, sql: Sql) -> None:
    sql(TREE + "insert into tree (code, note) values ('a', 'old')")
    rows = (
        'Rows("tree", key="code", initial=["parent_id"], rows=[{"code": "a", "parent_id": ref("tree", code="b"), "note": "new"},'
        ' {"code": "b", "parent_id": ref("tree", code="a"), "note": "new"}])'
    )
    applied(project({"seeds/10_x.py": seed(rows)}))
    assert sql("select c.code, c.note, p.code from tree c left join tree p on p.id = c.parent_id order by 1") == [
        ("a", "new", None),
        ("b", "new", "a"),
    ]


def test_a_row_of_a_circle_that_a_constraint_refuses_is_named(project: ProjectFactory, sql: Sql) -> None:
    sql(TREE + "alter table tree add constraint no_two check (code <> 'c1' or parent_id is null)")
    told = error(apply(project({"seeds/10_tree.py": seed(circle(3))})))
    assert told.startswith("constraint: rows:tree row 2 (code=c1): the check constraint no_two refused a row")


def test_a_parent_that_a_trigger_swallows_is_no_circle(project: ProjectFactory, sql: Sql) -> None:
    sql(TEAMS.format("", ""))
    sql(
        "create function nothing() returns trigger language plpgsql as 'begin return null; end';"
        " create trigger swallow before insert on teams for each row execute function nothing()"
    )
    folder = project({"seeds/10_x.py": seed(people(1), 'Rows("teams", key="name", rows=[{"name": "t0"}])')})
    told = error(apply(folder))
    assert told == (
        "ref: rows:people row 1 (name=p0): ref to teams(name) matches no row, though it was declared and written"
        " (look for a trigger or a rule that swallows that row or rewrites its key)"
    )


@pytest.mark.parametrize("number", [3, 6_000], ids=["parameters", "staged"])
@pytest.mark.parametrize("order", ["parents first", "children first"])
@pytest.mark.trap("a reference whose row the same run gives another natural key", "followed; the rows count as updated")
def test_rows_whose_reference_moved_in_the_same_run_count(
    order: str, number: int, project: ProjectFactory, sql: Sql
) -> None:
    sql("create table p (id int primary key, code text unique deferrable)")
    sql("create table c (code text primary key, p_id int references p)")

    def both(first: str, second: str) -> str:
        parents = f'Rows("p", key="id", rows=[{{"id": 1, "code": "{first}"}}, {{"id": 2, "code": "{second}"}}])'
        children = (
            f'Rows("c", key="code", rows=({{"code": str(n), "p_id": ref("p", code="a")}} for n in range({number})))'
        )
        return seed(*([parents, children] if order == "parents first" else [children, parents]))

    folder = project({"seeds/10_x.py": both("a", "b")})
    applied(folder)
    folder.write({"seeds/10_x.py": both("b", "a")})
    report = applied(folder)
    assert counts(report) == (0, number + 2, 0, 0)
    assert [resource.verdict for resource in only(report).resources] == [Verdict.PENDING, Verdict.PENDING]
    assert sql("select distinct p_id from c") == [(2,)]
