"""Numbers as people have them: what is read, what is refused, and in which words."""

import math
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rnnviz.series import MAX_BYTES, SeriesError, compact, parse_numbers, read_table
from tests.engine.oracle import quick


def refusal(call, content):
    """The one short sentence that a refusal consists of."""
    with pytest.raises(SeriesError) as caught:
        call(content)
    message = str(caught.value)
    assert_one_short_sentence(message)
    assert "allowed" in message
    return message


def assert_one_short_sentence(message):
    assert 0 < len(message) < 300
    assert len(message.splitlines()) == 1
    assert message.endswith(".")


def answer(call, content):
    """What it returns, or the text of its refusal."""
    try:
        return call(content)
    except SeriesError as problem:
        return str(problem)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1", (1,)),
        ("548, 643, 920", (548, 643, 920)),
        ("1;2;3", (1, 2, 3)),
        ("1\n2\r\n3\t4", (1, 2, 3, 4)),
        (" ,; 1 ,,; 2 ,\n", (1, 2)),
        ("-0.5 +2 1e3 1E-3 .5 5.", (-0.5, 2, 1000, 0.001, 0.5, 5)),
        ("0.1 1e308 -1e308 5e-324 1e-999", (0.1, 1e308, -1e308, 5e-324, 0)),
        ("1\u00a02\u20283\x1f4", (1, 2, 3, 4)),
        ("١٢ ３", (12, 3)),
    ],
)
def test_numbers_are_read_whatever_stands_between_them(text, numbers):
    assert parse_numbers(text) == numbers


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["empty"]),
        (" \n\t;, ", ["empty"]),
        ("1 two 3", ["Number 2", "“two”"]),
        ("1 2 nan", ["Number 3", "“nan”", "finite"]),
        ("inf", ["Number 1", "“inf”", "finite"]),
        ("0 -Infinity", ["Number 2", "finite"]),
        ("1e999", ["Number 1", "“1e999”", "finite"]),
        ("1_000", ["Number 1", "“1_000”"]),
        ("0x10", ["“0x10”"]),
        ("½ 1", ["“½”"]),
        ("1 " + "7" * 400, ["Number 2", "finite"]),
        ("x" * 10_000, ["Number 1", "x" * 20 + "…”"]),
        ("1 2\x003", ["Number 2"]),
    ],
)
def test_what_is_no_number_is_named_with_its_place(text, words):
    message = refusal(parse_numbers, text)
    for word in words:
        assert word in message


YEARS = {"year": (1700, 1701, 1702), "spots": (5, 11.5, -16)}


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "BOM"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n", "\n \t\n"], ids=repr)
@pytest.mark.parametrize("between", [",", ";", "\t", " ; ", ", "], ids=repr)
def test_a_table_is_read_whatever_divides_it(mark, end, between):
    rows = [["year", "spots"], ["1700", "5"], ["1701", "11.5"], ["1702", "-16"]]
    text = end.join(between.join(row) for row in rows) + end
    assert read_table(mark + text.encode()) == YEARS
    assert read_table(mark.decode("utf-8") + text) == YEARS
    quoted = end.join(between.join(f'"{cell}"' for cell in row) for row in rows)
    assert read_table(mark + quoted.encode()) == YEARS


def test_columns_may_be_divided_by_blanks():
    assert read_table("year   spots\n1700  5\n1701 11.5\n1702    -16") == YEARS


@pytest.mark.parametrize("between", [";", "\t"])
def test_with_semicolons_or_tabs_a_comma_is_a_decimal_point(between):
    rows = [["t", "größe"], ["1", "0,5"], ["2", "-1,25"], ["3", "+10,0"], ["4", "7.5"]]
    text = "\n".join(between.join(row) for row in rows)
    want = {"t": (1, 2, 3, 4), "größe": (0.5, -1.25, 10, 7.5)}
    assert read_table(text) == want
    assert read_table(text.encode("utf-8")) == want
    assert read_table(text.encode("latin-1")) == want


def test_a_comma_inside_a_quoted_cell_divides_nothing():
    assert read_table('place,"height, m"\n"Ulm, Donau",478\n"Bonn",60') == {"height, m": (478, 60)}
    assert read_table('"temperature, °C"\n20\n21') == {"temperature, °C": (20, 21)}
    # 1,500 is fifteen hundred to one reader and one and a half to another.
    assert read_table('a,b\n1,"1,500"\n2,"2,500"') == {"a": (1, 2)}


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("1\n2\n3", {"column 1": (1, 2, 3)}),
        ("1,2\n3,4", {"column 1": (1, 3), "column 2": (2, 4)}),
        ("value\n1\n2", {"value": (1, 2)}),
        ("sunspot number\n1\n2", {"sunspot number": (1, 2)}),
        (",value\n0,5\n1,7", {"column 1": (0, 1), "value": (5, 7)}),
        ("year,2019,2020\n1,2,3\n4,5,6", {"year": (1, 4), "2019": (2, 5), "2020": (3, 6)}),
        ("a,b\nx,1\ny,2\nz,3", {"b": (1, 2, 3)}),
        ("ulm;1\nbonn;2\nkiel;3", {"column 2": (1, 2, 3)}),
        ("2024-01-01,3\n2024-01-02,4", {"column 2": (3, 4)}),
        (",5\n6,7\n8,9", {"column 2": (5, 7, 9)}),
        ("a,b\n1,2\n3\n5,6", {"a": (1, 3, 5)}),
        ("a,b\n1,2\n3,4,99\n5,6", {"a": (1, 3, 5), "b": (2, 4, 6)}),
        ("a,b\n1,2\n,4\n5,6", {"b": (2, 4, 6)}),
        ("a,b,\n1,2,\n3,4,", {"a": (1, 3), "b": (2, 4)}),
        ("a,b\n1,nan\n3,4", {"a": (1, 3)}),
        ("a,b\n1_000,1\n2,2", {"b": (1, 2)}),
        ("x,x,x\n1,2,3\n4,5,6", {"x": (1, 4), "x (2)": (2, 5), "x (3)": (3, 6)}),
        ("x (3),x,x\n1,2,3\n4,5,6", {"x (3)": (1, 4), "x": (2, 5), "x (3)′": (3, 6)}),
    ],
)
def test_names_gaps_and_words_beside_numbers(text, columns):
    assert read_table(text) == columns
    assert read_table(text.encode()) == columns


def test_one_line_is_one_series():
    assert read_table("1, 2, 3") == {"numbers": (1, 2, 3)}
    assert read_table(b"\n\n 4;5;6 \n") == {"numbers": (4, 5, 6)}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["empty"]),
        (b"", ["empty"]),
        (b"\xef\xbb\xbf", ["empty"]),
        ("\n \r\n\t\n", ["empty"]),
        ("year,spots", ["“year”"]),
        ("year,spots\n1700,5", ["one row"]),
        ("a,b\nx,y\nz,w", ["Row 2", "“a”", "“x”"]),
        ("a\n1\n\nthree", ["Row 3", "“a”", "“three”"]),
        ("a\n1\ninf", ["Row 3", "“inf”", "finite"]),
        ("a\n1\n1e999", ["Row 3", "finite"]),
        ("a,b\n1,\n,2", ["Row 3", "“a”", "“”"]),
        (b"1,2\n3\x00,4", ["not text"]),
        (bytes(range(256)) * 4, ["not text"]),
        ("9" * 10_000_000, ["9.5 MB", "2 MB"]),
        (b"1\n" * 5_000_000, ["9.5 MB", "2 MB"]),
        ("a" * 9000 + "\n" + "b" * 9000 + "\nc", ["…"]),
        ("x,y\n" + "z" * 200_000 + ",1\n2,nan", ["allowed"]),
        ("name " * 300 + ",b\nx,y\nz,w", ["Row 2"]),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(content, words):
    message = refusal(read_table, content)
    for word in words:
        assert word in message


def test_a_table_of_the_largest_size_is_read():
    rows = (MAX_BYTES - 4) // 8
    table = read_table(b"a,b\n" + b"123,456\n" * rows)
    assert {name: len(column) for name, column in table.items()} == {"a": rows, "b": rows}


@pytest.mark.parametrize("name", ["a", ""])
def test_a_hundred_thousand_columns_do_not_keep_anyone_waiting(name):
    n = 100_000
    text = "\n".join([",".join([name] * n), ",".join("1" * n), ",".join("2" * n)])
    columns = read_table(text)  # a search through all names for each would take many minutes
    assert len(columns) == n
    assert set(columns.values()) == {(1.0, 2.0)}


def assert_table_or_refusal(content):
    columns = answer(read_table, content)
    if isinstance(columns, str):
        assert_one_short_sentence(columns)
        return
    assert columns
    for name, values in columns.items():
        assert name
        assert len(name.splitlines()) == 1
        assert values
        assert all(isinstance(value, float) and math.isfinite(value) for value in values)
    assert len(columns) == 1 or all(len(values) >= 2 for values in columns.values())


cells = st.one_of(
    st.text(max_size=6), st.sampled_from(["1", "-2.5", "0,5", '"', '"1,2"', "nan", "1e999", ""])
)
table = st.builds(
    lambda rows, between, end: end.join(between.join(row) for row in rows),
    st.lists(st.lists(cells, min_size=1, max_size=4), min_size=1, max_size=5),
    st.sampled_from([",", ";", "\t", " "]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)


@given(content=st.one_of(st.text(max_size=60), st.binary(max_size=60), table, table.map(str.encode)))
@example(content='"')
@example(content='1,"\n2,"')
@example(content="\x1c1\x1c2")
@example(content="\ufeff\n\ufeff")
@quick
def test_anything_is_a_table_of_finite_numbers_or_refused_in_a_sentence(content):
    assert_table_or_refusal(content)


@given(text=st.text(max_size=60))
@quick
def test_any_text_is_finite_numbers_or_refused_in_a_sentence(text):
    values = answer(parse_numbers, text)
    if isinstance(values, str):
        assert_one_short_sentence(values)
    else:
        assert values
        assert all(map(math.isfinite, values))


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(
    columns=st.lists(st.lists(finite, min_size=3, max_size=3), min_size=1, max_size=4), named=st.booleans()
)
@quick
def test_a_written_table_reads_back_to_the_same_bits(columns, named):
    names = [f"name {k}" if named else f"column {k}" for k in range(1, len(columns) + 1)]
    rows = [[repr(v) for v in row] for row in zip(*columns, strict=True)]
    text = "\n".join(",".join(row) for row in ([names] if named else []) + rows)
    assert read_table(text) == {name: tuple(column) for name, column in zip(names, columns, strict=True)}


@given(values=st.lists(finite, min_size=1, max_size=9))
@quick
def test_a_link_holds_six_digits_of_a_series(values):
    back = parse_numbers(compact(tuple(values)))
    assert len(back) == len(values)
    for got, value in zip(back, values, strict=True):
        exact = Decimal(value)
        # Half a unit of the sixth digit, and below 1e-307 what a float itself cannot hold.
        digit = Decimal(10) ** (exact.adjusted() - 5) if exact else Decimal(0)
        assert abs(Decimal(got) - exact) <= digit * Decimal("0.5000001") + Decimal("5e-324")
