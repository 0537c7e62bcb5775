"""Hooks: what a seed's module may look like, and how one seed's hook is called."""

import sys
from collections.abc import Callable, Generator, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedframe import hookimpl
from seedframe.changes import Change, Finding
from seedframe.errors import BadData, HookFailed
from seedframe.loading.contract import ARGUMENTS, CONSTANTS, one_slip_apart
from seedframe.project import Project
from seedframe.seed import Seed
from seedframe.seeding.hooks import asks_for, call, has_hook
from tests.servers import Server

Write = Callable[..., Project]


@pytest.fixture
def project(tmp_path: Path) -> Write:
    """`project({"seeds/10_a.py": "…"})`: a project with these files, loaded."""

    def project(files: dict[str, str]) -> Project:
        for name, text in {"seedframe.toml": '[project]\nname = "shop"\n', **files}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        return Project.load(tmp_path)

    return project


def only_seed(project: Project) -> Seed:
    (seed,) = project.seeds
    assert seed.broken is None, seed.broken
    return seed


def run(project: Project, hook: str, **arguments: Any) -> list[Any]:
    given = {"db": None, "env": "development", "settings": {}, "plan": None, **arguments}
    return call(only_seed(project), project.plugins, hook, **given)


# -------------------------------------------------------------------------
# What a seed's module may look like
# -------------------------------------------------------------------------

FINE = "def verify(): pass\n"

MISTAKES = {
    "an argument that is nearly right": (
        "def verify(databse): pass\n",
        "seeds/10_a.py:1: seed 10_a: 'verify' asks for 'databse'*(did you mean 'db'? It may ask for db, *settings)",
    ),
    "an argument with a slip": (
        "\n\ndef verify(confg): pass\n",
        "seeds/10_a.py:3: * (did you mean 'config'? It may ask*",
    ),
    "an argument in a longer form": ("def verify(environment): pass\n", "*did you mean 'env'?*"),
    "plan where there is none": ("def verify(plan): pass\n", "*'verify' asks for 'plan', which it cannot be given*"),
    "an argument with a default": ("def verify(db=None): pass\n", "*gives 'db' a default, which would never be used*"),
    "an unknown argument with a default": ("def verify(limit=5): pass\n", "*asks for 'limit', which it cannot*"),
    "a keyword-only argument": ("def verify(*, db): pass\n", "*asks for 'db' as keyword-only*"),
    "a positional-only argument": ("def verify(db, /): pass\n", "*asks for 'db' as positional-only*"),
    "any arguments": ("def verify(*args): pass\n", "*asks for [*]args*name each argument*"),
    "any keywords": ("def verify(**kwargs): pass\n", "*asks for [*][*]kwargs*name each argument*"),
    "async": ("async def verify(db): pass\n", "seeds/10_a.py:1: *'verify' is async*"),
    "an async generator": ("async def verify(db):\n    yield 'x'\n", "*'verify' is async*"),
    "a hook's name with a slip": (
        "def resource(): pass\n",
        "seeds/10_a.py:1: *unknown hook 'resource' (did you mean 'resources'?*",
    ),
    "a letter left out": (FINE + "def chek(): pass\n", "seeds/10_a.py:2: *'chek' (did you mean 'check'?*"),
    "letters swapped": (FINE + "def aplpy(): pass\n", "*'aplpy' (did you mean 'apply'?*"),
    "another case": (FINE + "def Resources(): pass\n", "*'Resources' (did you mean 'resources'?*"),
    "an unknown hook, marked": (
        "from seedframe import hookimpl\n@hookimpl\ndef seed_me(): pass\n",
        "*unknown hook 'seed_me' (the hooks of a seed are resources, check, apply, verify)",
    ),
    "apply without check": ("def apply(db): pass\n", "seeds/10_a.py:1: *has `apply` but no `check`*"),
    "no hook": ("X = 1\n", "seeds/10_a.py: *has no hook*"),
    "a list instead of a hook": (
        "resources = []\n",
        "seeds/10_a.py:1: *'resources' is a list, and a hook is a function*",
    ),
    "a cached hook": (
        "import functools\n@functools.cache\ndef resources(): return []\n",
        "seeds/10_a.py:3: *'resources' is a _lru_cache_wrapper, and a hook is a function*",
    ),
    "a class instead of a hook": ("class verify: pass\n", "*'verify' is a class, and a hook is a function*"),
    "a hook of a helper": (
        "from ._shared import verify\n",
        "seeds/10_a.py:1: *'verify' is not defined here, so it is not a hook*",
    ),
    "another name's hook": (
        FINE + "from textwrap import dedent as check\n",
        "seeds/10_a.py:2: *'check' is not defined here*",
    ),
    "REQUIRES is a text": (
        FINE + 'REQUIRES = "core"\n',
        'seeds/10_a.py:2: *REQUIRES is a str (write a list of texts: REQUIRES = [[]"core"])',
    ),
    "TAGS has a number": (FINE + "TAGS = ['a', 1]\n", "*TAGS has an int in it*"),
    "ENVIRONMENTS is empty": (FINE + "ENVIRONMENTS = []\n", "*ENVIRONMENTS is empty: the seed would never run*"),
    "WRITES is a text": (FINE + "WRITES = 'log'\n", "*WRITES is a str (write a list of texts: WRITES =*"),
    "WRITE": (FINE + "WRITE = ['log']\n", "*unknown constant WRITE (did you mean WRITES?*"),
    "CRITICAL is a text": (FINE + "CRITICAL = 'no'\n", "*CRITICAL is a str (write CRITICAL = False*"),
    "SETTINGS is a text": (FINE + "SETTINGS = 'SEED_X'\n", "*SETTINGS is a str*"),
    "SETTINGS has a text": (FINE + "SETTINGS = ['SEED_X']\n", "*SETTINGS has a str in it*"),
    "SETTINGS has a name twice": (
        FINE + "from seedframe import Setting\nSETTINGS = [Setting('SEED_X'), Setting('SEED_X')]\n",
        "seeds/10_a.py:3: *SETTINGS declares SEED_X twice*",
    ),
    "REQUIRE": (FINE + "REQUIRE = ['core']\n", "seeds/10_a.py:2: *unknown constant REQUIRE (did you mean REQUIRES?*"),
    "ENVIRONMENT": (
        FINE + "ENVIRONMENT = ['production']\n",
        "*unknown constant ENVIRONMENT (did you mean ENVIRONMENTS?*",
    ),
    "environments": (
        FINE + "environments = ['production']\n",
        "*unknown constant environments (did you mean ENVIRONMENTS?*",
    ),
    "CRITCAL": (FINE + "CRITCAL = False\n", "*did you mean CRITICAL?*"),
    "TAG": (FINE + "TAG = ['x']\n", "*did you mean TAGS?*"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_seed_names_the_place_and_what_is_meant(project: Write, mistake: str) -> None:
    text, expected = MISTAKES[mistake]
    loaded = project({"seeds/10_a.py": text, "seeds/_shared.py": FINE})
    (seed,) = loaded.seeds
    assert seed.broken is not None
    (problem,) = seed.broken.problems
    assert fnmatchcase(str(problem), expected)


def test_every_mistake_of_a_seed_is_told_at_once(project: Write) -> None:
    loaded = project({"seeds/10_a.py": "TAGS = 1\ndef apply(dv): pass\n"})
    assert loaded.seeds[0].broken is not None
    assert len(loaded.seeds[0].broken.problems) == 3


NO_MISTAKES = {
    "imported things that are called like hooks": "from importlib import resources\nfrom shlex import join\n" + FINE,
    "an imported function": "from keyword import iskeyword as _x\nfrom tests_foreign import check\n" + FINE,
    "own words near others": FINE + "def supply(): pass\ndef sources(): pass\ndef checker(): pass\nTABS = []\n",
    "helpers": FINE + "def _verfy(): pass\n_REQUIRE = ['x']\n",
    "a hook with a decorator": "import functools\ndef deco(f):\n    @functools.wraps(f)\n    def g(*a): return f(*a)\n"
    "    return g\n@deco\ndef verify(db): pass\n",
    "marked, under another name": "from seedframe import hookimpl\n@hookimpl(specname='verify')\ndef counts(): pass\n",
    "a marked hook of a helper": "from ._shared import verify\n",
    "tuples and sets": FINE + "TAGS = ('a',)\nENVIRONMENTS = {'production'}\nREQUIRES = ()\n",
    "an object that must not be looked at": FINE
    + "class Lazy:\n    def __getattr__(self, name): raise RuntimeError('not configured')\n"
    "    __class__ = property(lambda self: 1 / 0)\nsettings = Lazy()\n",
}


@pytest.mark.parametrize("case", NO_MISTAKES)
def test_what_is_no_mistake(project: Write, case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/tests_foreign.py").write_text("def check(whatever): pass\n")
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    shared = "from seedframe import hookimpl\n@hookimpl\ndef verify(): pass\n"
    seed = only_seed(project({"seeds/10_a.py": NO_MISTAKES[case], "seeds/_shared.py": shared}))
    assert has_hook(seed, "verify")
    assert not has_hook(seed, "check")
    sys.modules.pop("tests_foreign", None)


@given(st.sampled_from([*ARGUMENTS, *CONSTANTS]), st.data())
def test_any_one_slip_is_recognised(word: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(word) - 1))
    letter = data.draw(st.sampled_from("abcxyz"))
    slips = [word[:at] + word[at + 1 :], word[:at] + letter + word[at:], word]
    if at + 1 < len(word):
        slips.append(word[:at] + word[at + 1] + word[at] + word[at + 2 :])
    if len(word) > 4:
        slips.append(word[:at] + letter + word[at + 1 :])
    assert all(one_slip_apart(slip, word) and one_slip_apart(word, slip) for slip in slips)


@given(st.text("abc", max_size=7), st.text("abc", max_size=7))
def test_one_slip_is_one_edit(left: str, right: str) -> None:
    """Against the definition: all words that are one edit away, listed."""
    edits = {left} | {left[:i] + left[i + 1 :] for i in range(len(left))}
    edits |= {left[:i] + c + left[i:] for i in range(len(left) + 1) for c in "abc"}
    edits |= {left[:i] + left[i + 1] + left[i] + left[i + 2 :] for i in range(len(left) - 1)}
    if len(left) > 4:
        edits |= {left[:i] + c + left[i + 1 :] for i in range(len(left)) for c in "abc"}
    assert one_slip_apart(left, right) == (right in edits)


# -------------------------------------------------------------------------
# Calling
# -------------------------------------------------------------------------


def test_a_hook_gets_what_it_asks_for_by_name(project: Write) -> None:
    loaded = project(
        {
            "seedframe.toml": '[project]\nname = "shop"\n[seeds.a]\norder = 7\nlimit = 3\n',
            "seeds/10_a.py": "def verify(settings, db, env, seed, config):\n"
            "    yield repr((settings, db, env, seed.name, seed.number, config))\n",
        }
    )
    found = run(loaded, "verify", db="the db", settings={"X": 1}, env="staging")
    assert found == [Finding("({'X': 1}, 'the db', 'staging', 'a', 7, {'limit': 3})")]
    assert asks_for(only_seed(loaded), "verify") == {"settings", "db", "env", "seed", "config"}
    assert asks_for(only_seed(loaded), "check") == frozenset()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return None", []),
        ("return []", []),
        ("return 'one text'", [Finding("one text")]),
        ("yield 'a'; yield Finding('b', 'warning')", [Finding("a"), Finding("b", "warning")]),
        ("return ['a', 'b']", [Finding("a"), Finding("b")]),
        ("return {'a': 1}.keys()", [Finding("a")]),
        ("return map(str, [1, 2])", [Finding("1"), Finding("2")]),
        ("return Finding('alone')", [Finding("alone")]),
        ("if False: yield", []),
        ("yield 'two\\nlines'", [Finding("two lines")]),
    ],
)
def test_what_a_hook_returns_becomes_a_list(project: Write, body: str, expected: list[Finding]) -> None:
    loaded = project({"seeds/10_a.py": f"from seedframe import Finding\ndef verify():\n    {body}\n"})
    assert run(loaded, "verify") == expected


def test_changes_are_returned_as_they_are(project: Write) -> None:
    loaded = project(
        {"seeds/10_a.py": "from seedframe import Change\ndef check():\n    return Change('create', {'id': '1'})\n"}
    )
    assert run(loaded, "check") == [Change("create", {"id": "1"})]


def test_a_seed_without_the_hook_returns_nothing(project: Write) -> None:
    assert run(project({"seeds/10_a.py": FINE}), "resources") == []


def test_what_apply_returns_is_nobodys_business_but_its_generator_runs(project: Write) -> None:
    loaded = project(
        {"seeds/10_a.py": "def check(): pass\ndef apply(plan):\n    plan.append(1)\n    yield 42\n    plan.append(2)\n"}
    )
    plan: list[int] = []
    assert run(loaded, "apply", plan=plan) == []
    assert plan == [1, 2]


@pytest.mark.parametrize(
    ("text", "hook", "message"),
    [
        (
            "def verify(): return False",
            "verify",
            "`verify` of seed 10_a returned bool, not a text or a Finding*write `if not*",
        ),
        ("def verify(): yield ['a']", "verify", "*returned list, not a text*write `yield from`*"),
        ("def verify(): return {'a': 1}", "verify", "*returned dict, not a text*"),
        ("def resources(): return 'Rows'", "resources", "*returned str, not a resource*"),
        ("def resources(): yield {'sku': 1}", "resources", "*returned dict, not a resource*"),
        ("def check(): yield 'x'", "check", "*returned str, not a Change*"),
    ],
)
def test_what_a_hook_may_not_return(project: Write, text: str, hook: str, message: str) -> None:
    with pytest.raises(HookFailed) as caught:
        run(project({"seeds/10_a.py": text + "\n"}), hook)
    assert fnmatchcase(str(caught.value), f"seeds/10_a.py:1: {message}")


@pytest.mark.parametrize(
    ("body", "line", "what"),
    [
        ("raise ValueError('no\\nsuch thing')", 2, "ValueError: no such thing"),
        ("return {}['sku']", 2, "KeyError: no key 'sku'"),
        ("assert 1 == 2", 2, "AssertionError"),
        ("import sys; sys.exit(0)", 2, "called sys.exit()"),
        ("yield 'a'\n    1 / 0", 3, "ZeroDivisionError: division by zero"),
        ("import json\n    json.loads('{')", 3, "JSONDecodeError: *"),
        (
            "raise type('E', (Exception,), {'__str__': lambda s: 1 / 0})()",
            2,
            "E: (no message: its __str__ raised Zero*",
        ),
    ],
)
def test_a_hook_that_raises_is_one_line_with_the_authors_own_place(
    project: Write, body: str, line: int, what: str
) -> None:
    with pytest.raises(HookFailed) as caught:
        run(project({"seeds/10_a.py": f"def verify(db):\n    {body}\n"}), "verify")
    assert caught.value.where == f"seeds/10_a.py:{line}"
    assert fnmatchcase(caught.value.message, f"`verify` of seed 10_a failed: {what}")
    assert caught.value.__cause__ is not None


def test_the_innermost_own_frame_counts_helpers_included(project: Write) -> None:
    loaded = project(
        {
            "seeds/10_a.py": "from . import _shared\n\ndef verify():\n    return _shared.count()\n",
            "seeds/_shared.py": "import json\n\ndef count():\n    return json.loads('nonsense')\n",
        }
    )
    with pytest.raises(HookFailed) as caught:
        run(loaded, "verify")
    assert caught.value.where == "seeds/_shared.py:4"


def test_seedframes_own_errors_pass_through(project: Write) -> None:
    loaded = project({"seeds/10_a.py": "def verify(db): db()\n"})

    def db() -> None:
        raise BadData("a value does not fit", where="data/x.csv:3")

    with pytest.raises(BadData) as caught:
        run(loaded, "verify", db=db)
    assert caught.value.where == "data/x.csv:3"


def test_an_interruption_is_not_the_seeds_failure(project: Write) -> None:
    loaded = project({"seeds/10_a.py": "def verify(db): raise KeyboardInterrupt\n"})
    with pytest.raises(KeyboardInterrupt):
        run(loaded, "verify")


def test_a_servers_error_keeps_the_row_to_itself(project: Write, server: Server) -> None:
    loaded = project({"seeds/10_a.py": "def verify(db): db()\n"})

    def db() -> None:
        with psycopg.connect(server.url("postgres")) as connection:
            connection.execute("create temp table t (a text, n int check (n > 0))")
            connection.execute("insert into t values ('canary-4711', -1)")

    def cast() -> None:
        with psycopg.connect(server.url("postgres")) as connection:
            connection.execute("select 'canary-4711'::int")

    with pytest.raises(HookFailed) as caught:
        run(loaded, "verify", db=db)
    assert caught.value.message.endswith(
        'CheckViolation: new row for relation "t" violates check constraint "t_n_check" [23514]'
    )
    with pytest.raises(HookFailed) as caught:
        run(loaded, "verify", db=cast)
    assert "canary" not in str(caught.value)
    assert "22P02" in caught.value.message


# -------------------------------------------------------------------------
# Among others
# -------------------------------------------------------------------------


def test_one_seeds_hook_is_called_alone(project: Write) -> None:
    loaded = project(
        {
            "seeds/10_a.py": "def verify(): yield 'a'\n",
            "seeds/20_b.py": "def verify(): raise RuntimeError('b is not called')\n",
        }
    )
    assert call(loaded.seeds[0], loaded.plugins, "verify", db=None, env="x", settings={}) == [Finding("a")]


class _Wrapper:
    """Notes what it sees around a hook."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    @hookimpl(wrapper=True)
    def verify(self, env: str) -> Generator[None, list[Any], list[Any]]:
        self.seen.append(f"before {env}")
        results = yield
        self.seen.append(results)
        return [*results, ["from the wrapper"]]


def test_wrappers_take_part_and_see_drained_lists(project: Write) -> None:
    loaded = project({"seeds/10_a.py": "def verify():\n    yield 'a'\n    yield 'b'\n"})
    wrapper = _Wrapper()
    loaded.plugins.register(wrapper)
    assert [finding.text for finding in run(loaded, "verify")] == ["a", "b", "from the wrapper"]
    assert wrapper.seen == ["before development", [["a", "b"]]]


def test_a_generators_error_passes_through_the_wrappers(project: Write) -> None:
    """The generator runs inside the hook's call, so whoever wraps the call sees it fail."""
    loaded = project({"seeds/10_a.py": "def verify():\n    yield 'a'\n    raise RuntimeError('late')\n"})
    caught: list[str] = []

    class Guard:
        @hookimpl(wrapper=True)
        def verify(self) -> Iterator[None]:
            try:
                return (yield)
            except RuntimeError as error:
                caught.append(str(error))
                raise

    loaded.plugins.register(Guard())
    with pytest.raises(HookFailed):
        run(loaded, "verify")
    assert caught == ["late"]
