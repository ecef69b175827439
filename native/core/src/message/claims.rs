//! The claims as types that cannot be wrong (envelope.5), and their one encoding.

use super::act::{Act, own_label};
use super::value::LABELS;
use super::write::Writer;
use crate::identity::{Name, Purpose};

/// 32 bytes: a message, conversation, branch, realm, agent or grant id, or a fingerprint.
pub type Id = [u8; 32];

/// Outside a realm the realm is this; an `open` names it where its own id will stand.
pub const ZERO: Id = [0; 32];

macro_rules! kinds {
    ($( $number:literal $name:ident $text:literal $typ:ident; )*) => {
        /// Every kind that has a number (envelope.5.1).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Kind { $( $name = $number, )* }

        impl Kind {
            pub fn from_number(number: u64) -> Option<Kind> {
                match number { $( $number => Some(Kind::$name), )* _ => None }
            }

            pub fn as_str(self) -> &'static str {
                match self { $( Kind::$name => $text, )* }
            }

            /// The typ that the kind belongs to (envelope.5.1).
            pub fn typ(self) -> Typ {
                match self { $( Kind::$name => Typ::$typ, )* }
            }

            pub fn from_text(text: &str) -> Option<Kind> {
                match text { $( $text => Some(Kind::$name), )* _ => None }
            }
        }
    };
}

kinds! {
    1 Open "open" Message;
    2 Message "message" Message;
    3 Fork "fork" Message;
    4 Rollback "rollback" Message;
    5 Close "close" Message;
    16 Genesis "genesis" Registry;
    17 Enrol "enrol" Registry;
    18 Revoke "revoke" Registry;
    19 Policy "policy" Registry;
    20 Define "define" Registry;
    21 Erase "erase" Registry;
    22 Term "term" Registry;
    32 Halt "halt" Halt;
    33 Resume "resume" Halt;
    48 LocalHalt "local-halt" Log;
    49 Snapshot "snapshot" Log;
    50 SequencerTerm "sequencer-term" Log;
}

impl Kind {
    pub fn is_built(self) -> bool {
        !matches!(self, Kind::Snapshot | Kind::SequencerTerm)
    }

    /// Whether its entries are leaves of the registry: every kind but those of a conversation (registry, halt.1.4).
    pub fn is_of_registry(self) -> bool {
        self.typ() != Typ::Message
    }

    /// Whether it is a halt or a resume: without number and context (halt.1.2).
    pub fn is_bare(self) -> bool {
        matches!(self.typ(), Typ::Halt | Typ::Log)
    }

    /// Whether the kind carries a document, and so may be large (envelope.2.1).
    pub fn has_document(self) -> bool {
        matches!(self, Kind::Genesis | Kind::Policy | Kind::Define)
    }

    /// Whether the kind must have the claim with this label; every other label is forbidden (envelope.5.3).
    pub fn requires(self, label: usize) -> bool {
        match (self, label) {
            (Kind::Open, _) => matches!(label, 1..=8 | 10..=14),
            (Kind::Message, _) => matches!(label, 1..=12),
            (_, 8 | 12) => self.typ() == Typ::Message,
            (Kind::Genesis, 9 | 27) => false,
            (_, 9) => !self.is_bare(),
            (_, 1..=11) => true,
            (_, 26) => matches!(self, Kind::Halt | Kind::LocalHalt),
            (_, 27) => self.typ() == Typ::Registry || self == Kind::Resume,
            _ => own_label(self).is_some_and(|own| own == label as u64),
        }
    }
}

/// What an envelope's protected header says that it is (envelope.4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typ {
    Message,
    Registry,
    Halt,
    Log,
    Offer,
}

impl Typ {
    pub const ALL: [Typ; 5] = [Typ::Message, Typ::Registry, Typ::Halt, Typ::Log, Typ::Offer];

    pub fn as_str(self) -> &'static str {
        match self {
            Typ::Message => "ama2sec-message+cose",
            Typ::Registry => "ama2sec-registry+cose",
            Typ::Halt => "ama2sec-halt+cose",
            Typ::Log => "ama2sec-log+cose",
            Typ::Offer => "ama2sec-offer+cose",
        }
    }

    /// The purpose of the keys that sign it, of a typ that is built; a resume may be signed by roots as well (halt.1.1).
    pub fn signed_by(self) -> Option<Purpose> {
        match self {
            Typ::Message => Some(Purpose::Message),
            Typ::Registry => Some(Purpose::Root),
            Typ::Halt => Some(Purpose::Operator),
            Typ::Log => Some(Purpose::Sequencer),
            Typ::Offer => None,
        }
    }
}

/// To whom, or who may take part: an id, or a name that each reader resolves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addr {
    Id(Id),
    Name(Name),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    pub size: u64,
    pub fingerprint: Id,
    pub registry_size: u64,
    pub registry_fingerprint: Id,
}

impl Context {
    /// Of the first entry of a conversation outside a realm.
    pub const EMPTY: Context = Context { size: 0, fingerprint: ZERO, registry_size: 0, registry_fingerprint: ZERO };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merge {
    pub branch: Id,
    pub size: u64,
    pub fingerprint: Id,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Bool(bool),
    Int(i64),
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowState {
    pub instance: Option<Id>,
    pub definition: Id,
    pub step: Name,
    pub outputs: Vec<(Name, Output)>,
    pub approves: Option<Id>,
}

/// An author's own counter in a conversation: epoch in ms, then counter. Ordered epoch first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq {
    pub epoch: u64,
    pub counter: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyClaim {
    pub commitment: Id,
    pub size: u64,
    pub media_type: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPart {
    /// None: everyone enrolled.
    pub members: Option<Vec<Addr>>,
    pub required: bool,
    pub definition: Option<Name>,
}

/// What an entry says. `open` is there in an open, `act` in every kind but open and message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    pub realm: Id,
    pub conversation: Id,
    pub kind: Kind,
    pub agent: Id,
    pub grant: Option<Id>,
    pub context: Context,
    pub branch: Id,
    pub parent: Option<Id>,
    pub merges: Vec<Merge>,
    pub workflow: Option<WorkflowState>,
    pub recipients: Vec<Addr>,
    pub seq: Option<Seq>,
    pub time: u64,
    pub salt: [u8; 16],
    pub body: Option<BodyClaim>,
    pub open: Option<OpenPart>,
    pub act: Option<Act>,
}

pub(super) fn write_addr(out: &mut Writer, addr: &Addr) {
    match addr {
        Addr::Id(id) => out.bytes(id),
        Addr::Name(name) => out.text(name.as_str()),
    };
}

pub(crate) fn write_optional_id(out: &mut Writer, id: Option<&Id>) {
    match id {
        Some(id) => out.bytes(id),
        None => out.null(),
    };
}

pub(crate) fn write_addrs(out: &mut Writer, addrs: &[Addr]) {
    out.array(addrs.len());
    for addr in addrs {
        write_addr(out, addr);
    }
}

impl Claims {
    /// The deterministic bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(448);
        self.write(&mut out);
        out.0
    }

    pub(super) fn write(&self, out: &mut Writer) {
        out.map((1..LABELS.len()).filter(|label| self.kind.requires(*label)).count());
        out.uint(1).bytes(&self.realm).uint(2).bytes(&self.conversation).uint(3).uint(self.kind as u64);
        out.uint(4).array(2).bytes(&self.agent);
        write_optional_id(out, self.grant.as_ref());
        let context = &self.context;
        out.uint(5).array(4).uint(context.size).bytes(&context.fingerprint);
        out.uint(context.registry_size).bytes(&context.registry_fingerprint);
        out.uint(6).array(3).bytes(&self.branch);
        write_optional_id(out, self.parent.as_ref());
        out.array(self.merges.len());
        for merge in &self.merges {
            out.array(3).bytes(&merge.branch).uint(merge.size).bytes(&merge.fingerprint);
        }
        out.uint(7);
        self.write_workflow(out);
        self.write_rest(out);
    }

    fn write_rest(&self, out: &mut Writer) {
        if self.kind.requires(8) {
            out.uint(8);
            write_addrs(out, &self.recipients);
        }
        if let Some(seq) = self.seq {
            out.uint(9).array(2).uint(seq.epoch).uint(u64::from(seq.counter));
        }
        out.uint(10).uint(self.time).uint(11).bytes(&self.salt);
        if self.kind.requires(12) {
            out.uint(12);
            match &self.body {
                Some(body) => out.array(3).bytes(&body.commitment).uint(body.size).text(&body.media_type),
                None => out.null(),
            };
        }
        if let Some(open) = &self.open {
            write_open(out, open);
        }
        if let Some((act, own)) = self.act.as_ref().zip(own_label(self.kind)) {
            act.write_claims(out, own);
        }
    }

    fn write_workflow(&self, out: &mut Writer) {
        let Some(state) = &self.workflow else {
            out.null();
            return;
        };
        out.array(5);
        write_optional_id(out, state.instance.as_ref());
        out.bytes(&state.definition).text(state.step.as_str());
        write_outputs(out, &state.outputs);
        write_optional_id(out, state.approves.as_ref());
    }
}

pub(crate) fn write_outputs(out: &mut Writer, outputs: &[(Name, Output)]) {
    out.map(outputs.len());
    for (name, value) in outputs {
        out.text(name.as_str());
        write_output(out, value);
    }
}

pub(crate) fn write_output(out: &mut Writer, value: &Output) {
    match value {
        Output::Bool(value) => out.bool(*value),
        Output::Int(value) => out.int(*value),
        Output::Text(value) => out.text(value),
    };
}

fn write_open(out: &mut Writer, open: &OpenPart) {
    out.uint(13);
    match &open.members {
        Some(members) => write_addrs(out, members),
        None => {
            out.null();
        }
    }
    out.uint(14).array(2).bool(open.required);
    match &open.definition {
        Some(name) => out.text(name.as_str()),
        None => out.null(),
    };
}
