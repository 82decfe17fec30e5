import inspect

from anymask import errors
from anymask.errors import AnymaskError
from anymask.server.problems import STATUS
from tests.server.browser import Site


def test_the_most_specific_class_comes_first() -> None:
    known = list(STATUS)
    for index, kind in enumerate(known):
        assert not any(issubclass(kind, earlier) for earlier in known[:index]), kind


def test_every_mistake_of_a_caller_has_a_status() -> None:
    of_machines = {
        errors.WeightsError,
        errors.RunError,
        errors.ExportError,
        errors.MissingDependencyError,
        AnymaskError,
    }
    for _, kind in inspect.getmembers(errors, inspect.isclass):
        if not any(issubclass(kind, known) for known in STATUS):
            assert any(issubclass(kind, each) for each in of_machines), kind


def test_every_problem_is_one_sentence_with_a_stable_name(site: Site) -> None:
    ada = site.browser("Ada")
    answers = {
        "not_there": ada.get("/projects/999"),
        "value": ada.post("/people", {"name": "x"}),
        "method": ada.call("DELETE", "/people"),
        "sign_in": site.stranger().get("/people"),
        "csrf": ada.client.post("/api/v1/people", json={}),
    }
    for kind, answer in answers.items():
        assert set(answer.json()) == {"kind", "message"}, answer.text
        assert answer.json()["kind"] == kind
        assert answer.json()["message"]


def test_odd_text_is_refused_and_never_a_failure(site: Site) -> None:
    ada = site.browser("Ada")
    bodies = [b'{"name": "\\ud800"}', b'{"name": "a\\u0000b"}', b"\xff\xfe", b"[" * 5000, b'{"name": 1e999}', b"nul"]
    for body in bodies:
        answer = ada.post("/projects", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 422), (body, answer.text)
    assert ada.get("/projects/9223372036854775808").status_code == 422
    assert ada.get("/projects/+1").status_code in (404, 422)
