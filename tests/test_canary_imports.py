"""No secret anywhere, also where code tells it while it is imported: what it declares is not known yet."""

import json
import os
from pathlib import Path
from typing import Final

import pytest

from seedframe import Project
from tests.canary import Search, canary, files_below
from tests.conftest import Cli, Result
from tests.figures import Figures
from tests.installing import Site

CONFIG: Final = """
[project]
name = "shop"

[plugins]
allow = ["seedframe-failing", "seedframe-telling"]
"""

IMPORTS: Final = "import logging, os, sys\nfrom seedframe import Secret, Setting\nimport seedframe as sf\n"
HOOK: Final = "def verify(db):\n    return []\n"

# What each tells is the value of a setting that is its own, or another's.
SEEDS: Final = {
    "10_above": 'SETTINGS = [Setting("ABOVE", Secret)]\nraise RuntimeError("it is " + os.environ["ABOVE"])\n',
    "11_number": 'SETTINGS = (Setting("NUMBER", type=Secret),)\nPORT = int(os.environ["NUMBER"])\n',
    "12_below": (
        'raise RuntimeError(repr({1: os.environ["BELOW"]}))\n'
        'SETTINGS = [sf.Setting(name="BELOW", type=sf.Secret)]\n'
    ),
    "13_computed": (
        'SETTINGS = [Setting(f"{word.upper()}", Secret) for word in ["computed"]]\nopen("/" + os.environ["COMPUTED"])\n'
    ),
    "14_default": 'SETTINGS = [Setting("D", Secret, default={default!r})]\nraise KeyError({default!r})\n',
    "15_helped": 'raise RuntimeError(os.environ["HELPED"])\nfrom ._settings import SETTINGS\n',
    "16_other": 'raise RuntimeError(os.environ["LATER"])\n',
    "17_cause": 'try:\n    int(os.environ["LATER"])\nexcept ValueError as error:\n    sys.exit(os.environ["HELPED"])\n',
    "18_long": 'raise RuntimeError("x" * 490 + os.environ["LATER"] + os.environ["OFFERED"])\n',
    "19_printed": (
        'print(os.environ["PRINTED"])\nprint(os.environ["LATER"], file=sys.stderr)\n'
        'logging.error(os.environ["PRINTED"])\nNAME = "PRINTED"\nSETTINGS = [Setting(NAME, Secret)]\n' + HOOK
    ),
    "20_later": f'SETTINGS = [Setting("LATER", Secret)]\n{HOOK}',
    "21_file": 'SETTINGS = [Setting("FILED", Secret)]\nraise RuntimeError(open(os.environ["FILED_FILE"]).read())\n',
    "22_dotenv": 'SETTINGS = [Setting("DOTTED", Secret)]\nraise RuntimeError(open(".env").read())\n',
    "23_group": 'raise ExceptionGroup(os.environ["LATER"], [ValueError(os.environ["HELPED"])])\n',
    "24_address": 'raise RuntimeError(os.environ["DATABASE_URL"])\n',
    "25_syntax": 'SETTINGS = [Setting("SYNTAX", Secret)]\nexec(repr(os.environ["LATER"]) + " = 1")\n',
}  # fmt: skip

SITE: Final = {
    "sf_failing/__init__.py": "",
    "sf_failing/seed.py": (
        IMPORTS + 'WRITES = []\nSETTINGS = [Setting("OFFERED", Secret)]\nraise RuntimeError(os.environ["OFFERED"])\n'
    ),
    "sf_failing/extension.py": IMPORTS + 'raise RuntimeError(os.environ["OFFERED"] + os.environ["LATER"])\n',
}
TELLING: Final = {
    "sf_telling.py": IMPORTS + """
def tell():
    print(os.environ["DATABASE_URL"], os.environ["LATER"], os.environ["OFFERED"])
    raise RuntimeError(os.environ["DATABASE_URL"] + os.environ["PGPASSWORD"] + os.environ["SUPABASE_SERVICE_ROLE_KEY"])

def seedframe_configure(config):
    print(config, config.database, os.environ["OFFERED"])
    tell()

def seedframe_reporters():
    tell()

def seedframe_modify_order(seeds):
    tell()
""",
}  # fmt: skip

COMMANDS: Final = (
    "list -vv --log-file log",
    "list --format json",
    "plugins --format json -v",
    "plugins",
    "lint -vv --log-file log --env production",
    "lint --format json",
    "lint --format github",
    "env --format json -v",
    "env --check",
    "apply --dry-run --format json -vv --log-file log --output report",
    "verify -v",
    "nonsense -v",
)

NAMES: Final = (
    "ABOVE", "NUMBER", "BELOW", "COMPUTED", "HELPED", "LATER", "PRINTED", "OFFERED", "PGPASSWORD", "SYNTAX",
    "SUPABASE_SERVICE_ROLE_KEY",
)  # fmt: skip


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.mark.timeout(600)
def test_what_is_told_while_code_is_imported_is_masked(tmp_path: Path, cli: Cli, tell: Figures) -> None:
    given = {name: canary(name) for name in NAMES}
    default, filed, dotted, address, production = (
        canary(name, middle="_") for name in ("a default", "a file", ".env", "DATABASE_URL", "the file's url")
    )
    site = Site(tmp_path / "site")
    site.install("seedframe-failing", "1.0", {"31_failing": "sf_failing.seed", "failing": "sf_failing.extension"}, SITE)
    site.install("seedframe-telling", "1.0", {"telling": "sf_telling"}, TELLING)
    root = tmp_path / "project"
    url = f'[env.production.database]\nurl = "postgresql://u:{production.value}@127.0.0.1:1/x"\n'
    seeds = {
        f"seeds/{name}.py": IMPORTS + text.replace("{default!r}", repr(default.value)) for name, text in SEEDS.items()
    }
    config = f"url = 'postgresql://u:{production.value}@127.0.0.1:1/x'"
    tells = f"raise RuntimeError({config!r})\n"
    write(
        root,
        {
            **seeds,
            "seeds/26_config.py": tells,
            "seeds/_settings.py": IMPORTS + 'SETTINGS = [Setting("HELPED", Secret)]\n',
            "seedframe.toml": CONFIG + url,
            ".env": f"DOTTED={dotted.value}\n",
            "filed": filed.value,
        },
    )
    env = {
        **{name: each.value for name, each in given.items()},
        "DATABASE_URL": f"postgresql://u:{address.value}@127.0.0.1:1/x",
        "FILED_FILE": "filed",
        "PYTHONPATH": str(site.path),
    }
    results: dict[str, Result] = {}
    for line in COMMANDS:
        results[line] = done = cli(*line.split(), cwd=root, env=env)
        assert "this is a bug" not in done.stderr, done
        assert done.returncode in (0, 1, 3), done
    assert all("********" in done.stdout + done.stderr for done in results.values())
    assert json.loads(results["plugins --format json -v"].stdout)["plugins"]
    places = {
        f"{stream} of {line}": text.encode()
        for line, done in results.items()
        for stream, text in (("stdout", done.stdout), ("stderr", done.stderr))
    }
    search = Search([*given.values(), default, filed, dotted, address])
    left = {**places, **files_below(root, ("seeds/", ".env", "filed", "seedframe.toml"))}
    search.require_none(left)
    # Which is the database's in one environment only; lint looks at all of them.
    Search([production]).require_none({place: text for place, text in places.items() if "lint" in place})
    tell(f"{len(COMMANDS)} commands, {len(SEEDS)} seeds that fail: {search.told}, 0 found")


def test_the_library_masks_them_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = canary("ABOVE")
    write(tmp_path, {"seedframe.toml": "", "seeds/10_above.py": IMPORTS + SEEDS["10_above"]})
    monkeypatch.setenv("ABOVE", secret.value)
    (seed,) = Project.load(tmp_path).seeds
    assert (
        str(seed.broken)
        == "seeds/10_above.py:5: cannot be imported: RuntimeError: it is ******** (run with -v for the traceback)"
    )


def test_what_is_no_python_source_stops_nothing(tmp_path: Path, cli: Cli) -> None:
    deep = "x = " + "(" * 5000 + "Setting(Secret)" + ")" * 5000 + "\n"
    write(
        tmp_path,
        {"seedframe.toml": "", "seeds/10_ok.py": HOOK, "seeds/_deep.py": deep, "seeds/_bad.py": "Setting Secret"},
    )
    (tmp_path / "seeds" / "_nul.py").write_bytes(b"Setting(Secret)\0\xff")
    (tmp_path / "seeds" / "_link.py").symlink_to("_link.py")
    os.mkfifo(tmp_path / "seeds" / "_pipe.py")
    done = cli("list", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "10_ok  seeds/10_ok.py\n", "")
