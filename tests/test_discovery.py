"""Discovery: the seeds folder and installed plugins; nothing is imported that is not allowed."""

import sys
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from seedframe.errors import DiscoveryError, HookMistake, NoSeeds, RequirementMissing, SeedImportFailed
from seedframe.options import Selection
from seedframe.plugins.installed import judge, parse_allow
from seedframe.project import Project
from seedframe.seeding.hooks import call
from tests.conftest import Cli, Install

CONFIG = '[project]\nname = "shop"\n'
SEED = "def verify(): pass\n"

Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Write:
    """`folder({"seeds/10_a.py": "…"}, config="…")`: a project's folder."""

    def folder(files: Mapping[str, str], *, config: str = CONFIG, name: str = "project") -> Path:
        root = tmp_path / name
        for file, text in {"seedframe.toml": config, **files}.items():
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).write_text(text, encoding="utf-8")
        return root

    return folder


def problems(project: Project) -> list[str]:
    return [str(error) for error in project.problems]


def broken(project: Project) -> dict[str, str]:
    return {seed.label: str(seed.broken) for seed in project.seeds if seed.broken is not None}


# -------------------------------------------------------------------------
# The seeds folder
# -------------------------------------------------------------------------


def test_modules_and_packages_are_seeds_in_numeric_order(folder: Write) -> None:
    root = folder(
        {
            "seeds/100_last.py": SEED,
            "seeds/9_first.py": '"""What comes first.\n\nMore."""\n' + SEED,
            "seeds/10_second/__init__.py": "from . import parts\ndef verify(): yield parts.WORD\n",
            "seeds/10_second/parts.py": "WORD = 'from a part'\n",
        }
    )
    project = Project.load(root)
    assert [seed.label for seed in project.seeds] == ["9_first", "10_second", "100_last"]
    assert [seed.name for seed in project.seeds] == ["first", "second", "last"]
    assert [seed.number for seed in project.seeds] == [9, 10, 100]
    assert [seed.origin for seed in project.seeds] == [
        "seeds/9_first.py",
        "seeds/10_second/__init__.py",
        "seeds/100_last.py",
    ]
    assert project.seeds[0].files == root / "seeds"
    assert project.seeds[1].files == root / "seeds/10_second"
    assert project.seeds[0].doc == "What comes first."
    found = call(project.seeds[1], project.plugins, "verify", db=None, env="", settings={})
    assert [finding.text for finding in found] == ["from a part"]
    assert problems(project) == []


def test_constants_and_configuration_reach_the_seed(folder: Write) -> None:
    root = folder(
        {
            "seeds/00_core.py": SEED,
            "seeds/10_a.py": "from seedframe import Setting\nREQUIRES = ['core']\nTAGS = ['x', 'y']\nCRITICAL = False\n"
            "ENVIRONMENTS = ['staging']\nSETTINGS = [Setting('SEED_X')]\n" + SEED,
            "seeds/20_b.py": "ENVIRONMENTS = ['staging']\n" + SEED,
        },
        config=CONFIG + "[seeds.b]\norder = 5\nenabled = false\nenvironments = ['production']\nown = {deep = 1}\n",
    )
    core, b, a = Project.load(root).seeds
    assert a.requires == ("core",)
    assert a.tags == {"x", "y"}
    assert a.environments == frozenset({"staging"})
    assert not a.critical
    assert [setting.name for setting in a.settings] == ["SEED_X"]
    assert (b.number, b.label, b.enabled) == (5, "20_b", False)
    assert b.environments == frozenset({"production"})
    assert b.config == {"own": {"deep": 1}}
    assert (core.requires, core.critical, core.environments, core.enabled) == ((), True, None, True)
    assert not core.tags
    assert not core.config


def test_helpers_are_imported_by_the_dot(folder: Write) -> None:
    root = folder(
        {
            "seeds/10_a.py": "from . import _one\nfrom ._two import word\ndef verify(): yield _one.WORD; yield word\n",
            "seeds/_one.py": "WORD = 'one'\n",
            "seeds/_two/__init__.py": "from .._one import WORD\nword = WORD + ' and two'\n",
        }
    )
    project = Project.load(root)
    assert broken(project) == {}
    found = call(project.seeds[0], project.plugins, "verify", db=None, env="", settings={})
    assert [finding.text for finding in found] == ["one", "one and two"]


def test_two_projects_in_one_process_do_not_collide(folder: Write) -> None:
    def files(word: str) -> dict[str, str]:
        return {
            "seeds/10_a.py": "from ._shared import WORD\ndef verify(): yield WORD\n",
            "seeds/_shared.py": f"WORD = {word!r}\n",
        }

    before = list(sys.path)
    projects = [Project.load(folder(files(name), name=name)) for name in ("left", "right")]
    said = [
        call(project.seeds[0], project.plugins, "verify", db=None, env="", settings={})[0].text for project in projects
    ]
    assert said == ["left", "right"]
    assert sys.path == before


def test_an_edit_counts_at_once_and_no_bytecode_is_left(folder: Write) -> None:
    """Same size, same second: where Python would trust its cache."""
    for price in ("249", "299"):
        root = folder(
            {
                "seeds/10_a.py": f"from . import _b\ndef verify(): yield '{price} ' + _b.PRICE\n",
                "seeds/_b.py": f"PRICE = '{price}'\n",
            }
        )
        project = Project.load(root)
        found = call(project.seeds[0], project.plugins, "verify", db=None, env="", settings={})
        assert [finding.text for finding in found] == [f"{price} {price}"]
    assert not list(root.rglob("__pycache__"))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("foo.py", "call it 10_foo.py, or _foo.py if it is a helper"),
        ("1-foo.py", "call it 1_foo.py, or _foo.py if it is a helper"),
        ("20reference.py", "call it 20_reference.py, or _reference.py if it is a helper"),
        ("20_2fa.py", "call it 20_x2fa.py, or _2fa.py if it is a helper"),
        ("20_.py", "call it 20_name.py, or _name.py if it is a helper"),
        ("shop/__init__.py", "call it 10_shop, or _shop if it is a helper"),
        ("30_parts/one.py", "add one with the hooks in it"),
    ],
)
def test_code_that_is_neither_seed_nor_helper_is_named(folder: Write, name: str, hint: str) -> None:
    project = Project.load(folder({"seeds/10_a.py": SEED, f"seeds/{name}": "raise RuntimeError('not imported')\n"}))
    assert [seed.label for seed in project.seeds] == ["10_a"]
    (problem,) = project.problems
    assert problem.where == f"seeds/{name.partition('/')[0]}"
    assert problem.hint == hint
    with pytest.raises(DiscoveryError):
        project.choose()


LEADS_NOWHERE = ("a link that leads to no file", "make it lead to one, or remove it")


@pytest.mark.parametrize(
    ("name", "to", "told"),
    [
        ("seeds/20_b.py", "nowhere", LEADS_NOWHERE),
        ("seeds/20_b.py", "20_b.py", LEADS_NOWHERE),
        ("seeds/prices.py", "nowhere", LEADS_NOWHERE),
        ("seeds/20_b/__init__.py", "nowhere", LEADS_NOWHERE),
        ("seeds/20_b.py", "/dev/null", ("called as a seed is, and no file", "a seed is a file of Python")),
    ],
)
def test_a_link_that_leads_to_no_file_is_not_to_be_called_otherwise(
    folder: Write, name: str, to: str, told: tuple[str, str]
) -> None:
    root = folder({"seeds/10_a.py": SEED, "seeds/20_b/_more.py": ""})
    (root / name).symlink_to(to)
    problems = {problem.where: (problem.message, problem.hint) for problem in Project.load(root).problems}
    assert problems[name] == told


def test_what_is_no_code_of_ours_is_left_alone(folder: Write) -> None:
    project = Project.load(
        folder(
            {
                "seeds/10_a.py": SEED,
                "seeds/10_a/rows.csv": "a\n",
                "seeds/data/20_x.py": "raise RuntimeError('not imported')\n",
                "seeds/30_data/x.csv": "a\n",
                "seeds/_helper.py": "raise RuntimeError('not imported')\n",
                "seeds/.#10_a.py": "raise RuntimeError('not imported')\n",
                "seeds/10_b.py~": "raise RuntimeError('not imported')\n",
                "seeds/README.md": "",
            }
        )
    )
    assert [seed.label for seed in project.seeds] == ["10_a"]
    assert problems(project) == []


BROKEN = {
    "a syntax error": ("x = 1\ndef verify(:\n", "seeds/10_a.py:2: *SyntaxError: invalid syntax*"),
    "an exception": ("\n\nraise ValueError('no luck')\n", "seeds/10_a.py:3: *ValueError: no luck*"),
    "a missing package": (
        "import no_such_package.deep\n",
        "seeds/10_a.py:1: *No module named 'no_such_package'*is 'no_such_package' installed in this environment[?]*",
    ),
    "an exit": ("import sys\nsys.exit(0)\n", "seeds/10_a.py:2: calls sys.exit() while it is imported"),
    "an own BaseException": ("class Stop(BaseException): pass\nraise Stop('x')\n", "seeds/10_a.py:2: *Stop: x*"),
    "a missing helper": ("from . import _nobody\n", "seeds/10_a.py:1: *ImportError: cannot import name '_nobody'*"),
    "a helper that fails": ("from . import _bad\n", "seeds/_bad.py:2: *ZeroDivisionError*"),
    "a helper that does not parse": ("from . import _worse\n", "seeds/_worse.py:1: *SyntaxError*"),
    "a null byte": ("x = '\0'\n", "*null byte*"),
    "a wrong encoding": ("# coding: nonsense\n", "*SyntaxError*nonsense*"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_seed_that_cannot_be_imported_is_kept_with_its_place(folder: Write, case: str) -> None:
    text, expected = BROKEN[case]
    helpers = {"seeds/_bad.py": "\n1 / 0\n", "seeds/_worse.py": "def\n"}
    project = Project.load(folder({"seeds/10_a.py": text, "seeds/20_b.py": SEED, **helpers}))
    a, b = project.seeds
    assert isinstance(a.broken, SeedImportFailed)
    assert fnmatchcase(str(a.broken), expected)
    assert a.plugin is None
    assert b.broken is None
    assert problems(project) == []


def test_a_broken_seed_stands_in_the_way_only_where_it_counts(folder: Write) -> None:
    config = CONFIG + "[seeds.c]\nenabled = false\n"
    bad = {"seeds/10_a.py": "1 / 0\n", "seeds/20_b.py": SEED, "seeds/30_c.py": "1 / 0\n"}
    project = Project.load(folder(bad, config=config))
    assert [seed.name for seed in project.choose(Selection(names=("b",)))] == ["b"]
    with pytest.raises(SeedImportFailed):
        project.choose(Selection(names=("a",)))
    with pytest.raises(SeedImportFailed):
        project.choose()
    with pytest.raises(SeedImportFailed):
        project.choose(Selection(names=("b",)), all_usable=True)


def test_all_that_stands_in_the_way_is_told_at_once(folder: Write) -> None:
    project = Project.load(folder({"seeds/10_a.py": "1 / 0\n", "seeds/20_b.py": "def resource(): pass\n"}))
    with pytest.raises(DiscoveryError) as caught:
        project.choose()
    assert [problem.code for problem in caught.value.problems] == ["seed_import", "hook"]


def test_an_interruption_while_importing_is_one(folder: Write) -> None:
    with pytest.raises(KeyboardInterrupt):
        Project.load(folder({"seeds/10_a.py": "raise KeyboardInterrupt\n"}))


def test_two_seeds_of_one_name_are_both_broken(folder: Write) -> None:
    project = Project.load(folder({"seeds/10_a.py": SEED, "seeds/20_a.py": SEED, "seeds/30_b.py": SEED}))
    expected = "2 seeds are called 'a': seeds/10_a.py and seeds/20_a.py"
    assert [seed.broken and seed.broken.message for seed in project.seeds] == [expected, expected, None]


def test_a_requirement_that_comes_later_breaks_its_seed(folder: Write) -> None:
    files = {"seeds/10_a.py": "REQUIRES = ['b']\n" + SEED, "seeds/20_b.py": SEED}
    project = Project.load(folder(files))
    assert isinstance(project.seeds[0].broken, RequirementMissing)
    fixed = Project.load(folder(files, config=CONFIG + "[seeds.a]\norder = 30\n"))
    assert [seed.name for seed in fixed.seeds] == ["b", "a"]
    assert broken(fixed) == {}


@pytest.mark.parametrize(
    ("table", "hint"),
    [
        ("refrence", "did you mean 'reference'?"),
        ("20_reference", "write [seeds.reference]"),
        ("x", "the seeds are reference; if a plugin had it, install that again, or take this table out"),
    ],
)
def test_a_table_for_a_seed_that_is_not_there(folder: Write, table: str, hint: str) -> None:
    project = Project.load(folder({"seeds/20_reference.py": SEED}, config=CONFIG + f"[seeds.{table}]\nx = 1\n"))
    (problem,) = project.problems
    assert (problem.message, problem.hint) == (f"no seed is called {table!r}", hint)
    assert problem.where == f"seedframe.toml:3 [seeds.{table}]"


def test_no_seeds_is_an_error_that_says_where_they_would_be(folder: Write) -> None:
    for files, text in (({}, "seeds/ does not exist"), ({"seeds/_helper.py": ""}, "seeds/ has no seeds")):
        project = Project.load(folder(files))
        with pytest.raises(NoSeeds, match=text):
            project.choose()


# -------------------------------------------------------------------------
# Plugins: really installed, as pip would leave them
# -------------------------------------------------------------------------


ALLOW_ISO = CONFIG + '[plugins]\nallow = ["seedframe-iso>=1,<2"]\n'
ISO = {
    "seedframe_iso/__init__.py": "",
    "seedframe_iso/seed.py": '"""ISO."""\nREQUIRES = ["core"]\nWRITES = []\n' + SEED,
}
POINT = {"40_iso": "seedframe_iso.seed"}


def test_an_allowed_plugins_seed_is_a_seed_like_others(folder: Write, install: Install) -> None:
    site = install("seedframe-iso", "1.2.0", POINT, {**ISO, "seedframe_iso/data/x.csv": "a\n"})
    project = Project.load(folder({"seeds/00_core.py": SEED}, config=ALLOW_ISO + "[seeds.iso]\nregion = 'EU'\n"))
    assert problems(project) == []
    _core, iso = project.seeds
    assert (iso.label, iso.origin, iso.requires, iso.doc) == ("40_iso", "seedframe-iso 1.2.0", ("core",), "ISO.")
    assert iso.config == {"region": "EU"}
    assert iso.broken is None
    assert iso.files is not None
    assert (iso.files / "data" / "x.csv").read_text() == "a\n"
    assert str(iso.files) == str(site / "seedframe_iso")
    assert call(iso, project.plugins, "verify", db=None, env="", settings={}) == []


@pytest.mark.parametrize(
    ("config", "disabled", "problem"),
    [
        (CONFIG, (), None),
        (CONFIG + "[plugins]\nallow = []\n", (), None),
        (CONFIG + '[plugins]\nallow = ["seedframe-other"]\n', ("seedframe-other",), None),
        (
            CONFIG + '[plugins]\nallow = ["seedframe-iso>=2"]\n',
            (),
            "plugin seedframe-iso: [plugins] allow wants *1.2.0 is",
        ),
        (ALLOW_ISO, ("seedframe-iso",), None),
        (ALLOW_ISO, ("Seedframe_ISO",), None),
        (ALLOW_ISO, ("40_iso",), None),
        (ALLOW_ISO, ("iso",), None),
    ],
)
def test_nothing_is_imported_that_is_not_allowed(
    folder: Write, install: Install, config: str, disabled: Sequence[str], problem: str | None
) -> None:
    files = {"seedframe_iso/__init__.py": "raise RuntimeError('imported')\n", "seedframe_iso/seed.py": SEED}
    install("seedframe-iso", "1.2.0", POINT, files)
    project = Project.load(folder({"seeds/00_core.py": SEED}, config=config), disabled=disabled)
    assert [seed.name for seed in project.seeds] == ["core"]
    assert not any(name.startswith("seedframe_iso") for name in sys.modules)
    assert len(project.problems) == (problem is not None)
    if problem is not None:
        assert problems(project)[0].startswith(problem.partition("*")[0])


def test_a_plugin_that_is_counted_on_and_not_installed_is_a_problem(folder: Write) -> None:
    root = folder({"seeds/00_core.py": SEED}, config=CONFIG + '[plugins]\nallow = ["seedframe-iso>=1,<2"]\n')
    (problem,) = Project.load(root).problems
    assert "it is not installed" in problem.message
    assert problem.hint is not None
    assert "pip install 'seedframe-iso>=1,<2'" in problem.hint
    assert Project.load(root, disabled=["seedframe-iso"]).problems == ()


@pytest.mark.trap("one broken plugin", "is named, and stops no other")
def test_one_failing_plugin_does_not_stop_the_others(folder: Write, install: Install) -> None:
    config = CONFIG + '[plugins]\nallow = ["seedframe-geo", "seedframe-iso"]\n'
    bad = {"seedframe_geo/__init__.py": "", "seedframe_geo/seed.py": "x = 1\nraise OSError('no geo')\n"}
    site = install(
        "seedframe-geo", "3.0", {"30_geo": "seedframe_geo.seed", "35_gone": "seedframe_geo.seed:nobody"}, bad
    )
    install("seedframe-iso", "1.2.0", POINT, ISO)
    project = Project.load(folder({"seeds/00_core.py": SEED}, config=config))
    assert [seed.label for seed in project.seeds] == ["00_core", "30_geo", "35_gone", "40_iso"]
    core, geo, gone, iso = project.seeds
    assert (core.broken, iso.broken) == (None, None)
    assert isinstance(geo.broken, SeedImportFailed)
    assert "OSError: no geo" in geo.broken.message
    assert geo.broken.where == f"{site}/seedframe_geo/seed.py:2"
    assert gone.broken is not None


def test_a_plugins_mistakes_are_named_with_its_files(folder: Write, install: Install) -> None:
    install(
        "seedframe-iso",
        "1.2.0",
        POINT,
        {"seedframe_iso/__init__.py": "", "seedframe_iso/seed.py": "def resource(): 0\n"},
    )
    (iso,) = Project.load(folder({}, config=ALLOW_ISO)).seeds
    assert isinstance(iso.broken, HookMistake)
    assert iso.broken.where == "seedframe_iso/seed.py:1"


def test_a_name_taken_by_a_file_and_a_plugin_names_both(folder: Write, install: Install) -> None:
    install("seedframe-iso", "1.2.0", POINT, ISO)
    root = folder({"seeds/00_core.py": SEED, "seeds/10_iso.py": SEED}, config=ALLOW_ISO)
    message = "2 seeds are called 'iso': 40_iso of seedframe-iso 1.2.0 and seeds/10_iso.py"
    assert [seed.broken and seed.broken.message for seed in Project.load(root).seeds] == [None, message, message]
    assert broken(Project.load(root, disabled=["40_iso"])) == {}


def test_objects_and_lone_modules_can_be_seeds(folder: Write, install: Install) -> None:
    files = {
        "lone_seed.py": "from seedframe import hookimpl\nclass Plugin:\n"
        "    TAGS, WRITES = ['lone'], []\n    @hookimpl\n"
        "    def verify(self, env): yield f'object in {env}'\n    def resources(self): 1 / 0\n"
        "plugin, WRITES = Plugin(), []\ndef verify(): raise ValueError('module')\n"
    }
    install("seedframe-iso", "1.0", {"40_object": "lone_seed:plugin", "50_module": "lone_seed"}, files)
    project = Project.load(folder({}, config=ALLOW_ISO))
    assert broken(project) == {}
    thing, module = project.seeds
    assert thing.tags == {"lone"}
    found = call(thing, project.plugins, "verify", db=None, env="x", settings={})
    assert [finding.text for finding in found] == ["object in x"]
    assert call(thing, project.plugins, "resources", db=None, env="x", settings={}) == []
    with pytest.raises(Exception, match="module") as caught:
        call(module, project.plugins, "verify", db=None, env="x", settings={})
    assert getattr(caught.value, "where", None) == "lone_seed.py:8"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def seedframe_report(report): pass\n", "extension 'report': unknown hook 'seedframe_report'"),
        (
            "from seedframe import hookimpl\n@hookimpl\ndef resources(): pass\n",
            "unknown hook 'resources' (that is a seed's",
        ),
        ("1 / 0\n", "ZeroDivisionError"),
    ],
)
def test_an_extension_that_does_not_fit_is_the_projects_problem(
    folder: Write, install: Install, text: str, message: str
) -> None:
    install("seedframe-iso", "1.0", {"report": "seedframe_ext"}, {"seedframe_ext.py": text})
    project = Project.load(folder({"seeds/00_core.py": SEED}, config=ALLOW_ISO))
    (problem,) = problems(project)
    assert message in problem
    assert [seed.name for seed in project.seeds] == ["core"]


@pytest.mark.parametrize(
    ("function", "hint"),
    [
        ("more", "name a function seedframe_…, as docs/plugins.md has them"),
        ("reporters", "did you mean 'seedframe_reporters'?"),
    ],
)
def test_an_extension_has_a_hook(folder: Write, install: Install, function: str, hint: str) -> None:
    files = {"seedframe_ext.py": f"def {function}(): raise RuntimeError('not a hook of an extension')\n"}
    install("seedframe-iso", "1.0", {"report": "seedframe_ext"}, files)
    (problem,) = Project.load(folder({"seeds/00_core.py": SEED}, config=ALLOW_ISO)).problems
    assert problem.message == "plugin seedframe-iso 1.0, extension 'report': has no hook"
    assert problem.hint == hint


@pytest.mark.parametrize(
    ("point", "called"),
    [("30_icd-10", "30_icd_10"), ("icd10", "10_icd10"), ("30_10", "30_x10"), ("30icd", "30_icd"), ("30_é", "30_name")],
)
def test_an_entry_point_that_is_nearly_a_seeds_says_what_a_seed_is_called(
    folder: Write, install: Install, point: str, called: str
) -> None:
    install("seedframe-iso", "1.0", {point: "seedframe_ext"}, {"seedframe_ext.py": SEED})
    (problem,) = Project.load(folder({"seeds/00_core.py": SEED}, config=ALLOW_ISO)).problems
    assert problem.hint is not None
    assert f"is a seed's hook: if this is a seed, call the entry point {called} (NN_name: " in problem.hint


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("seedframe_iso.gone", "'seedframe_iso' is there, and has no module 'gone'"),
        ("seedframe_iso.deep.gone.more", "'seedframe_iso.deep' is there, and has no module 'gone'"),
        ("seedframe_gone.seed", "is 'seedframe_gone' installed in this environment?"),
    ],
)
def test_a_module_that_is_missing_in_a_package_that_is_not(
    folder: Write, install: Install, value: str, hint: str
) -> None:
    files = {"seedframe_iso/__init__.py": "", "seedframe_iso/deep/__init__.py": ""}
    install("seedframe-iso", "1.0", {"40_iso": value}, files)
    project = Project.load(folder({"seeds/00_core.py": SEED}, config=ALLOW_ISO))
    (broken,) = [seed.broken for seed in project.seeds if seed.broken is not None]
    assert broken.hint == hint


@pytest.mark.parametrize(
    ("file", "missing"), [("seeds/00_core.py", "_words.py"), ("seeds/00_core/__init__.py", "00_core/_words.py")]
)
def test_a_helper_that_is_missing(folder: Write, file: str, missing: str) -> None:
    project = Project.load(folder({file: f"from ._words import WORD\n{SEED}"}))
    (seed,) = project.seeds
    assert seed.broken is not None
    assert seed.broken.hint == f"the seeds folder has no {missing}"


# -------------------------------------------------------------------------
# The allow-list
# -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "version", "state"),
    [
        ("seedframe-iso", "0.1", "allowed"),
        ("Seedframe_ISO", "0.1", "allowed"),
        ("seedframe-iso>=1,<2", "1.0", "allowed"),
        ("seedframe-iso>=1,<2", "1.99.post1", "allowed"),
        ("seedframe-iso>=1,<2", "1.5rc1", "allowed"),
        ("seedframe-iso>=1,<2", "2.0", "blocked"),
        ("seedframe-iso>=1,<2", "0.9", "blocked"),
        ("seedframe-iso==1.*", "1.2", "allowed"),
        ("seedframe-iso~=1.4", "1.3", "blocked"),
        ("seedframe-iso", "not a version", "blocked"),
        ("seedframe-isotope", "1.0", "blocked"),
        ("seedframe-iso", None, "missing"),
    ],
)
def test_a_line_of_the_allow_list(line: str, version: str | None, state: str) -> None:
    wanted, mistakes = parse_allow([line])
    assert mistakes == ()
    assert judge("seedframe-iso", version, wanted, ())[0] == state
    assert judge("seedframe-iso", version, wanted, ("seedframe.iso",))[0] == "disabled"


def test_a_blocked_plugin_is_told_the_line_that_would_allow_it() -> None:
    hint = judge("seedframe-iso", "1.4.2", {}, ())[2]
    assert hint is not None
    line = hint.partition('"')[2].partition('"')[0]
    assert judge("seedframe-iso", "1.4.2", {"seedframe-iso": Requirement(line)}, ())[0] == "allowed"
    assert judge("seedframe-iso", "2.0", {"seedframe-iso": Requirement(line)}, ())[0] == "blocked"


@pytest.mark.parametrize(
    "line", ["", "seedframe iso", ">=1", "seedframe-iso>=", "a[b]", "a; python_version>'3'", "a @ x"]
)
def test_a_line_that_is_no_name_with_versions(line: str) -> None:
    wanted, mistakes = parse_allow([line])
    assert wanted == {}
    assert len(mistakes) == 1
    assert "seedframe-iso>=1,<2" in (mistakes[0].hint or "")


def test_a_name_twice_in_the_list_is_a_mistake() -> None:
    wanted, _ = parse_allow(["seedframe-iso>=1", "Seedframe_Iso<3"])
    for version in ("2.0", None):
        found = judge("seedframe-iso", version, wanted, ())
        assert found == ("blocked", "[plugins] allow names it twice", "keep one of the lines")


@given(st.text(max_size=30))
def test_no_line_makes_the_list_raise(line: str) -> None:
    parse_allow([line])


# -------------------------------------------------------------------------
# Through the command line
# -------------------------------------------------------------------------


def test_a_broken_seed_breaks_no_other_command(folder: Write, cli: Cli) -> None:
    root = folder({"seeds/10_a.py": "import sys\nsys.exit(7)\n", "seeds/20_b.py": SEED})
    for arguments, code in ((["--help"], 0), (["plugins"], 0), (["list"], 3), (["list", "--format", "json"], 3)):
        done = cli(*arguments, cwd=root)
        assert done.returncode == code, done
        assert "Traceback" not in done.stderr
        assert arguments[0] != "list" or "20_b" in done.stdout, done


def test_plugins_says_what_is_allowed_and_what_would_allow_it(folder: Write, install: Install, cli: Cli) -> None:
    install(
        "seedframe-geo", "3.1", {"30_geo": "seedframe_geo"}, {"seedframe_geo.py": "raise RuntimeError('imported')\n"}
    )
    site = install("seedframe-iso", "1.2.0", {**POINT, "50_bad": "nobody"}, ISO)
    root = folder({"seeds/00_core.py": SEED}, config=CONFIG + '[plugins]\nallow = ["seedframe-iso", "seedframe-x"]\n')
    done = cli("plugins", cwd=root, env={"PYTHONPATH": str(site)})
    assert done.returncode == 3, done  # 50_bad is broken
    assert done.stdout.splitlines() == [
        "seedframe-geo 3.1  blocked: [plugins] allow does not name it",
        '    to allow it, add "seedframe-geo>=3.1,<4" to [plugins] allow',
        "    - seed 30_geo (seedframe_geo)",
        "seedframe-iso 1.2.0  allowed: [plugins] allow = seedframe-iso",
        "    - seed 40_iso (seedframe_iso.seed): verify",
        "    - seed 50_bad (nobody): no hooks",
        "      error: seedframe-iso 1.2.0: cannot be imported: ModuleNotFoundError: No module named 'nobody'",
        "       hint: is 'nobody' installed in this environment?",
        "seedframe-x  missing: [plugins] allow names seedframe-x, and it is not installed or offers nothing",
        "    pip install 'seedframe-x', take it from the list, or give -p no:seedframe-x",
    ]
    left_out = cli("plugins", "-p", "no:iso", "-p", "no:seedframe-x", cwd=root, env={"PYTHONPATH": str(site)})
    assert "    - seed 40_iso (seedframe_iso.seed): left out" in left_out.stdout
    assert "seedframe-x  disabled: -p no:seedframe-x" in left_out.stdout


@pytest.mark.parametrize("package", ["metadata", "loading"])
def test_the_line_of_a_plugin_is_named_whatever_its_folder_is_called(
    folder: Write, install: Install, package: str
) -> None:
    files = {f"{package}/__init__.py": "", f"{package}/seed.py": "\n\nraise RuntimeError('at once')\n"}
    site = install("seedframe-iso", "1.2.0", {"40_iso": f"{package}.seed"}, files)
    (problem,) = broken(Project.load(folder({"seeds/00_core.py": SEED}, config=ALLOW_ISO))).values()
    assert f"{site / package / 'seed.py'}:3: " in problem


def test_without_plugins_the_metadata_of_what_is_installed_is_not_read(folder: Write, cli: Cli) -> None:
    root = folder(
        {
            "seeds/00_core.py": "import sys\ndef verify(): pass\n"
            "read = {'packaging', 'seedframe.plugins.installed'} & set(sys.modules)\nassert not read, read\n"
        }
    )
    done = cli("list", cwd=root)
    assert done.returncode == 0, done
    assert "broken" not in done.stdout


def test_no_seeds_is_not_told_where_something_else_is_why(folder: Write, install: Install) -> None:
    install("seedframe-iso", "1.2.0", POINT, ISO)
    project = Project.load(folder({}, config=CONFIG + '[plugins]\nallow = ["seedframe-iso>=2"]\n'))
    assert [type(error).__name__ for error in project.problems] == ["DiscoveryError"]
    with pytest.raises(NoSeeds) as none:
        Project.load(folder({}, name="other")).choose()
    assert none.value.hint is not None
    assert "`seedframe plugins` shows those of plugins" in none.value.hint


def test_a_module_that_changes_the_working_directory_is_told_and_put_right(
    folder: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder(
        {
            "seeds/10_goes.py": "import os\nos.chdir('/')\ndef verify(db): pass\n",
            "seeds/20_fails.py": "import os\nos.chdir('/')\n1 / 0\n",
            "seeds/30_stays.py": "import os\nhere = os.getcwd()\nos.chdir('/')\nos.chdir(here)\ndef verify(db): pass\n",
        }
    )
    monkeypatch.chdir(root)
    goes, fails, stays = Project.load().seeds
    assert Path.cwd() == root.resolve()
    assert str(goes.broken) == (
        "seeds/10_goes.py: changes the working directory while it is imported"
        " (start paths at the module's own `__file__`)"
    )
    assert "ZeroDivisionError" in str(fails.broken)
    assert stays.broken is None
