import time

import pytest

from hpo.config.reading import SweepFileError, read_sweep, read_sweep_text
from hpo.config.source import resolve
from hpo.errors import ConfigError

HEAD = 'name: a\nmetric: {name: loss}\nobjective: {python: "a:b"}\n'
GOOD = f"{HEAD}parameters: {{x: [1, 2]}}\n"


def errors_of(text: str) -> list[str]:
    with pytest.raises(SweepFileError) as raised:
        read_sweep_text(text, "f")
    return str(raised.value).splitlines()


def bomb() -> str:
    lines = ["a: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"k{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 9) + "]" for n in range(1, 10)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        (bomb(), "f:3:10: error: aliases stand for more than 100 values: write them out"),
        ("a: " + "[" * 100_000, "f:1:53: error: nested deeper than 50 levels"),
        ("a: " + "{b: " * 100_000, "f:1:200: error: nested deeper than 50 levels"),
        ("".join(" " * n + "a:\n" for n in range(400)), "f:51:51: error: nested deeper than 50 levels"),
        ("- x\n" * 50_100, "f:50000:3: error: more than 50,000 values: no sweep file needs that many"),
        ("a: " + "x" * 2_000_000, "f: error: is larger than 1,000,000 bytes: that is no sweep file"),
        ("#" * 999_000, "f: error: is empty; `hpo init` writes a sweep file to begin with"),
        ("a: &x [*x]", "f:1:8: error: alias *x stands inside its own anchor"),
        ("a: &x {b: {c: *x}}", "f:1:15: error: alias *x stands inside its own anchor"),
        ("a: *x", "f:1:4: error: alias *x has no anchor &x before it"),
    ],
    ids=["alias bomb", "lists", "mappings", "blocks", "values", "bytes", "comment", "self", "deep self", "no anchor"],
)
def test_hostile_text_ends_in_one_message_soon(text: str, first: str) -> None:
    began = time.process_time()
    assert errors_of(text) == [first, "1 error in f; nothing was run"]
    assert time.process_time() - began < 4  # well under a second on a machine that is not busy


def test_a_file_of_two_megabytes_is_refused_unread(tmp_path):
    path = tmp_path / "big.yaml"
    path.write_bytes(b"a: 1\n" * 400_000)
    began = time.process_time()
    with pytest.raises(ConfigError, match="is larger than 1,000,000 bytes"):
        read_sweep(path)
    assert time.process_time() - began < 4  # well under a second on a machine that is not busy


@pytest.mark.parametrize(
    ("extra", "line"),
    [
        ("tags: {a: !!str b}", "f:5:11: error: tags are not allowed, got !!str: write the plain value"),
        (
            "tags: {a: !!python/object:os.system b}",
            "f:5:11: error: tags are not allowed, got !!python/object:os.system: write the plain value",
        ),
        ("tags: !x {a: b}", "f:5:7: error: tags are not allowed, got !x: write the plain value"),
        ("name: b", "f:5:1: error: duplicate key 'name': it stands at line 1 already"),
        ("tags: {a: b, a: c}", "f:5:14: error: duplicate key 'a': it stands at line 5 already"),
        ("<<: {a: b}", "f:5:1: error: merge keys (<<) are not part of YAML 1.2: write the keys out"),
        ("tags: {: b}", "f:5:9: error: a key is missing before ':'"),
        ("tags: {1: b}", 'f:5:8: error: a key must be text, got 1: write "1" in quotes'),
        ("tags: {true: b}", 'f:5:8: error: a key must be text, got true: write "true" in quotes'),
        ("tags: {[a]: b}", "f:5:8: error: a key must be plain text, not a list, a mapping or an alias"),
        ("--- \na: b", "f:5:1: error: a second document begins here: a sweep file holds one"),
        ("\tx: y", "f:5:1: error: broken YAML: a tab cannot indent or begin a value; use blanks"),
        (
            "tags: a: b",
            "f:5:8: error: broken YAML: ':' is not allowed here; check the indentation, and put text that holds ': '"
            " in quotes",
        ),
        ("description: a\x07b", "f:5:15: error: control character U+0007 is not allowed"),
        ("description: \ud800", "f:5:14: error: control character U+D800 is not allowed"),
    ],
)
def test_what_yaml_allows_and_a_sweep_file_does_not_is_named_with_its_place(extra: str, line: str) -> None:
    assert errors_of(GOOD + extra) == [line, "1 error in f; nothing was run"]


def test_directives_are_refused() -> None:
    assert errors_of(f"%YAML 1.1\n---\n{GOOD}") == [
        "f:2:1: error: directives (%YAML, %TAG) are not allowed: the file is read as YAML 1.2",
        "1 error in f; nothing was run",
    ]


def test_a_broken_flow_says_where_it_began() -> None:
    assert errors_of(f"{HEAD}parameters: {{x: [1, 2\n")[0].endswith(
        "expected ',' or ']', but got '<stream end>' while parsing a flow sequence that begins at line 4"
    )


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "null", "~"])
def test_an_empty_file_is_named_as_such(text: str) -> None:
    assert errors_of(text)[0] == "f: error: is empty; `hpo init` writes a sweep file to begin with"


@pytest.mark.parametrize("text", ["- a\n", "text", "3", "[a, b]"])
def test_the_top_level_must_be_a_mapping(text: str) -> None:
    assert errors_of(text)[0] == (
        "f:1:1: error: must be a mapping of keys such as name, metric, objective and parameters"
    )


def test_an_alias_stands_for_its_anchor() -> None:
    config = read_sweep_text(f"{HEAD}parameters:\n  x: &both [1, 2]\n  y: *both\n")
    assert config.parameters["x"] == config.parameters["y"]


def test_a_mistake_behind_an_alias_is_placed_at_the_alias() -> None:
    text = f"{HEAD}parameters:\n  x: &no {{type: float, low: 2, high: 1}}\n  y: *no\n"
    places = [line.partition(": error")[0] for line in errors_of(text)[:-1]]
    assert places == ["f:5:29", "f:5:29"]  # the key that is wrong stands once


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001), ("1E3", 1000.0), (".5", 0.5), ("-7", -7), ("+7", 7), ("007", 7), ("0x1F", 31), ("0o17", 15),
        ("1.", 1.0), ("-.inf", float("-inf")), (".INF", float("inf")), ("yes", "yes"), ("no", "no"), ("on", "on"),
        ("True", True), ("FALSE", False), ("~", None), ("", None), ("Null", None), ("1_000", "1_000"),
        ("2024-01-01", "2024-01-01"), ("12:30", "12:30"), ("0b1", "0b1"), ("1e", "1e"), ("٣", "٣"),
        ("99999999999999999999", 1e20), ("1e999", float("inf")),
    ],
)  # fmt: skip
def test_scalars_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    resolved = resolve(text)
    assert resolved == value
    assert type(resolved) is type(value)


def test_a_file_that_is_not_utf8_is_named_with_the_place_of_the_byte(tmp_path):
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: a\ndescription: grün".encode("latin-1"))
    with pytest.raises(ConfigError) as raised:
        read_sweep(path)
    assert str(raised.value) == (
        f"{path}:2:16: error: is not UTF-8: byte 0xfc; save the file as UTF-8\n1 error in {path}; nothing was run"
    )


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path):
    path = tmp_path / "windows.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert read_sweep(path).name == "a"


def test_messages_carry_no_control_characters_and_stay_on_one_line() -> None:
    text = GOOD + '"\\e[2J\\n' + "k" * 600 + '": 1\n'
    lines = errors_of(text)
    assert len(lines) == 2
    assert lines[0].startswith(r"f:5:1: error: \x1b[2J\nkkk")
    assert len(lines[0]) < 1020
