"""The whole of pycountry, parts of it, other tables than the usual ones, and what is told of slips."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, cast

import pycountry
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seedframe.report import Report
from seedframe.resources.values import Ref
from seedframe.testing import Database, SeedRunner, assert_converges
from seedframe_iso.groups import GROUPS, Group
from seedframe_iso.seed import OPTIONS

HERE = Path(__file__).resolve().parent.parent
TABLES = (HERE / "src" / "seedframe_iso" / "tables.sql").read_text(encoding="utf-8")
README = (HERE / "README.md").read_text(encoding="utf-8")

(VERSION,) = re.findall(r"Numbers are those of pycountry (\d[\d.]+\d)", README)
numbered = pytest.mark.skipif(
    pycountry.__version__ != VERSION, reason=f"the README's numbers are of pycountry {VERSION}"
)

DEFAULTS: Mapping[str, Any] = {
    option.name: option.read(option.default) for option in OPTIONS if option.default is not None
}
CONFIG = {**dict.fromkeys((option.name for option in OPTIONS), None), **DEFAULTS}

Say: TypeAlias = Callable[..., SeedRunner]


@pytest.fixture
def database(seedframe_database: Database) -> Database:
    """The database of the test."""
    return seedframe_database


@pytest.fixture
def say(seedframe_project: SeedRunner) -> Say:
    """A project that allows the plugin and says this in `[seeds.iso]`."""

    def say(said: str = "") -> SeedRunner:
        text = f'[project]\nname = "iso"\n\n[plugins]\nallow = ["seedframe-iso"]\n\n[seeds.iso]\n{said}\n'
        seedframe_project.write({"seedframe.toml": text})
        return seedframe_project

    return say


def applied(project: SeedRunner) -> Report:
    """Apply, which must succeed; then verify, which must find nothing; the report of the first."""
    report = project.apply()
    assert report.exit_code == 0, report.as_dict()
    checked = project.verify()
    assert checked.exit_code == 0, checked.as_dict()
    return report


def two_letters() -> list[str]:
    """The codes of ISO 639-1."""
    return [language.alpha_2 for language in pycountry.languages if hasattr(language, "alpha_2")]


def error(report: Report) -> str:
    """The error of the seed."""
    (outcome,) = report.seeds
    assert outcome.error is not None
    return str(outcome.error)


# What is seeded


def test_it_converges(database: Database) -> None:
    some = {"include": [*GROUPS], "countries": ["AI", "FR", "GB"], "two_letter_languages": True}
    assert_converges("iso", database=database, tables=TABLES, config={"seeds": {"iso": some}}).require_complete()


def test_all_of_it_is_seeded_and_what_is_changed_by_hand_is_found_and_restored(say: Say, database: Database) -> None:
    database.execute(TABLES)
    project = say(f"include = {[*GROUPS]}")
    report = applied(project)
    assert report.summary.create == sum(
        len(part)
        for part in (
            pycountry.countries,
            pycountry.subdivisions,
            pycountry.currencies,
            pycountry.languages,
            pycountry.historic_countries,
        )
    )
    stored = database.rows(
        "select s.code, p.code, c.alpha_2 from subdivisions s join countries c on c.id = s.country_id"
        " left join subdivisions p on p.id = s.parent_id"
    )
    parents = {code: parent for code, parent, _ in stored}
    assert parents == {one.code: one.parent_code for one in pycountry.subdivisions}
    assert all(code.startswith(f"{country}-") for code, _, country in stored)
    assert any(parents[parent] for parent in parents.values() if parent), "there is one level of parents only"
    assert database.rows(
        "select alpha_3, numeric_code, name, common_name, flag from countries where alpha_2 = 'BO'"
    ) == [("BOL", "068", "Bolivia, Plurinational State of", "Bolivia", "🇧🇴")]
    assert database.rows("select alpha_2, name, scope, type from languages where alpha_3 = 'deu'") == [
        ("de", "German", "I", "L")
    ]
    assert database.rows("select numeric_code from currencies where alpha_3 = 'ALL'") == [("008",)]
    assert database.rows("select alpha_2, withdrawal_date from historic_countries where alpha_4 = 'SUHH'") == [
        ("SU", "1992-08-30")
    ]

    assert project.apply().summary.changed == 0
    database.execute(
        "update subdivisions set parent_id = (select id from subdivisions where code = 'GB-WLS') where code = 'GB-LND'"
    )
    database.execute(
        "update countries set name = 'Berzerkistan' where alpha_2 = 'DE'; delete from languages where alpha_3 = 'cho'"
    )
    assert project.verify().exit_code == 2
    restored = applied(project).summary
    assert (restored.create, restored.update, restored.delete) == (1, 2, 0)
    assert database.rows(
        "select p.code from subdivisions s join subdivisions p on p.id = s.parent_id where s.code = 'GB-LND'"
    ) == [("GB-ENG",)]


def test_historic_countries_are_left_out_unless_asked_for(say: Say, database: Database) -> None:
    database.execute(TABLES)
    database.execute("drop table historic_countries")
    applied(say('two_letter_languages = true\ncountries = ["AI", "BY"]'))
    assert database.rows("select alpha_2, name from countries order by 1") == [("AI", "Anguilla"), ("BY", "Belarus")]


def test_groups_may_be_limited_to_some_codes(say: Say, database: Database) -> None:
    database.execute(TABLES)
    applied(say('countries = ["US", "CA"]\ncurrencies = ["USD"]\nlanguages = ["en", "cho"]'))
    assert database.rows("select alpha_2 from countries order by 1") == [("CA",), ("US",)]
    assert database.rows("select distinct left(code, 2) from subdivisions order by 1") == [("CA",), ("US",)]
    assert database.rows("select alpha_3 from currencies") == [("USD",)]
    assert database.rows("select alpha_3, alpha_2 from languages order by 1") == [("cho", None), ("eng", "en")]


def test_languages_may_be_those_with_two_letters(say: Say, database: Database) -> None:
    database.execute(TABLES)
    applied(say('include = ["languages"]\ntwo_letter_languages = true'))
    assert database.rows("select alpha_2 from languages order by 1") == [(code,) for code in sorted(two_letters())]


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sets(st.sampled_from(["AI", "FR", "GB", "PS", "US"]), min_size=1), min_size=1, max_size=3))
def test_with_prune_the_last_choice_is_what_is_there(say: Say, database: Database, steps: list[set[str]]) -> None:
    database.execute(
        f"drop schema public cascade; create schema public; drop schema if exists seedframe cascade; {TABLES}"
    )
    for codes in steps:
        applied(say(f'include = ["subdivisions", "countries"]\nprune = true\ncountries = {sorted(codes)}'))
        assert {code for (code,) in database.rows("select alpha_2 from countries")} == codes
        assert {code for (code,) in database.rows("select code from subdivisions")} == {
            one.code for one in pycountry.subdivisions if one.country_code in codes
        }


def test_without_prune_what_is_left_out_later_stays(say: Say, database: Database) -> None:
    database.execute(TABLES)
    applied(say('include = ["countries"]\ncountries = ["US", "CA"]'))
    applied(say('include = ["countries"]\ncountries = ["CA"]'))
    assert database.rows("select count(*) from countries") == [(2,)]


@pytest.fixture
def retired(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[str, str]]:
    """Give a group the data of an ISO before today's: one row has another key, and all that is its successor's today.
    Both keys, the retired one first."""

    def retire(name: str) -> tuple[str, str]:
        group = GROUPS[name]
        fullest = max(group.rows(CONFIG), key=lambda row: sum(value is not None for value in row.values()))
        old = {"countries": "QQ", "subdivisions": "QQ-X", "currencies": "QQQ", "languages": "qqq"}.get(name, "QQQQ")

        def before(config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
            for row in group.rows(config):
                yield {**row, group.key: old} if row == fullest else row

        monkeypatch.setitem(cast("dict[str, Group]", GROUPS), name, replace(group, rows=before))
        return old, str(fullest[group.key])

    return retire


@pytest.mark.parametrize("name", GROUPS)
def test_what_iso_retires_stays_beside_its_successor(
    name: str,
    say: Say,
    database: Database,
    retired: Callable[[str], tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database.execute(TABLES)
    key = GROUPS[name].key
    old, new = retired(name)
    said = f"include = {['countries', name] if name == 'subdivisions' else [name]}\ntwo_letter_languages = true"
    project = say(said)
    applied(project)
    monkeypatch.undo()
    upgraded = applied(project)
    assert (upgraded.summary.create, upgraded.summary.changed) == (1, 1)
    assert "1 row that was declared at the last apply is declared no more" in str(upgraded.as_dict())
    assert database.rows(f"select {key} from {name} where {key} in ('{old}', '{new}') order by 1") == sorted(
        [(old,), (new,)]
    )


def test_with_prune_what_iso_retires_makes_room_for_its_successor(
    say: Say,
    database: Database,
    retired: Callable[[str], tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database.execute(f"{TABLES}; alter table currencies add unique (numeric_code)")
    old, _ = retired("currencies")
    project = say('include = ["currencies"]\nprune = true')
    applied(project)
    monkeypatch.undo()
    upgraded = applied(project).summary
    assert (upgraded.create, upgraded.update, upgraded.delete) == (1, 0, 1)
    assert database.rows(f"select from currencies where alpha_3 = '{old}'") == []


def test_initial_columns_are_the_operators(say: Say, database: Database) -> None:
    database.execute(TABLES)
    project = say('include = ["countries"]\ninitial = ["countries.name"]')
    applied(project)
    database.execute("update countries set name = 'Bolivia' where alpha_2 = 'BO'")
    assert project.verify().exit_code == 0
    assert project.apply().summary.changed == 0


# Other tables


def test_tables_may_lack_columns_have_more_and_have_other_names(say: Say, database: Database) -> None:
    database.execute(
        "create schema geo;"
        "create table geo.nations (id serial primary key, alpha_2 char(2) unique, name varchar(80), capital text);"
        "create table geo.parts (code text primary key, name text, country_id int references geo.nations,"
        " parent_id text references geo.parts)"
    )
    said = (
        'include = ["countries", "subdivisions"]\ncountries_table = "geo.nations"\nsubdivisions_table = "geo.parts"\n'
        'omit = ["countries.alpha_3", "countries.numeric_code", "countries.common_name", "countries.official_name",'
        ' "countries.flag", "subdivisions.type"]'
    )
    project = say(said)
    applied(project)
    (seed,) = project.load().seeds
    assert {"geo.nations", "geo.parts"} <= {*seed.writes}
    assert not {"countries", "subdivisions"} & {*seed.writes}
    assert database.rows("select count(*) from geo.parts") == [(len(pycountry.subdivisions),)]


def test_foreign_keys_may_hold_codes(say: Say, database: Database) -> None:
    database.execute(
        "create table countries (alpha_2 char(2) primary key);"
        "create table subdivisions (code text primary key, name text, type text,"
        " country_id char(2) references countries, parent_id text references subdivisions)"
    )
    others = [f"countries.{column}" for column in GROUPS["countries"].columns if column != "alpha_2"]
    applied(say(f'include = ["countries", "subdivisions"]\ncountries = ["GB"]\nomit = {others}'))
    assert database.rows("select country_id, parent_id from subdivisions where code = 'GB-LND'") == [("GB", "GB-ENG")]


def test_a_view_gives_columns_other_names(say: Say, database: Database) -> None:
    database.execute(
        "create table money (code text primary key, number text, title text);"
        "create view currencies as select code as alpha_3, number as numeric_code, title as name from money"
    )
    applied(say('include = ["currencies"]'))
    assert database.rows("select number, title from money where code = 'EUR'") == [("978", "Euro")]


def test_subdivisions_may_be_of_countries_that_are_there_already(say: Say, database: Database) -> None:
    database.execute(TABLES)
    project = say('include = ["subdivisions"]\ncountries = ["MT"]')
    assert "MT" in error(project.apply())
    database.execute(
        "insert into countries (alpha_2, alpha_3, numeric_code, name, flag) values ('MT', 'MLT', '470', 'Malta', '')"
    )
    applied(project)


# What is told


def test_what_the_tables_lack_is_told_with_the_ways_out(say: Say, database: Database) -> None:
    project = say('include = ["countries", "languages"]')
    told = error(project.apply())
    assert "2 tables do not exist: public.countries, public.languages" in told
    assert "python -m seedframe_iso" in told
    database.execute(TABLES)
    database.execute("alter table countries drop flag, drop official_name; alter table languages drop scope")
    told = error(project.apply())
    assert "table public.countries has no columns 'official_name', 'flag'" in told
    assert "table public.languages has no column 'scope'" in told
    assert "(omit)" in told
    applied(
        say(
            'include = ["countries", "languages"]\n'
            'omit = ["countries.flag", "countries.official_name", "languages.scope"]'
        )
    )


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('include = ["country"]', "did you mean 'countries'?"),
        ('countries = ["USA"]', "write 'US'"),
        ('countries = ["us"]', "write 'US'"),
        ('countries = ["XX"]', "'XX' is no code of a country"),
        ("countries = []", "it names none"),
        ('currencies = ["$"]', "'$' is no code of a currency"),
        ('languages = ["English"]', "write 'eng'"),
        ('languages = ["xx"]', "'xx' is no code of a language"),
        ('omit = ["countries.flags"]', "did you mean 'flag'?"),
        ('omit = ["currencies.alpha_3"]', "identifies the rows"),
        ('omit = ["currencies.x"]', "currencies have no 'x': there are numeric_code, name"),
        ('initial = ["flag"]', "such as 'countries.flag'"),
        ('omitt = ["countries.flag"]', "did you mean 'omit'?"),
    ],
)
def test_a_slip_in_the_settings_is_told(say: Say, said: str, told: str) -> None:
    (seed,) = say(said).load().seeds
    assert seed.broken is not None
    assert told in str(seed.broken)


# What the package says of itself


@pytest.mark.parametrize("name", GROUPS)
def test_the_rows_of_a_group_have_its_columns_and_a_unique_key(name: str) -> None:
    group = GROUPS[name]
    rows = list(group.rows(CONFIG))
    assert {tuple(row) for row in rows} == {group.columns}
    assert len({row[group.key] for row in rows}) == len(rows) > 30
    for column in group.columns:
        assert any(row[column] is not None for row in rows), column
        assert all(isinstance(row[column], str | Ref | None) for row in rows), column


def test_nothing_of_pycountry_is_read_to_declare_the_rows() -> None:
    script = (
        "import sys\nfrom seedframe_iso.seed import OPTIONS, resources\n"
        "config = {one.name: None if one.default is None else one.read(one.default) for one in OPTIONS}\n"
        "assert len(list(resources(config))) == 5\nassert 'pycountry' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.fixture
def of_the_readme(seedframe_project: SeedRunner) -> dict[str, str]:
    """The README's files by name, of which seedframe.toml is written; the tables are made."""
    more = "create table pharmacies (code text, country_id int references countries, province_id int"
    seedframe_project.database.execute(f"{TABLES} {more} references subdivisions, primary key (code))")
    files = dict(re.findall(r"^```(?:toml|python)\n# (\S+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL))
    seedframe_project.write({"seedframe.toml": files["seedframe.toml"]})
    return files


@numbered
@pytest.mark.usefixtures("of_the_readme")
def test_the_readme_shows_what_happens(seedframe_project: SeedRunner) -> None:
    done = seedframe_project.run("apply")
    assert done.exit_code == 0, str(done)
    (shown,) = re.findall(r"^\$ seedframe apply\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    happened = _timeless(done.stdout)
    for line in shown.splitlines()[1:]:
        if line != "…":
            assert _timeless(line.removesuffix("…")) in happened


def test_the_readmes_own_seed_refers_to_the_rows(of_the_readme: dict[str, str], seedframe_project: SeedRunner) -> None:
    seedframe_project.write(of_the_readme)
    applied(seedframe_project)
    assert seedframe_project.database.rows(
        "select s.code from pharmacies join subdivisions s on s.id = province_id"
    ) == [("CA-QC",)]


def _timeless(text: str) -> str:
    return re.sub(r"\d\.\d\ds", "…s", text)


def test_the_tables_are_shown_by_the_module_and_the_readme() -> None:
    shown = subprocess.run([sys.executable, "-m", "seedframe_iso"], check=True, capture_output=True)
    assert shown.stdout.decode("ascii") == TABLES
    assert TABLES in README


def test_the_tables_can_be_made_twice(database: Database) -> None:
    """Many migrations run each SQL file every time."""
    database.execute(TABLES)
    before = database.rows("select indexname from pg_indexes where schemaname = 'public' order by 1")
    database.execute(TABLES)
    assert database.rows("select indexname from pg_indexes where schemaname = 'public' order by 1") == before


def test_the_readme_has_every_option_and_its_default() -> None:
    rows = dict(re.findall(r"^\| (`.+?`.*?) \| (.*?) \|", README, re.MULTILINE))
    tables = rows.pop("`countries_table` … `historic_countries_table`")
    assert tables == "the group's name"
    named = [option for option in OPTIONS if not option.table]
    assert list(rows) == [f"`{option.name}`" for option in named]
    for option in named:
        if option.default is not None:
            assert (
                rows[f"`{option.name}`"] == "`" + str(option.default).replace("'", '"').replace("False", "false") + "`"
            )
    assert {option.name for option in OPTIONS if option.table} == {f"{name}_table" for name in GROUPS}


@numbered
def test_the_numbers_of_the_readme() -> None:
    assert f"all {len(pycountry.countries)}" in README
    assert f"all {len(pycountry.currencies)}" in README
    assert f"all {len(pycountry.languages):,}" in README
    assert f"the {len(two_letters())} languages" in README
