//! The claims as types that cannot be wrong (envelope.5), and their one encoding.

use super::write::Writer;
use crate::identity::Name;

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

            /// Whether the kind belongs to `ama2sec-message+cose`.
            pub fn is_message_typ(self) -> bool {
                match self { $( Kind::$name => kinds!(@ $typ), )* }
            }

            pub fn from_text(text: &str) -> Option<Kind> {
                match text { $( $text => Some(Kind::$name), )* _ => None }
            }
        }
    };
    (@ message) => { true };
    (@ other) => { false };
}

kinds! {
    1 Open "open" message;
    2 Message "message" message;
    3 Fork "fork" message;
    4 Rollback "rollback" message;
    5 Close "close" message;
    16 Genesis "genesis" other;
    17 Enrol "enrol" other;
    18 Revoke "revoke" other;
    19 Policy "policy" other;
    20 Define "define" other;
    21 Erase "erase" other;
    22 Term "term" other;
    32 Halt "halt" other;
    33 Resume "resume" other;
    48 LocalHalt "local-halt" other;
    49 Snapshot "snapshot" other;
    50 SequencerTerm "sequencer-term" other;
}

impl Kind {
    pub fn is_built(self) -> bool {
        matches!(self, Kind::Open | Kind::Message)
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// What an `open` or a `message` says.
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
}

pub(super) fn write_addr(out: &mut Writer, addr: &Addr) {
    match addr {
        Addr::Id(id) => out.bytes(id),
        Addr::Name(name) => out.text(name.as_str()),
    };
}

fn write_optional_id(out: &mut Writer, id: Option<&Id>) {
    match id {
        Some(id) => out.bytes(id),
        None => out.null(),
    };
}

fn write_addrs(out: &mut Writer, addrs: &[Addr]) {
    out.array(addrs.len());
    for addr in addrs {
        write_addr(out, addr);
    }
}

impl Claims {
    /// The deterministic bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(448);
        let pairs = 11 + usize::from(self.seq.is_some()) + if self.open.is_some() { 2 } else { 0 };
        out.map(pairs);
        out.uint(1).bytes(&self.realm).uint(2).bytes(&self.conversation).uint(3).uint(self.kind as u64);
        out.uint(4).array(2).bytes(&self.agent);
        write_optional_id(&mut out, self.grant.as_ref());
        let context = &self.context;
        out.uint(5).array(4).uint(context.size).bytes(&context.fingerprint);
        out.uint(context.registry_size).bytes(&context.registry_fingerprint);
        out.uint(6).array(3).bytes(&self.branch);
        write_optional_id(&mut out, self.parent.as_ref());
        out.array(self.merges.len());
        for merge in &self.merges {
            out.array(3).bytes(&merge.branch).uint(merge.size).bytes(&merge.fingerprint);
        }
        out.uint(7);
        self.write_workflow(&mut out);
        out.uint(8);
        write_addrs(&mut out, &self.recipients);
        if let Some(seq) = self.seq {
            out.uint(9).array(2).uint(seq.epoch).uint(u64::from(seq.counter));
        }
        out.uint(10).uint(self.time).uint(11).bytes(&self.salt).uint(12);
        match &self.body {
            Some(body) => out.array(3).bytes(&body.commitment).uint(body.size).text(&body.media_type),
            None => out.null(),
        };
        if let Some(open) = &self.open {
            out.uint(13);
            match &open.members {
                Some(members) => write_addrs(&mut out, members),
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
        out.0
    }

    fn write_workflow(&self, out: &mut Writer) {
        let Some(state) = &self.workflow else {
            out.null();
            return;
        };
        out.array(5);
        write_optional_id(out, state.instance.as_ref());
        out.bytes(&state.definition).text(state.step.as_str()).map(state.outputs.len());
        for (name, value) in &state.outputs {
            out.text(name.as_str());
            match value {
                Output::Bool(value) => out.bool(*value),
                Output::Int(value) => out.int(*value),
                Output::Text(value) => out.text(value),
            };
        }
        write_optional_id(out, state.approves.as_ref());
    }
}
