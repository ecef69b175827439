"""``workflow_compile`` in both implementations (spec conform, workflow.1)."""

from __future__ import annotations

from ama2sec.reference.definitions import compile_definition
from tests.both import IMPLEMENTATIONS, ask, same_code
from tests.workflow_world import small


def test_the_question_of_conform() -> None:
    data = small()
    sound = {"document": data.hex(), "definition_id": compile_definition(data).id.hex(), "name": "flow"}
    for implementation in IMPLEMENTATIONS:
        assert ask(implementation, op="workflow_compile", document=data) == {"id": None, "code": "ok", **sound}
    assert same_code(op="workflow_compile", document=data[:-1]) == "DefinitionInvalid"
    assert same_code(op="workflow_compile", document=b"") == "DefinitionInvalid"
    assert same_code(op="workflow_compile") == "ConformQuestion"
