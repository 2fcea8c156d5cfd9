"""`hpo ui` as a process, and what it refuses to start."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

import pytest
from click.testing import CliRunner

from hpo.cli.main import main
from hpo.web.users import Users
from trackers.opening import open_store
from trackers.records import RunStarted, SweepFacts

OWN = "a-token-of-thirty-two-characters"


@pytest.fixture
def uri(tmp_path: Path) -> str:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with open_store(uri) as store:
        facts = SweepFacts("{}", "h", "loss", "minimize", 1, 1)
        store.tracker.record([RunStarted("5" * 32, "a b", "Default", 1, sweep=facts)])
    return uri


def hpo(*words: str, given: str | None = None):
    return CliRunner().invoke(main, words, input=given)


def test_the_address_that_is_printed_opens_the_page_and_a_signal_ends_it(uri: str) -> None:
    command = [sys.executable, "-m", "hpo.cli.script", "ui", "a b", "--port", "0", "--tracker", uri]
    code = "import sys; from hpo.cli.main import main; main(sys.argv[1:])"
    environment = {**os.environ, "NO_PROXY": "*", "HPO_UI_TOKEN": ""}
    with subprocess.Popen(
        [sys.executable, "-c", code, *command[3:]],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            cookies = CookieJar()
            opener = urllib.request.build_opener(
                urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(cookies)
            )
            page = opener.open(address, timeout=20)
            assert page.url.endswith("/sweeps/a%20b")
            base = address.partition("/login")[0]
            assert b'"name":"a b"' in opener.open(f"{base}/api/sweeps", timeout=20).read()
            with pytest.raises(urllib.error.HTTPError, match="401"):
                urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{base}/api/sweeps", timeout=20)
            stream = opener.open(f"{base}/api/sweeps/{'5' * 32}/events", timeout=20)
            assert stream.readline().startswith(b"retry")
            server.send_signal(signal.SIGTERM)
            told = server.communicate(timeout=20)
            token = address.partition("token=")[2].partition("&")[0]
            assert len(token) >= 40
            assert token not in "".join(told)
            assert "Traceback" not in told[1]
            assert "running task" not in told[1]
        finally:
            server.kill()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "0.0.0.0"], "lets others reach the page"),
        (["--host", "::"], "lets others reach the page"),
        (["--token-file", "short"], "at least 22"),
        (["--token-file", "nothing-there"], "nothing-there"),
        (["--users", "nothing-there"], "nothing-there"),
        (["--host", "256.256.256.256", "--token-file", "token"], "cannot listen"),
    ],
)
def test_it_does_not_start_where_others_could_look(
    tmp_path: Path, uri: str, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("short").write_text("short")
    Path("token").write_text(OWN)
    done = hpo("ui", "--tracker", uri, *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    done = hpo("ui", "--tracker", f"sqlite:///{tmp_path}/none.db")
    assert done.exit_code == 1
    assert list(tmp_path.iterdir()) == []


def test_a_password_becomes_a_line_for_the_file(tmp_path: Path) -> None:
    done = hpo("ui", "--hash-password", given="ana\ncorrect horse\ncorrect horse\n")
    file = tmp_path / "users"
    file.write_text(done.stdout)
    file.chmod(0o600)
    assert Users.read(file).is_right("ana", "correct horse")
    assert "correct horse" not in done.output
