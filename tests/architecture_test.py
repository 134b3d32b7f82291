"""Imports point one way. Read from the text of the code: nothing is imported.

Also those inside of functions count, which would only hide a circle.
"""

import ast
import functools
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
ROOMS = ("tf_simmim", "experiments", "serving")

# What the library is made of; each may import what is above it. DESIGN's order,
# but that backbones enlarge masks, and callbacks of training evaluate and draw.
ORDER = (
    "version",
    "_startup",
    "addons",
    "sizes",
    "randomness",
    "atomic_file",
    "freezing",
    "shares",
    "masking",
    "layers",
    "backbones",
    "heads",
    "boxes",
    "losses",
    "metrics",
    "optimization",
    "models",
    "data",
    "evaluation",
    "visualization",
    "convert",
    "run",
    "training",
    "compression",
    "export",
    "programs",
)
# {(importing module, imported part): why it may, for now}.
EXCEPTIONS = {}
# A tenth of a second to seconds each, and so imported by what uses them.
SLOW_PACKAGES = {
    "keras_cv",
    "scipy.interpolate",
    "scipy.optimize",
    "scipy.stats",
    "sklearn",
    "tensorflow_datasets",
    "torch",
    "wandb",
}


@functools.cache
def modules():
    """Returns {dotted name: path} of the code of all rooms."""
    found = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            name = path.relative_to(ROOT).with_suffix("").as_posix()
            found[name.removesuffix("/__init__").replace("/", ".")] = path
    return found


@functools.cache
def parsed(module):
    return ast.parse(modules()[module].read_text())


@functools.cache
def imported(module):
    """Returns the dotted names that a module imports, of whomever."""
    return imported_by(ast.walk(parsed(module)), module)


def imported_by(nodes, module):
    """Returns the dotted names that nodes of a module's tree import."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@functools.cache
def imported_modules(module):
    """Returns the modules of the rooms that a module imports."""
    found = set()
    for name in imported(module):
        # What a module holds is imported from it: a class, a function.
        for candidate in (name, name.rpartition(".")[0]):
            if candidate in modules():
                found.add(candidate)
                break
    return found - {module}


def circle(graph):
    """Returns a circle of {node: nodes it leads to} as a list, or []."""
    done, path = set(), []

    def search(node):
        if node in path:
            return path[path.index(node) :] + [node]
        if node in done:
            return []
        path.append(node)
        for other in sorted(graph.get(node, ())):
            if found := search(other):
                return found
        done.add(path.pop())
        return []

    return next(
        (found for node in sorted(graph) if (found := search(node))), []
    )


def part(module):
    """Returns the part of the library that a module belongs to, or ""."""
    return (module.split(".") + [""])[1]


def library():
    return [name for name in modules() if name.startswith("tf_simmim.")]


def test_a_circle_is_found():
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
    found = circle({"a": {"b"}, "b": {"c", "d"}, "c": set(), "d": {"b"}})
    assert found == ["b", "d", "b"]


def test_no_modules_import_each_other_in_a_circle():
    graph = {name: imported_modules(name) for name in modules()}
    assert len(graph) > 400
    assert circle(graph) == []


@pytest.mark.parametrize("room", ["tf_simmim", "serving"])
def test_no_folders_import_each_other_in_a_circle(room):
    graph = {}
    for module in modules():
        folder = modules()[module].parent
        # The modules beside the folders, a room's own, are on no side of them.
        if folder.is_relative_to(ROOT / room) and folder != ROOT / room:
            graph.setdefault(part(module), set()).update(
                part(other)
                for other in imported_modules(module)
                if other.startswith(f"{room}.")
            )
    graph = {
        name: others & set(graph) - {name} for name, others in graph.items()
    }
    assert len(graph) > 3
    assert circle(graph) == []


def test_every_part_of_the_library_has_its_place_in_the_order():
    assert {part(module) for module in library()} == set(ORDER)
    assert len(set(ORDER)) == len(ORDER)


def test_no_import_runs_back_up_the_order():
    backwards = {
        (module, part(other))
        for module in library()
        for other in imported_modules(module)
        # The package itself, which imports all that is public, is "".
        if part(other) not in ORDER[: ORDER.index(part(module)) + 1]
    }
    assert backwards == set(EXCEPTIONS)


@pytest.mark.parametrize("name", ["experiments", "serving", "tests"])
def test_the_library_imports_nothing_of_other_rooms(name):
    found = [
        module
        for module in library()
        if any(each.split(".")[0] == name for each in imported(module))
    ]
    assert found == []


def test_flags_are_for_programs_alone():
    found = [
        module
        for module in library()
        if any(each.startswith("absl.flags") for each in imported(module))
    ]
    assert found
    assert {part(module) for module in found} == {"programs"}


@pytest.mark.parametrize("room", ["serving", "tf_simmim"])
def test_nothing_but_launchers_imports_programs(room):
    found = [
        module
        for module in modules()
        if module.split(".")[0] == room
        and part(module) != "programs"
        and any(part(each) == "programs" for each in imported(module))
    ]
    assert found == []


def test_importing_the_library_imports_no_slow_package():
    found = {
        (module, name)
        for module in library()
        if part(module) != "programs"
        for name in imported_by(parsed(module).body, module)
        if any(f"{name}.".startswith(f"{slow}.") for slow in SLOW_PACKAGES)
    }
    assert found == set()
