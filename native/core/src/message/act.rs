//! What the kinds of a realm say beyond the common claims (dag.2, registry.2), and their one encoding.

use super::claims::{Addr, Id, Kind, write_addrs, write_optional_id};
use super::write::Writer;
use crate::errors::{Code, Error, Result};
use crate::identity::{Name, Purpose};
use crate::limits::MAX_NAME;
use crate::text;

/// A public key as an entry names it. Nothing is known of it yet.
pub type KeyBytes = [u8; 32];

/// A pattern of steps: names joined by `/`, perhaps with `/*` at the end (dag.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepPattern(String);

impl StepPattern {
    /// Raises `NameForm`.
    pub fn parse(pattern: &str) -> Result<StepPattern> {
        let names = pattern.strip_suffix("/*").unwrap_or(pattern);
        if pattern.len() <= MAX_NAME && names.split('/').all(|name| Name::parse(name).is_ok()) {
            return Ok(StepPattern(pattern.to_owned()));
        }
        let expected = "a step pattern: names joined by /, at most 64 bytes, perhaps with /* at the end";
        Err(Error::new(Code::NameForm, expected, text::shown(pattern.as_bytes())))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a step fits, or another pattern lies in this one.
    pub fn covers(&self, other: &str) -> bool {
        self.0 == other || (self.0.ends_with("/*") && other.starts_with(self.0.trim_end_matches('*')))
    }
}

/// What a sub-agent may do, and the key that it proved to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantPart {
    pub key: KeyBytes,
    pub offer: [u8; 64],
    /// None: any.
    pub steps: Option<Vec<StepPattern>>,
    /// None: anybody.
    pub to: Option<Vec<Addr>>,
    pub rights: u8,
    pub expires: Option<u64>,
    pub depth: u8,
    pub next: Option<Id>,
}

/// What is to be undone (rollback.1.2): the target is cut at `keep`, and the closure is of `count` leaves, with this hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollbackPart {
    pub target: Id,
    pub keep: u64,
    pub count: u64,
    pub hash: Id,
    pub reason: String,
}

impl GrantPart {
    pub const FORK: u8 = 1;
    pub const MERGE: u8 = 2;
    pub const ROLL_BACK: u8 = 4;
}

/// Quorums and holds of a realm, each quorum 1 to 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    pub root: u8,
    pub enrol: u8,
    pub revoke: u8,
    pub define: u8,
    pub erase: u8,
    pub resume: u8,
    /// While it is true nothing is erased.
    pub hold: bool,
}

impl Policy {
    /// In the order of their keys.
    pub fn quorums(&self) -> [u8; 6] {
        [self.root, self.enrol, self.revoke, self.define, self.erase, self.resume]
    }

    pub fn write(&self, out: &mut Writer) {
        out.map(7);
        for (label, quorum) in (1u64..).zip(self.quorums()) {
            out.uint(label).uint(u64::from(quorum));
        }
        out.uint(7).bool(self.hold);
    }
}

/// A root of the genesis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootPart {
    pub name: Name,
    pub key: KeyBytes,
    pub offer: [u8; 64],
    pub next: Option<Id>,
}

/// The first document of a realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenesisPart {
    pub name: Name,
    pub rules_version: u32,
    pub dev: bool,
    pub roots: Vec<RootPart>,
    pub sequencer: (Name, KeyBytes, [u8; 64]),
    pub policy: Policy,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolPart {
    pub name: Name,
    pub key: KeyBytes,
    pub purpose: Purpose,
    pub groups: Vec<Name>,
    pub next: Option<Id>,
    pub replaces: Option<Id>,
    pub offer: [u8; 64],
}

/// What a registry entry wants to bring into force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proposal {
    Enrol(Box<EnrolPart>),
    Revoke {
        agent: Id,
        suspect_from: Option<u64>,
        reason: String,
    },
    Policy {
        replaces: Id,
        policy: Policy,
    },
    Define {
        name: Name,
        replaces: Option<Id>,
        document: Vec<u8>,
    },
    Erase {
        message: Id,
        reason: String,
    },
    Term {
        size: u64,
        root: Id,
        reason: String,
    },
    /// The halts that are to end (halt.1.3).
    Resume {
        halts: Vec<Id>,
        reason: String,
    },
}

impl Proposal {
    pub fn kind(&self) -> Kind {
        match self {
            Proposal::Enrol(_) => Kind::Enrol,
            Proposal::Revoke { .. } => Kind::Revoke,
            Proposal::Policy { .. } => Kind::Policy,
            Proposal::Define { .. } => Kind::Define,
            Proposal::Erase { .. } => Kind::Erase,
            Proposal::Term { .. } => Kind::Term,
            Proposal::Resume { .. } => Kind::Resume,
        }
    }

    pub fn write(&self, out: &mut Writer) {
        match self {
            Proposal::Enrol(part) => write_enrol(out, part),
            Proposal::Revoke { agent, suspect_from, reason } => {
                out.array(3).bytes(agent);
                write_optional_uint(out, *suspect_from);
                out.text(reason);
            }
            Proposal::Policy { replaces, policy } => {
                out.array(2).bytes(replaces);
                policy.write(out);
            }
            Proposal::Define { name, replaces, document } => {
                out.array(3).text(name.as_str());
                write_optional_id(out, replaces.as_ref());
                out.bytes(document);
            }
            Proposal::Erase { message, reason } => {
                out.array(2).bytes(message).text(reason);
            }
            Proposal::Term { size, root, reason } => {
                out.array(3).uint(*size).bytes(root).text(reason);
            }
            Proposal::Resume { halts, reason } => {
                out.array(2).array(halts.len());
                for halt in halts {
                    out.bytes(halt);
                }
                out.text(reason);
            }
        }
    }
}

/// What a halt says. Its scope is not read here: reading it is total (halt.2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HaltPart {
    pub scope: Vec<u8>,
    pub reason: String,
}

/// A registry entry: it proposes, or it approves, and exactly one of the two (envelope.5.6.g).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryPart {
    pub own: Option<Proposal>,
    pub approves: Option<Id>,
}

/// What a kind says that neither an open nor a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    Fork(Option<Box<GrantPart>>),
    Rollback(Box<RollbackPart>),
    /// True: the whole conversation.
    Close(bool),
    Genesis(Box<GenesisPart>),
    Registry(Box<RegistryPart>),
    /// A halt, by an operator or by somebody on the host.
    Halt(Box<HaltPart>),
}

impl Act {
    /// The claims behind label 14, for a kind whose own claim has the label `own`.
    pub(super) fn write_claims(&self, out: &mut Writer, own: u64) {
        out.uint(own);
        match self {
            Act::Fork(None) => {
                out.null();
            }
            Act::Fork(Some(grant)) => write_grant(out, grant),
            Act::Rollback(part) => {
                out.array(4).bytes(&part.target).uint(part.keep).array(2).uint(part.count).bytes(&part.hash);
                out.text(&part.reason);
            }
            Act::Close(whole) => {
                out.bool(*whole);
            }
            Act::Genesis(part) => write_genesis(out, part),
            Act::Registry(part) => {
                match &part.own {
                    Some(proposal) => proposal.write(out),
                    None => {
                        out.null();
                    }
                }
                out.uint(27);
                write_optional_id(out, part.approves.as_ref());
            }
            Act::Halt(part) => {
                out.bytes(&part.scope).uint(26).text(&part.reason);
            }
        }
    }
}

/// The label of a kind's own claim behind label 14, if it has one (envelope.5.3).
pub(super) fn own_label(kind: Kind) -> Option<u64> {
    match kind {
        Kind::Fork => Some(15),
        Kind::Rollback => Some(16),
        Kind::Halt | Kind::LocalHalt => Some(17),
        Kind::Genesis | Kind::Policy | Kind::Define => Some(18),
        Kind::Enrol => Some(19),
        Kind::Revoke => Some(20),
        Kind::Resume => Some(21),
        Kind::Erase => Some(22),
        Kind::Term => Some(23),
        Kind::Close => Some(25),
        _ => None,
    }
}

pub(crate) fn write_optional_uint(out: &mut Writer, value: Option<u64>) {
    match value {
        Some(value) => out.uint(value),
        None => out.null(),
    };
}

/// The steps and recipients that a grant allows, as the claims and the digest have them.
pub(crate) fn write_reach(out: &mut Writer, steps: Option<&[StepPattern]>, to: Option<&[Addr]>) {
    match steps {
        Some(steps) => {
            out.array(steps.len());
            for step in steps {
                out.text(step.as_str());
            }
        }
        None => {
            out.null();
        }
    }
    match to {
        Some(to) => write_addrs(out, to),
        None => {
            out.null();
        }
    }
}

fn write_grant(out: &mut Writer, grant: &GrantPart) {
    out.array(8).bytes(&grant.key).bytes(&grant.offer);
    write_reach(out, grant.steps.as_deref(), grant.to.as_deref());
    out.uint(u64::from(grant.rights));
    write_optional_uint(out, grant.expires);
    out.uint(u64::from(grant.depth));
    write_optional_id(out, grant.next.as_ref());
}

fn write_genesis(out: &mut Writer, part: &GenesisPart) {
    out.array(6).text(part.name.as_str()).uint(u64::from(part.rules_version)).uint(u64::from(part.dev));
    out.array(part.roots.len());
    for root in &part.roots {
        out.array(4).text(root.name.as_str()).bytes(&root.key).bytes(&root.offer);
        write_optional_id(out, root.next.as_ref());
    }
    let (name, key, offer) = &part.sequencer;
    out.array(3).text(name.as_str()).bytes(key).bytes(offer);
    part.policy.write(out);
}

fn write_enrol(out: &mut Writer, part: &EnrolPart) {
    out.array(7).text(part.name.as_str()).bytes(&part.key).uint(u64::from(part.purpose.number()));
    out.array(part.groups.len());
    for group in &part.groups {
        out.text(group.as_str());
    }
    write_optional_id(out, part.next.as_ref());
    write_optional_id(out, part.replaces.as_ref());
    out.bytes(&part.offer);
}
