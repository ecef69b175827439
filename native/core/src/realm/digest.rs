//! The digest of a state: what two implementations compare after each entry (admission.4).

use sha2::{Digest, Sha256};

use super::branches::{Branch, Number, Prefix};
use super::conversation::{Conversation, Grant};
use super::registry::{Agent, Enrolment, Registry};
use super::state::State;
use super::work::Instance;
use crate::errors::{Code, Error, Result};
use crate::identity::Name;
use crate::message::{
    HashPurpose, Id, IdMap, Proposal, Seq, Writer, keyed, write_addrs, write_optional_id, write_optional_uint,
    write_outputs, write_reach,
};
use crate::text;

impl State {
    /// The digest of one conversation. Raises `ConversationUnknown`.
    pub fn conversation_digest(&self, id: &Id) -> Result<Id> {
        match self.conversation(id) {
            Some(found) => Ok(keyed(HashPurpose::State, &found.canonical()?)),
            None => Err(Error::new(Code::ConversationUnknown, "a conversation of this realm", text::hex(id))),
        }
    }

    /// The digest of the registry.
    pub fn registry_digest(&self) -> Result<Id> {
        Ok(keyed(HashPurpose::State, &self.founded()?.canonical()?))
    }
}

/// Names in lists that are sorted by them: by their encoded bytes.
fn name_key(name: &Name) -> (usize, String) {
    (name.as_str().len(), name.as_str().to_owned())
}

fn write_seqs(out: &mut Writer, seqs: &IdMap<Seq>) {
    let mut sorted: Vec<(&Id, &Seq)> = seqs.iter().collect();
    sorted.sort();
    out.array(sorted.len());
    for (agent, seq) in sorted {
        out.array(3).bytes(agent).uint(seq.epoch).uint(u64::from(seq.counter));
    }
}

impl Conversation {
    /// The deterministic bytes that the digest is over (admission.4.1).
    pub fn canonical(&self) -> Result<Vec<u8>> {
        let mut out = Writer::with_capacity(1024);
        out.array(9).uint(1).bytes(self.id());
        match self.members() {
            Some(members) => write_addrs(&mut out, members),
            None => {
                out.null();
            }
        }
        out.array(2).bool(self.open.required);
        match &self.open.definition {
            Some(name) => out.text(name.as_str()),
            None => out.null(),
        };
        out.bool(self.closed).uint(self.records);
        let mut branches: Vec<(Number, &Branch)> = (0..).zip(self.branches.all()).collect();
        branches.sort_by_key(|(_, branch)| branch.id);
        out.array(branches.len());
        for (number, branch) in branches {
            self.write_branch(&mut out, number, branch)?;
        }
        write_seqs(&mut out, &self.seqs);
        let instances = self.instances();
        out.array(instances.len());
        for (id, instance) in instances {
            write_instance(&mut out, id, instance);
        }
        Ok(out.0)
    }

    fn write_branch(&self, out: &mut Writer, number: Number, branch: &Branch) -> Result<()> {
        out.array(11).bytes(&branch.id);
        let parent = branch.parent.map(|parent| self.branches.get(parent)).transpose()?;
        write_optional_id(out, parent.map(|parent| &parent.id));
        let root = self.branches.root(Prefix { branch: number, size: branch.size })?;
        out.uint(branch.base).uint(branch.size).bytes(&root).uint(status_of(branch));
        write_optional_uint(out, branch.cut);
        let successor = branch.successor.map(|next| self.branches.get(next)).transpose()?;
        write_optional_id(out, successor.map(|next| &next.id));
        out.bytes(&branch.opener);
        match self.grant(&branch.id) {
            Some(grant) => write_grant(out, grant),
            None => {
                out.null();
            }
        }
        out.array(branch.merges.len());
        for merge in &branch.merges {
            out.array(2).uint(merge.index).array(merge.heads.len());
            for (head, size) in &merge.heads {
                out.array(2).bytes(head).uint(*size);
            }
        }
        Ok(())
    }
}

/// admission.4.1, rollback.4.5
fn status_of(branch: &Branch) -> u64 {
    match branch {
        Branch { undone: true, .. } => 3,
        Branch { closed: true, .. } => 1,
        Branch { successor: Some(_), .. } => 2,
        _ => 0,
    }
}

fn write_instance(out: &mut Writer, id: &Id, instance: &Instance) {
    out.array(6).bytes(id).bytes(instance.definition.id()).uint(instance.start_time).uint(instance.rollbacks);
    out.array(instance.transitions().len());
    for taken in instance.transitions() {
        out.array(6).bytes(&taken.message).bytes(&taken.home.branch).uint(taken.home.index);
        out.uint(taken.step as u64).bytes(&taken.principal);
        write_outputs(out, &taken.outputs);
    }
    out.array(instance.approvals().len());
    for given in instance.approvals() {
        out.array(6).bytes(&given.message).bytes(&given.home.branch).uint(given.home.index);
        out.uint(given.step as u64).bytes(&given.subject).bytes(&given.principal);
    }
}

fn write_grant(out: &mut Writer, grant: &Grant) {
    out.array(9).bytes(grant.signer.key.as_bytes()).bytes(&grant.by);
    write_optional_id(out, grant.parent.as_ref());
    write_reach(out, grant.steps.as_deref(), grant.to.as_deref());
    out.uint(u64::from(grant.rights));
    write_optional_uint(out, grant.expires);
    out.uint(u64::from(grant.depth));
    write_optional_id(out, grant.next.as_ref());
}

impl Registry {
    /// The deterministic bytes that the digest is over (admission.4.2).
    pub fn canonical(&self) -> Result<Vec<u8>> {
        let mut out = Writer::with_capacity(4096);
        out.array(14).uint(2).text(self.name.as_str()).uint(self.size).bytes(&self.root()?);
        out.uint(u64::from(self.rules_version)).uint(u64::from(self.dev));
        out.array(2).bytes(self.policy_id());
        self.policy().write(&mut out);
        let agents = self.agents();
        out.array(agents.len());
        for agent in agents {
            write_agent(&mut out, agent);
        }
        self.write_definitions(&mut out);
        self.write_proposals(&mut out);
        out.array(self.erased.len());
        for message in &self.erased {
            out.bytes(message);
        }
        write_seqs(&mut out, &self.seqs);
        self.write_halts(&mut out);
        Ok(out.0)
    }

    /// halt.3.7
    fn write_halts(&self, out: &mut Writer) {
        out.array(self.halts.all().count());
        for (id, halt) in self.halts.all() {
            out.array(4).bytes(id).bytes(&halt.author);
            halt.scope.write(out);
            out.uint(halt.from);
        }
        let ended = || self.halts.all().filter_map(|(id, halt)| halt.until.map(|until| (id, until)));
        out.array(ended().count());
        for (id, until) in ended() {
            out.array(2).bytes(id).uint(until);
        }
    }

    fn write_definitions(&self, out: &mut Writer) {
        let mut sorted: Vec<_> = self.definitions.iter().collect();
        sorted.sort_by_key(|(name, _)| name_key(name));
        out.array(sorted.len());
        for (name, versions) in sorted {
            out.array(2).text(name.as_str()).array(versions.len());
            for defined in versions {
                out.array(3).bytes(&defined.entry).bytes(defined.definition.id()).uint(defined.from);
            }
        }
    }

    fn write_proposals(&self, out: &mut Writer) {
        out.array(self.proposals.len());
        for open in self.proposals() {
            out.array(6).bytes(&open.id).uint(open.leaf).bytes(&open.author).uint(open.proposal.kind() as u64);
            match &open.proposal {
                Proposal::Define { name, replaces, document } => {
                    out.array(3).text(name.as_str());
                    write_optional_id(out, replaces.as_ref());
                    out.bytes(&Sha256::digest(document));
                }
                other => other.write(out),
            }
            out.array(open.approved.len());
            for agent in &open.approved {
                out.bytes(agent);
            }
        }
    }
}

fn write_agent(out: &mut Writer, agent: &Agent) {
    out.array(6).bytes(&agent.id).text(agent.name.as_str()).uint(u64::from(agent.purpose.number()));
    out.array(agent.enrolments.len());
    for held in &agent.enrolments {
        write_enrolment(out, held);
    }
    write_optional_uint(out, agent.revoked_at);
    write_optional_uint(out, agent.suspect_from);
}

fn write_enrolment(out: &mut Writer, held: &Enrolment) {
    out.array(6).bytes(&held.entry).bytes(held.signer.key.as_bytes()).array(held.groups.len());
    for group in &held.groups {
        out.text(group.as_str());
    }
    write_optional_id(out, held.next.as_ref());
    out.uint(held.from);
    write_optional_uint(out, held.until);
}
