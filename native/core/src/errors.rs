//! How things fail: one permanent number and one spelling for every code (`audits/spec/errors.md`).

use std::borrow::Cow;
use std::fmt;

/// Whose fault an error is (errors.md, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    Peer,
    Caller,
    Us,
}

impl Blame {
    /// The stable spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Blame::Peer => "peer",
            Blame::Caller => "caller",
            Blame::Us => "us",
        }
    }
}

/// What the catalogue says of one code.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub number: u16,
    pub name: &'static str,
    pub family: &'static str,
    pub blame: Blame,
    pub clause: &'static str,
    /// False while the code is reserved for a capability that is not built.
    pub built: bool,
    pub meaning: &'static str,
}

macro_rules! catalogue {
    ($( $number:literal $name:ident $family:literal $blame:ident $clause:literal $built:literal $meaning:literal; )*) => {
        /// A stable error code. The number never changes and is never used again for another meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Code { $( #[doc = $meaning] $name = $number, )* }

        /// Every code, in the order of the numbers.
        pub const CATALOGUE: &[Entry] = &[
            $( Entry { number: $number, name: stringify!($name), family: $family, blame: Blame::$blame,
                       clause: $clause, built: $built, meaning: $meaning }, )*
        ];

        impl Code {
            /// The stable spelling.
            pub fn as_str(self) -> &'static str {
                match self { $( Code::$name => stringify!($name), )* }
            }
        }
    };
}

catalogue! {
    101 SizeLimit "malformed" Peer "envelope.2.1" true "The bytes are longer than this format allows.";
    102 Truncated "malformed" Peer "envelope.3.2" true "The bytes end before the item that they announce.";
    103 TrailingBytes "malformed" Peer "envelope.3.9" true "Bytes follow after the one item that was expected.";
    104 NotMinimal "malformed" Peer "envelope.3.3" true "An integer or a length is not in its shortest form.";
    105 IndefiniteLength "malformed" Peer "envelope.3.4" true "An item has indefinite length.";
    106 FloatForbidden "malformed" Peer "envelope.3.5" true "A floating-point number stands where none may.";
    107 TypeForbidden "malformed" Peer "envelope.3.5" true "A CBOR type (tag, simple value, reserved head) that this profile does not use.";
    108 MapDuplicateKey "malformed" Peer "envelope.3.7" true "A map has one key twice.";
    109 MapKeyOrder "malformed" Peer "envelope.3.7" true "The keys of a map are not in bytewise order.";
    110 DepthLimit "malformed" Peer "envelope.3.8" true "Items are nested deeper than 8.";
    111 Utf8Invalid "malformed" Peer "envelope.3.6" true "A text string is not well-formed UTF-8.";
    112 IntRange "malformed" Peer "envelope.3.3" true "An integer lies outside -2^63 .. 2^63-1.";
    120 EnvelopeForm "malformed" Peer "envelope.4.1" true "Not a COSE_Sign1: tag 18 over an array of four.";
    121 HeaderForm "malformed" Peer "envelope.4.2" true "The protected header is not exactly {alg, kid, typ}.";
    122 AlgUnsupported "malformed" Peer "envelope.4.3" true "The algorithm is not -19 (Ed25519).";
    123 TypUnknown "malformed" Peer "envelope.4.5" true "The typ is none of ours.";
    124 TypNotBuilt "malformed" Peer "envelope.4.5" true "The typ is one of ours that this version does not read yet.";
    125 UnprotectedNotEmpty "malformed" Peer "envelope.4.6" true "The unprotected header is not empty.";
    126 SignatureLength "malformed" Peer "envelope.4.8" true "The signature is not 64 bytes long.";
    130 ClaimUnknown "malformed" Peer "envelope.5.2" true "A claim label that the table does not have.";
    131 ClaimMissing "malformed" Peer "envelope.5.3" true "A claim that this kind requires is absent.";
    132 ClaimForbidden "malformed" Peer "envelope.5.4" true "A claim that this kind forbids is present.";
    133 ClaimType "malformed" Peer "envelope.5.5" true "A claim has the wrong CBOR type or length.";
    134 ClaimRange "malformed" Peer "envelope.5.5" true "A number in a claim is out of its range.";
    135 ClaimForm "malformed" Peer "envelope.5.6" true "Claims contradict each other or the kind.";
    136 TooMany "malformed" Peer "envelope.5.5" true "A list in a claim is longer than allowed.";
    137 ListOrder "malformed" Peer "envelope.5.5" true "A list in a claim is unsorted or has an element twice.";
    138 NameForm "malformed" Peer "identity.3.1" true "A name or label does not have the form of a name.";
    139 KindUnknown "malformed" Peer "envelope.5.1" true "A kind number that the table does not have.";
    140 KindNotBuilt "malformed" Peer "envelope.5.1" true "A kind of the table that this version does not read yet.";
    141 TypKind "malformed" Peer "envelope.5.1" true "The kind does not belong to the envelope's typ.";
    150 TranscriptForm "malformed" Peer "fingerprint.5.1" true "Not a transcript: the header item is wrong.";
    151 TranscriptVersion "malformed" Peer "fingerprint.5.1" true "A transcript of a version that this software does not read.";
    152 ItemUnknown "malformed" Peer "fingerprint.5.2" true "A transcript item type that the table does not have.";
    153 ItemNotBuilt "malformed" Peer "fingerprint.5.2" true "A transcript item type that this version does not read yet.";
    154 ItemForm "malformed" Peer "fingerprint.5.3" true "A transcript item does not have the form of its type.";
    160 ProofForm "malformed" Peer "proofs.1" true "A proof does not have the one form that its claim determines.";
    161 HeadForm "malformed" Peer "fingerprint.3.4" true "A head's text form is wrong.";
    162 ProofVersion "malformed" Peer "proofs.1" true "A proof of a version that this software does not read.";
    163 ExhibitForm "malformed" Peer "proofs.6" true "Not an exhibit file, or a damaged one.";
    201 KeyUnknown "key" Peer "envelope.6.2" true "No enrolled key has this thumbprint.";
    202 KeyLength "weak" Peer "identity.1.1" true "A public key is not 32 bytes long.";
    203 KeyNotCanonical "weak" Peer "identity.1.3" true "A public key is not the one encoding of a point on the curve.";
    204 KeyWeak "weak" Peer "identity.1.3" true "A public key is the identity or lies outside the prime-order subgroup.";
    210 SignatureInvalid "signature" Peer "identity.1.5" true "The signature does not verify under this key.";
    211 SignatureNotCanonical "signature" Peer "identity.1.2" true "The signature's S is not below the group order.";
    212 SignatureWeak "signature" Peer "identity.1.4" true "The signature's R is the identity.";
    220 BodyMissing "body" Peer "envelope.7.2" true "The claims commit to a body and none was given.";
    221 BodyMismatch "body" Peer "envelope.7.4" true "The body (or its salt) is not the one that the claims commit to.";
    222 BodySize "body" Peer "envelope.7.3" true "The body's length is not the one that the claims state.";
    223 BodyUnexpected "body" Peer "envelope.7.1" true "A body was given and the claims commit to none.";
    224 BodyForm "body" Peer "agent.2" true "The body does not read as what its reader asks for.";
    225 BodySchema "body" Peer "workflow.5.1" true "The body does not fit the schema of its step.";
    230 RealmOther "refused" Peer "envelope.6.4" true "The envelope belongs to another realm.";
    231 Latched "halt" Peer "halt.5.2" true "A stop is in force on this host.";
    232 QuotaExceeded "refused" Peer "admission.1" true "The author's budget is spent.";
    233 ConversationUnknown "refused" Peer "admission.1" true "No such conversation in this realm.";
    301 PrincipalRevoked "authority" Peer "admission.2.1" true "The author's enrolment is revoked at this position.";
    302 PurposeWrong "authority" Peer "envelope.6.6" true "The key is enrolled for another purpose.";
    303 NotAMember "authority" Peer "fingerprint.6.5" true "The author is not a member of the conversation.";
    304 GrantUndone "authority" Peer "admission.2.4" true "The grant was undone by a rollback.";
    305 GrantEnded "authority" Peer "admission.2.5" true "The grant (or one that it hangs from) has ended.";
    306 GrantExpired "authority" Peer "admission.2.6" true "The grant has expired.";
    307 Halted "halt" Peer "admission.2.7" true "A halt in force covers this entry.";
    308 SeqUsed "history" Peer "fingerprint.6.6" true "The author's number is not above the last one used.";
    309 SeqWindow "history" Peer "fingerprint.6.7" true "The author's number lies outside the window.";
    311 RegistryForked "history" Peer "admission.2.11" true "The registry that the sender saw is not this one.";
    312 ConversationClosed "history" Peer "admission.2.12" true "The conversation is closed.";
    313 BranchUnknown "history" Peer "fingerprint.6.8" true "No such branch in this conversation.";
    314 ContextAhead "history" Peer "fingerprint.6.9" true "The sender had seen more than there is here.";
    315 ContextUnder "history" Peer "admission.2.15" true "The context lies at or below the branch's base.";
    316 ContextForked "history" Peer "fingerprint.6.10" true "The sender had seen another history than this one.";
    317 BranchSuperseded "history" Peer "admission.2.17" true "The branch was cut; a successor goes on.";
    318 BranchUndone "history" Peer "admission.2.17" true "The branch was undone.";
    319 BranchClosed "history" Peer "admission.2.17" true "The branch is closed.";
    320 GrantPlace "authority" Peer "admission.2.18" true "The sub-agent writes outside its branch.";
    321 GrantScope "authority" Peer "admission.2.19" true "The grant does not allow this step, recipient or right.";
    322 MergeForm "history" Peer "admission.2.20" true "The list of merged heads is malformed for this branch.";
    323 MergeUnknown "history" Peer "admission.2.21" true "A merged branch is unknown.";
    324 MergeAhead "history" Peer "admission.2.21" true "A merged head lies beyond the branch.";
    325 MergeUnder "history" Peer "admission.2.21" true "A merged head lies at or below its branch's base.";
    326 MergeForked "history" Peer "admission.2.21" true "A merged head has another fingerprint.";
    327 MergeUndone "history" Peer "admission.2.22" true "A merge names undone leaves.";
    328 MergeStale "history" Peer "admission.2.23" true "A merge brings nothing new.";
    329 ForkKey "authority" Peer "admission.2.24" true "The forked child's key is unusable.";
    330 ForkForm "history" Peer "admission.2.24" true "The fork is malformed for its parent.";
    331 ForkWidens "authority" Peer "admission.2.24" true "The grant is wider than the one it hangs from.";
    332 RollbackRole "authority" Peer "admission.2.25" true "The author may not roll back.";
    333 RollbackTarget "history" Peer "admission.2.26" true "The rollback's target cannot be cut.";
    334 RollbackIncomplete "history" Peer "admission.2.27" true "The rollback's closure is another one.";
    335 RollbackScope "authority" Peer "admission.2.28" true "The rollback reaches outside the sub-agent's lineage.";
    336 RollbackPivot "workflow" Peer "admission.2.29" true "The rollback crosses a point of no return.";
    337 RollbackCap "history" Peer "admission.2.30" true "The instance was rolled back too often.";
    338 HaltedByEffect "halt" Peer "admission.2.31" true "The rollback touches what a halt holds.";
    339 WorkflowUnknown "workflow" Peer "admission.2.32" true "No such workflow instance or definition.";
    340 WorkflowVersion "workflow" Peer "admission.2.33" true "The definition is not the one that the instance runs.";
    341 StepUnknown "workflow" Peer "admission.2.34" true "The definition has no such step.";
    342 StepRole "authority" Peer "admission.2.35" true "The author's groups may not take this step.";
    343 WorkflowEnded "workflow" Peer "admission.2.36" true "The instance has ended.";
    344 DeadlinePassed "workflow" Peer "admission.2.36" true "The step's deadline has passed.";
    345 StepSpent "workflow" Peer "admission.2.37" true "The step was taken as often as it may be.";
    346 StepExcluded "workflow" Peer "admission.2.37" true "Another branch of an exclusive choice was taken.";
    347 StepNeeds "workflow" Peer "admission.2.38" true "A step that this one needs is not done.";
    348 StepWhen "workflow" Peer "admission.2.39" true "The step's condition does not hold.";
    349 ApprovalsMissing "workflow" Peer "admission.2.39" true "Not enough approvals.";
    350 ContextStale "history" Peer "admission.2.40" true "The step builds on something that the sender had not seen.";
    351 ApprovalInvalid "workflow" Peer "admission.2.39" true "The approval does not fit its subject.";
    360 PossessionInvalid "authority" Peer "registry.3.6" true "The proof of possession does not verify.";
    361 KeyEnrolled "authority" Peer "registry.3.6" true "The key was enrolled in this realm before.";
    362 NameEnrolled "authority" Peer "registry.3.6" true "The name has a live enrolment already.";
    363 RotationInvalid "authority" Peer "registry.3.6" true "The new key is not the one committed to.";
    364 RevokeInvalid "authority" Peer "registry.3.6" true "Nothing to revoke, or not by this author.";
    365 PolicyInvalid "authority" Peer "registry.3.6" true "The policy does not name what it replaces, or is malformed.";
    366 QuorumMissing "authority" Peer "registry.2" false "Not enough distinct signers.";
    367 DefinitionInvalid "workflow" Peer "registry.3.6" true "The definition does not compile to its pinned table.";
    368 ResumeInvalid "halt" Peer "halt.3.3" true "The resume names halts that do not exist or have ended.";
    369 EraseInvalid "authority" Peer "registry.3.6" true "The erasure lacks an approver or meets a hold.";
    370 TermInvalid "authority" Peer "registry.3.6" false "Not a term that this author may write.";
    371 GenesisInvalid "authority" Peer "registry.3.7" true "The genesis is malformed, or is not the first entry.";
    372 ProposalInvalid "authority" Peer "registry.3.5" true "The entry approves nothing that can be approved, or approves it twice.";
    380 ConversationOther "history" Peer "fingerprint.6.4" true "The entry belongs to another conversation.";
    381 OpenMissing "history" Peer "fingerprint.6.3" true "The first entry of a conversation is not its open.";
    382 OpenAgain "history" Peer "fingerprint.6.3" true "An open stands inside a conversation.";
    383 HeadStale "stale" Peer "fingerprint.6.12" true "The history is shorter than a head that was retained.";
    384 HeadForked "history" Peer "fingerprint.6.12" true "The history differs from a head that was retained.";
    385 MergeNotBuilt "history" Peer "fingerprint.6.11" true "Merged heads are not judged by this version.";
    390 ProofIndex "proof" Peer "proofs.1" true "Index and sizes of a proof do not fit each other.";
    391 ProofRoot "proof" Peer "proofs.2" true "The proof leads to another root.";
    392 ConsistencyRoot "proof" Peer "proofs.3" true "The old root is not a prefix of the new tree.";
    393 NeedsProof "proof" Peer "proofs.5" true "A proof must be given for this.";
    394 AncestryRoot "proof" Peer "proofs.4" true "The ancestry proof does not lead from the trusted head to the message.";
    395 ProofClaim "proof" Peer "proofs.1" true "The proof is of another claim than the one that was asked.";
    401 NotBytes "usage" Caller "identity.2.4" true "Only immutable bytes are accepted.";
    402 ArgumentType "usage" Caller "errors.2" true "An argument has the wrong type.";
    403 ArgumentRange "usage" Caller "errors.2" true "An argument is out of its range.";
    404 NameTaken "usage" Caller "identity.3.3" true "The name is in the directory under another key.";
    405 NameUnknown "usage" Caller "identity.3.3" true "The directory has no such name.";
    406 KeyTaken "usage" Caller "identity.3.3" true "The key is in the directory under another name or purpose.";
    407 AgentInUse "usage" Caller "fingerprint.7.2" true "Another writer holds this agent in this conversation.";
    408 SignerFault "usage" Caller "identity.2.5" true "The external signer's answer does not verify under its key.";
    409 BodyLimit "usage" Caller "envelope.7.5" true "A body is larger than 256 KiB.";
    410 EntryRefused "usage" Caller "fingerprint.7.4" false "This conversation cannot take the entry.";
    411 Cancelled "usage" Caller "errors.2" true "The work was interrupted; nothing was written.";
    412 Backpressure "usage" Caller "agent.3.5" true "More messages were taken than may wait for their acknowledgement.";
    413 ClockRange "usage" Caller "fingerprint.7.3" true "The clock is outside the range that a number can carry.";
    414 ConformQuestion "usage" Caller "conform.1" true "A conformance question is malformed.";
    415 PermitExpired "usage" Caller "halt.6.1" true "The time of the permit is over.";
    416 BodyUnfit "usage" Caller "workflow.5.1" true "A body that was to be sent does not fit the schema of its step.";
    417 NoteOnly "usage" Caller "workflow.5.2" true "A note, or a message that does not fit its step, permits nothing.";
    418 StepAmbiguous "usage" Caller "workflow.5.4" true "No step was named, and not exactly one is open.";
    419 MessageUndone "usage" Caller "rollback.5.2" true "The message was undone by a rollback: nobody may act on it.";
    421 KeyFileForm "file" Caller "identity.4.2" true "Not a key file, or a damaged one.";
    422 KeyFilePermissions "file" Caller "identity.4.4" true "The key file can be read or written by others.";
    423 PassphraseWrong "file" Caller "identity.4.3" true "The passphrase does not open the key file.";
    424 PassphraseNeeded "file" Caller "identity.4.3" true "The key file is encrypted and no passphrase was given.";
    425 KeyFormatUnsupported "file" Caller "identity.4.6" true "The key is not an Ed25519 key in a format that is read here.";
    426 FileUnreadable "file" Caller "errors.2" true "A file cannot be read.";
    427 FileExists "file" Caller "errors.2" true "The file exists and would be overwritten.";
    428 WriteFailed "file" Caller "errors.2" true "A file could not be written; the old one is as it was.";
    429 DirectoryForm "file" Caller "identity.3.4" true "Not a directory file, or a damaged one.";
    430 PipeClosed "file" Caller "errors.2" true "The reader of the output has gone away.";
    431 StateForm "file" Caller "proofs.5" true "Not a light client's state file, or a damaged one.";
    432 LatchForm "file" Caller "halt.4.1" true "The sidecar cannot be read or has no room; the realm is stopped.";
    433 DefinitionForm "file" Caller "workflow.6.1" true "A workflow definition does not read, or is of no use.";
    501 RecordForm "malformed" Peer "record.1.1" true "Not a record: another length or beginning.";
    502 RecordPosition "log" Peer "record.4.2" true "A record's position is not the next one.";
    503 RecordTime "log" Peer "record.4.2" true "The log's time goes back.";
    504 RecordRegistry "log" Peer "record.4.2" true "A record counts other registry entries than there are.";
    505 RecordDigest "log" Peer "record.4.2" true "A record is not of the entry that stands beside it.";
    506 RecordPrev "log" Peer "record.4.2" true "A record of the conversation was withheld or invented.";
    507 RecordVerdict "log" Peer "record.4.2" true "The log's verdict or home is not the one of the rules.";
    510 CheckpointForm "malformed" Peer "record.2.1" true "Not a checkpoint in the one form that is read here.";
    511 CheckpointKey "log" Peer "record.2.3" true "No signature of the realm's sequencer.";
    512 CheckpointRoot "log" Peer "record.4.2" true "A checkpoint's root is not the one of the records.";
    513 CheckpointForked "log" Peer "record.4.3" true "The realm's history differs from a checkpoint that was kept.";
    514 CheckpointStale "stale" Peer "record.4.3" true "The realm's history is shorter than a checkpoint that was kept.";
    515 CheckpointOther "refused" Peer "record.2.3" true "The checkpoint is of another realm.";
    516 ReceiptForm "malformed" Peer "record.3" true "Not a receipt.";
    517 EvidenceForm "malformed" Peer "record.5" true "Not an evidence file in the one form that is read here.";
    518 EvidenceInvalid "proof" Peer "record.5" true "The evidence does not prove what it says.";
    520 LogUnknown "log" Peer "record.6.1" true "The log did not say whether it took the entries.";
    521 LogConflict "log" Peer "record.6.3" true "Other writers were always first.";
    522 LogForm "file" Caller "log.1.1" true "Not a realm's file, or a table of it is not as it should be.";
    523 LogVersion "file" Caller "log.1.1" true "The realm's file is of a version that this software does not read.";
    524 LogDamaged "file" Caller "log.2.4" true "A page of the realm's file is damaged.";
    525 LogFull "file" Caller "log.2.4" true "The disk has no room for the entries; none was taken.";
    526 LogReadOnly "file" Caller "log.2.4" true "The realm's file cannot be written; nothing was taken.";
    527 LogBusy "file" Caller "log.2.4" true "Another writer did not let go of the realm's file; nothing was taken.";
    528 LogFailed "file" Caller "log.2.4" true "The realm's file could not be read or written; nothing was taken.";
    529 LogForked "usage" Caller "log.2.6" true "The log was opened before the process was forked.";
    901 Internal "internal" Us "errors.3" true "A fault of this software; please report it.";
    902 Panic "internal" Us "errors.3" true "The core stopped on a fault of its own; nothing was accepted.";
    903 SelfTestFailed "internal" Us "identity.1.6" true "The signature library accepts what rule S forbids.";
    904 RulesUnsupported "internal" Us "admission.2.10" true "The registry asks for rules that this version does not have.";
}

impl Code {
    /// The permanent number that records store.
    pub fn number(self) -> u16 {
        self as u16
    }
}

/// One error: the code, and from one place what was expected and what came. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub code: Code,
    pub expected: Cow<'static, str>,
    pub got: Cow<'static, str>,
    /// Byte offset in the input at which reading stopped, where there is one.
    pub offset: Option<usize>,
}

/// The result of everything that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn new(code: Code, expected: impl Into<Cow<'static, str>>, got: impl Into<Cow<'static, str>>) -> Self {
        Error { code, expected: expected.into(), got: got.into(), offset: None }
    }

    /// The same error with the place in the input.
    #[must_use]
    pub fn at(mut self, offset: usize) -> Self {
        self.offset = Some(offset);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, got {}", self.code.as_str(), self.expected, self.got)?;
        match self.offset {
            Some(offset) => write!(f, " (at byte {offset})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
