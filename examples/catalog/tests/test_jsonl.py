import pytest

from catalog import jsonl
from catalog.jsonl import jsonl_collection, namespace_for
from catalog.model import CatalogError


@pytest.fixture
def read(tmp_path, said):
    """Writes the lines to docs.jsonl and reads them."""

    def read(*lines, skip=False, text=None):
        path = tmp_path / "docs.jsonl"
        path.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines))
        return jsonl_collection(path, text, skip, said.append)

    return read


def refusal(read, *lines) -> str:
    with pytest.raises(CatalogError) as caught:
        read(*lines)
    return str(caught.value).splitlines()[0].rpartition("/")[2]


GOOD = '{"id":"a","title":"blue whale"}'


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not JSON: "),
        ("[1]", "a JSON object is expected, not an array"),
        ("null", "a JSON object is expected, not null"),
        ('{"title":"x"}', "id: missing"),
        ('{"id":null}', "id: a string or an integer from 0 is expected, not null"),
        ('{"id":true}', "id: a string or an integer from 0 is expected, not a boolean"),
        ('{"id":1.5}', "id: a string or an integer from 0 is expected, not a number"),
        ('{"id":-1}', "id: an integer from 0 to 18446744073709551615 is expected"),
        ('{"id":18446744073709551616}', "id: a string or an integer from 0 is expected, not a number"),
        ('{"id":""}', "id: empty"),
        ('{"id":7}', "id: integers and strings are mixed"),
        ('{"id":"a"}', "id: the same id as line 1"),
        ('{"id":"b","title":3}', "title: int here, but string in an earlier line"),
        ('{"id":"b","n":{"x":1}}', "n: objects, nested arrays and nulls in arrays cannot be stored"),
        ('{"id":"b","n":[1,"x"]}', "n: an array must hold values of one type"),
        ('{"id":"b","n":[null]}', "n: objects, nested arrays and nulls in arrays cannot be stored"),
        ('{"id":"b","n":9223372036854775808}', "n: an integer outside the 64-bit range"),
        ('{"id":"b","_hevlayer_x":1}', "_hevlayer_x: this name is reserved"),
        ('{"id":"b","$x":1}', "$x: this name is reserved"),
        ('{"id":"b","vector":[0.5]}', "vector: this name is reserved"),
        ('{"id":"b","":1}', "'': an attribute's name must have 1 to 128 bytes"),
        ('{"id":"b","t":NaN}', "not JSON: "),
        ('{"id":"b","t":"\\ud800"}', "not JSON: "),
        (b'{"id":"b","t":"\xff"}', "not JSON: "),
        ("[" * 5000, "not JSON: "),
    ],
)
def test_a_bad_line_is_refused_by_file_line_and_field(read, line, reason):
    assert refusal(read, GOOD, line).startswith(f"docs.jsonl:2: {reason}")


def test_a_line_that_is_too_long_is_refused_and_the_next_one_has_its_own_number(read, monkeypatch):
    monkeypatch.setattr(jsonl, "MAX_LINE_BYTES", 64)
    with pytest.raises(CatalogError) as caught:
        read('{"id":"b","t":"' + "x" * 200 + '"}', "{", GOOD)
    assert [line.rpartition("/")[2].split(": ")[0] for line in str(caught.value).splitlines()[:2]] == [
        "docs.jsonl:1",
        "docs.jsonl:2",
    ]


def test_only_the_first_ten_bad_lines_are_shown(read):
    with pytest.raises(CatalogError) as caught:
        read(*["{"] * 15)
    lines = str(caught.value).splitlines()
    assert len(lines) == 12
    assert lines[10] == "and 5 more bad lines"
    assert lines[11].startswith("Nothing was sent.")


def test_bad_lines_are_left_out_and_counted_when_asked(read, said):
    collection = read(GOOD, "{", '{"id":"b","title":5}', '{"id":"c","title":"walrus"}', skip=True)
    assert [row["id"] for row in collection.rows] == ["a", "c"]
    assert said[0].startswith("Left out 2 bad lines; the first: ")


def test_a_refused_line_leaves_no_trace_in_the_schema(read):
    collection = read(GOOD, '{"id":"b","new":1,"title":5}', skip=True)
    assert set(collection.schema) == {"id", "title"}


def test_empty_lines_a_byte_order_mark_and_crlf_are_no_errors(read):
    collection = read(b"\xef\xbb\xbf" + GOOD.encode() + b"\r", "", "  ", '{"id":"b"}')
    assert [row["id"] for row in collection.rows] == ["a", "b"]


def test_types_are_found_and_widened(read):
    collection = read(
        '{"id":1,"s":"x y","n":1,"l":[],"f":[1],"b":true,"gone":null}',
        '{"id":2,"s":null,"n":1.5,"l":["t"],"f":[0.5]}',
    )
    searchable = {"full_text_search": True, "filterable": True}
    assert collection.schema == {
        "id": "uint",
        "s": {"type": "string", **searchable},
        "n": {"type": "float", "filterable": True},
        "l": {"type": "[]string", **searchable},
        "f": {"type": "[]float", "filterable": True},
        "b": {"type": "bool", "filterable": True},
    }


def test_long_text_is_searchable_but_not_filterable(read):
    collection = read('{"id":1,"body":"' + "word " * 60 + '"}')
    assert collection.schema["body"] == {"type": "string", "full_text_search": True, "filterable": False}


def test_a_long_id_is_shortened_kept_and_said(read, said):
    collection = read('{"id":"' + "x" * 65 + '","t":"a"}')
    assert len(collection.rows[0]["id"]) == 64
    assert collection.rows[0]["long_id"] == "x" * 65
    assert said[0].startswith("1 ids are longer than 64 bytes")


def test_the_group_is_the_string_with_the_fewest_values(read):
    lines = [f'{{"id":{number},"title":"t{number}","kind":"k{number % 2}","same":"x"}}' for number in range(6)]
    assert read(*lines).questions.group_by == "kind"


def test_the_query_is_the_readers_or_words_of_the_first_text(read):
    assert read('{"id":1}', '{"id":2,"t":"a whale is big!"}').questions.text == "whale is a"
    assert read(GOOD, text="asked").questions.text == "asked"


@pytest.mark.parametrize(
    ("lines", "reason"), [([""], "holds no documents"), (['{"id":1,"n":2}'], "no document has a text")]
)
def test_a_file_without_text_is_refused(read, lines, reason):
    assert reason in refusal(read, *lines)


@pytest.mark.parametrize(("name", "reason"), [("absent", "does not exist"), (".", "is not a regular file")])
def test_a_path_that_is_no_file_is_refused(tmp_path, said, name, reason):
    with pytest.raises(CatalogError, match=reason) as caught:
        jsonl_collection(tmp_path / name, None, False, said.append)
    assert caught.value.status == 64


def test_more_documents_than_the_bound_are_refused(read, monkeypatch):
    monkeypatch.setattr(jsonl, "MAX_DOCUMENTS", 1)
    assert refusal(read, GOOD, '{"id":"b"}').startswith("docs.jsonl:2: more than 1 documents")


def test_the_namespace_has_only_letters_that_one_may_have(tmp_path):
    assert namespace_for(tmp_path / "My docs ü.v2.jsonl") == "catalog-My-docs--.v2"
    assert len(namespace_for(tmp_path / ("x" * 200 + ".jsonl"))) == 128
