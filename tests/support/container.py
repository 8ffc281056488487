"""The image without a container engine: its steps in roots of their own, by Debian's bubblewrap.

What an image has from its base, such as Python and the C library, is this machine's, read-only.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

import pytest

_LINKS = ("bin", "lib", "lib64", "sbin")  # into /usr
_ACCOUNTS = ("passwd", "group", "shadow", "gshadow")
_OF_THE_NETWORK = re.compile("PIP_|SSL_|.*_proxy$", re.IGNORECASE)
_ALONE = ("net", "pid", "ipc", "uts")


def read_steps(file: Path) -> list[tuple[str, str]]:
    """The instructions of a Containerfile with their arguments, continued lines joined."""
    told = re.sub(r"^#.*\n", "", file.read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", told).splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line]


@dataclass(frozen=True)
class Context:
    """The folder from which an image copies, as its .dockerignore lets an engine see it."""

    folder: Path

    def hidden(self, folder: str | Path, names: list[str]) -> set[str]:
        """Which of a folder's entries an engine does not see."""
        return {name for name in names if self._hides(Path(folder, name).relative_to(self.folder))}

    def _hides(self, path: Path) -> bool:
        lines = (self.folder / ".dockerignore").read_text().splitlines()
        parts = (path, *path.parents)
        told = [
            line
            for line in lines
            if any(fnmatch(str(part), line.removeprefix("!")) for part in parts)
        ]
        return bool(told) and not told[-1].startswith("!")


@dataclass
class Stage:
    """A root in which steps take place, and what they say of the containers made from it.

    Attributes:
        root: its folder; made.
        mounts: folders of this machine by where they are to be read below the root.
    """

    root: Path
    mounts: dict[str, Path]
    environment: dict[str, str] = field(
        default_factory=lambda: {
            "HOME": "/root",
            "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        }
    )
    folder: str = "/"
    user: str = "0:0"
    volumes: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health_check: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if os.getuid() or not shutil.which("bwrap"):
            pytest.skip("this needs bubblewrap and root")
        shutil.copytree("/etc", self.root / "etc", symlinks=True)
        for name in _ACCOUNTS:  # of which a base has root's alone, as far as it matters
            accounts = self.root / "etc" / name
            accounts.write_text(accounts.read_text().splitlines(keepends=True)[0])
        for name in _LINKS:
            (self.root / name).symlink_to(f"usr/{name}")
        base = {place: Path(place) for place in ("/usr", sys.base_prefix)}
        self.mounts = base | self.mounts
        for place in (*self.mounts, "/dev", "/proc", "/tmp"):
            self.at(place).mkdir(parents=True, exist_ok=True)

    def at(self, place: str) -> Path:
        """Where a place of the root, absolute or below the working folder, lies on this machine."""
        return self.root / str(Path(self.folder) / place)[1:]

    def copy(self, context: Context, name: str, to: str) -> None:
        """Take a folder's contents, or a file; like COPY with one source."""
        source = context.folder / name
        if source.is_dir():
            shutil.copytree(source, self.at(to), ignore=context.hidden, dirs_exist_ok=True)
        else:
            assert not context.hidden(source.parent, [source.name]), name
            file = self.at(to) / (source.name if to.endswith("/") else "")
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, file)

    def build(self, command: str) -> None:
        """Run a command of the shell as root, with the network of this machine; like RUN."""
        network = {name: text for name, text in os.environ.items() if _OF_THE_NETWORK.match(name)}
        done = self._enter(("sh", "-c", command), ("--cap-add", "ALL"), network)
        assert done.returncode == 0, done.stderr

    def run(
        self, command: list[str], kept: Path, text: str, **environment: str
    ) -> subprocess.CompletedProcess:
        """Run a command as containers do, with --read-only, --tmpfs /tmp and no network.

        Args:
            command: to run.
            kept: folder of this machine for the volume.
            text: its standard input.
            environment: variables beyond those of the image.
        """
        (volume,) = self.volumes
        user, group = self.user.split(":")
        os.chown(kept, int(user), int(group))
        rights = ("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP")
        places = ("--bind", kept, volume, "--remount-ro", "/")
        alone = [f"--unshare-{what}" for what in _ALONE]
        become = ("setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups")
        none = ("--bounding-set=-all", "--no-new-privs")
        return self._enter(
            (*become, *none, *command), (*rights, *places, *alone), environment, text
        )

    def _enter(
        self,
        command: tuple[str, ...],
        options: tuple[str | Path, ...],
        environment: dict[str, str],
        text: str = "",
    ) -> subprocess.CompletedProcess:
        mounted = [("--ro-bind", folder, place) for place, folder in self.mounts.items()]
        variables = {**self.environment, **environment}.items()
        words = [
            *("bwrap", "--die-with-parent", "--bind", self.root, "/"),
            *(word for mount in mounted for word in mount),
            *("--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp"),
            *(*options, "--chdir", self.folder, "--clearenv"),
            *(word for variable in variables for word in ("--setenv", *variable)),
        ]
        return subprocess.run([*words, "--", *command], input=text, capture_output=True, text=True)


def follow(file: Path, context: Path, place: Path, venv: Path | None = None) -> Stage:
    """Take the steps of a Containerfile.

    Args:
        file: the Containerfile.
        context: the folder from which it copies.
        place: an empty folder, for the roots of its stages.
        venv: stands for what RUN and stages before the last one make, which are left out; else a
            virtual environment stands for the Python of the base.

    Returns:
        The last stage.
    """
    if venv is None:
        subprocess.run([sys.executable, "-m", "venv", place / "python"], check=True)
    mounts = {"/opt/venv": venv} if venv else {"/usr/local": place / "python"}
    stages: dict[str, Stage] = {}
    for name, arguments in read_steps(file):
        match name, arguments.split():
            case "FROM", words:
                stage = stages[words[-1]] = Stage(place / str(len(stages)), mounts)
            case "WORKDIR", _:
                stage.folder = arguments
            case "COPY", [option, source, to] if option.startswith("--from="):
                if not venv:
                    made = stages[option.removeprefix("--from=")].at(source)
                    shutil.copytree(made, stage.at(to), symlinks=True, copy_function=os.link)
            case "COPY", [*sources, to]:
                for source in sources:
                    stage.copy(Context(context), source, to)
            case "RUN", _:
                if not venv:
                    stage.build(arguments)
            case "ENV", _:
                stage.environment |= (word.split("=", 1) for word in shlex.split(arguments))
            case "USER", _:
                stage.user = arguments
            case "VOLUME", _:
                stage.volumes.append(arguments)
                stage.at(arguments).mkdir(parents=True, exist_ok=True)
            case "HEALTHCHECK", _:
                stage.health_check = json.loads(arguments.partition(" CMD ")[2])
            case "CMD", _:
                stage.command = json.loads(arguments)
            case "EXPOSE", _:
                pass
            case _:
                pytest.fail(f"{name} of {file.name} is not known here")
    return stage
