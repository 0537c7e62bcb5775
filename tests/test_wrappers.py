"""Wrappers of hooks, in seeds and extensions: what one does wrong is told as its own, with its line."""

import pytest

from seedframe import Project
from tests.conftest import Folder, Install, ProjectFactory
from tests.test_extensions import CONFIG

HEAD = "from seedframe import Finding, hookimpl\n@hookimpl(wrapper=True)\n"
HINT = "a wrapper comes to one `results = yield`, whatever happens, and ends with `return results`"

# What the body of a wrapper is, what is told of it, and in which line of it that stands (0: its decorator's).
BODIES = {
    "ended without a yield": ("if False:\n        yield\n    return []", 0),
    "yielded twice": ("yield\n    yield\n    return []", 3),
    "returned NoneType, not the list of results": ("yield", 0),
    "returned str, not the list of results": ("yield\n    return 'all'", 0),
}


def wrapper(hook: str, body: str) -> str:
    return f"{HEAD}def {hook}():\n    {body}\n"


@pytest.mark.parametrize("told", BODIES)
def test_of_an_extension(told: str, project: ProjectFactory, install: Install) -> None:
    body, line = BODIES[told]
    hook = "seedframe_reporters"
    install("seedframe-ext", "1.0", {"ext": "ext_module"}, {"ext_module.py": wrapper(hook, body)})
    folder = project({"seeds/10_a.py": "def verify(): pass\n"}, config=CONFIG)
    (problem,) = [str(error) for error in Project.load(folder.path).problems]
    assert problem == (
        f"ext_module.py:{2 + line}: plugin seedframe-ext 1.0, extension 'ext': its wrapper of `{hook}` {told} ({HINT})"
    )


@pytest.mark.parametrize("told", BODIES)
def test_of_a_seed(told: str, project: ProjectFactory) -> None:
    body, line = BODIES[told]
    folder = project({"seeds/10_a.py": wrapper("verify", body)})
    require_told(folder, f"seeds/10_a.py:{2 + line}: the wrapper of `verify` of seed 10_a {told}", HINT)


def test_of_a_seed_that_returns_what_is_no_list(project: ProjectFactory) -> None:
    text = wrapper("verify", "results = yield\n    return [*results, 'one finding']")
    folder = project({"seeds/10_a.py": text})
    told = "seeds/10_a.py:2: the wrapper of `verify` of seed 10_a returned a list with str in it, where each is a list"
    require_told(folder, told, HINT)


def test_of_a_seed_that_raises_after_the_yield(project: ProjectFactory) -> None:
    folder = project({"seeds/10_a.py": wrapper("verify", "yield\n    raise ValueError('so')")})
    require_told(
        folder, "seeds/10_a.py:5: `verify` of seed 10_a failed: ValueError: so", "run with -v for the traceback"
    )


def require_told(folder: Folder, message: str, hint: str) -> None:
    done = folder.run("verify")
    assert done.returncode == 3
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert f"error: {message}" in lines
    assert f"hint: {hint}" in lines
    assert "bug in seedframe" not in done.stdout + done.stderr


def test_what_a_wrapper_raises_after_the_yield_is_not_what_the_other_extension_did(
    project: ProjectFactory, install: Install
) -> None:
    config = CONFIG.replace('"seedframe-ext"', '"seedframe-ext", "seedframe-other"')
    good = "def seedframe_configure(config): pass\n"
    bad = wrapper("seedframe_configure", "yield\n    raise ValueError('so')")
    install("seedframe-ext", "1.0", {"ext": "ext_module"}, {"ext_module.py": good})
    install("seedframe-other", "2.0", {"other": "other_module"}, {"other_module.py": bad})
    folder = project({"seeds/10_a.py": "def verify(): pass\n"}, config=config)
    (problem,) = [str(error) for error in Project.load(folder.path).problems]
    assert problem == (
        "other_module.py:5: plugin seedframe-other 2.0, extension 'other': `seedframe_configure` failed: ValueError: so"
        " (run with -v for the traceback)"
    )


def test_who_watches_with_a_bad_wrapper_does_not_stop_the_run(
    project: ProjectFactory, install: Install, capfd: pytest.CaptureFixture[str]
) -> None:
    text = "def seedframe_seed_started(): pass\n" + wrapper("seedframe_seed_finished", "yield\n    yield")
    text += "class Watch:\n    @hookimpl\n    def seedframe_seed_finished(self): pass\nwatch = Watch()\n"
    site = install("seedframe-ext", "1.0", {"ext": "ext_module", "watch": "ext_module:watch"}, {"ext_module.py": text})
    folder = project({"seeds/10_a.py": "def verify(): pass\n"}, config=CONFIG)
    done = folder.run("apply", env={"PYTHONPATH": str(site)})
    assert done.returncode == 0
    assert (
        "plugin seedframe-ext 1.0, extension 'ext': its wrapper of `seedframe_seed_finished` yielded twice at"
        f" ext_module.py:6 ({HINT}); the run goes on without it"
    ) in done.stderr


@pytest.mark.parametrize(
    ("mark", "problem"),
    [
        (
            "wrapper",
            "'verify' is a wrapper and has no yield (write `results = yield` where ",
        ),
        ("hookwrapper", "'verify' has hookwrapper=True (write wrapper=True: `results = yield`, and at the end "),
    ],
)
def test_what_can_be_no_wrapper_is_told_at_registration(mark: str, problem: str, project: ProjectFactory) -> None:
    text = f"from seedframe import hookimpl\n@hookimpl({mark}=True)\ndef verify():\n    return []\n"
    (seed,) = Project.load(project({"seeds/10_a.py": text}).path).seeds
    assert str(seed.broken).startswith(f"seeds/10_a.py:2: seed 10_a: {problem}")


def test_a_good_wrapper_takes_part_as_ever(project: ProjectFactory) -> None:
    body = "results = yield\n    return [*results, ['of the wrapper']]"
    done = project({"seeds/10_a.py": wrapper("verify", body)}).run("verify")
    assert (done.returncode, "error: of the wrapper" in done.stdout) == (2, True)
