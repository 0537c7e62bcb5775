# ruff: noqa: E501, DTZ001 - a type stands in few lines; values without a zone are meant
# fmt: off
"""Every type of PostgreSQL: texts that are values of it, and what means the same as one of them.

The values of a kind are pairwise different to an image, though several are equal to the type's own `=`. What stands in
`same`, as text or as Python value, means exactly the first of them.
"""

import contextlib
import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from seedframe import Secret


class Mood(StrEnum):
    """A StrEnum is its text."""

    GLAD = "glad"


class Level(IntEnum):
    """An IntEnum is its number."""

    ONE = 1


class Shade(Enum):
    """An Enum is its value, whatever its name."""

    FIRST = "glad"


class Pair(NamedTuple):
    """A composite value, by the order of its fields."""

    number: int
    text: str


@dataclass(frozen=True)
class Place:
    """The same as a dataclass, and an object in JSON."""

    number: int
    text: str


@dataclass(frozen=True)
class Kind:
    """One type.

    Attributes:
        type: as DDL has it.
        values: texts that are values of it, no two with one image.
        same: texts and Python values that mean the first of `values`.
        bad: texts that the type refuses.
        ddl: what must be made before the type is there.
        needs: the extension that brings it, or LIBXML.
        since: the first major version that has it.
        is_json: what stands in a JSON file is the value itself.
        key: the type has an order, so that a unique index can be over it.
        null: NULL is a value of it, too.
        note: what is worth saying of it in docs/traps.md.
    """

    type: str
    values: tuple[str, ...]
    same: tuple[Any, ...] = ()
    bad: tuple[str, ...] = ()
    ddl: str = ""
    needs: str = ""
    since: int = 0
    is_json: bool = False
    key: bool = True
    null: bool = True
    note: str = ""


LIBXML: Final = "libxml"
"""What a server that was built without it does without."""

_TZ: Final = timezone(timedelta(hours=2))
_V6: Final = ipaddress.ip_address("::1")

NUMBERS: Final = (
    Kind("smallint", ("1", "2", "-32768"), (1, Level.ONE, " 1 ", "+1"), ("32768", "1.5", "")),
    Kind("integer", ("1", "2", "-2147483648"), (1, Level.ONE, "01", Decimal(1)), ("2147483648", "x")),
    Kind("bigint", ("9223372036854775807", "-9223372036854775808", "0"), (2**63 - 1,), ("9223372036854775808",)),
    Kind(
        "numeric",
        ("1.50", "1.5", "1.500", "NaN", "Infinity", "-Infinity", "1e3", "1000.0", "0", "0.0", "1e-20", "9" * 60),
        (Decimal("1.50"), "+1.50", "150e-2"),
        ("x", "1,5"),
        note="the scale is part of the value: 1.5 and 1.50 are equal and yet another image",
    ),
    Kind(
        "numeric(10,2)",
        ("1.50", "1.51", "-1.50", "NaN"),
        (Decimal("1.5"), 1.5, "1.5", "1.500", "1.504", "1.495"),
        ("123456789.00", "Infinity"),
        note="rounded to the scale, as an assignment does",
    ),
    Kind("numeric(3)", ("2", "3", "-2"), (2, Decimal("1.5"), "2.4"), ("1000",)),
    Kind(
        "numeric(3,-2)", ("12300", "12400"), (12345, "12345", "12299"), ("123456",), since=15,
        note="a negative scale rounds before the point",
    ),
    Kind("numeric(3,5)", ("0.00123", "0.00124"), ("0.001234", Decimal("0.00123")), ("0.01",), since=15),
    Kind(
        "real", ("0.1", "0.1000001", "1e-40", "NaN", "Infinity", "-0", "0"), (0.1, Decimal("0.1"), "0.10"),
        ("1e60", "x"), note="-0 and 0, and NaN, are told apart",
    ),
    Kind(
        "double precision",
        ("-0", "0", "NaN", "Infinity", "-Infinity", "0.1", "5e-324", "1.7976931348623157e308"),
        (-0.0, "-0.0", Decimal("-0")),
        ("1e400",),
    ),
    Kind("float(24)", ("0.1", "0.2"), (0.1,)),
    Kind("money", ("1.50", "1.51", "-1.50"), (Decimal("1.50"), 1.5, "$1.50", "1.5"), ("x",)),
    Kind("oid", ("1", "4294967295"), (1, "01"), ("x",)),
    Kind("pg_lsn", ("0/10", "0/11", "FFFFFFFF/FFFFFFFF"), ("0/010",), ("x",)),
    Kind("xid", ("1", "2"), (1,), key=False),
    Kind("cid", ("1", "2"), (1,), key=False),
    Kind("xid8", ("1", "18446744073709551615"), (1,)),
    Kind("tid", ("(0,1)", "(0,2)", "(1,1)"), ((0, 1),), ("x",)),
    Kind("pg_snapshot", ("10:20:10,14", "10:20:10", "1:1:"), ("10:20:10,14",), ("20:10:",), key=False),
    Kind("txid_snapshot", ("10:20:10,14", "10:20:10"), (), ("20:10:",), key=False),
    Kind("int2vector", ("1 2", "1", ""), ([1, 2], "1  2"), key=False),
    Kind("oidvector", ("1 2", "2 1", ""), ([1, 2],)),
    Kind("boolean", ("true", "false"), (True, "t", "yes", "on", "1", 1, "TRUE"), ("maybe", "2")),
)

TEXTS: Final = (
    Kind(
        "text",
        ("\u00e9", "e\u0301", "\u00c9", "", " ", "a\nb", "a\tb", "\\N", "NULL", '"', "'", "\x1f\x1e", "\ue000", "%s :x {}", "\U0001f600"),
        (Secret("\u00e9"),),
        note="Unicode's normal forms differ; the empty text is not NULL",
    ),
    Kind("varchar", ("a", "a ", "")),
    Kind("varchar(3)", ("abc", "ab", "ab ", ""), ("abc  ",), ("abcd", "äöüß"), note="too long is refused, not cut"),
    Kind("char(3)", ("ab", "abc", "", "AB"), ("ab ", "ab     "), ("abcd",), note="padded with blanks"),
    Kind("char", ("a", ""), ("a  ",), ("ab",)),
    Kind("bpchar", ("ab", "ab ", "abc"), note="without a length, blanks count for the image"),
    Kind('"char"', ("a", "b", ""), ()),
    Kind("name", ("ab", "AB", ""), ("ab",), note="cut at 63 bytes, as PostgreSQL does with every name"),
    Kind('text collate "C"', ("a", "A", "ä"), ()),
    Kind(
        "bytea",
        ("\\x00ff", "\\x", "\\x00"),
        (b"\x00\xff", bytearray(b"\x00\xff"), memoryview(b"\x00\xff"), "\\x00FF", "\\000\\377"),
        ("\\xz",),
    ),
    Kind("bit(3)", ("101", "100", "000"), ("B101",), ("10", "1011", "102"), note="of another length is refused"),
    Kind("bit(8)", ("11110000", "00001111"), ("xF0", "B11110000"), ("xF",)),
    Kind("bit", ("1", "0"), (1,), ("10",)),
    Kind("varbit", ("101", "1010", ""), ("B101",), ("x!",)),
    Kind("varbit(4)", ("101", "1010", ""), ("B101",), ("10101",)),
    Kind("uuid", (str(UUID(int=1)), str(UUID(int=2))), (UUID(int=1), "{" + str(UUID(int=1)) + "}", UUID(int=1).hex), ("x",)),
    Kind("refcursor", ("a", "b"), (), key=False),
)

TIMES: Final = (
    Kind(
        "date", ("2024-02-29", "infinity", "-infinity", "0044-03-15 BC"),
        (date(2024, 2, 29), datetime(2024, 2, 29, 12, tzinfo=UTC).date(), "20240229", "Feb 29 2024", datetime(2024, 2, 29, 12)),
        ("2023-02-29", "x"),
    ),
    Kind(
        "time", ("12:30:00", "12:30:00.000001", "24:00:00", "00:00:00"),
        (time(12, 30), "12:30 pm", "T123000"), ("25:00",),
    ),
    Kind("time(0)", ("12:30:01", "12:30:02"), ("12:30:00.5", time(12, 30, 0, 600000), "12:30:01.4"), ("25:00",)),
    Kind(
        "timetz", ("12:30:00+02", "10:30:00+00", "12:30:00+01"), (time(12, 30, tzinfo=_TZ), "12:30+0200"),
        note="one moment in two zones is two values",
    ),
    Kind("timetz(1)", ("12:30:00.1+02", "12:30:00.2+02"), ("12:30:00.14+02",)),
    Kind(
        "timestamp", ("2024-03-31 02:30:00", "infinity", "-infinity", "0044-03-15 00:00:00 BC", "epoch"),
        (datetime(2024, 3, 31, 2, 30), "2024-03-31T02:30", "2024-03-31 02:30:00+05"),
        ("2024-13-01",),
    ),
    Kind("timestamp(0)", ("2024-01-01 00:00:01", "2024-01-01 00:00:02"), ("2024-01-01 00:00:00.6", datetime(2024, 1, 1, 0, 0, 1, 400000))),
    Kind(
        "timestamptz", ("2024-03-31 00:30:00+00", "2024-03-31 02:30:00+00", "infinity", "0044-03-15 00:00:00+00 BC"),
        (datetime(2024, 3, 31, 2, 30, tzinfo=_TZ), datetime(2024, 3, 31, 0, 30, tzinfo=UTC), "2024-03-31 02:30+02",
         "2024-03-31 00:30", "2024-03-31 01:30 Europe/Berlin"),
        ("x",), note="without a zone, a time is in UTC, whatever the role's own TimeZone",
    ),
    Kind("timestamptz(3)", ("2024-01-01 00:00:00.123+00", "2024-01-01 00:00:00.124+00"), (datetime(2024, 1, 1, 0, 0, 0, 123400, tzinfo=UTC), "2024-01-01 00:00:00.1226Z")),
    Kind(
        "interval", ("1 mon", "30 days", "720:00:00", "1 day -00:00:01", "-1 year", "00:00:00"),
        ("1 month", "P1M", "@ 1 mon", "0-1"), ("x",),
        note="1 month, 30 days and 720 hours are equal and yet another image",
    ),
    Kind("interval(0)", ("00:00:02", "00:00:01"), (timedelta(seconds=1.6), "2 s", "1.6"), ()),
    Kind(
        "interval day", ("5 days", "6 days", "00:00:00"), ("5", "5 days 12:00", timedelta(days=5), timedelta(days=5, hours=1)),
        note="a bare number is of the declared field: 5 is five days",
    ),
    Kind("interval minute to second", ("00:12:34", "00:12:35"), ("12:34", timedelta(minutes=12, seconds=34))),
    Kind("interval year to month", ("1 year 2 mons", "2 years"), ("1-2", "14 months", "14")),
    Kind("interval second(1)", ("00:00:05.1", "00:00:05"), ("5.14", "5.1")),
)

NETWORK: Final = (
    Kind(
        "inet", ("10.0.0.1", "10.0.0.1/8", "::1", "::ffff:10.0.0.1"),
        (ipaddress.ip_address("10.0.0.1"), ipaddress.ip_interface("10.0.0.1/32"), "10.0.0.1/32"), ("10.0.0.256",),
    ),
    Kind("cidr", ("10.0.0.0/8", "10.0.0.0/9", "::/0"), (ipaddress.ip_network("10.0.0.0/8"), "10/8"), ("10.0.0.1/8",)),
    Kind("macaddr", ("08:00:2b:01:02:03", "08:00:2b:01:02:04"), ("08002b-010203", "08-00-2B-01-02-03"), ("x",)),
    Kind("macaddr8", ("08:00:2b:ff:fe:01:02:03", "08:00:2b:01:02:03:04:05"), ("08:00:2b:01:02:03",), ("x",)),
)

GEOMETRIC: Final = (
    Kind("point", ("(1,2)", "(-0,2)", "(0,2)", "(1e+300,NaN)"), ((1, 2), "1,2", "(1.0, 2)"), ("x",), key=False),
    Kind("line", ("{1,-1,0}", "{2,-2,0}"), ("[(0,0),(1,1)]",), ("{0,0,1}",), key=False),
    Kind("lseg", ("[(1,2),(3,4)]", "[(3,4),(1,2)]"), (((1, 2), (3, 4)), "1,2,3,4"), ("x",), key=False),
    Kind("box", ("(3,4),(1,2)", "(3,4),(1,1)"), (((1, 2), (3, 4)), "1,2,3,4", "(1,4),(3,2)"), ("x",), key=False),
    Kind("path", ("[(1,2),(3,4)]", "((1,2),(3,4))"), ("[1,2,3,4]",), ("x",), key=False, note="open and closed"),
    Kind("polygon", ("((0,0),(1,1),(1,0))", "((1,1),(1,0),(0,0))"), (((0, 0), (1, 1), (1, 0)),), ("x",), key=False),
    Kind("circle", ("<(1,2),3>", "<(1,2),3.0000000000000004>"), (((1, 2), 3), "1,2,3"), ("<(1,2),-3>",), key=False),
)

DOCUMENTS: Final = (
    Kind(
        "json", ('{"a": 1}', '{"a":1}', "null", '{"a": 1, "a": 2}', "1.0", "1.00", '"x"'),
        ({"a": 1}, {"a": Level.ONE}, {"a": Decimal(1)}), ("{x", ""), is_json=True, key=False,
        note="a text as it was written: white space, order and repeated names differ",
    ),
    Kind(
        "jsonb",
        ('{"number": 1.50, "text": ["x", null, true]}', '{"number": 1.5, "text": ["x", null, true]}', "null", "[]", "{}", '"x"', '"\\u00e9"', "[[1]]"),
        ({"text": ("x", None, True), "number": Decimal("1.50")}, Jsonb({"number": Decimal("1.50"), "text": ["x", None, True]}),
         '{"text":["x",null,true],"number":1.50}', '{"text": 0, "number": 1.50, "text": ["x",null,true]}'),
        ("{x", '"\\u0000"'), is_json=True, note="order and white space are none of it; 1.5 and 1.50 differ",
    ),
    Kind("jsonpath", ("$.\"a\"", "strict $.\"a\"", "$.\"b\""), ("$.a", "lax $.a"), ("$[",), key=False),
    Kind("xml", ("<a/>", "<a></a>", "text", ""), ("<a/>",), ("<a>",), needs=LIBXML, key=False, note="a text as it was written"),
    Kind("tsvector", ("'a':1 'b':2", "'a' 'b'", "'a':1A 'b':2", ""), ("b:2 a:1", "a:1 b:2 a:1"), key=False),
    Kind("tsquery", ("'a' & 'b'", "'b' & 'a'", "'a' | 'b'", "'a':*"), ("a&b", "(a & b)"), ("a b",), key=False),
)

RANGES: Final = (
    Kind("int4range", ("[1,5)", "empty", "(,)", "[1,)"), (Range(1, 5), "(0,4]", "[1,4]", Range(0, 4, "(]")), ("[5,1]",)),
    Kind("int8range", ("[1,5)", "empty"), (Range(1, 5), "[1,4]"), ("x",)),
    Kind("numrange", ("[1.5,2)", "[1.50,2)", "empty"), (Range(Decimal("1.5"), 2),), ("x",)),
    Kind("daterange", ("[2024-01-01,2024-01-03)", "empty", "[2024-01-01,)"), (Range(date(2024, 1, 1), date(2024, 1, 3)), "[2024-01-01,2024-01-02]"), ("x",)),
    Kind("tsrange", ("[2024-01-01 00:00,2024-01-02 00:00)", "empty"), (Range(datetime(2024, 1, 1), datetime(2024, 1, 2)),)),
    Kind("tstzrange", ("[2024-01-01 00:00+00,)", "empty"), (Range(datetime(2024, 1, 1, 2, tzinfo=_TZ), None), "[2024-01-01 02:00+02,)")),
    Kind("int4multirange", ("{[1,5)}", "{}", "{[1,3),[4,5)}"), (Multirange([Range(1, 3), Range(3, 5)]), "{[1,3),[2,4]}"), ("x",)),
    Kind("int8multirange", ("{[1,5)}", "{}"), ("{[1,4]}",)),
    Kind("nummultirange", ("{[1.5,2)}", "{[1.50,2)}", "{}"), (Multirange([Range(Decimal("1.5"), 2)]),)),
    Kind("datemultirange", ("{[2024-01-01,2024-01-03)}", "{}"), ("{[2024-01-01,2024-01-02]}",)),
    Kind("tsmultirange", ("{[2024-01-01 00:00,)}", "{}"), ()),
    Kind("tstzmultirange", ("{[2024-01-01 00:00+00,)}", "{}"), ("{[2024-01-01 02:00+02,)}",)),
)

NAMES: Final = (
    Kind("regclass", ("pg_class", "pg_type"), ("1259", "pg_catalog.pg_class", 1259), ("no_such_table",), key=False,
         note="a name, or its number"),
    Kind("regtype", ("integer", "text"), ("int4", "23", "pg_catalog.int4"), ("no_such_type",), key=False),
    Kind("regproc", ("now", "boolin"), ("pg_catalog.now",), ("no_such_function",), key=False),
    Kind("regprocedure", ("abs(integer)", "abs(bigint)"), ("abs(int4)",), ("abs",), key=False),
    Kind("regoper", ("|/", "||/"), ("pg_catalog.|/",), ("+",), key=False),
    Kind("regoperator", ("+(integer,integer)", "-(integer,integer)"), ("pg_catalog.+(int4,int4)",), ("+",), key=False),
    Kind("regrole", ("postgres", "pg_monitor"), (), ("no_such_role",), key=False),
    Kind("regnamespace", ("pg_catalog", "public"), ("11",), ("no_such_schema",), key=False),
    Kind("regconfig", ("simple", "english"), ("pg_catalog.simple",), ("no_such_config",), key=False),
    Kind("regdictionary", ("simple", "english_stem"), (), ("no_such_dictionary",), key=False),
    Kind("regcollation", ('"C"', '"POSIX"'), ('pg_catalog."C"',), ("no_such_collation",), key=False),
    Kind("aclitem", ("postgres=r/postgres", "postgres=rw/postgres"), ("postgres=r/postgres",), ("no_such_role=r/postgres",), key=False),
)

_OWN: Final = """
create type mood as enum ('sad', 'ok', 'glad');
create domain positive as integer not null default 7 check (value > 0);
create domain code as varchar(3) check (value <> 'bad');
create domain short_code as code check (value is null or length(value) < 3);
create domain codes as varchar(3)[];
create domain flags as bit(3)[];
create domain days as interval day;
create type pair as (number integer, "text" varchar(4));
create type nested as (first pair, moods mood[], code code);
create domain good_pair as pair check ((value).number > 0);
create type floats as range (subtype = double precision);
create domain score as numeric(4, 1) check (value >= 0);
"""

OWN: Final = (
    Kind("mood", ("glad", "sad", "ok"), (Mood.GLAD, Shade.FIRST), ("Glad", ""), ddl=_OWN),
    Kind("mood[]", ("{glad,NULL}", "{glad}", "{}"), ([Mood.GLAD, None], (Shade.FIRST, None)), ("{x}",)),
    Kind("positive", ("1", "2"), (1, Level.ONE), ("0", "-1"), null=False),
    Kind("positive[]", ("{1,2}", "{2,1}", "{{1},{2}}"), ([1, 2],), ("{0}", "{NULL}")),
    Kind("code", ("abc", "ab", ""), ("abc ",), ("abcd", "bad")),
    Kind("short_code", ("ab", "a"), (), ("abc", "abcd")),
    Kind("code[]", ("{abc,NULL}", "{}"), (["abc", None],), ("{abcd}", "{bad}")),
    Kind("codes", ("{abc,NULL}", "{}"), (["abc", None],), ("{abcd}",), note="the elements of a domain's array are not cut"),
    Kind("flags", ("{101}", "{100}"), (["101"],), ("{10}", "{1010}")),
    Kind("days", ("5 days", "6 days"), ("5", timedelta(days=5, hours=3))),
    Kind("score", ("1.5", "1.6", "0.0"), ("1.50", 1.5, Decimal("1.45")), ("-1", "1000")),
    Kind(
        "pair", ("(1,a)", "(1,)", '(1,"")', "(,)", '(1,"a,""b")'), (Pair(1, "a"), Place(1, "a"), (1, "a"), '( 1,"a")'),
        ("(1)", "(x,a)", "(1,abcde)"),
    ),
    Kind(
        "pair[]", ('{"(1,a)",NULL}', '{"(1,a)"}', "{}"), ([Pair(1, "a"), None], [Place(1, "a"), None]),
        ('{"(1,abcde)"}',),
    ),
    Kind("good_pair", ("(1,a)", "(2,a)"), (Pair(1, "a"),), ("(0,a)", "(1,abcde)")),
    Kind(
        "nested", ('("(1,a)",{glad},abc)', '("(1,a)",{sad},abc)', "(,,)"), ((Pair(1, "a"), [Mood.GLAD], "abc"),),
        ('("(1,a)",{glad},abcd)', '("(1,abcde)",{glad},abc)'),
    ),
    Kind("floats", ("[0.5,1)", "[-0,1)", "[0,1)", "empty"), (Range(0.5, 1),), ("x",), key=False),
    Kind("floats_multirange", ("{[0.5,1)}", "{}"), (Multirange([Range(0.5, 1)]),), key=False),
    Kind("varchar(3)[]", ("{abc,NULL}", "{abc}", "{}"), (["abc", None], '{"abc  ",NULL}'), ("{abcd}",)),
    Kind("char(3)[]", ("{ab}", "{abc}"), (["ab"], ["ab "]), ("{abcd}",)),
    Kind("bit(3)[]", ("{101}", "{100}"), (["101"],), ("{10}", "{1010}")),
    Kind("varbit(3)[]", ("{101}", "{10}"), (["101"],), ("{1010}",)),
    Kind("numeric(4,1)[]", ("{1.5,2.0}", "{1.5,2.1}"), ([Decimal("1.5"), 2], "{1.45,2}"), ("{1000}",)),
    Kind("timestamp(0)[]", ('{"2024-01-01 00:00:01"}', "{infinity}"), ('{"2024-01-01 00:00:00.6"}',)),
    Kind("interval day[]", ('{"5 days"}', "{00:00:00}"), (["5"], [timedelta(days=5)])),
    Kind(
        "integer[]", ("{1,NULL,2}", "{1,2}", "{}", "[2:4]={1,NULL,2}", "{{1},{2}}", "[0:0][1:2]={{1,2}}"),
        ([1, None, 2], (1, None, 2), "[1:3]={1,NULL,2}", "{1,null,2}"), ("{1,x}", "{{1},{2,3}}"),
    ),
    Kind(
        "text[]", ('{"a,b",NULL,"NULL","","\\\\","\\""}', "{}", '{""}', "{{a,b},{c,d}}", "{NULL}"),
        (["a,b", None, "NULL", "", "\\", '"'],), ("{",), note="NULL and \"NULL\" differ, and so do dimensions and bounds",
    ),
    Kind("jsonb[]", ('{"{\\"a\\": 1}"}', "{null}", '{"null"}', "{}"), ([{"a": 1}],), ('{"{x"}',)),
    Kind("bytea[]", ('{"\\\\x00ff"}', "{}"), ([b"\x00\xff"],)),
    Kind("timestamptz[]", ('{"2024-01-01 00:00:00+00"}', "{}"), ([datetime(2024, 1, 1, 2, tzinfo=_TZ)],)),
    Kind("box[]", ("{(3,4),(1,2);(1,1),(0,0)}", "{}"), ([((1, 2), (3, 4)), "(0,0),(1,1)"],), key=False),
)

CONTRIB: Final = (
    Kind("citext", ("Hello", "hello", "HELLO"), ("Hello",), needs="citext", note="equal as a key; another image as a value"),
    Kind("hstore", ('"a"=>"1", "b"=>NULL', '"a"=>"1"', ""), ({"b": None, "a": "1"}, {"a": 1, "b": None}, "b=>NULL, a=>1"), ("a=>",), needs="hstore"),
    Kind("ltree", ("top.science", "top.Science", ""), ("top.science",), ("top science",), needs="ltree"),
    Kind("lquery", ("top.*", "*.science@"), (), ("top.**x",), needs="ltree", key=False),
    Kind("ltxtquery", ("a & b", "b & a"), ("a&b",), needs="ltree", key=False),
    Kind("cube", ("(1, 2),(3, 4)", "(3, 4),(1, 2)", "(1, 2)"), ("(1,2),(3,4)",), ("x",), needs="cube"),
    Kind("seg", ("1 .. 2", "1.0 .. 2", "~5"), ("1..2",), ("x",), needs="seg"),
    Kind("isbn", ("978-0-393-04002-9", "0-901690-54-6"), ("9780393040029", "0-393-04002-X"), ("978-0-393-04002-8",), needs="isn"),
    Kind("ean13", ("978-0-393-04002-9", "978-0-901690-54-8"), ("9780393040029",), ("1",), needs="isn"),
    Kind("isbn13", ("978-0-393-04002-9", "978-0-901690-54-8"), ("0-393-04002-X",), needs="isn"),
    Kind("ismn", ("M-2306-7118-7", "M-060-11561-5"), ("9790230671187",), needs="isn"),
    Kind("ismn13", ("979-0-2306-7118-7", "979-0-060-11561-5"), ("M-2306-7118-7",), needs="isn"),
    Kind("issn", ("1436-4522", "0317-8471"), ("14364522",), needs="isn"),
    Kind("issn13", ("977-1436-452-00-8", "977-0317-847-00-1"), ("1436-4522",), needs="isn"),
    Kind("upc", ("220356483481", "036000291452"), ("220356483481",), needs="isn"),
    Kind("query_int", ("1 & 2", "2 & 1"), ("1&2",), ("1 &",), needs="intarray", key=False),
    Kind("lo", ("1", "2"), (1,), needs="lo"),
    Kind("earth", ("(6378168, 0, 0)", "(0, 6378168, 0)"), ("(6378168,0,0)",), ("(1,2,3)",), needs="earthdistance"),
)

IMPOSSIBLE: Final[Mapping[str, str]] = {
    "gtsvector": "holds what an index keeps of a tsvector; it cannot be read back from text",
    "pg_node_tree": "an expression as the catalog keeps it; the server refuses it as input",
    "pg_ndistinct": "statistics that only the server makes; it refuses them as input",
    "pg_dependencies": "statistics that only the server makes; it refuses them as input",
    "pg_mcv_list": "statistics that only the server makes; it refuses them as input",
    "pg_brin_bloom_summary": "what an index keeps; the server refuses it as input",
    "pg_brin_minmax_multi_summary": "what an index keeps; the server refuses it as input",
    "intbig_gkey": "what an index keeps; the server refuses it as input",
    "ltree_gist": "what an index keeps; the server refuses it as input",
    "ghstore": "what an index keeps; the server refuses it as input",
}
"""Types that no column of a seed's table can have, and why."""

FAMILIES: Final[Mapping[str, tuple[Kind, ...]]] = {
    "numbers": NUMBERS,
    "texts and bits": TEXTS,
    "times": TIMES,
    "networks": NETWORK,
    "geometry": GEOMETRIC,
    "documents": DOCUMENTS,
    "ranges": RANGES,
    "names of objects": NAMES,
    "types of one's own": OWN,
    "contrib": CONTRIB,
}


def offered(sql: Callable[[str], list[tuple[Any, ...]]]) -> frozenset[str]:
    """What a server has to bring types: the names of extensions, and LIBXML."""
    names = {name for (name,) in sql("select name from pg_available_extensions")}
    with contextlib.suppress(psycopg.errors.FeatureNotSupported):
        sql("select xmlparse(content '<a/>')")
        names.add(LIBXML)
    return frozenset(names)


def preparation(kinds: Iterable[Kind]) -> Iterator[str]:
    """The statements that make what the kinds need in a database."""
    wanted = list(kinds)
    for needed in sorted({kind.needs for kind in wanted} - {"", LIBXML}):
        yield f'create extension if not exists "{needed}" cascade'
    yield from dict.fromkeys(kind.ddl for kind in wanted if kind.ddl)


def available(kind: Kind, there: frozenset[str], major: int) -> bool:
    """Whether a server of this version, with what it has to offer, has the type."""
    return major >= kind.since and (not kind.needs or kind.needs in there)


def array_of(kind: Kind) -> Kind:
    """Arrays of the type: of several dimensions, with bounds of their own, with NULL, empty."""
    first, second = kind.values[0], kind.values[1]
    between = ";" if kind.type == "box" else ","
    a, b = quoted(first), quoted(second)
    last, none = ("NULL", None) if kind.null else (b, second)
    values = (f"{{{a}{between}{last}}}", f"{{{b}}}", "{}", f"[2:3]={{{a}{between}{b}}}", f"{{{{{a}}}{between}{{{b}}}}}")
    return Kind(f"{_bare(kind)}[]", values, ([first, none],), needs=kind.needs, since=kind.since, key=False)


def _bare(kind: Kind) -> str:
    return kind.type.partition(" collate ")[0]


def domain_over(kind: Kind, name: str) -> Kind:
    """A domain over the type."""
    ddl = f"create domain {name} as {kind.type}"
    return replace(kind, type=name, values=kind.values[:3], ddl=ddl, note="")


def composite_of(kind: Kind, name: str) -> Kind:
    """A composite type with an attribute of the type."""
    values = tuple(f"({quoted(value)},)" for value in kind.values[:3])
    ddl = f"create type {name} as (a {kind.type}, b text)"
    return Kind(name, values, ((kind.values[0], None),), ddl=ddl, needs=kind.needs, since=kind.since)


def quoted(text: str) -> str:
    """The text inside the literal of an array or of a composite value."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
