from pathlib import Path

from anymask.server.app import describe
from anymask.server.rules import Access

SCHEMA = describe().openapi()
OPERATIONS = [(method, path, each) for path, item in SCHEMA["paths"].items() for method, each in item.items()]


def test_every_route_states_who_may_call_it_and_what_it_does() -> None:
    for method, path, each in OPERATIONS:
        assert each["x-access"] in set(Access), (method, path)
        assert each["description"], (method, path)


def test_every_route_names_its_problems_with_one_form() -> None:
    for method, path, each in OPERATIONS:
        wanted = {"422", "503"} | ({"401", "403"} if each["x-access"] != "public" else set())
        wanted |= {"404"} if "{" in path else set()
        wanted |= {"413"} if method != "get" else set()
        assert wanted <= set(each["responses"]), (method, path)
        for code in wanted:
            schema = each["responses"][code]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Problem"}


def test_names_of_operations_are_unique() -> None:
    names = [each["operationId"] for _, _, each in OPERATIONS]
    assert len(set(names)) == len(names)


def test_every_route_is_documented_with_its_rule_and_what_it_does(repository: Path) -> None:
    rows = (repository / "docs" / "server.md").read_text().splitlines()
    documented = {row for row in rows if row.startswith("| `")}
    due = {
        f"| `{method.upper()} {path.removeprefix('/api/v1')}` | {each['x-access'].replace('_', ' ')} | "
        f"{' '.join(each['description'].split(chr(10) * 2)[0].split())} |"
        for method, path, each in OPERATIONS
    }
    assert documented == due
