"""What the page is made of, without a browser: the convention by which a report joins its modules into one script."""

import re
from collections import Counter
from pathlib import Path

from hpo.web.static_files import SCRIPT, StaticFiles

STATIC = Path(__file__).parents[2] / "hpo/web/static"
VENDORED = "echarts.min.js"
MODULES = sorted(path for path in STATIC.glob("*.js") if path.name != VENDORED)
IMPORT = re.compile(r'import \{ [\w, ]+ \} from "\./([\w-]+\.js)";')
DECLARATION = re.compile(r"^(?:export )?(?:async )?(?:function|const|let|class) (\w+)", re.M)


def imports_of(module: Path) -> list[str]:
    return [found.group(1) for found in IMPORT.finditer(module.read_text())]


def test_imports_stand_at_the_top_one_a_line_and_name_what_they_take():
    for module in MODULES:
        lines = module.read_text().splitlines()
        assert lines[0].startswith("/* "), module.name
        assert lines[0].endswith(" */"), module.name
        importing = [number for number, line in enumerate(lines) if line.startswith("import")]
        assert importing == list(range(1, 1 + len(importing))), module.name
        assert all(IMPORT.fullmatch(lines[number]) for number in importing), module.name


def test_nothing_is_exported_but_functions_and_constants():
    for module in MODULES:
        exports = [line for line in module.read_text().splitlines() if line.startswith("export")]
        assert all(re.match(r"export (async )?(function|const) \w+", line) for line in exports), module.name


def test_names_are_unique_across_all_modules():
    names = Counter(name for module in MODULES for name in DECLARATION.findall(module.read_text()))
    assert [name for name, count in names.items() if count > 1] == []


def test_modules_import_each_other_in_one_direction():
    waiting = {module.name: set(imports_of(module)) for module in MODULES}
    while waiting:
        ready = {name for name, needed in waiting.items() if not needed & waiting.keys()}
        assert ready, f"in a circle: {sorted(waiting)}"
        waiting = {name: needed for name, needed in waiting.items() if name not in ready}


def test_what_is_imported_is_exported():
    exported = {
        module.name: set(re.findall(r"^export (?:async )?(?:function|const) (\w+)", module.read_text(), re.M))
        for module in MODULES
    }
    for module in MODULES:
        for names, source in re.findall(r'^import \{ ([\w, ]+) \} from "\./([\w.-]+)";', module.read_text(), re.M):
            missing = set(names.split(", ")) - exported[source]
            assert not missing, f"{module.name}: {missing} of {source}"


def test_what_is_imported_is_used():
    for module in MODULES:
        text = module.read_text()
        for names in re.findall(r"^import \{ ([\w, ]+) \}", text, re.M):
            unused = [name for name in names.split(", ") if len(re.findall(rf"\b{name}\b", text)) < 2]
            assert unused == [], module.name


def test_the_shell_fetches_one_script_with_all_modules_in_it(tmp_path):
    shell = (STATIC / "index.html").read_text()
    assert re.findall(r'src="/static/([\w.-]+)"', shell) == [SCRIPT]
    script = StaticFiles().get(SCRIPT)
    assert script.media_type.startswith("text/javascript")
    declared = {name for module in MODULES for name in DECLARATION.findall(module.read_text())}
    assert declared <= set(DECLARATION.findall(script.content.decode()))


def test_a_module_that_is_edited_is_in_the_next_script(tmp_path):
    (tmp_path / "main.js").write_text('/* Begins. */\nimport { shown } from "./other.js";\nshown();\n')
    (tmp_path / "other.js").write_text("/* Shows. */\nexport function shown() { return 1; }\n")
    files = StaticFiles(tmp_path)
    before = files.get(SCRIPT)
    assert files.get(SCRIPT) is before
    (tmp_path / "other.js").write_text("/* Shows. */\nexport function shown() { return 22; }\n")
    assert b"22" in files.get(SCRIPT).content
    (tmp_path / "other.js").unlink()
    assert files.get(SCRIPT) is None


def test_no_markup_is_made_of_text_and_nothing_is_evaluated():
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setAttribute\(\"style"
    )
    for module in MODULES:
        assert forbidden.findall(module.read_text()) == [], module.name


def test_the_shell_holds_no_script_style_or_handler_of_its_own():
    shell = (STATIC / "index.html").read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=|https?:", shell) == []


def test_the_chart_library_comes_with_its_licence():
    assert "Apache License" in (STATIC / "echarts.LICENSE.txt").read_text()
    assert (STATIC / "echarts.NOTICE.txt").exists()
