"""Workflow definitions for people: YAML, the builder, the one document of both (spec workflow.1, workflow.6).

trading = Definition.from_yaml(Path("trading.yaml"))       # DefinitionForm names line and column
trading.document, trading.id                              # what is registered, and what every message names
check_payload(trading, "quote", body, media_type, sending=True)     # BodyUnfit; BodySchema where it was received
"""

from ama2sec.realm.definitions.definition import Definition
from ama2sec.realm.definitions.explore import Explored, explore
from ama2sec.realm.definitions.model import AnyOf, Approvals, Condition, Output, Rollback, Step
from ama2sec.realm.definitions.payload import check_outputs, check_payload

__all__ = [
    "AnyOf",
    "Approvals",
    "Condition",
    "Definition",
    "Explored",
    "Output",
    "Rollback",
    "Step",
    "check_outputs",
    "check_payload",
    "explore",
]
