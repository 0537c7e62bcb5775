"""The rules of `seedframe lint`: what each finds, why that is a mistake, and an example of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from seedframe.errors import ConfigError, did_you_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule.

    Attributes:
        code: "SF101"; it never means anything else.
        name: "unknown-hook"; what finds such a mistake calls it by this.
        summary: one line.
        why: what happens otherwise, or why it is refused.
        example: files of a project that break it.
        instead: what is written instead of some of them; None for what is not there.
        default: whether it is looked for unless asked.
    """

    code: str
    name: str
    summary: str
    why: str
    example: Mapping[str, str | bytes | None]
    instead: Mapping[str, str | bytes | None] = field(default_factory=dict)
    default: bool = True


_SEED: Final = "seeds/10_shop.py"
_ROWS: Final = (
    'from seedframe import Rows\n\n\ndef resources():\n    yield Rows("products", key="sku", file="products.csv")\n'
)
_PRICED: Final = (
    'from seedframe import Rows\n\n\ndef resources():\n    yield Rows(\n        "products",\n        key="sku",\n'
    '        rows=[\n            {"sku": "A", "name": "a"},\n'
)
_CSV: Final = "seeds/products.csv"
_VERIFY: Final = "def verify(db):\n    pass\n"


def _hooks(code: str, name: str, summary: str, why: str, wrong: str, right: str) -> Rule:
    """A rule whose example is one seed."""
    return Rule(code=code, name=name, summary=summary, why=why, example={_SEED: wrong}, instead={_SEED: right})


def _data(code: str, name: str, summary: str, why: str, wrong: str | bytes, right: str | bytes) -> Rule:
    """A rule whose example is one CSV."""
    return Rule(
        code=code, name=name, summary=summary, why=why, example={_SEED: _ROWS, _CSV: wrong}, instead={_CSV: right}
    )


RULES: Final = (
    # Modules
    _hooks(
        "SF001",
        "syntax-error",
        "A Python file of the seeds is no Python",
        "Nothing of such a file can be run, and nothing of a seed that imports it. The other seeds are looked at"
        " all the"
        " same.",
        "def verify(db)\n    pass\n",
        _VERIFY,
    ),
    _hooks(
        "SF002",
        "import-failed",
        "A seed raises while it is imported",
        "A seed is imported by every command. Whatever its module does by itself, it does in all of them; what"
        " needs the"
        " world belongs into a hook. A missing module is one that this environment lacks: lint where the seeds run, or"
        " name it under `additional_dependencies`.",
        'import json\n\nLIMITS = json.loads("{")\n\n\n' + _VERIFY,
        'import json\n\nLIMITS = json.loads("{}")\n\n\n' + _VERIFY,
    ),
    Rule(
        code="SF003",
        name="stray-file",
        summary="A Python file in the seeds folder is neither a seed nor a helper",
        why="It would never be run, and nobody would hear of it. A seed is NN_name, a helper begins with an"
        " underscore.",
        example={_SEED: _VERIFY, "seeds/prices.py": _VERIFY},
        instead={"seeds/prices.py": None, "seeds/20_prices.py": _VERIFY},
    ),
    Rule(
        code="SF004",
        name="duplicate-seed",
        summary="Two seeds have one name",
        why="The name identifies a seed in the ledger; the number is no part of it. Neither of the two has more"
        " right to"
        " it, so both are refused.",
        example={_SEED: _VERIFY, "seeds/20_shop.py": _VERIFY},
        instead={"seeds/20_shop.py": None, "seeds/20_prices.py": _VERIFY},
    ),
    # Hooks and constants
    _hooks(
        "SF101",
        "unknown-hook",
        "A function has nearly a hook's name",
        "It would never be called. A helper that only looks like a hook begins with an underscore.",
        "def resource():\n    return []\n\n\n" + _VERIFY,
        "def resources():\n    return []\n\n\n" + _VERIFY,
    ),
    _hooks(
        "SF102",
        "unknown-argument",
        "A hook asks for something it cannot be given",
        "Hooks ask by name for what they want: db, seed, env, config, settings; `resources` kinds, and `apply` plan.",
        "def verify(database):\n    pass\n",
        _VERIFY,
    ),
    _hooks(
        "SF103",
        "hook-signature",
        "A hook is async, or its arguments are not plain ones",
        "Arguments are given by name, each time all that are asked for: defaults, *args and **kwargs would never be"
        " used.",
        "def verify(db=None):\n    pass\n",
        _VERIFY,
    ),
    _hooks(
        "SF104",
        "not-a-hook",
        "A hook's name stands for something that is no hook of this seed",
        "A hook is a function that is defined in the seed itself; what is imported is another module's.",
        "verify = True\n\n\ndef resources():\n    return []\n",
        "def resources():\n    return []\n",
    ),
    _hooks(
        "SF105",
        "apply-without-check",
        "A seed has `apply` and no `check`",
        "`apply` makes the changes that `check` returned. Without it no plan would tell of them, and nobody could prove"
        " that they are made.",
        "def apply(db, plan):\n    pass\n",
        "def check(db):\n    return []\n\n\ndef apply(db, plan):\n    pass\n",
    ),
    _hooks(
        "SF106",
        "no-hook",
        "A seed has no hook",
        "Nothing would come of it.",
        '"""Prices."""\n\nPRICES = {"SEMA-025": 249}\n',
        '"""Prices."""\n\n\n' + _VERIFY,
    ),
    _hooks(
        "SF107",
        "unknown-constant",
        "A constant has nearly the name of one that means something",
        "It would say nothing: the seed would run everywhere, or before what it needs.",
        'ENVIROMENTS = ["staging"]\n\n\n' + _VERIFY,
        'ENVIRONMENTS = ["staging"]\n\n\n' + _VERIFY,
    ),
    _hooks(
        "SF108",
        "constant-value",
        "A constant has a value that does not fit",
        "REQUIRES, TAGS, ENVIRONMENTS and WRITES are lists of texts, CRITICAL is True or False.",
        'TAGS = "demo"\n\n\n' + _VERIFY,
        'TAGS = ["demo"]\n\n\n' + _VERIFY,
    ),
    _hooks(
        "SF109",
        "settings",
        "SETTINGS is not a list of settings",
        "What is not declared there, with its type, cannot be listed by `seedframe env`, nor checked before a run.",
        'SETTINGS = ["SEED_PRICE"]\n\n\n' + _VERIFY,
        'from seedframe import Setting\n\nSETTINGS = [Setting("SEED_PRICE", int, default=1)]\n\n\n' + _VERIFY,
    ),
    Rule(
        code="SF110",
        name="setting-conflict",
        summary="Two seeds declare a variable that cannot be both",
        why="One variable has one value, and so one type; and NAME_FILE is where NAME is read from.",
        example={
            _SEED: 'from seedframe import Setting\n\nSETTINGS = [Setting("SEED_PRICE", int, default=1)]\n\n\n'
            + _VERIFY,
            "seeds/20_plans.py": 'from seedframe import Setting\n\nSETTINGS = [Setting("SEED_PRICE", str,'
            ' default="1")]\n\n\n' + _VERIFY,
        },
        instead={
            "seeds/20_plans.py": 'from seedframe import Setting\n\nSETTINGS = [Setting("SEED_PRICE", int,'
            " default=1)]\n\n\n" + _VERIFY
        },
    ),
    Rule(
        code="SF111",
        name="environment-name",
        summary="A seed or a resource is limited to an environment that nobody can choose",
        why="`--env` refuses a name that is malformed, or nearly that of an environment of the project: what is"
        " limited to"
        " it would never run.",
        example={
            "seedframe.toml": '[project]\nname = "shop"\n\n[env.staging]\n',
            _SEED: 'ENVIRONMENTS = ["stagin"]\n\n\n' + _VERIFY,
        },
        instead={_SEED: 'ENVIRONMENTS = ["staging"]\n\n\n' + _VERIFY},
    ),
    Rule(
        code="SF112",
        name="writes-missing",
        summary="A plugin's seed does not say which tables it writes",
        why="Whoever installs a plugin wants to know what it touches, before anything runs. WRITES is shown by"
        " plans, and"
        " writing elsewhere is refused.",
        example={
            "seedframe.toml": None,
            "pyproject.toml": '[project]\nname = "seedframe-colours"\nversion = "1.0"\n\n'
            '[project.entry-points.seedframe]\n"40_colours" = "seedframe_colours.seed"\n',
            "src/seedframe_colours/__init__.py": "",
            "src/seedframe_colours/seed.py": "def resources():\n    return []\n",
        },
        instead={"src/seedframe_colours/seed.py": 'WRITES = ["colours"]\n\n\ndef resources():\n    return []\n'},
    ),
    Rule(
        code="SF113",
        name="not-registered",
        summary="A plugin's seed cannot be registered",
        why="The seed is broken, and no command runs it. Each entry point names a module, or an object, of its own: one"
        " that two of them name would be called for both.",
        example={
            "seedframe.toml": None,
            "pyproject.toml": '[project]\nname = "seedframe-colours"\nversion = "1.0"\n\n'
            '[project.entry-points.seedframe]\n"40_colours" = "seedframe_colours.seed"\n'
            '"50_shades" = "seedframe_colours.seed"\n',
            "src/seedframe_colours/__init__.py": "",
            "src/seedframe_colours/seed.py": "WRITES = []\n\n\ndef resources():\n    return []\n",
        },
        instead={
            "pyproject.toml": '[project]\nname = "seedframe-colours"\nversion = "1.0"\n\n'
            '[project.entry-points.seedframe]\n"40_colours" = "seedframe_colours.seed"\n'
            '"50_shades" = "seedframe_colours.shades"\n',
            "src/seedframe_colours/shades.py": "WRITES = []\n\n\ndef resources():\n    return []\n",
        },
    ),
    # Order
    _hooks(
        "SF201",
        "unknown-requirement",
        "REQUIRES names a seed that there is not",
        "The seed would never run. Seeds are required by name, without the number.",
        'REQUIRES = ["core"]\n\n\n' + _VERIFY,
        _VERIFY,
    ),
    Rule(
        code="SF202",
        name="late-requirement",
        summary="REQUIRES names a seed that comes later",
        why="Seeds run by number, then by name; what is required has to come first, whatever is selected.",
        example={_SEED: 'REQUIRES = ["core"]\n\n\n' + _VERIFY, "seeds/20_core.py": _VERIFY},
        instead={"seeds/20_core.py": None, "seeds/00_core.py": _VERIFY},
    ),
    Rule(
        code="SF203",
        name="circular-requirement",
        summary="Seeds require each other in a circle",
        why="No order fits.",
        example={
            _SEED: 'REQUIRES = ["plans"]\n\n\n' + _VERIFY,
            "seeds/20_plans.py": 'REQUIRES = ["shop"]\n\n\n' + _VERIFY,
        },
        instead={_SEED: _VERIFY},
    ),
    # Configuration
    Rule(
        code="SF301",
        name="unknown-seed",
        summary="[seeds.NAME] of the configuration is of no seed",
        why="What it says has no effect: a seed that was to be disabled runs.",
        example={
            "seedframe.toml": '[project]\nname = "shop"\n\n[seeds.shopp]\nenabled = false\n',
            _SEED: _VERIFY,
        },
        instead={"seedframe.toml": '[project]\nname = "shop"\n\n[seeds.shop]\nenabled = false\n'},
    ),
    Rule(
        code="SF302",
        name="plugin-unavailable",
        summary="A plugin that the project counts on cannot be had, or does not fit the contract",
        why="Its seeds would be missing. What depends on them is not looked at here either.",
        example={
            "seedframe.toml": '[project]\nname = "shop"\n\n[plugins]\nallow = ["seedframe-nowhere"]\n',
            _SEED: _VERIFY,
        },
        instead={"seedframe.toml": '[project]\nname = "shop"\n'},
    ),
    Rule(
        code="SF303",
        name="option-misfit",
        summary="[seeds.NAME] of the configuration says what the seed has no option for",
        why="A seed that declares OPTIONS takes these, each of its type; a slip would leave one at its default.",
        example={
            "seedframe.toml": '[project]\nname = "shop"\n\n[seeds.shop]\ncurrency = 3\n',
            _SEED: 'from seedframe import Option\n\nOPTIONS = [Option("currency", str, default="EUR")]\n\n\n' + _VERIFY,
        },
        instead={"seedframe.toml": '[project]\nname = "shop"\n\n[seeds.shop]\ncurrency = "USD"\n'},
    ),
    # Declarations
    _hooks(
        "SF401",
        "resources-failed",
        "`resources` raises, or returns what is no resource",
        "Where it asks for neither `db` nor `settings`, it can be called anywhere, and is.",
        'def resources():\n    return {}["products"]\n',
        "def resources():\n    return []\n",
    ),
    _hooks(
        "SF402",
        "declaration",
        "The arguments of a resource do not fit each other",
        "The same is said by every command; here before there is a database.",
        'from seedframe import Rows\n\n\ndef resources():\n    yield Rows("products", key="sku", rows=[],'
        ' mode="snyc")\n',
        'from seedframe import Rows\n\n\ndef resources():\n    yield Rows("products", key="sku", rows=[],'
        ' mode="sync")\n',
    ),
    _hooks(
        "SF403",
        "duplicate-resource",
        "Two resources of a seed have one name",
        "The name is what the ledger knows a resource by.",
        'from seedframe import Rows\n\n\ndef resources():\n    yield Rows("products", key="sku", rows=[{"sku": "A"}])\n'
        '    yield Rows("products", key="sku", rows=[{"sku": "B"}])\n',
        'from seedframe import Rows\n\n\ndef resources():\n    yield Rows("products", key="sku", rows=[{"sku": "A"}])\n'
        '    yield Rows("products", key="sku", rows=[{"sku": "B"}], name="more")\n',
    ),
    _hooks(
        "SF404",
        "unknown-column",
        "key=, initial=, ignore=, secret= or refs= names a column that the rows do not have",
        "A name in ignore= may be that of a column of the table; it is found where it is nearly a field's.",
        'from seedframe import Rows\n\n\ndef resources():\n    yield Rows("products", key="skuu", rows=[{"sku":'
        ' "A"}])\n',
        'from seedframe import Rows\n\n\ndef resources():\n    yield Rows("products", key="sku", rows=[{"sku":'
        ' "A"}])\n',
    ),
    _hooks(
        "SF405",
        "unknown-ref",
        "ref() names a row that no seed declares",
        "Found where all rows of the table that seeds declare are known, by the same columns. On an empty database the"
        " reference would find nothing. Rows that are there for other reasons, such as a migration, are not known here:"
        " say so with `# noqa`.",
        "from seedframe import Rows, ref\n\n\ndef resources():\n"
        '    yield Rows("products", key="sku", rows=[{"sku": "A-1"}])\n'
        '    yield Rows("plans", key="slug", rows=[{"slug": "basic", "product_id": ref("products", sku="A-2")}])\n',
        "from seedframe import Rows, ref\n\n\ndef resources():\n"
        '    yield Rows("products", key="sku", rows=[{"sku": "A-1"}])\n'
        '    yield Rows("plans", key="slug", rows=[{"slug": "basic", "product_id": ref("products", sku="A-1")}])\n',
    ),
    Rule(
        code="SF406",
        name="late-ref",
        summary="ref() names a row that only a later seed declares",
        why="A seed's references are looked up when it is applied; what comes later is not there yet on an empty"
        " database.",
        example={
            _SEED: "from seedframe import Rows, ref\n\n\ndef resources():\n"
            '    yield Rows("plans", key="slug", rows=[{"slug": "basic", "product_id": ref("products", sku="A-1")}])\n',
            "seeds/20_products.py": "from seedframe import Rows\n\n\ndef resources():\n"
            '    yield Rows("products", key="sku", rows=[{"sku": "A-1"}])\n',
        },
        instead={
            "seeds/20_products.py": None,
            "seeds/05_products.py": "from seedframe import Rows\n\n\ndef resources():\n"
            '    yield Rows("products", key="sku", rows=[{"sku": "A-1"}])\n',
        },
    ),
    # Files
    Rule(
        code="SF501",
        name="missing-file",
        summary="A data file does not exist",
        why="file= is relative to the folder of the seed.",
        example={_SEED: _ROWS, "seeds/product.csv": "sku\nA\n"},
        instead={_CSV: "sku\nA\n", "seeds/product.csv": None},
    ),
    _hooks(
        "SF502",
        "file-outside",
        "A data file is not below the seed's folder",
        "A seed has its data with it: in version control, in a package, and in what is reviewed.",
        _ROWS.replace("products.csv", "../products.csv"),
        "def resources():\n    return []\n",
    ),
    _hooks(
        "SF503",
        "file-format",
        "A data file has an ending that no format has",
        "The ending names the format. YAML needs the extra `yaml`.",
        _ROWS.replace("products.csv", "products.xlsx"),
        "def resources():\n    return []\n",
    ),
    Rule(
        code="SF504",
        name="unreadable-file",
        summary="A data file cannot be read, or not be unpacked",
        why="It is a folder, it may not be opened, or what it holds is not what its ending says.",
        example={_SEED: _ROWS.replace(".csv", ".csv.gz"), "seeds/products.csv.gz": b"sku\nA\n"},
        instead={_SEED: _ROWS, "seeds/products.csv.gz": None, _CSV: "sku\nA\n"},
    ),
    _data(
        "SF505",
        "encoding",
        "A data file is not UTF-8",
        "In another encoding, letters would come out as others.",
        b"sku,name\nA,caf\xe9\n",
        "sku,name\nA,café\n",
    ),
    Rule(
        code="SF506",
        name="malformed-file",
        summary="A data file is not what its ending says",
        why="What comes after such a place in a file is not looked at.",
        example={
            _SEED: _ROWS.replace(".csv", ".json"),
            "seeds/products.json": '[\n  {"sku": "A"},\n  {"sku": "B"\n]\n',
        },
        instead={"seeds/products.json": '[\n  {"sku": "A"},\n  {"sku": "B"}\n]\n'},
    ),
    _data(
        "SF507",
        "empty-file",
        "A data file is empty",
        "It was cut short, or never written. To declare no rows, write a header alone, or [].",
        "",
        "sku\n",
    ),
    _data(
        "SF508",
        "header",
        "A column of the header has no name, or one that another has",
        "Nobody could say which column of the table is meant.",
        "sku,name,name\nA,a,b\n",
        "sku,name\nA,a\n",
    ),
    _data(
        "SF509",
        "header-blanks",
        "A name in the header, or a field's, has blanks around it or what cannot be seen in it",
        "It is another name than the column's, and looks the same.",
        "sku, name\nA,a\n",
        "sku,name\nA,a\n",
    ),
    _data(
        "SF510",
        "byte-order-mark",
        "A data file begins with a byte order mark",
        "seedframe skips it; other programs take it for a part of the first column's name, and so does a file that two"
        " such files are put together to. Save it as UTF-8 without one.",
        "\ufeffsku\nA\n",
        "sku\nA\n",
    ),
    _data(
        "SF511",
        "field-count",
        "A row has more or fewer fields than the header",
        "Its values would land in columns that they are not for.",
        "sku,name\nA\n",
        "sku,name\nA,a\n",
    ),
    _hooks(
        "SF512",
        "different-fields",
        "A row has other fields than the first",
        "All rows of a source have the same fields, in the same order; to leave a value out, write null.",
        _PRICED + '            {"sku": "B"},\n        ],\n    )\n',
        _PRICED + '            {"sku": "B", "name": None},\n        ],\n    )\n',
    ),
    _data(
        "SF513",
        "empty-key",
        "A row has no value in its key",
        "It would be another row each time. Where the unique index is NULLS NOT DISTINCT, NULL is a key: then"
        " silence this"
        " where the rows are declared.",
        "sku,name\n,a\n",
        "sku,name\nA,a\n",
    ),
    _data(
        "SF514",
        "duplicate-key",
        "Two rows of a source have one key",
        "One row cannot be both. Keys that only the database takes for one (`citext`, 1 and 01) are found by it.",
        "sku,name\nA,a\nA,b\n",
        "sku,name\nA,a\nB,b\n",
    ),
    _data(
        "SF515",
        "suspicious-text",
        "A value holds what cannot be seen, or what was decoded wrongly before",
        "Control characters, marks that turn the direction of text, U+FFFD where a letter was lost, and UTF-8 that was"
        " read as Windows-1252.",
        "sku,name\nA,cafÃ©\n",
        "sku,name\nA,café\n",
    ),
    Rule(
        code="SF516",
        name="unused-file",
        summary="No seed reads a data file that lies next to the seeds",
        why="It is out of date, or a seed has forgotten it. Not looked for unless it is selected: code may read"
        " files in"
        " ways that cannot be seen.",
        example={_SEED: _VERIFY, "seeds/data/old.csv": "sku\nA\n"},
        instead={"seeds/data/old.csv": None},
        default=False,
    ),
    # Secrets
    _hooks(
        "SF601",
        "password-in-code",
        "A password, a key or a token stands in a seed or in its data",
        "Whoever can read the repository can sign in, now and from its history. Declare it as a setting of type Secret."
        " The value is never shown.",
        'PASSWORD = "correct horse"\n\n\n' + _VERIFY,
        'from seedframe import Secret, Setting\n\nSETTINGS = [Setting("SEED_PASSWORD", Secret, default=None)]\n\n\n'
        + _VERIFY,
    ),
    _hooks(
        "SF602",
        "hash-in-code",
        "A password's hash or a private key stands in a seed or in its data",
        "A hash can be tried offline, by anybody, for as long as it takes. `Account` makes the hash where it is kept.",
        'ADMIN = "$2b$12$EXRkfkdmXn2gzds2SSitu.MW9.gAVqa9eLS1//RYtYCmB1eLHg.9q"\n\n\n' + _VERIFY,
        _VERIFY,
    ),
)
"""Every rule, in the order of their codes."""

BY_NAME: Final[Mapping[str, Rule]] = {rule.name: rule for rule in RULES}
BY_CODE: Final[Mapping[str, Rule]] = {rule.code: rule for rule in RULES}

_PREFIX: Final = "SF"


def rule_of(word: str) -> Rule:
    """The rule with a code or a name. Errors: ConfigError."""
    rule = BY_CODE.get(word.upper()) or BY_NAME.get(word.lower())
    if rule is None:
        near = did_you_mean(word.upper(), BY_CODE) or did_you_mean(word.lower(), BY_NAME)
        raise ConfigError(f"there is no rule {word!r}", hint=near or "seedframe lint --explain all lists them")
    return rule


def rules_below(word: str) -> tuple[Rule, ...]:
    """The rules whose codes begin so: SF5."""
    start = word.upper()
    return tuple(rule for rule in RULES if start.startswith(_PREFIX) and rule.code.startswith(start))


def chosen(select: Iterable[str], ignore: Iterable[str], where: str) -> frozenset[str]:
    """The codes of the rules that are looked for.

    Args:
        select: codes, their beginnings (SF5), names; none means every rule that is on by default.
        ignore: likewise, what is left out.
        where: where these stand, for messages.

    Errors: ConfigError for what is no rule's.
    """
    wanted = [rule for word in select for rule in _rules(word, where)]
    found = {rule.code for rule in wanted} or {rule.code for rule in RULES if rule.default}
    return frozenset(found - {rule.code for word in ignore for rule in _rules(word, where)})


def _rules(word: str, where: str) -> list[Rule]:
    given = word.strip()
    found = list(rules_below(given))
    found = found or [rule for rule in RULES if rule.name == given.lower()]
    if not found:
        near = did_you_mean(given.upper(), BY_CODE) or did_you_mean(given.lower(), BY_NAME)
        hint = near or "seedframe lint --explain all lists the rules"
        raise ConfigError(f"there is no rule {given!r}", hint=hint, where=where)
    return found
