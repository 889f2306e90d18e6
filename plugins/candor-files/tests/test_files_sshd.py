"""A real OpenSSH server on this machine, for `make test-counterparts`: read, refused, changed, away."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_files_site import Site, line, settled

pytestmark = pytest.mark.skipif(
    not os.environ.get("QA_COUNTERPARTS"), reason="needs an OpenSSH server: make test-counterparts"
)
SSHD = "/usr/sbin/sshd"
CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/allowed
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
"""


class Sshd:
    """The server, with a host's key, one allowed key, and one that is not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("host_key", "good", "strange"):
            said = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(said, check=True)
        (folder / "allowed").write_text((folder / "good.pub").read_text())
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        (folder / "sshd_config").write_text(CONFIG.format(port=self.port, folder=folder))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [SSHD, "-D", "-e", "-f", str(self.folder / "sshd_config")]
        with (self.folder / "sshd.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self.process.poll() is None, (self.folder / "sshd.log").read_text()
                assert time.monotonic() < until
                time.sleep(0.05)

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(10)

    @property
    def fingerprint(self) -> str:
        """What ssh-keygen shows of the host's key."""
        said = subprocess.run(
            ["ssh-keygen", "-lf", str(self.folder / "host_key.pub")],
            check=True,
            capture_output=True,
            text=True,
        )
        return said.stdout.split()[1]


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """The server."""
    made = Sshd(tmp_path_factory.mktemp("sshd"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site."""
    return Site(tmp_path_factory.mktemp("site"))


def add(site: Site, sshd: Sshd, name: str, place: Path, *, key: str = "good", host_key: str = "") -> None:
    """Add the server as a source."""
    site.add(
        "sftp",
        name,
        {"private_key": (sshd.folder / key).read_text()},
        host="127.0.0.1",
        port=str(sshd.port),
        host_key=host_key or sshd.fingerprint,
        user=getpass.getuser(),
        folder=str(place),
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Two tables and a recording; other files and links are none of ours."""
    folder = tmp_path / "far away"
    (folder / "deep ü").mkdir(parents=True)
    (folder / "one.jsonl").write_text("\n".join([line("q1"), line("q2"), "{oops"]))
    recordings = [{"file": "a.wav"}, {"file": "../../etc/passwd"}]
    (folder / "deep ü" / "two.jsonl").write_text(line("q3", channel="voice", recordings=recordings))
    (folder / "deep ü" / "a.wav").write_bytes(b"RIFF secret sound")
    (folder / "notes.txt").write_text("not for us")
    (folder / "link.jsonl").symlink_to("/etc/passwd")
    settled(folder)
    return folder


def test_a_folder_of_a_real_server_is_read_fetched_and_read_again(
    site: Site, sshd: Sshd, place: Path
) -> None:
    add(site, sshd, "Far", place)
    assert "2 files to read, 4 in all." in site.run("source", "check", "far")
    run = site.pull("far")
    assert (run["new"], run["refused"]) == (3, 1)
    assert site.ids() == ["A-q1", "A-q2", "A-q3"]
    site.run("jobs", "run", "--until-empty")
    assert dict(site.rows("SELECT key, state FROM media_reference")) == {
        "deep ü/a.wav": "kept",
        "deep ü/../../etc/passwd": "gone",
    }
    (place / "one.jsonl").write_text("\n".join([line("q1", subject="changed"), line("q2")]))
    settled(place)
    run = site.pull("far")
    assert (run["changed"], run["same"]) == (1, 1)


def test_a_large_file_goes_on_where_it_was_after_the_server_was_away(
    site: Site, sshd: Sshd, tmp_path: Path
) -> None:
    (tmp_path / "big.jsonl").write_text("\n".join(line(f"big{n}", subject="x" * 3_000) for n in range(1_500)))
    settled(tmp_path)
    add(site, sshd, "Large", tmp_path)
    sshd.stop()
    assert "does not answer" in site.run("source", "check", "large", code=1)
    sshd.start()
    assert site.pull("large")["new"] == 1_500
    assert site.pull("large")["new"] == 0


def test_another_host_key_and_a_key_that_is_not_allowed_are_told_apart(
    site: Site, sshd: Sshd, place: Path
) -> None:
    add(site, sshd, "Strange host", place, host_key="SHA256:" + "A" * 43)
    assert "another key than the one that is kept. Nothing was sent." in site.run(
        "source", "check", "strange-host", code=1
    )
    add(site, sshd, "Strange key", place, key="strange")
    assert "no longer accepts the credentials" in site.run("source", "check", "strange-key", code=1)
