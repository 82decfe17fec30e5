"""Write docs/reference/: one page a package, made of the docstrings, without importing anything.

make docs        (or: python docs/build_reference.py FOLDER)
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "anymask"

Definition = ast.FunctionDef | ast.AsyncFunctionDef


def pages() -> dict[str, str]:
    """File name -> Markdown text of every reference page, the index included."""
    written = {"anymask.md": _page("anymask", [SOURCE / "__init__.py", *sorted(SOURCE.glob("[a-z]*.py"))])}
    for folder in sorted(path.parent for path in SOURCE.rglob("__init__.py") if path.parent != SOURCE):
        name = ".".join(folder.relative_to(SOURCE.parent).parts)
        written[f"{name}.md"] = _page(name, [folder / "__init__.py", *sorted(folder.glob("[a-z]*.py"))])
    lines = [f"- [{name.removesuffix('.md')}]({name})" for name in written]
    head = "# Reference\n\nMade from the docstrings by `make docs`; edit those, not these pages.\n\n"
    return {**written, "index.md": head + "\n".join(lines) + "\n"}


def _page(name: str, files: list[Path]) -> str:
    parts = [f"# {name}"]
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        if file.name != "__init__.py":
            parts.append(f"## {name}.{file.stem}")
        parts += [_text(tree), *_definitions(tree)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _text(node: ast.Module | ast.ClassDef | Definition) -> str:
    """The docstring as Markdown: paragraphs stay, indented examples and doctests become code."""
    paragraphs = (ast.get_docstring(node) or "").split("\n\n")
    return "\n\n".join(f"```\n{p}\n```" if p.startswith((">>>", "    ")) else p for p in paragraphs)


def _definitions(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from _class(node)
        elif isinstance(node, Definition) and not node.name.startswith("_"):
            yield f"### {node.name}\n\n```python\n{_signature(node)}\n```\n\n{_text(node)}"


def _class(node: ast.ClassDef) -> Iterator[str]:
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    yield f"### {node.name}\n\n```python\nclass {node.name}{f'({bases})' if bases else ''}\n```\n\n{_text(node)}"
    fields = [f"- `{name}`: {text}" if text else f"- `{name}`" for name, text in class_fields(node)]
    if fields:
        yield "\n".join(fields)
    for member in node.body:
        if isinstance(member, Definition) and (not member.name.startswith("_") or member.name == "__call__"):
            yield f"#### {node.name}.{member.name}\n\n```python\n{_signature(member)}\n```\n\n{_text(member)}"


def class_fields(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Each annotated public field of a class as written, with the text under it ("" where there is none)."""
    for field, after in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign) and not ast.unparse(field.target).startswith("_"):
            documented = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            yield ast.unparse(field), " ".join(str(after.value.value).split()) if documented else ""


def _signature(node: Definition) -> str:
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    decorators = [d for d in map(ast.unparse, node.decorator_list) if d in ("property", "staticmethod", "classmethod")]
    return "".join(f"@{d}\n" for d in decorators) + f"def {node.name}({ast.unparse(node.args)}){returns}"


def main(folder: Path) -> None:
    """Write every page into `folder`, which is made when missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
    print(f"{len(pages())} pages in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "reference")
