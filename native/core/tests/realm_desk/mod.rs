//! A realm behind an engine over any log, with one member who writes in one conversation.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ama2sec_core::errors::Result;
use ama2sec_core::identity::Purpose;
use ama2sec_core::message::{Draft, Id, Proposal, Seq};
use ama2sec_core::realm::draft::{Author, Parts, draft_message, draft_open, draft_proposal};
use ama2sec_core::realm::engine::{Answer, Engine, Submission};
use ama2sec_core::realm::log::Log;
use ama2sec_core::realm::{Limits, Record};

use crate::support::*;

/// A realm behind an engine, with a member and a conversation of everybody.
pub struct Desk<L: Log> {
    pub engine: Engine<L>,
    pub sales: Who,
    pub chat: Id,
    pub counter: u32,
}

impl<L: Log> Desk<L> {
    pub fn new(log: L, limits: Limits) -> Desk<L> {
        let (engine, _) = Engine::create(log, key(SEQUENCER), &genesis(QUORUMS, true), START, limits).unwrap();
        let mut desk = Desk { engine, sales: root(0), chat: [0; 32], counter: 0 };
        let realm = desk.realm();
        let part = enrol_part(realm, "sales", 1, Purpose::Message, &[], None);
        let record = desk.propose(root(0), Proposal::Enrol(Box::new(part)));
        desk.sales = Who { seed: 1, agent: record.id, grant: None };
        desk.chat = desk.open().id;
        desk
    }

    pub fn realm(&self) -> Id {
        self.engine.with(|replica| Ok(*replica.state().realm().unwrap())).unwrap()
    }

    pub fn parts(&mut self) -> Parts<'static> {
        self.counter += 1;
        let mut salt = [0; 16];
        salt[..4].copy_from_slice(&self.counter.to_be_bytes());
        Parts {
            recipients: vec![],
            seq: Seq { epoch: START, counter: self.counter },
            time: START,
            salt,
            body: None,
            workflow: None,
        }
    }

    pub fn bytes(
        &self,
        who: Who,
        draft: impl FnOnce(Author<'_>, &ama2sec_core::realm::State) -> Result<Draft>,
    ) -> Vec<u8> {
        self.engine.with(|replica| Ok(signed(who, |author| draft(author, replica.state())))).unwrap()
    }

    pub fn submit(&self, bytes: &[u8]) -> Answer {
        self.engine.submit(Submission { envelope: bytes, body: None }, START).unwrap()
    }

    #[track_caller]
    pub fn record(&self, bytes: &[u8]) -> Record {
        match self.submit(bytes) {
            Answer::Sequenced { record, error: None, .. } => record,
            other => panic!("{other:?}"),
        }
    }

    pub fn propose(&mut self, who: Who, proposal: Proposal) -> Record {
        let bytes = self.proposal(who, proposal);
        self.record(&bytes)
    }

    pub fn proposal(&mut self, who: Who, proposal: Proposal) -> Vec<u8> {
        let parts = self.parts();
        self.bytes(who, |author, state| {
            draft_proposal(author, &parts, &state.seen_registry(state.registry_size())?, proposal)
        })
    }

    pub fn open(&mut self) -> Record {
        let bytes = self.open_bytes();
        self.record(&bytes)
    }

    pub fn open_bytes(&mut self) -> Vec<u8> {
        let parts = self.parts();
        let open = ama2sec_core::message::OpenPart { members: None, required: false, definition: None };
        self.bytes(self.sales, |author, state| draft_open(author, &parts, &state.seen_registry(2)?, open))
    }

    pub fn message(&mut self) -> Vec<u8> {
        let parts = self.parts();
        self.message_of(&parts)
    }

    pub fn message_of(&self, parts: &Parts<'_>) -> Vec<u8> {
        let chat = self.chat;
        self.bytes(self.sales, |author, state| {
            let branches = state.conversation(&chat).unwrap().branches();
            let size = branches.get(0)?.size;
            draft_message(author, parts, &state.seen(state.seen_registry(2)?, &chat, &chat, size)?, vec![])
        })
    }
}

/// The realm as a transcript.
pub fn exported<L: Log>(desk: &Desk<L>, only: Option<&Id>) -> Vec<u8> {
    let mut out = Vec::new();
    desk.engine
        .export(only, |piece| {
            out.extend_from_slice(piece);
            Ok(())
        })
        .unwrap();
    out
}
