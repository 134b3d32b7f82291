"""Audits the installed packages: by pip-audit, and by our own dated list.

    python .ci/audit.py

pip-audit is green for a package that the advisory service does not know, and
for all of them where the package index offers no advisories. So this counts
what was skipped, and holds every finding against `audit.toml`.

Exit codes: 0, audited, and all that was found is accepted there; 1, something
is not accepted; 3, the service had no data for any package or could not be
reached, and nothing is wrong by our own list.
"""

import importlib.metadata
import importlib.util
import json
import pathlib
import platform
import re
import subprocess
import sys

from packaging import specifiers

try:
    import tomllib
except ImportError:  # Python 3.10; pip-audit brings it along
    import tomli as tomllib

SETTINGS = pathlib.Path(__file__).with_name("audit.toml")
OK, FAILED, NOT_AUDITED = 0, 1, 3
# What pip-audit's last line says when the service cannot be reached.
_NO_SERVICE = re.compile(
    "ConnectionError|Timeout|ProxyError|SSLError|ServiceError|HTTPError"
)
_TIMEOUT_SECONDS = 600


def judge(report, installed, settings):
    """Holds what was found against what is accepted.

    Args:
        report: list of dict, `dependencies` of pip-audit's JSON; or None when
            the service could not be reached.
        installed: {package: version}.
        settings: dict, the content of `audit.toml`.

    Returns:
        (exit code, list of lines to print).
    """
    accepted = settings["accepted"]
    accepted_ids = {entry["id"] for entry in accepted if "id" in entry}
    accepted_packages = {
        _normal(entry["package"]) for entry in accepted if "package" in entry
    }
    aliases = {
        alias: advisory["id"]
        for advisory in settings["advisory"]
        for alias in advisory.get("aliases", ())
    }
    lines, needed, bad = [], set(), False

    found = _known(installed, settings["advisory"])
    for dependency in report or ():
        for vulnerability in dependency.get("vulns", ()):
            names = {vulnerability["id"], *vulnerability.get("aliases", ())}
            names |= {aliases[name] for name in names & aliases.keys()}
            found.append((dependency["name"], names))
    for package, names in sorted(found, key=lambda item: min(item[1])):
        version = installed.get(_normal(package), "?")
        known = names & accepted_ids
        needed |= known
        bad = bad or not known
        verdict = "accepted" if known else "NOT ACCEPTED"
        lines.append(
            f"{verdict}: {package} {version}: {', '.join(sorted(names))}"
        )

    skipped = {_normal(d["name"]) for d in report or () if "skip_reason" in d}
    needed |= skipped & accepted_packages
    audited = {_normal(d["name"]) for d in report or ()} - skipped
    if audited:
        for package in sorted(skipped - accepted_packages):
            bad = True
            lines.append(f"NOT ACCEPTED: {package} was skipped")
        # A package counts as skipped only where there is a service.
        lines += _no_longer_needed(accepted_ids | accepted_packages, needed)
        lines.append(f"{len(audited)} packages audited.")
    else:
        lines.append(
            f"NOT AUDITED: {len(installed)} packages. The advisory service "
            "could not be reached or has no data here; run `make audit` where "
            "it has. Our own list of advisories, of "
            f"{settings['checked']}, was held against the versions."
        )
        lines += _no_longer_needed(
            accepted_ids & {a["id"] for a in settings["advisory"]}, needed
        )
    if bad:
        lines.append(
            "Update the package, or accept the finding in .ci/audit.toml and "
            "docs/security.md, with the reason."
        )
        return FAILED, lines
    return OK if audited else NOT_AUDITED, lines


def _known(installed, advisories):
    return [
        (advisory["package"], {advisory["id"], *advisory.get("aliases", ())})
        for advisory in advisories
        if (version := installed.get(_normal(advisory["package"])))
        and version
        in specifiers.SpecifierSet(advisory["affected"], prereleases=True)
    ]


def _no_longer_needed(names, needed):
    return [
        f"NO LONGER NEEDED in .ci/audit.toml: the exception for {name}"
        for name in sorted(names - needed)
    ]


def _normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def run_pip_audit():
    """Returns pip-audit's list of packages, or None without the service."""
    command = [sys.executable, "-m", "pip_audit", "--format=json"]
    try:
        result = subprocess.run(
            [*command, "--progress-spinner=off"],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    try:
        return json.loads(result.stdout)["dependencies"]
    except (json.JSONDecodeError, KeyError):
        last = (result.stderr.strip().splitlines() or ["no output"])[-1]
    if _NO_SERVICE.search(last):
        print(f"pip-audit: {last}")
        return None
    sys.exit(f"pip-audit failed: {last}")


def main():
    """Runs the program."""
    if importlib.util.find_spec("pip_audit") is None:
        sys.exit("pip-audit is not installed: pip install -r requirements.txt")
    installed = {
        _normal(distribution.name): distribution.version
        for distribution in importlib.metadata.distributions()
    }
    settings = tomllib.loads(SETTINGS.read_text(encoding="utf-8"))
    settings["accepted"] = [
        entry
        for entry in settings["accepted"]
        if platform.python_version()
        in specifiers.SpecifierSet(entry.get("python", ""), prereleases=True)
    ]
    code, lines = judge(run_pip_audit(), installed, settings)
    print("\n".join(lines))
    sys.exit(code)


if __name__ == "__main__":
    main()
