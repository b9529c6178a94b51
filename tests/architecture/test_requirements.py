"""The locks: every package pinned and hashed, in agreement with pyproject.toml, bound to no index."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ("requirements.lock", "requirements-dev.lock")


def locked(name: str) -> dict[str, Version]:
    pins = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)", (ROOT / name).read_text(), re.MULTILINE)
    return {canonicalize_name(package): Version(version) for package, version in pins}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_packages_and_hashes_only(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "://" not in text
    entries = text.replace("\\\n", " ").splitlines()
    assert [
        entry for entry in entries if not re.match(r"[A-Za-z0-9._\[\]-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", entry)
    ] == []


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("requirements.lock", PROJECT["project"]["dependencies"]),
        (
            "requirements-dev.lock",
            [
                *PROJECT["project"]["dependencies"],
                *PROJECT["dependency-groups"]["dev"],
                *PROJECT["build-system"]["requires"],
            ],
        ),
    ],
)
def test_a_lock_agrees_with_the_project(name: str, declared: list[str]) -> None:
    pins = locked(name)
    for requirement in map(Requirement, declared):
        version = pins.get(canonicalize_name(requirement.name))
        assert version, f"{requirement.name} is not in {name}: run make lock"
        assert version in requirement.specifier, f"{name} pins {requirement.name} {version}: run make lock"


def test_both_locks_agree() -> None:
    development = locked("requirements-dev.lock")
    assert {package: development.get(package) for package in locked("requirements.lock")} == locked("requirements.lock")
