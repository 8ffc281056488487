import re

from packaging.requirements import Requirement


def test_every_requirement_is_locked_with_its_hashes_at_a_version_of_its_range(root):
    lock = (root / ".ci" / "requirements.lock").read_text()
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+) \\\n +--hash=sha256:", lock, re.MULTILINE))
    for file in ("requirements.txt", "tests/requirements.txt"):
        for line in (root / file).read_text().splitlines():
            if line.startswith("-r "):
                continue
            required = Requirement(line)
            assert required.name in locked, f"{required.name} of {file} is not locked"
            assert locked[required.name] in required.specifier, f"{line} of {file}: renew the lock"
