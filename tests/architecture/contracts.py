"""Import contracts that name what is allowed, so that what nobody thought of is refused."""

import sys
from collections.abc import Iterable
from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output
from importlinter.domain.helpers import module_expressions_to_modules

__all__ = ["Confined", "OnlyImports"]

Import = tuple[str, str]


class _DirectImports(Contract):
    """A contract that some direct imports break."""

    def wrong(self, graph: ImportGraph) -> Iterable[Import]:
        """Give the imports that are not allowed, as importer and imported."""
        raise NotImplementedError

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Find every direct import that is not allowed."""
        found = [
            (importer, imported, found["line_number"])
            for importer, imported in self.wrong(graph)
            for found in graph.get_import_details(importer=importer, imported=imported)
        ]
        return ContractCheck(kept=not found, metadata={"found": sorted(found)})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print one line per import that is not allowed."""
        for importer, imported, line in check.metadata["found"]:
            output.print_error(f"{importer} imports {imported} (line {line})", bold=False)


class OnlyImports(_DirectImports):
    """The modules, and everything below them, directly import themselves and what is allowed.

    Configuration options:
        modules: module expressions, e.g. `services.*.domain`.
        allowed: module expressions, each with everything below it; `stdlib` stands for the
            standard library.
    """

    type_name = "only_imports"

    modules: Any = fields.SetField(subfield=fields.ModuleExpressionField())
    allowed: Any = fields.SetField(subfield=fields.ModuleExpressionField())

    def wrong(self, graph: ImportGraph) -> Iterable[Import]:
        """Give the imports that leave what is allowed."""
        allowed = {module.name for module in module_expressions_to_modules(graph, self.allowed)}
        if "stdlib" in allowed:
            allowed |= sys.stdlib_module_names
        for package in module_expressions_to_modules(graph, self.modules):
            for importer in {package.name, *graph.find_descendants(package.name)}:
                for imported in graph.find_modules_directly_imported_by(importer):
                    if not _within(imported, {*allowed, package.name}):
                        yield importer, imported


class Confined(_DirectImports):
    """Libraries that only their homes, and everything below them, import directly.

    Configuration options:
        libraries: top-level packages from outside the project.
        homes: module expressions.
    """

    type_name = "confined"

    libraries: Any = fields.SetField(subfield=fields.StringField())
    homes: Any = fields.SetField(subfield=fields.ModuleExpressionField())

    def wrong(self, graph: ImportGraph) -> Iterable[Import]:
        """Give the imports of the libraries from anywhere else."""
        homes = {module.name for module in module_expressions_to_modules(graph, self.homes)}
        for library in graph.modules & self.libraries:
            for importer in graph.find_modules_that_directly_import(library):
                if not _within(importer, homes):
                    yield importer, library


def _within(module: str, packages: set[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)
