"""How things fail: one tree, one permanent number and one spelling for every code.

    Ama2Error
    ├── PeerError            the other side's bytes are at fault
    │   ├── MalformedError
    │   ├── KeyUnknownError
    │   ├── WeakKeyError
    │   ├── SignatureError
    │   ├── BodyError
    │   ├── RefusedError
    │   ├── AuthorityError
    │   ├── HistoryError
    │   │   └── StaleError
    │   ├── WorkflowError
    │   ├── HaltedError
    │   ├── ProofError
    │   └── LogError         the log, not an author, is at fault
    ├── CallerError          the program or person that calls is at fault
    │   ├── UsageError
    │   └── FileError
    └── InternalError        this software is at fault

Every error has ``code`` (the stable spelling), ``number`` (the permanent u16), ``blame`` (``peer``, ``caller``
or ``us``), ``clause`` (where the rule stands in ``audits/spec/``), ``expected`` and ``got``. Source: spec errors.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

__all__ = [
    "CATALOGUE",
    "FAMILIES",
    "Ama2Error",
    "AuthorityError",
    "BodyError",
    "CallerError",
    "CodeEntry",
    "FileError",
    "HaltedError",
    "HistoryError",
    "InternalError",
    "KeyUnknownError",
    "LogError",
    "MalformedError",
    "PeerError",
    "ProofError",
    "RefusedError",
    "SignatureError",
    "StaleError",
    "UsageError",
    "WeakKeyError",
    "WorkflowError",
    "error",
]


@dataclass(frozen=True, slots=True)
class CodeEntry:
    """One row of the catalogue (spec errors.1). ``built`` is false while the code is only reserved."""

    number: int
    name: str
    family: str
    blame: str
    clause: str
    built: bool
    meaning: str


class Ama2Error(Exception):
    """Base of every error this package raises on purpose.

    ``expected`` and ``got`` are short texts for people; programs decide on ``code``. Neither ever holds a secret.
    ``offset`` is the byte offset in the input at which reading stopped, or None. ``report`` is the transcript
    report where the error comes from verifying one (spec fingerprint.8), else None. ``position`` is the place of the fault
    and ``sound`` the number of entries before it, where the second implementation verified a transcript (spec fingerprint.5).
    """

    exit_code: ClassVar[int] = 70

    def __init__(self, code: str, expected: str, got: str, offset: int | None = None) -> None:
        entry = CATALOGUE[code]
        self.code: Final[str] = code
        self.number: Final[int] = entry.number
        self.blame: Final[str] = entry.blame
        self.clause: Final[str] = entry.clause
        self.expected: Final[str] = expected
        self.got: Final[str] = got
        self.offset: Final[int | None] = offset
        self.report: object | None = None
        self.position: int | None = None
        self.sound: int | None = None
        place = "" if offset is None else f" (at byte {offset})"
        super().__init__(f"{code}: expected {expected}, got {got}{place} [spec {entry.clause}]")

    def __reduce__(self) -> tuple[object, ...]:
        found = {"report": self.report, "position": self.position, "sound": self.sound}
        return (error, (self.code, self.expected, self.got, self.offset), found)


class PeerError(Ama2Error):
    """The other side's bytes are at fault."""


class CallerError(Ama2Error):
    """The program or person that calls is at fault."""


class MalformedError(PeerError):
    """The bytes do not have the one form that the spec allows."""

    exit_code = 11


class KeyUnknownError(PeerError):
    """No enrolled key has the named thumbprint."""

    exit_code = 12


class WeakKeyError(PeerError):
    """A public key that rule S refuses at enrolment."""

    exit_code = 13


class SignatureError(PeerError):
    """The signature does not verify under rule S."""

    exit_code = 10


class BodyError(PeerError):
    """The body is absent, unexpected or another one."""

    exit_code = 16


class RefusedError(PeerError):
    """Refused before sequencing: another realm, an unknown conversation, a spent budget."""

    exit_code = 13


class AuthorityError(PeerError):
    """Authentic, and not allowed: purpose, membership, grant, role."""

    exit_code = 13


class HistoryError(PeerError):
    """Authentic, and the history does not fit."""

    exit_code = 14


class StaleError(HistoryError):
    """Shorter than a head that was retained earlier."""

    exit_code = 15


class WorkflowError(PeerError):
    """Authentic, and out of order in its workflow."""

    exit_code = 17


class HaltedError(PeerError):
    """A person's stop is in force."""

    exit_code = 18


class ProofError(PeerError):
    """A proof does not lead to what is trusted."""

    exit_code = 14


class LogError(PeerError):
    """A log's records or checkpoints contradict the rules or each other (spec record.4)."""

    exit_code = 19


class UsageError(CallerError):
    """The call is wrong."""

    exit_code = 20


class FileError(CallerError):
    """A file is missing, damaged, open to others, or could not be written."""

    exit_code = 21


class InternalError(Ama2Error):
    """This software is at fault; nothing was accepted."""

    exit_code = 70


FAMILIES: Final[dict[str, type[Ama2Error]]] = {
    "malformed": MalformedError,
    "key": KeyUnknownError,
    "weak": WeakKeyError,
    "signature": SignatureError,
    "body": BodyError,
    "refused": RefusedError,
    "authority": AuthorityError,
    "history": HistoryError,
    "stale": StaleError,
    "workflow": WorkflowError,
    "halt": HaltedError,
    "proof": ProofError,
    "log": LogError,
    "usage": UsageError,
    "file": FileError,
    "internal": InternalError,
}

_ROWS: Final[tuple[tuple[int, str, str, str, bool, str], ...]] = (
    (101, "SizeLimit", "malformed", "envelope.2.1", True, "The bytes are longer than this format allows."),
    (102, "Truncated", "malformed", "envelope.3.2", True, "The bytes end before the item that they announce."),
    (103, "TrailingBytes", "malformed", "envelope.3.9", True, "Bytes follow after the one item that was expected."),
    (104, "NotMinimal", "malformed", "envelope.3.3", True, "An integer or a length is not in its shortest form."),
    (105, "IndefiniteLength", "malformed", "envelope.3.4", True, "An item has indefinite length."),
    (106, "FloatForbidden", "malformed", "envelope.3.5", True, "A floating-point number stands where none may."),
    (
        107,
        "TypeForbidden",
        "malformed",
        "envelope.3.5",
        True,
        "A CBOR type (tag, simple value, reserved head) that this profile does not use.",
    ),
    (108, "MapDuplicateKey", "malformed", "envelope.3.7", True, "A map has one key twice."),
    (109, "MapKeyOrder", "malformed", "envelope.3.7", True, "The keys of a map are not in bytewise order."),
    (110, "DepthLimit", "malformed", "envelope.3.8", True, "Items are nested deeper than 8."),
    (111, "Utf8Invalid", "malformed", "envelope.3.6", True, "A text string is not well-formed UTF-8."),
    (112, "IntRange", "malformed", "envelope.3.3", True, "An integer lies outside -2^63 .. 2^63-1."),
    (120, "EnvelopeForm", "malformed", "envelope.4.1", True, "Not a COSE_Sign1: tag 18 over an array of four."),
    (121, "HeaderForm", "malformed", "envelope.4.2", True, "The protected header is not exactly {alg, kid, typ}."),
    (122, "AlgUnsupported", "malformed", "envelope.4.3", True, "The algorithm is not -19 (Ed25519)."),
    (123, "TypUnknown", "malformed", "envelope.4.5", True, "The typ is none of ours."),
    (
        124,
        "TypNotBuilt",
        "malformed",
        "envelope.4.5",
        True,
        "The typ is one of ours that this version does not read yet.",
    ),
    (125, "UnprotectedNotEmpty", "malformed", "envelope.4.6", True, "The unprotected header is not empty."),
    (126, "SignatureLength", "malformed", "envelope.4.8", True, "The signature is not 64 bytes long."),
    (130, "ClaimUnknown", "malformed", "envelope.5.2", True, "A claim label that the table does not have."),
    (131, "ClaimMissing", "malformed", "envelope.5.3", True, "A claim that this kind requires is absent."),
    (132, "ClaimForbidden", "malformed", "envelope.5.4", True, "A claim that this kind forbids is present."),
    (133, "ClaimType", "malformed", "envelope.5.5", True, "A claim has the wrong CBOR type or length."),
    (134, "ClaimRange", "malformed", "envelope.5.5", True, "A number in a claim is out of its range."),
    (135, "ClaimForm", "malformed", "envelope.5.6", True, "Claims contradict each other or the kind."),
    (136, "TooMany", "malformed", "envelope.5.5", True, "A list in a claim is longer than allowed."),
    (137, "ListOrder", "malformed", "envelope.5.5", True, "A list in a claim is unsorted or has an element twice."),
    (138, "NameForm", "malformed", "identity.3.1", True, "A name or label does not have the form of a name."),
    (139, "KindUnknown", "malformed", "envelope.5.1", True, "A kind number that the table does not have."),
    (
        140,
        "KindNotBuilt",
        "malformed",
        "envelope.5.1",
        True,
        "A kind of the table that this version does not read yet.",
    ),
    (141, "TypKind", "malformed", "envelope.5.1", True, "The kind does not belong to the envelope's typ."),
    (150, "TranscriptForm", "malformed", "fingerprint.5.1", True, "Not a transcript: the header item is wrong."),
    (
        151,
        "TranscriptVersion",
        "malformed",
        "fingerprint.5.1",
        True,
        "A transcript of a version that this software does not read.",
    ),
    (152, "ItemUnknown", "malformed", "fingerprint.5.2", True, "A transcript item type that the table does not have."),
    (
        153,
        "ItemNotBuilt",
        "malformed",
        "fingerprint.5.2",
        True,
        "A transcript item type that this version does not read yet.",
    ),
    (154, "ItemForm", "malformed", "fingerprint.5.3", True, "A transcript item does not have the form of its type."),
    (160, "ProofForm", "malformed", "proofs.1", True, "A proof does not have the one form that its claim determines."),
    (161, "HeadForm", "malformed", "fingerprint.3.4", True, "A head's text form is wrong."),
    (162, "ProofVersion", "malformed", "proofs.1", True, "A proof of a version that this software does not read."),
    (163, "ExhibitForm", "malformed", "proofs.6", True, "Not an exhibit file, or a damaged one."),
    (201, "KeyUnknown", "key", "envelope.6.2", True, "No enrolled key has this thumbprint."),
    (202, "KeyLength", "weak", "identity.1.1", True, "A public key is not 32 bytes long."),
    (
        203,
        "KeyNotCanonical",
        "weak",
        "identity.1.3",
        True,
        "A public key is not the one encoding of a point on the curve.",
    ),
    (
        204,
        "KeyWeak",
        "weak",
        "identity.1.3",
        True,
        "A public key is the identity or lies outside the prime-order subgroup.",
    ),
    (210, "SignatureInvalid", "signature", "identity.1.5", True, "The signature does not verify under this key."),
    (
        211,
        "SignatureNotCanonical",
        "signature",
        "identity.1.2",
        True,
        "The signature's S is not below the group order.",
    ),
    (212, "SignatureWeak", "signature", "identity.1.4", True, "The signature's R is the identity."),
    (220, "BodyMissing", "body", "envelope.7.2", True, "The claims commit to a body and none was given."),
    (
        221,
        "BodyMismatch",
        "body",
        "envelope.7.4",
        True,
        "The body (or its salt) is not the one that the claims commit to.",
    ),
    (222, "BodySize", "body", "envelope.7.3", True, "The body's length is not the one that the claims state."),
    (223, "BodyUnexpected", "body", "envelope.7.1", True, "A body was given and the claims commit to none."),
    (224, "BodyForm", "body", "agent.2", True, "The body does not read as what its reader asks for."),
    (225, "BodySchema", "body", "workflow.5.1", True, "The body does not fit the schema of its step."),
    (230, "RealmOther", "refused", "envelope.6.4", True, "The envelope belongs to another realm."),
    (231, "Latched", "halt", "halt.5.2", True, "A stop is in force on this host."),
    (232, "QuotaExceeded", "refused", "admission.1", True, "The author's budget is spent."),
    (233, "ConversationUnknown", "refused", "admission.1", True, "No such conversation in this realm."),
    (
        301,
        "PrincipalRevoked",
        "authority",
        "admission.2.1",
        True,
        "The author's enrolment is revoked at this position.",
    ),
    (302, "PurposeWrong", "authority", "envelope.6.6", True, "The key is enrolled for another purpose."),
    (303, "NotAMember", "authority", "fingerprint.6.5", True, "The author is not a member of the conversation."),
    (304, "GrantUndone", "authority", "admission.2.4", True, "The grant was undone by a rollback."),
    (305, "GrantEnded", "authority", "admission.2.5", True, "The grant (or one that it hangs from) has ended."),
    (306, "GrantExpired", "authority", "admission.2.6", True, "The grant has expired."),
    (307, "Halted", "halt", "admission.2.7", True, "A halt in force covers this entry."),
    (308, "SeqUsed", "history", "fingerprint.6.6", True, "The author's number is not above the last one used."),
    (309, "SeqWindow", "history", "fingerprint.6.7", True, "The author's number lies outside the window."),
    (311, "RegistryForked", "history", "admission.2.11", True, "The registry that the sender saw is not this one."),
    (312, "ConversationClosed", "history", "admission.2.12", True, "The conversation is closed."),
    (313, "BranchUnknown", "history", "fingerprint.6.8", True, "No such branch in this conversation."),
    (314, "ContextAhead", "history", "fingerprint.6.9", True, "The sender had seen more than there is here."),
    (315, "ContextUnder", "history", "admission.2.15", True, "The context lies at or below the branch's base."),
    (316, "ContextForked", "history", "fingerprint.6.10", True, "The sender had seen another history than this one."),
    (317, "BranchSuperseded", "history", "admission.2.17", True, "The branch was cut; a successor goes on."),
    (318, "BranchUndone", "history", "admission.2.17", True, "The branch was undone."),
    (319, "BranchClosed", "history", "admission.2.17", True, "The branch is closed."),
    (320, "GrantPlace", "authority", "admission.2.18", True, "The sub-agent writes outside its branch."),
    (
        321,
        "GrantScope",
        "authority",
        "admission.2.19",
        True,
        "The grant does not allow this step, recipient or right.",
    ),
    (322, "MergeForm", "history", "admission.2.20", True, "The list of merged heads is malformed for this branch."),
    (323, "MergeUnknown", "history", "admission.2.21", True, "A merged branch is unknown."),
    (324, "MergeAhead", "history", "admission.2.21", True, "A merged head lies beyond the branch."),
    (325, "MergeUnder", "history", "admission.2.21", True, "A merged head lies at or below its branch's base."),
    (326, "MergeForked", "history", "admission.2.21", True, "A merged head has another fingerprint."),
    (327, "MergeUndone", "history", "admission.2.22", True, "A merge names undone leaves."),
    (328, "MergeStale", "history", "admission.2.23", True, "A merge brings nothing new."),
    (329, "ForkKey", "authority", "admission.2.24", True, "The forked child's key is unusable."),
    (330, "ForkForm", "history", "admission.2.24", True, "The fork is malformed for its parent."),
    (331, "ForkWidens", "authority", "admission.2.24", True, "The grant is wider than the one it hangs from."),
    (332, "RollbackRole", "authority", "admission.2.25", True, "The author may not roll back."),
    (333, "RollbackTarget", "history", "admission.2.26", True, "The rollback's target cannot be cut."),
    (334, "RollbackIncomplete", "history", "admission.2.27", True, "The rollback's closure is another one."),
    (
        335,
        "RollbackScope",
        "authority",
        "admission.2.28",
        True,
        "The rollback reaches outside the sub-agent's lineage.",
    ),
    (336, "RollbackPivot", "workflow", "admission.2.29", True, "The rollback crosses a point of no return."),
    (337, "RollbackCap", "history", "admission.2.30", True, "The instance was rolled back too often."),
    (338, "HaltedByEffect", "halt", "admission.2.31", True, "The rollback touches what a halt holds."),
    (339, "WorkflowUnknown", "workflow", "admission.2.32", True, "No such workflow instance or definition."),
    (
        340,
        "WorkflowVersion",
        "workflow",
        "admission.2.33",
        True,
        "The definition is not the one that the instance runs.",
    ),
    (341, "StepUnknown", "workflow", "admission.2.34", True, "The definition has no such step."),
    (342, "StepRole", "authority", "admission.2.35", True, "The author's groups may not take this step."),
    (343, "WorkflowEnded", "workflow", "admission.2.36", True, "The instance has ended."),
    (344, "DeadlinePassed", "workflow", "admission.2.36", True, "The step's deadline has passed."),
    (345, "StepSpent", "workflow", "admission.2.37", True, "The step was taken as often as it may be."),
    (346, "StepExcluded", "workflow", "admission.2.37", True, "Another branch of an exclusive choice was taken."),
    (347, "StepNeeds", "workflow", "admission.2.38", True, "A step that this one needs is not done."),
    (348, "StepWhen", "workflow", "admission.2.39", True, "The step's condition does not hold."),
    (349, "ApprovalsMissing", "workflow", "admission.2.39", True, "Not enough approvals."),
    (
        350,
        "ContextStale",
        "history",
        "admission.2.40",
        True,
        "The step builds on something that the sender had not seen.",
    ),
    (351, "ApprovalInvalid", "workflow", "admission.2.39", True, "The approval does not fit its subject."),
    (360, "PossessionInvalid", "authority", "registry.3.6", True, "The proof of possession does not verify."),
    (361, "KeyEnrolled", "authority", "registry.3.6", True, "The key was enrolled in this realm before."),
    (362, "NameEnrolled", "authority", "registry.3.6", True, "The name has a live enrolment already."),
    (363, "RotationInvalid", "authority", "registry.3.6", True, "The new key is not the one committed to."),
    (364, "RevokeInvalid", "authority", "registry.3.6", True, "Nothing to revoke, or not by this author."),
    (
        365,
        "PolicyInvalid",
        "authority",
        "registry.3.6",
        True,
        "The policy does not name what it replaces, or is malformed.",
    ),
    (366, "QuorumMissing", "authority", "registry.2", False, "Not enough distinct signers."),
    (
        367,
        "DefinitionInvalid",
        "workflow",
        "registry.3.6",
        True,
        "The definition does not compile to its pinned table.",
    ),
    (368, "ResumeInvalid", "halt", "halt.3.3", True, "The resume names halts that do not exist or have ended."),
    (369, "EraseInvalid", "authority", "registry.3.6", True, "The erasure lacks an approver or meets a hold."),
    (370, "TermInvalid", "authority", "registry.3.6", False, "Not a term that this author may write."),
    (371, "GenesisInvalid", "authority", "registry.3.7", True, "The genesis is malformed, or is not the first entry."),
    (
        372,
        "ProposalInvalid",
        "authority",
        "registry.3.5",
        True,
        "The entry approves nothing that can be approved, or approves it twice.",
    ),
    (380, "ConversationOther", "history", "fingerprint.6.4", True, "The entry belongs to another conversation."),
    (381, "OpenMissing", "history", "fingerprint.6.3", True, "The first entry of a conversation is not its open."),
    (382, "OpenAgain", "history", "fingerprint.6.3", True, "An open stands inside a conversation."),
    (383, "HeadStale", "stale", "fingerprint.6.12", True, "The history is shorter than a head that was retained."),
    (384, "HeadForked", "history", "fingerprint.6.12", True, "The history differs from a head that was retained."),
    (385, "MergeNotBuilt", "history", "fingerprint.6.11", True, "Merged heads are not judged by this version."),
    (390, "ProofIndex", "proof", "proofs.1", True, "Index and sizes of a proof do not fit each other."),
    (391, "ProofRoot", "proof", "proofs.2", True, "The proof leads to another root."),
    (392, "ConsistencyRoot", "proof", "proofs.3", True, "The old root is not a prefix of the new tree."),
    (393, "NeedsProof", "proof", "proofs.5", True, "A proof must be given for this."),
    (
        394,
        "AncestryRoot",
        "proof",
        "proofs.4",
        True,
        "The ancestry proof does not lead from the trusted head to the message.",
    ),
    (395, "ProofClaim", "proof", "proofs.1", True, "The proof is of another claim than the one that was asked."),
    (401, "NotBytes", "usage", "identity.2.4", True, "Only immutable bytes are accepted."),
    (402, "ArgumentType", "usage", "errors.2", True, "An argument has the wrong type."),
    (403, "ArgumentRange", "usage", "errors.2", True, "An argument is out of its range."),
    (404, "NameTaken", "usage", "identity.3.3", True, "The name is in the directory under another key."),
    (405, "NameUnknown", "usage", "identity.3.3", True, "The directory has no such name."),
    (406, "KeyTaken", "usage", "identity.3.3", True, "The key is in the directory under another name or purpose."),
    (407, "AgentInUse", "usage", "fingerprint.7.2", True, "Another writer holds this agent in this conversation."),
    (408, "SignerFault", "usage", "identity.2.5", True, "The external signer's answer does not verify under its key."),
    (409, "BodyLimit", "usage", "envelope.7.5", True, "A body is larger than 256 KiB."),
    (410, "EntryRefused", "usage", "fingerprint.7.4", False, "This conversation cannot take the entry."),
    (411, "Cancelled", "usage", "errors.2", True, "The work was interrupted; nothing was written."),
    (
        412,
        "Backpressure",
        "usage",
        "agent.3.5",
        True,
        "More messages were taken than may wait for their acknowledgement.",
    ),
    (413, "ClockRange", "usage", "fingerprint.7.3", True, "The clock is outside the range that a number can carry."),
    (414, "ConformQuestion", "usage", "conform.1", True, "A conformance question is malformed."),
    (415, "PermitExpired", "usage", "halt.6.1", True, "The time of the permit is over."),
    (
        416,
        "BodyUnfit",
        "usage",
        "workflow.5.1",
        True,
        "A body that was to be sent does not fit the schema of its step.",
    ),
    (
        417,
        "NoteOnly",
        "usage",
        "workflow.5.2",
        True,
        "A note, or a message that does not fit its step, permits nothing.",
    ),
    (418, "StepAmbiguous", "usage", "workflow.5.4", True, "No step was named, and not exactly one is open."),
    (
        419,
        "MessageUndone",
        "usage",
        "rollback.5.2",
        True,
        "The message was undone by a rollback: nobody may act on it.",
    ),
    (421, "KeyFileForm", "file", "identity.4.2", True, "Not a key file, or a damaged one."),
    (422, "KeyFilePermissions", "file", "identity.4.4", True, "The key file can be read or written by others."),
    (423, "PassphraseWrong", "file", "identity.4.3", True, "The passphrase does not open the key file."),
    (424, "PassphraseNeeded", "file", "identity.4.3", True, "The key file is encrypted and no passphrase was given."),
    (
        425,
        "KeyFormatUnsupported",
        "file",
        "identity.4.6",
        True,
        "The key is not an Ed25519 key in a format that is read here.",
    ),
    (426, "FileUnreadable", "file", "errors.2", True, "A file cannot be read."),
    (427, "FileExists", "file", "errors.2", True, "The file exists and would be overwritten."),
    (428, "WriteFailed", "file", "errors.2", True, "A file could not be written; the old one is as it was."),
    (429, "DirectoryForm", "file", "identity.3.4", True, "Not a directory file, or a damaged one."),
    (430, "PipeClosed", "file", "errors.2", True, "The reader of the output has gone away."),
    (431, "StateForm", "file", "proofs.5", True, "Not a light client's state file, or a damaged one."),
    (432, "LatchForm", "file", "halt.4.1", True, "The sidecar cannot be read or has no room; the realm is stopped."),
    (433, "DefinitionForm", "file", "workflow.6.1", True, "A workflow definition does not read, or is of no use."),
    (501, "RecordForm", "malformed", "record.1.1", True, "Not a record: another length or beginning."),
    (502, "RecordPosition", "log", "record.4.2", True, "A record's position is not the next one."),
    (503, "RecordTime", "log", "record.4.2", True, "The log's time goes back."),
    (504, "RecordRegistry", "log", "record.4.2", True, "A record counts other registry entries than there are."),
    (505, "RecordDigest", "log", "record.4.2", True, "A record is not of the entry that stands beside it."),
    (506, "RecordPrev", "log", "record.4.2", True, "A record of the conversation was withheld or invented."),
    (507, "RecordVerdict", "log", "record.4.2", True, "The log's verdict or home is not the one of the rules."),
    (510, "CheckpointForm", "malformed", "record.2.1", True, "Not a checkpoint in the one form that is read here."),
    (511, "CheckpointKey", "log", "record.2.3", True, "No signature of the realm's sequencer."),
    (512, "CheckpointRoot", "log", "record.4.2", True, "A checkpoint's root is not the one of the records."),
    (
        513,
        "CheckpointForked",
        "log",
        "record.4.3",
        True,
        "The realm's history differs from a checkpoint that was kept.",
    ),
    (
        514,
        "CheckpointStale",
        "stale",
        "record.4.3",
        True,
        "The realm's history is shorter than a checkpoint that was kept.",
    ),
    (515, "CheckpointOther", "refused", "record.2.3", True, "The checkpoint is of another realm."),
    (516, "ReceiptForm", "malformed", "record.3", True, "Not a receipt."),
    (517, "EvidenceForm", "malformed", "record.5", True, "Not an evidence file in the one form that is read here."),
    (518, "EvidenceInvalid", "proof", "record.5", True, "The evidence does not prove what it says."),
    (520, "LogUnknown", "log", "record.6.1", True, "The log did not say whether it took the entries."),
    (521, "LogConflict", "log", "record.6.3", True, "Other writers were always first."),
    (522, "LogForm", "file", "log.1.1", True, "Not a realm's file, or a table of it is not as it should be."),
    (523, "LogVersion", "file", "log.1.1", True, "The realm's file is of a version that this software does not read."),
    (524, "LogDamaged", "file", "log.2.4", True, "A page of the realm's file is damaged."),
    (525, "LogFull", "file", "log.2.4", True, "The disk has no room for the entries; none was taken."),
    (526, "LogReadOnly", "file", "log.2.4", True, "The realm's file cannot be written; nothing was taken."),
    (527, "LogBusy", "file", "log.2.4", True, "Another writer did not let go of the realm's file; nothing was taken."),
    (528, "LogFailed", "file", "log.2.4", True, "The realm's file could not be read or written; nothing was taken."),
    (529, "LogForked", "usage", "log.2.6", True, "The log was opened before the process was forked."),
    (901, "Internal", "internal", "errors.3", True, "A fault of this software; please report it."),
    (902, "Panic", "internal", "errors.3", True, "The core stopped on a fault of its own; nothing was accepted."),
    (903, "SelfTestFailed", "internal", "identity.1.6", True, "The signature library accepts what rule S forbids."),
    (
        904,
        "RulesUnsupported",
        "internal",
        "admission.2.10",
        True,
        "The registry asks for rules that this version does not have.",
    ),
)

_BLAME: Final = {
    family: ("us" if cls is InternalError else "caller" if issubclass(cls, CallerError) else "peer")
    for family, cls in FAMILIES.items()
}

CATALOGUE: Final[dict[str, CodeEntry]] = {
    name: CodeEntry(number, name, family, _BLAME[family], clause, built, meaning)
    for number, name, family, clause, built, meaning in _ROWS
}


def error(code: str, expected: str, got: str, offset: int | None = None) -> Ama2Error:
    """Make the error of ``code`` in the class of its family; the one place where errors are made."""
    return FAMILIES[CATALOGUE[code].family](code, expected, got, offset)
