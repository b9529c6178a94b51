"""The registry that every family of plug-ins uses."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from backend.app.core.registry import Registry, UnknownPluginError


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package with two plug-ins, which registers nothing before it is asked."""
    package = tmp_path / "sample_family"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from backend.app.core.registry import Registry\nplugins = Registry('sample', __name__)\n"
    )
    for name in ("beta", "alpha"):
        (package / f"{name}.py").write_text(
            f"from sample_family import plugins\n@plugins.register('{name}')\ndef {name}(): return '{name}'\n"
        )
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.startswith("sample_family")]:
        monkeypatch.delitem(sys.modules, name)
    return "sample_family"


def plugins_of(family: str) -> Registry[object]:
    __import__(family)
    registry: Registry[object] = sys.modules[family].plugins
    return registry


def test_a_file_dropped_into_the_folder_is_found(family: str) -> None:
    plugins = plugins_of(family)
    assert plugins.names() == ["alpha", "beta"]
    assert [name for name, _ in plugins.items()] == ["alpha", "beta"]


def test_an_unknown_name_lists_what_there_is(family: str) -> None:
    with pytest.raises(UnknownPluginError, match="no sample named 'gamma'; there are: alpha, beta"):
        plugins_of(family).get("gamma")


def test_a_name_belongs_to_one_plugin(family: str) -> None:
    plugins = plugins_of(family)
    plugins.names()
    with pytest.raises(ValueError, match="'alpha' is taken"):
        plugins.register("alpha")(lambda: None)


def test_another_distribution_adds_by_entry_point(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def installed(*, group: str) -> list[EntryPoint]:
        return [EntryPoint("third", "builtins:len", group)] if group == "touchstone.sample" else []

    monkeypatch.setattr("importlib.metadata.entry_points", installed)
    assert plugins_of(family).get("third") is len


def test_a_plugin_is_described_by_what_stands_in_its_file(family: str, tmp_path: Path) -> None:
    head = "from sample_family import plugins\n"
    for name, text in {
        "alpha": f'"""Counts\nletters. Nothing else."""\n{head}@plugins.register("alpha")\ndef f(): "Not this."',
        "beta": f'{head}@plugins.register("beta")\ndef f(): "Sorts. Slowly."',
        "gamma": f'"""Not this."""\n{head}class Plan: description = "Waits."\nplugins.register("gamma")(Plan())',
    }.items():
        (tmp_path / f"sample_family/{name}.py").write_text(text)
    plugins = plugins_of(family)
    assert [plugins.describe(name) for name in plugins.names()] == ["Counts letters.", "Sorts.", "Waits."]
