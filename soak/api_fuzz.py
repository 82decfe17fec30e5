"""Row 32: random requests made from the server's own description, sound and unsound; none may end in a 5xx."""

from __future__ import annotations

import json
import random
import string
import time
import urllib.parse
from collections import Counter
from pathlib import Path
from typing import Any

from soak.server_faults import serve
from tests.cli.servers import Client, Running
from tests.integration.team import Team

_TEXTS = ("", "a", "\0", "🙂" * 9, "../../etc/passwd", "<script>alert(1)</script>", "' OR 1=1 --", "%2e%2e", "x" * 5000)
_NUMBERS = (0, 1, -1, 2, 3, 2**31, 2**53, 2**63, 2**64, 10**30, 0.5, -1e308)


class Fuzzer:
    """Makes values of a JSON schema, and now and then something else."""

    def __init__(self, schema: dict[str, Any], seed: int, known: dict[str, list[Any]]) -> None:
        self.schema, self.rng, self.known = schema, random.Random(seed), known

    def value(self, schema: dict[str, Any], name: str = "", depth: int = 0) -> Any:
        """A value of `schema`; one in twelve is not."""
        rng = self.rng
        if rng.random() < 1 / 12 or depth > 12:
            return rng.choice([None, True, [], {}, *_TEXTS, *_NUMBERS])
        if "$ref" in schema:
            return self.value(self._resolve(schema["$ref"]), name, depth + 1)
        if name in self.known and rng.random() < 0.8:
            return rng.choice(self.known[name])
        for union in ("anyOf", "oneOf", "allOf"):
            if union in schema:
                return self.value(rng.choice(schema[union]), name, depth + 1)
        if "enum" in schema:
            return rng.choice(schema["enum"])
        if "const" in schema:
            return schema["const"]
        kind = schema.get("type")
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            low, high = schema.get("minItems", 0), min(schema.get("maxItems", 3), 3)
            return [
                self.value(schema.get("items", {}), name, depth + 1) for _ in range(rng.randint(low, max(low, high)))
            ]
        if kind in ("integer", "number"):
            return rng.choice([schema.get("minimum", 0), schema.get("maximum", 9), rng.randint(-5, 50), *_NUMBERS])
        if kind == "boolean":
            return rng.random() < 0.5
        if kind == "null":
            return None
        return self._text(schema)

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        needed = schema.get("required", [])
        made = {
            name: self.value(each, name, depth + 1)
            for name, each in schema.get("properties", {}).items()
            if name in needed or self.rng.random() < 0.5
        }
        if self.rng.random() < 0.03:
            made[self.rng.choice(_TEXTS[:5]) or "?"] = 1
        return made

    def _text(self, schema: dict[str, Any]) -> str:
        rng, pattern = self.rng, schema.get("pattern", "")
        if schema.get("format") == "date-time":
            return rng.choice(["2026-05-01T12:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59+14:00", "now"])
        if "64" in pattern and rng.random() < 0.8:
            return "".join(rng.choice("0123456789abcdef") for _ in range(64))
        if rng.random() < 0.5:
            return rng.choice(_TEXTS)
        return "".join(rng.choice(string.printable) for _ in range(rng.randint(1, 30)))

    def _resolve(self, reference: str) -> dict[str, Any]:
        found: Any = self.schema
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        return dict(found)


def run(team: Team, model: Path, cache: Path, *, seconds: float, seed: int = 32) -> str:
    """Fuzz a server with people, pictures, masks and jobs for `seconds`, as three kinds of person and as nobody."""
    with serve(team, model, cache, workers=1) as server:
        people = [team.client(server, person) for person in (0, 1, 2)]
        _wait_for_embeddings(people[0], team)
        schema = json.loads(people[0].opener.open(f"{server.url}openapi.json").read())
        made = people[0].act(team.images[0])
        job = people[0].data("POST", f"/projects/{team.project_id}/exports", {"format": "coco"})["id"]
        ids = [1, 2, 3, *team.images[:3]]
        known: dict[str, list[Any]] = {
            **dict.fromkeys(("image_id", "task_id", "person_id", "token"), ids),
            "project_id": [team.project_id, 999],
            "job_id": [job, 1],
            "mask_id": [made["mask_id"]],
            "key": [made["key"]],
            "size": [[40, 60]],
            "counts": [made["mask"]["rle"]["counts"], "0"],
        }
        fuzzer = Fuzzer(schema, seed, known)
        statuses = _fuzz(fuzzer, people, server, seconds)
        assert people[0].call("GET", "/info").status == 200
    bad = {code: count for code, count in statuses.items() if code >= 500}
    assert bad == {}, (bad, "see the messages above")
    total = sum(statuses.values())
    return f"{total} requests in {seconds:g} s, answers {dict(sorted(statuses.items()))}"


def _fuzz(fuzzer: Fuzzer, people: list[Client], server: Running, seconds: float) -> Counter[int]:
    operations = [(m, p, e) for p, item in fuzzer.schema["paths"].items() for m, e in item.items()]
    statuses, rng, until = Counter[int](), fuzzer.rng, time.monotonic() + seconds
    anybody = Client(server.url)
    while time.monotonic() < until:
        method, path, each = rng.choice(operations)
        if each["operationId"] == "sign_out":
            continue
        client = rng.choice([*people, people[0], anybody])
        query = {}
        for parameter in each.get("parameters", []):
            value = fuzzer.value(parameter["schema"], parameter["name"])
            if parameter["in"] == "path":
                shown = urllib.parse.quote(str(value), safe="") or "0"
                path = path.replace("{" + parameter["name"] + "}", shown)
            elif parameter.get("required") or rng.random() < 0.5:
                query[parameter["name"]] = 0 if parameter["name"] == "wait_s" else value
        if query:
            path += "?" + urllib.parse.urlencode(query, errors="replace")
        body = _body(fuzzer, each)
        answer = client.call(method.upper(), path, body)
        statuses[answer.status] += 1
        if answer.status >= 500:
            print(method, path, body if not isinstance(body, bytes) else body[:300], answer.body[:300])
            print(server.read_log()[-1500:])
    return statuses


def _body(fuzzer: Fuzzer, operation: dict[str, Any]) -> Any:
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        return None
    if "application/octet-stream" in content:
        return fuzzer.rng.choice(
            [b"", b"{}", b"[]", b"\x89PNG\r\n\x1a\n", b'{"images": [], "annotations": []}', b"\xff\xd8\xff"]
        )
    if fuzzer.rng.random() < 0.03:
        return fuzzer.rng.choice([b"{", b"[" * 3000, b'{"a": 1e999}', b"\xff", b"", b'"\\ud800"'])
    return json.dumps(fuzzer.value(content["application/json"]["schema"])).encode()


def _wait_for_embeddings(client: Client, team: Team) -> None:
    until = time.monotonic() + 180
    while time.monotonic() < until:
        images = client.data("GET", f"/projects/{team.project_id}/images")["images"]
        if all(image["embedding"] == "ready" for image in images):
            return
        time.sleep(0.3)
    raise AssertionError("the pictures were not embedded in three minutes")
