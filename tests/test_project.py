"""The frame of the project: what is packed, what is tracked, which package may import which."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LAYERS = ("env", "agents", "experiments", "viz")  # bottom to top
# safe.directory: CI may run as another user than the one who cloned.
GIT = ("git", "-c", "safe.directory=*", "-C", str(ROOT))


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*GIT, *arguments], capture_output=True, text=True, check=False)


def tracked_files() -> list[Path]:
    """Files git tracks or would track: a new file is checked before it is committed."""
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    assert listed.returncode == 0, listed.stderr
    files = (ROOT / name for name in listed.stdout.split("\0") if name)
    return [path for path in files if path.is_file()]


needs_git = pytest.mark.skipif(
    shutil.which("git") is None or not (ROOT / ".git").exists(), reason="not a git checkout (an unpacked sdist?)"
)


# --- the package called env -------------------------------------------------------------------------------


@needs_git
def test_git_does_not_ignore_our_packages() -> None:
    """The usual Python .gitignore has `env/`; git, the linters and the wheel would drop the rules."""
    files = [f"{layer}/__init__.py" for layer in LAYERS] + ["env/data/goods.csv", "env/scenarios/baseline.toml"]
    answer = git("check-ignore", "--no-index", *files)
    assert answer.stdout == ""
    assert answer.returncode == 1, answer.stderr


def test_no_virtual_environment_was_made_inside_env() -> None:
    """`python -m venv env` would write into the package."""
    assert not (ROOT / "env" / "pyvenv.cfg").exists(), "delete what `python -m venv env` wrote; use `uv sync`"


@pytest.mark.parametrize("layer", LAYERS)
def test_packages_imported_are_ours(layer: str) -> None:
    """Another package on the machine may be called `agents`."""
    module = importlib.import_module(layer)
    assert module.__file__ is not None
    assert Path(module.__file__).resolve().parent == ROOT / layer


def test_test_folders_do_not_shadow_our_packages() -> None:
    """`tests/env/__init__.py` would make tests/env the package `env`."""
    assert [str(path.relative_to(ROOT)) for path in ROOT.glob("tests/**/__init__.py")] == []


# --- what is packed ---------------------------------------------------------------------------------------


def test_wheel_lists_the_four_packages() -> None:
    assert sorted(PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == sorted(LAYERS)


@pytest.mark.slow
def test_wheel_holds_packages_and_data(tmp_path: Path) -> None:
    uv = os.environ.get("UV") or shutil.which("uv")  # `uv run` says where it is
    if uv is None:
        pytest.skip("uv is not on the path")
    build = [uv, "build", "--wheel", "--out-dir", str(tmp_path), str(ROOT)]
    for command in ([*build, "--offline"], build):  # the first run has left the build tools in uv's cache
        built = subprocess.run(command, capture_output=True, text=True, check=False)
        if built.returncode == 0:
            break
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
        archive.extractall(tmp_path / "unpacked")

    patterns = ("**/*.py", "data/*.csv", "scenarios/*.toml")
    expected = {
        path.relative_to(ROOT).as_posix()
        for layer in LAYERS
        for pattern in patterns
        for path in (ROOT / layer).glob(pattern)
    }
    assert any(name.startswith("env/data/") for name in expected)
    assert expected - packed == set()
    strangers = {name.split("/")[0] for name in packed} - set(LAYERS)
    assert strangers == {f"offtake-{PYPROJECT['project']['version']}.dist-info"}

    # What was packed must import by itself, not by the files beside it.
    program = f"import sys; sys.path.insert(0, {str(tmp_path / 'unpacked')!r}); import env; print(env.__file__)"
    run = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert Path(run.stdout.strip()).is_relative_to(tmp_path)


# --- versions and names that must agree -------------------------------------------------------------------


def test_versions_agree() -> None:
    version = PYPROJECT["project"]["version"]
    newest = re.search(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == version
    assert importlib.metadata.version("offtake") == version, "run `uv sync`"
    for layer in LAYERS:
        stated = getattr(importlib.import_module(layer), "__version__", version)
        assert stated == version, layer
    (locked,) = (package for package in lock()["package"] if package["name"] == "offtake")
    assert locked["version"] == version, "run `uv lock`"


def test_every_direct_dependency_is_explained() -> None:
    groups = [PYPROJECT["project"]["dependencies"], *PYPROJECT["dependency-groups"].values()]
    names = {re.split(r"[<>=!~\[; ]", requirement)[0] for group in groups for requirement in group}
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    assert sorted(name for name in names if f"| {name} |" not in page) == []


@pytest.mark.parametrize("requirement", PYPROJECT["project"]["dependencies"])
def test_every_runtime_dependency_imports(requirement: str) -> None:
    """A library may need what it does not declare (Mesa 3.5 needs networkx)."""
    importlib.import_module(re.split(r"[<>=!~\[; ]", requirement)[0])


def test_readme_gives_the_two_commands_and_ci_runs_the_second() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert "python3 -m pip install uv && uv run offtake sandbox" in readme
    assert "uv run pytest" in readme
    assert re.search(r"^\s*(pytest_step .* )?uv run pytest$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)


# --- nothing of one machine in what everyone gets ---------------------------------------------------------

# Written in pieces, so that this file passes its own test.
MACHINE_PATH = re.compile(
    r"(?<![\w.~$}>-])/(?:" + "|".join(["home", "root", "tmp", "Users", "work", "var/folders"]) + r")/|[A-Z]:\\Users\\"
)
REGISTRY_HOST = re.compile("|".join(name + r"\." + end for name, end in [("pypi", "org"), ("pythonhosted", "org")]))


def lock() -> dict[str, list[dict[str, object]]]:
    return tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))


@needs_git
@pytest.mark.parametrize("pattern", [MACHINE_PATH, REGISTRY_HOST], ids=["machine path", "registry host"])
def test_no_tracked_file_names_a_machine_or_a_registry(pattern: re.Pattern[str]) -> None:
    found = []
    for path in tracked_files():
        if path.name == "uv.lock":
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # a picture or a table in binary form
        found += [
            f"{path.relative_to(ROOT)}:{n}: {line.strip()[:80]}"
            for n, line in enumerate(lines, 1)
            if pattern.search(line)
        ]
    assert found == []


def test_lock_file_names_only_the_public_index() -> None:
    index, files = "https://" + "pypi" + ".org/simple", "https://files." + "pythonhosted" + ".org/"
    for package in lock()["package"]:
        source = package["source"]
        assert source in ({"registry": index}, {"editable": "."}), package["name"]
        for file in [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]:
            assert file["url"].startswith(files), file["url"]


# --- who imports whom: import-linter knows the layers, this knows the doors -------------------------------

# A package uses of a lower one what that one's __init__ exports, nothing deeper.
# {importing file: {imported module: why}}; each line is a door we decided to leave open.
DEEP_IMPORTS_ALLOWED: dict[str, dict[str, str]] = {}

# Class rooms are driven by pages and by tests: no web library.
WEB_LIBRARIES = {"solara", "reacton", "ipyvuetify", "starlette", "fastapi", "uvicorn", "tornado", "websockets"}


class Import(NamedTuple):
    """One imported module, and the names taken from it (empty for a plain `import`)."""

    module: str
    names: tuple[str, ...]
    line: int


def imports_of(source: str) -> Iterator[Import]:
    """Every absolute import in a source text, wherever it stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, (), node.lineno)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield Import(node.module, tuple(alias.name for alias in node.names), node.lineno)


def exported_names(package: str) -> set[str]:
    return set(getattr(importlib.import_module(package), "__all__", ()))


def faults_of_doors(file: str, source: str, exports: dict[str, set[str]]) -> list[str]:
    """Imports in `file` that reach past the __init__ of a lower package."""
    layer = file.split("/")[0]
    lower = LAYERS[: LAYERS.index(layer)]
    faults = []
    for module, names, line in imports_of(source):
        package = module.split(".")[0]
        if package not in lower:
            continue
        if module != package:
            if module not in DEEP_IMPORTS_ALLOWED.get(file, {}):
                faults.append(f"{file}:{line}: {module} lies inside {package}; import from {package}")
        else:
            hidden = sorted(set(names) - exports[package])
            if hidden:
                faults.append(f"{file}:{line}: {package}.__all__ does not export {', '.join(hidden)}")
    return faults


def sources(folder: str) -> list[tuple[str, str]]:
    paths = sorted((ROOT / folder).rglob("*.py"))
    return [(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in paths]


@pytest.mark.parametrize("layer", LAYERS[1:])
def test_imports_use_the_front_door(layer: str) -> None:
    exports = {package: exported_names(package) for package in LAYERS}
    assert [fault for file, source in sources(layer) for fault in faults_of_doors(file, source, exports)] == []


def test_the_door_test_sees_what_it_should() -> None:
    exports = {"env": {"World"}, "agents": {"Game"}, "experiments": set(), "viz": set()}
    source = "from env import World, Secret\nfrom env.market import clear\nimport env.world\nfrom agents import Game\n"
    assert faults_of_doors("experiments/batch.py", source, exports) == [
        "experiments/batch.py:1: env.__all__ does not export Secret",
        "experiments/batch.py:2: env.market lies inside env; import from env",
        "experiments/batch.py:3: env.world lies inside env; import from env",
    ]
    assert faults_of_doors("env/market.py", "from env.world import World", exports) == []


def test_allowed_deep_imports_are_still_needed() -> None:
    for file, modules in DEEP_IMPORTS_ALLOWED.items():
        used = {found.module for found in imports_of((ROOT / file).read_text(encoding="utf-8"))}
        assert set(modules) <= used, file


def test_class_rooms_import_no_web_library() -> None:
    found = [
        f"{file}:{line}: {module}"
        for file, source in sources("viz/rooms")
        for module, _, line in imports_of(source)
        if module.split(".")[0] in WEB_LIBRARIES
    ]
    assert found == []


def test_imports_are_absolute() -> None:
    """Absolute names make it plain which `agents` is meant."""
    found = [
        f"{file}:{node.lineno}"
        for layer in LAYERS
        for file, source in sources(layer)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.level > 0
    ]
    assert found == []
