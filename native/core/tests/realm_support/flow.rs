//! Definitions for the tests, written as bytes and not by the code under test.

use std::collections::HashMap;

use ama2sec_core::identity::Name;
use ama2sec_core::message::{Id, OpenPart, Output, WorkflowState, Writer, ZERO};
use ama2sec_core::realm::draft::{Seen, draft_message, draft_open};
use ama2sec_core::realm::{Home, OwnLeaves, State};

use super::{Outcome, Who, World, name, signed};

/// One step, as the document has it.
#[derive(Clone, Debug)]
pub struct Doc {
    pub name: &'static str,
    pub by: Vec<&'static str>,
    pub any: bool,
    pub needs: Vec<u64>,
    pub choice: Option<u64>,
    pub when: Vec<(u64, &'static str, u64, Output)>,
    pub approvals: Option<(u64, u64, Vec<&'static str>)>,
    pub deadline: Option<u64>,
    pub visits: u64,
    pub terminal: bool,
    pub pivot: bool,
    pub outputs: Vec<(&'static str, u64)>,
    pub payload: Option<String>,
    pub undo: Option<u64>,
}

impl Doc {
    pub fn new(name: &'static str, by: &'static str, needs: &[u64]) -> Doc {
        Doc {
            name,
            by: vec![by],
            any: false,
            needs: needs.to_vec(),
            choice: None,
            when: Vec::new(),
            approvals: None,
            deadline: None,
            visits: 1,
            terminal: false,
            pivot: false,
            outputs: Vec::new(),
            payload: None,
            undo: None,
        }
    }

    fn write(&self, out: &mut Writer) {
        out.array(13).text(self.name);
        texts(out, &self.by);
        out.array(2).uint(u64::from(self.any)).array(self.needs.len());
        self.needs.iter().for_each(|need| {
            out.uint(*need);
        });
        number(out, self.choice);
        out.array(self.when.len());
        for (step, output, relation, value) in &self.when {
            out.array(4).uint(*step).text(output).uint(*relation);
            match value {
                Output::Bool(value) => out.bool(*value),
                Output::Int(value) => out.int(*value),
                Output::Text(value) => out.text(value),
            };
        }
        match &self.approvals {
            Some((of, count, by)) => {
                out.array(3).uint(*of).uint(*count);
                texts(out, by);
            }
            None => {
                out.null();
            }
        }
        number(out, self.deadline);
        out.uint(self.visits).bool(self.terminal).bool(self.pivot).map(self.outputs.len());
        for (name, kind) in &self.outputs {
            out.text(name).uint(*kind);
        }
        match &self.payload {
            Some(schema) => out.text(schema),
            None => out.null(),
        };
        number(out, self.undo);
    }
}

fn texts(out: &mut Writer, all: &[&str]) {
    out.array(all.len());
    all.iter().for_each(|text| {
        out.text(text);
    });
}

fn number(out: &mut Writer, value: Option<u64>) {
    match value {
        Some(value) => out.uint(value),
        None => out.null(),
    };
}

pub fn document(name: &str, start: u64, steps: &[Doc]) -> Vec<u8> {
    with_rollback(name, start, &[], 0, steps)
}

/// With who may roll back, and how often.
pub fn with_rollback(name: &str, start: u64, by: &[&str], cap: u64, steps: &[Doc]) -> Vec<u8> {
    let mut out = Writer::default();
    out.array(5).uint(1).text(name).uint(start).array(2);
    texts(&mut out, by);
    out.uint(cap).array(steps.len());
    steps.iter().for_each(|step| step.write(&mut out));
    out.0
}

/// One step that starts and ends it; with a schema of this length.
pub fn smallest(name: &str, schema: usize) -> Vec<u8> {
    let payload = (schema > 0).then(|| "x".repeat(schema));
    document(name, 0, &[Doc { terminal: true, payload, ..Doc::new("go", "desk", &[]) }])
}

/// A word in an instance: it takes the step, or approves a subject for it.
#[derive(Clone, Debug)]
pub struct Word {
    pub instance: Option<Id>,
    pub definition: Id,
    pub step: &'static str,
    pub outputs: Vec<(&'static str, Output)>,
    pub approves: Option<Id>,
}

impl Word {
    pub fn state(&self) -> WorkflowState {
        let outputs = self.outputs.iter().map(|(text, value)| (name(text), value.clone())).collect();
        WorkflowState {
            instance: self.instance,
            definition: self.definition,
            step: name(self.step),
            outputs,
            approves: self.approves,
        }
    }
}

impl World {
    pub fn open_flow(&mut self, who: Who, definition: Option<Name>, word: Option<&Word>) -> Outcome {
        let (mut parts, seen) = (self.parts(who, ZERO, Vec::new()), self.seen_registry());
        parts.workflow = word.map(Word::state);
        let open = OpenPart { members: None, required: definition.is_some(), definition };
        let bytes = signed(who, |author| draft_open(author, &parts, &seen, open));
        self.offer(&bytes)
    }

    pub fn work(&mut self, who: Who, seen: &Seen, word: &Word) -> Outcome {
        self.work_with(who, seen, word, Vec::new())
    }

    pub fn work_with(
        &mut self,
        who: Who,
        seen: &Seen,
        word: &Word,
        merges: Vec<ama2sec_core::message::Merge>,
    ) -> Outcome {
        let mut parts = self.parts(who, seen.conversation, Vec::new());
        parts.workflow = Some(word.state());
        let bytes = signed(who, |author| draft_message(author, &parts, seen, merges));
        self.offer(&bytes)
    }

    /// The id of the entry at a home.
    pub fn at(&self, conversation: Id, home: Home) -> Id {
        let kept =
            self.kept.iter().find(|kept| kept.conversation == conversation && kept.home == home && kept.code == 0);
        kept.unwrap().id
    }

    /// The state again, from what its digest covers.
    pub fn rebuilt(&self, documents: &HashMap<Id, Vec<u8>>) -> State {
        let registry = self.state.registry().unwrap();
        let leaves: Vec<Id> = (0..registry.size()).map(|index| registry.leaf(index).unwrap()).collect();
        let conversations: Vec<(Vec<u8>, OwnLeaves)> = self
            .state
            .conversations()
            .into_iter()
            .map(|conversation| {
                let branches = conversation.branches();
                let own = (0..).zip(branches.all()).map(|(number, branch)| {
                    (branch.id, (branch.base..branch.size).map(|index| branches.leaf(number, index).unwrap()).collect())
                });
                (conversation.canonical().unwrap(), own.collect())
            })
            .collect();
        State::rebuild(&registry.canonical().unwrap(), &leaves, documents, &conversations).unwrap()
    }
}
