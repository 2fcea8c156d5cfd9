"""What is captured of code, and that it can be rebuilt from that, whatever the repository is like."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from hpo.errors import ProvenanceError
from hpo.masking import Secrets
from hpo.provenance.code import Code, CodeSettings
from hpo.provenance.code_capture import captured_code
from hpo.provenance.code_changes import code_changes, counted
from hpo.provenance.code_tree import rebuilt, write_file

Git = Callable[..., str]


def captured(folder: Path, modules: Sequence[Path] = (), *, started_in: Path | None = None, **settings: object) -> Code:
    return captured_code(folder, started_in or folder, modules, CodeSettings(**settings))  # type: ignore[arg-type]


def content_of(folder: Path) -> Mapping[str, object]:
    """All files below, with what counts of them: bytes, whether executable, where a link leads."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_file() and ".git" not in Path(name).parts:
            found[name] = (path.read_bytes(), os.access(path, os.X_OK))
    return found


def rebuilt_content(code: Code, place: Path, repository: Path | None = None) -> Mapping[str, object]:
    with rebuilt(code, place, repository):
        return content_of(place)


def test_a_clean_repository_is_its_commit(repository: Path, git: Git) -> None:
    git(repository, "remote", "add", "origin", "https://me:topsecret@example.com/team/work.git")
    code = captured(repository)
    assert code == Code(
        commit=git(repository, "rev-parse", "HEAD"),
        branch="main",
        remote="https://example.com/team/work.git",
        root=str(repository),
    )


def test_all_kinds_of_changes_come_back_as_they_were(repository: Path, tmp_path: Path, git: Git) -> None:
    (repository / "picture.bin").write_bytes(bytes(range(256)) * 4)
    (repository / "with blank.py").write_text("a = 1\n")
    (repository / "link").symlink_to("model.py")
    (repository / "ümläut\nand line.py").write_text("b = 1\n")
    Path(os.fsdecode(os.fsencode(repository) + b"/not-utf8-\xff.py")).write_text("c = 1\n")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message=two")
    (repository / "train.py").write_text("import model\n\nRATE = 2\n\n\ndef run(params):\n    return 2\n")
    (repository / "old.py").rename(repository / "renamed.py")
    git(repository, "add", "--all")  # a part of the changes is staged
    (repository / "model.py").unlink()
    (repository / "run.sh").chmod(0o755)
    (repository / "picture.bin").write_bytes(bytes(reversed(range(256))) * 5)
    (repository / "with blank.py").write_text("a = 2")  # without a newline at the end
    (repository / "link").unlink()
    (repository / "link").symlink_to("train.py")
    (repository / "ümläut\nand line.py").write_text("b = 2\n")
    Path(os.fsdecode(os.fsencode(repository) + b"/not-utf8-\xff.py")).write_text("c = 2\n")
    (repository / "new").mkdir()
    (repository / "new" / "extra.py").write_text("NEW = 1\n")
    (repository / ":!odd.py").write_text("ODD = 1\n")
    (repository / "new" / "go.sh").write_text("#!/bin/sh\n")
    (repository / "new" / "go.sh").chmod(0o755)
    code = captured(repository)
    assert code.dirty
    assert not code.left_out
    assert sorted(code.files) == [":!odd.py", "new/extra.py", "new/go.sh"]
    assert rebuilt_content(code, tmp_path / "again") == content_of(repository)


def test_what_becomes_a_link_and_what_becomes_a_folder_come_back(repository: Path, tmp_path: Path) -> None:
    (repository / "old.py").unlink()
    (repository / "old.py").symlink_to("model.py")
    (repository / "run.sh").unlink()
    (repository / "run.sh").mkdir()
    (repository / "run.sh" / "inner.py").write_text("x = 1\n")
    assert rebuilt_content(captured(repository), tmp_path / "again") == content_of(repository)


@pytest.mark.parametrize("setting", ["true", "input", "false"])
def test_line_ends_come_back_as_they_were(repository: Path, tmp_path: Path, git: Git, setting: str) -> None:
    git(repository, "config", "core.autocrlf", "false")
    (repository / "dos.py").write_bytes(b"a = 1\r\nb = 2\r\n")
    (repository / ".gitattributes").write_text("forced.py text eol=crlf\n")
    (repository / "forced.py").write_bytes(b"a = 1\r\n")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message=dos")
    git(repository, "config", "core.autocrlf", setting)
    (repository / "dos.py").write_bytes(b"a = 1\r\nb = 3\r\n")
    (repository / "forced.py").write_bytes(b"a = 2\r\n")
    again = rebuilt_content(captured(repository), tmp_path / "again")
    assert again["forced.py"] == (b"a = 2\r\n", False)
    assert bytes(again["dos.py"][0]).replace(b"\r\n", b"\n") == b"a = 1\nb = 3\n"  # type: ignore[index]


def test_configured_filters_are_undone_and_done_again(repository: Path, tmp_path: Path, git: Git) -> None:
    git(repository, "config", "filter.shout.clean", "tr A-Z a-z")
    git(repository, "config", "filter.shout.smudge", "tr a-z A-Z")
    (repository / ".gitattributes").write_text("*.shout filter=shout\n")
    (repository / "x.shout").write_text("HELLO\n")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message=shout")
    (repository / "x.shout").write_text("HELLO YOU\n")
    assert rebuilt_content(captured(repository), tmp_path / "again")["x.shout"] == (b"HELLO YOU\n", False)


def test_hostile_configuration_neither_runs_nor_changes_the_patch(
    repository: Path, tmp_path: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    for name in ("core.fsmonitor", "diff.external", "diff.x.textconv", "diff.x.command", "core.pager"):
        git(repository, "config", name, str(trap))
    hooks = repository / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "post-index-change", "reference-transaction"):
        shutil.copy(trap, hooks / name)
    settings = {"diff.noprefix": "true", "color.ui": "always", "diff.mnemonicPrefix": "true", "diff.context": "0"}
    for name, value in {
        **settings,
        "diff.relative": "true",
        "apply.whitespace": "error",
        "diff.renames": "copies",
    }.items():
        git(repository, "config", name, value)
    (repository / ".git" / "info").mkdir(exist_ok=True)
    (repository / ".git" / "info" / "attributes").write_text("*.py diff=x\n")
    (repository / "train.py").write_text("RATE = 3   \n")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(trap))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert rebuilt_content(captured(repository), tmp_path / "again") == content_of(repository)
    assert not (tmp_path / "sprung").exists()


def test_a_sweep_in_a_subfolder_is_rebuilt_with_the_whole_repository(
    repository: Path, tmp_path: Path, git: Git
) -> None:
    (repository / "sweeps").mkdir()
    (repository / "sweeps" / "a.yaml").write_text("name: a\n")
    git(repository, "config", "diff.relative", "true")
    (repository / "train.py").write_text("RATE = 5\n")
    code = captured(repository / "sweeps", started_in=repository)
    assert (code.folder, code.started_in, list(code.files)) == ("sweeps", ".", ["sweeps/a.yaml"])
    with rebuilt(code, tmp_path / "again") as folder:
        assert folder == tmp_path / "again" / "sweeps"
        assert (folder.parent / "train.py").read_text() == "RATE = 5\n"


def test_a_detached_head_a_linked_worktree_and_a_shallow_clone_are_captured(
    repository: Path, tmp_path: Path, git: Git
) -> None:
    git(repository, "commit", "--quiet", "--allow-empty", "--message=two")
    git(repository, "worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"))
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{repository}", "shallow")
    for place in (tmp_path / "linked", tmp_path / "shallow"):
        (place / "train.py").write_text("RATE = 7\n")
        code = captured(place)
        assert code.commit == git(repository, "rev-parse", "HEAD")
        assert code.branch == ("HEAD" if place.name == "linked" else "main")
        assert rebuilt_content(code, tmp_path / "again") == content_of(place)


def test_a_repository_without_a_commit_is_its_files(tmp_path: Path, git: Git) -> None:
    root = tmp_path / "fresh"
    root.mkdir()
    git(root, "init", "--quiet")
    (root / "train.py").write_text("x = 1\n")
    (root / "model.py").write_text("y = 1\n")
    git(root, "add", "model.py")
    code = captured(root)
    assert (code.commit, sorted(code.files)) == ("", ["model.py", "train.py"])
    assert rebuilt_content(code, tmp_path / "again") == content_of(root)


def test_submodules_come_back_at_the_commits_that_were_checked_out(repository: Path, tmp_path: Path, git: Git) -> None:
    library = tmp_path / "library"
    library.mkdir()
    git(library, "init", "--quiet")
    (library / "lib.py").write_text("V = 1\n")
    git(library, "add", "--all")
    git(library, "commit", "--quiet", "--message=lib")
    git(repository, "submodule", "--quiet", "add", str(library), "deps/lib")
    git(repository, "commit", "--quiet", "--message=with lib")
    own = repository / "deps" / "lib"
    (own / "lib.py").write_text("V = 2\n")
    git(own, "commit", "--quiet", "--all", "--message=lib two")  # which the outer repository does not say yet
    code = captured(repository)
    assert (code.submodules, code.left_out) == ({"deps/lib": git(own, "rev-parse", "HEAD")}, {})
    again = rebuilt_content(code, tmp_path / "again")
    assert again["deps/lib/lib.py"] == (b"V = 2\n", False)
    assert git(repository, "worktree", "list").count("\n") == 0
    (own / "lib.py").write_text("V = 3\n")
    assert captured(repository).left_out == {"deps/lib": "it is a submodule with uncommitted changes"}
    before = replace(code, submodules={"deps/lib": git(library, "rev-parse", "HEAD")})
    assert [change.name for change in code_changes(before, code)] == ["deps/lib"]


def test_without_git_the_loaded_files_and_what_they_import_are_taken(tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    (folder / "package").mkdir(parents=True)
    (folder / "train.py").write_text("def run(params):\n    from package import inner\n    return inner.f()\n")
    (folder / "package" / "__init__.py").write_text("")
    (folder / "package" / "inner.py").write_text("from . import other\nimport math, json\n\nf = other.f\n")
    (folder / "package" / "other.py").write_text("def f():\n    return 1\n")
    (folder / "unrelated.py").write_text("x = 1\n")
    (folder / "data.csv").write_text("1,2\n")
    code = captured(folder, [folder / "train.py"])
    assert code.without == "not in a git repository"
    assert sorted(code.files) == ["package/__init__.py", "package/inner.py", "package/other.py", "train.py"]
    with rebuilt(code, tmp_path / "again") as place:
        assert (place / "package" / "other.py").read_text() == (folder / "package" / "other.py").read_text()


def test_code_in_another_folder_than_the_sweep_file_is_found(tmp_path: Path, repository: Path) -> None:
    sweeps = tmp_path / "sweeps"
    sweeps.mkdir()
    (tmp_path / "lib").mkdir()
    module = tmp_path / "lib" / "lib.py"
    module.write_text("x = 1\n")
    plain = captured(sweeps, [module], started_in=module.parent)
    assert (plain.root, plain.folder, plain.started_in, list(plain.files)) == (
        str(tmp_path), "sweeps", "lib", ["lib/lib.py"],
    )  # fmt: skip
    code = captured(sweeps, [repository / "train.py"], started_in=repository)
    assert (code.root, code.folder, code.started_in) == (str(repository), str(sweeps), ".")
    assert code.commit


def test_git_that_is_not_installed_is_no_git(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code = captured(repository, [repository / "train.py"])
    assert (code.commit, code.without) == ("", "git is not installed")
    assert sorted(code.files) == ["model.py", "train.py"]


def test_a_repository_that_git_refuses_is_said_and_taken_for_none(repository: Path) -> None:
    (repository / ".git" / "config").write_text("[core]\n repositoryformatversion = 99\n")
    code = captured(repository, [repository / "train.py"])
    assert code.commit == ""
    assert "99" in code.without
    assert sorted(code.files) == ["model.py", "train.py"]


def test_results_data_ignored_files_and_keys_are_not_taken(repository: Path) -> None:
    for name in ("ignored.py", "run.log", "mlruns/1/train.py", "node_modules/a.js", "out/sweep.yaml"):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text("x = 1\n")
    (repository / "data.csv").write_text("1,2\n")
    (repository / "big.py").write_text("#" * 2_000_000)
    (repository / "null.py").write_bytes(b"a\0b")
    keys = (".env", ".env.local", "server.pem", "id_rsa", "conf/credentials.json")
    for name in keys:
        (repository / name).parent.mkdir(exist_ok=True)
        (repository / name).write_text("harmless\n")
    (repository / "link.py").symlink_to("/etc/hostname")
    (repository / "good.py").write_text("x = 1\n")
    code = captured(repository, [repository / "ignored.py"], skip=[repository / "out"])
    assert list(code.files) == ["good.py"]
    assert dict(code.left_out) == {
        **dict.fromkeys(keys, "it holds keys by its name"),
        "big.py": "it is too large: 2,000,000 bytes",
        "ignored.py": "git ignores it",
        "link.py": "it is a link",
        "null.py": "it is no text",
    }  # fmt: skip


def test_what_has_no_room_is_left_out_and_named(repository: Path, tmp_path: Path) -> None:
    (repository / "old.py").write_text("".join(f"x{number} = {number}\n" for number in range(300)))
    (repository / "model.py").write_bytes(os.urandom(5000))
    (repository / "train.py").write_text("RATE = 2\n")
    (repository / "more.py").write_text("#" * 2500)
    code = captured(repository, max_size=2000)
    assert sorted(code.left_out) == ["model.py", "more.py", "old.py"]
    assert rebuilt_content(code, tmp_path / "again")["train.py"] == (b"RATE = 2\n", False)


def test_without_diff_only_the_commit_is_captured(repository: Path) -> None:
    (repository / "train.py").write_text("RATE = 2\n")
    (repository / "new.py").write_text("x = 1\n")
    code = captured(repository, diff=False)
    assert code.dirty
    assert not code.patch
    assert not code.files


SECRETS = {
    "aws": "client = make('AKIAQ3EXAMPLE7KEY00A')",
    "openai": "key = 'sk-proj-abcdefghijklmnop0123'",
    "pem": "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----",
    "url": "db = 'postgresql://me:hunter2@db/x'",
    "assigned": "API_KEY = 'qwertyuiop'",
    "annotated": "password: str = 'qwerty'",
    "argument": "connect(password='qwerty')",
    "variable": "os.environ['WANDB_API_KEY'] = 'qwertyuiop'",
    "default": "os.environ.setdefault('HF_TOKEN', 'qwertyuiop')",
    "phrase": "PASSPHRASE = 'four words in order'",
    "nested": 'call(\'{"password": "qwerty"}\')',
    "known": "print('correct horse')",
    "quoted": "url = 'https://example.com/?q=correct%20horse'",
    "header": "headers = {'Authorization': 'Bearer qwertyuiopasdfghjkl'}",
}


def test_a_file_with_a_secret_is_left_out_of_patch_and_files(repository: Path, git: Git) -> None:
    for kind in SECRETS:
        (repository / f"{kind}.py").write_text("import os\n")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message=two")
    for kind, secret in SECRETS.items():
        (repository / f"{kind}.py").write_text(f"import os\n{secret}\n")
        (repository / f"new_{kind}.py").write_text(f"import os\n{secret}\n")
    (repository / "model.py").write_text("def loss(params):\n    return 2.0\n")
    (repository / "good.py").write_text("x = 1\n")
    code = captured(repository, secrets=Secrets(values=frozenset({"correct horse"})))
    assert set(code.left_out) == {f"{kind}.py" for kind in SECRETS} | {f"new_{kind}.py" for kind in SECRETS}
    assert list(code.files) == ["good.py"]
    assert b"return 2.0" in code.patch
    for line in "\n".join(SECRETS.values()).splitlines():
        assert line.encode() not in code.patch


def test_secrets_that_are_removed_or_half_seen_or_in_binary_files_stay_out(repository: Path, git: Git) -> None:
    lines = [f"MIIEpAIBAAKCAQEA{number:04d}" for number in range(30)]
    pem = "\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----"])
    (repository / "old.py").write_text("API_KEY = 'qwertyuiop'\n")
    (repository / "model.py").write_text(pem)
    (repository / "blob.bin").write_bytes(b"\0" + b"AKIAQ3EXAMPLE7KEY00A")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message=oh no")
    (repository / "old.py").write_text("API_KEY = os.environ['API_KEY']\n")
    (repository / "model.py").write_text(pem.replace("0015", "9999"))  # the first line of the key is far away
    (repository / "blob.bin").write_bytes(b"\0 nothing in it any more")
    (repository / "utf16.py").write_bytes("API_KEY = 'qwertyuiop'\n".encode("utf-16"))
    code = captured(repository)
    assert set(code.left_out) == {"old.py", "model.py", "utf16.py"}
    assert code.patch.count(b"literal ") == 1  # the new content, and not the old one
    (repository / "blob.bin").write_bytes(b"\0 another AKIAQ3EXAMPLE7KEY00A")
    assert "blob.bin" in captured(repository).left_out


def test_code_that_speaks_of_secrets_is_kept(repository: Path) -> None:
    text = (
        "import os\n"
        "password = os.environ['DB_PASSWORD']\n"
        "url = f'postgresql://{user}:{password}@{host}/db'\n"
        "parser.add_argument('--password', help='the password of the database user')\n"
        "plot(key='legend', metric_key='validation_rmse', token='<eos>')\n"
        "def connect(password: str = '', api_key: str | None = None): ...\n"
        "password = getpass.getpass('Password: ').strip()\n"
        "raise ValueError('no api_key: ' + name)\n"
        "messages = {'password': 'The password is wrong, try it again'}\n"
        "token_variable = 'HF_TOKEN'\n"
        "cache_key = 'features_v2'\n"
    )
    (repository / "fresh.py").write_text(text)
    (repository / "sweep.yaml").write_text("objective: {secret_env: [HF_TOKEN]}\nkey: major\npassword: ${DB}\n")
    code = captured(repository)
    assert (sorted(code.files), dict(code.left_out)) == (["fresh.py", "sweep.yaml"], {})


def test_rebuilding_says_the_way_out_where_the_commit_is_missing(repository: Path, tmp_path: Path, git: Git) -> None:
    code = captured(repository)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(repository), str(clone))
    with pytest.raises(ProvenanceError, match=r"no repository at .*git clone https://x/y.*--repository DIR"):
        rebuilt_content(replace(code, root="/nowhere", remote="https://x/y"), tmp_path / "again")
    missing = replace(code, commit="1" * 40)
    with pytest.raises(ProvenanceError, match=r"commit 1111111111, which is not in the repository .*fetch"):
        rebuilt_content(missing, tmp_path / "again", clone)
    with pytest.raises(ProvenanceError, match="do not apply"):
        rebuilt_content(
            replace(code, patch=b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"), tmp_path / "again"
        )
    assert rebuilt_content(replace(code, root="/nowhere"), tmp_path / "again", clone) == content_of(repository)
    assert not (tmp_path / "again").exists()
    assert git(clone, "worktree", "list").count("\n") == 0


def test_several_rebuild_at_once_and_leave_nothing_behind(repository: Path, tmp_path: Path, git: Git) -> None:
    (repository / "train.py").write_text("RATE = 9\n")
    code = captured(repository)
    with rebuilt(code, tmp_path / "a" / "code") as first:
        with rebuilt(code, tmp_path / "b" / "code") as second:
            assert content_of(first) == content_of(second) == content_of(repository)
        assert (first / "train.py").exists()
        assert git(first, "rev-parse", "HEAD") == code.commit
    assert git(repository, "worktree", "list").count("\n") == 0
    assert git(repository, "status", "--porcelain") == "M train.py"


@pytest.mark.parametrize("path", ["../out.py", "/tmp/out.py", ".git/config", "a/.GIT/hooks/x", "away/out.py", ""])
def test_a_record_that_leads_out_of_the_tree_is_refused(tmp_path: Path, path: str) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    (root / "away").symlink_to(tmp_path)
    with pytest.raises(ProvenanceError, match="captured"):
        write_file(root, path, b"x", executable=False)
    assert not (tmp_path / "out.py").exists()


def test_changes_are_named_by_file_with_their_lines(repository: Path, git: Git) -> None:
    before = captured(repository)
    (repository / "train.py").write_text(
        "import model\n\nRATE = 2\nMORE = 1\n\n\ndef run(params):\n    return model.loss(params)\n"
    )
    (repository / "new.py").write_text("x = 1\n")
    after = captured(repository)
    kept = content_of(repository / ".git" / "objects")
    found = code_changes(before, after)
    assert content_of(repository / ".git" / "objects") == kept
    assert [(change.name, change.before, change.after, counted(change)) for change in found] == [
        ("train.py", "RATE = 1", "RATE = 2", "+2 -1"),
        ("new.py", "", "x = 1", "+1 -0"),
    ]
    assert "-RATE = 1\n+RATE = 2" in found[0].detail
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message=two")
    assert not code_changes(after, captured(repository))  # the same code, committed meanwhile


@pytest.mark.parametrize("has_git", [True, False])
def test_an_edited_program_is_named_before_files_that_came_or_went_and_settings(
    repository: Path, tmp_path: Path, has_git: bool
) -> None:
    """A new sweep file beside it is no reason for other numbers, an added line is."""
    folder = repository if has_git else tmp_path / "plain"
    folder.mkdir(exist_ok=True)
    for name in ("gone.py", "settings.yaml", "train.py"):
        (folder / name).write_text("a: 1\n")
    before = captured(folder, [] if has_git else list(folder.iterdir()))
    (folder / "train.py").write_text("a: 1\nb: 2\n")
    (folder / "settings.yaml").write_text("a: 2\n")
    (folder / "added.py").write_text("x = 1\n")
    (folder / "added.yaml").write_text("x: 1\n")
    (folder / "gone.py").unlink()
    after = captured(folder, [] if has_git else list(folder.iterdir()))
    found = [change.name for change in code_changes(before, after)]
    assert found == ["train.py", "added.py", "gone.py", "settings.yaml", "added.yaml"]


def test_changes_are_named_without_a_repository_too(repository: Path, tmp_path: Path) -> None:
    before = replace(captured(repository), root="/nowhere")
    (repository / "train.py").write_text("RATE = 2\n")
    (repository / "new.py").write_text("x = 1\n")
    after = replace(captured(repository), root="/nowhere")
    assert [(c.name, c.before) for c in code_changes(before, after)] == [("train.py", "as committed"), ("new.py", "")]
    other = replace(after, commit="2" * 40)
    assert [c.name for c in code_changes(after, other)] == ["commit"]
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "a.py").write_text("x = 1\n")
    first = captured(plain, [plain / "a.py"])
    (plain / "a.py").write_text("x = 2\n")
    assert [str(c) for c in code_changes(first, captured(plain, [plain / "a.py"]))] == ["code a.py: x = 1 -> x = 2"]


def test_a_merge_in_the_middle_is_captured(repository: Path, tmp_path: Path, git: Git) -> None:
    git(repository, "checkout", "--quiet", "-b", "other")
    (repository / "train.py").write_text("RATE = 5\n")
    git(repository, "commit", "--quiet", "--all", "--message=other")
    git(repository, "checkout", "--quiet", "main")
    (repository / "train.py").write_text("RATE = 6\n")
    git(repository, "commit", "--quiet", "--all", "--message=mine")
    subprocess.run(["git", "-C", str(repository), "merge", "--quiet", "other"], capture_output=True, check=False)
    assert rebuilt_content(captured(repository), tmp_path / "again") == content_of(repository)
