"""An import contract that names what is allowed, so that what nobody thought of is refused."""

import sys
from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output
from importlinter.domain.helpers import module_expressions_to_modules

__all__ = ["OnlyImports"]


class OnlyImports(Contract):
    """The modules, and everything below them, directly import themselves and what is allowed.

    Configuration options:
        modules: module expressions, e.g. `services.*.domain`.
        allowed: module expressions, each with everything below it; `stdlib` stands for the
            standard library.
    """

    type_name = "only_imports"

    modules: Any = fields.SetField(subfield=fields.ModuleExpressionField())
    allowed: Any = fields.SetField(subfield=fields.ModuleExpressionField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Find every direct import that leaves what is allowed."""
        allowed = {module.name for module in module_expressions_to_modules(graph, self.allowed)}
        if "stdlib" in allowed:
            allowed |= sys.stdlib_module_names
        found = []
        for package in module_expressions_to_modules(graph, self.modules):
            for importer in {package.name, *graph.find_descendants(package.name)}:
                for imported in graph.find_modules_directly_imported_by(importer):
                    if not any(_within(imported, home) for home in {*allowed, package.name}):
                        lines = graph.get_import_details(importer=importer, imported=imported)
                        found.append((importer, imported, lines[0]["line_number"]))
        return ContractCheck(kept=not found, metadata={"found": sorted(found)})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print one line per import that is not allowed."""
        for importer, imported, line in check.metadata["found"]:
            output.print_error(f"{importer} imports {imported} (line {line})", bold=False)


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")
