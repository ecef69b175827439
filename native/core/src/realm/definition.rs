//! A workflow's document: the bytes that are registered, and the table that they read as (workflow.1).

use crate::errors::{Code, Error, Result};
use crate::identity::Name;
use crate::limits::{
    MAX_APPROVALS, MAX_CONDITIONS, MAX_DEFINITION, MAX_NEEDS, MAX_SCHEMA, MAX_STEP_GROUPS, MAX_WORKFLOW_STEPS, TIME_END,
};
use crate::message::codec::check_item;
use crate::message::{
    HashPurpose, Id, Output, Value, Writer, keyed, read_output, read_outputs, write_optional_uint, write_output,
};

/// A step by its place in the definition.
pub type StepIndex = usize;

/// What a step waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs {
    /// One is enough.
    pub any: bool,
    pub steps: Vec<StepIndex>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    Equal,
    AtMost,
    AtLeast,
}

/// What must hold of an output of a step that was taken before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    pub step: StepIndex,
    pub output: Name,
    pub relation: Relation,
    pub value: Output,
}

/// How many distinct principals must have approved which step's last transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approvals {
    pub of: StepIndex,
    pub count: u8,
    pub by: Vec<Name>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputType {
    Bool,
    Int,
    Text,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepRule {
    pub name: Name,
    pub by: Vec<Name>,
    pub needs: Needs,
    /// The step at which is chosen between this one and others.
    pub choice: Option<StepIndex>,
    pub when: Vec<Condition>,
    pub approvals: Option<Approvals>,
    /// Milliseconds from the instance's start.
    pub deadline: Option<u64>,
    pub visits: u8,
    pub terminal: bool,
    pub pivot: bool,
    pub outputs: Vec<(Name, OutputType)>,
    /// A JSON Schema; nothing here reads it.
    pub payload: Option<String>,
    /// The step that compensates this one.
    pub undo: Option<StepIndex>,
}

/// A definition that is sound (workflow.1.3). There is no other way to one than `Definition::parse`.
#[derive(Clone, Debug)]
pub struct Definition {
    id: Id,
    document: Vec<u8>,
    name: Name,
    start: StepIndex,
    rollback: (Vec<Name>, u8),
    steps: Vec<StepRule>,
    /// The grounds of each step (workflow.1.3 d), a bit for each.
    grounds: Vec<u64>,
}

const _: () = assert!(MAX_WORKFLOW_STEPS <= 64, "the grounds of a step are one u64");

const DEFINITION: &str = "a definition: [1, name, start, rollback, steps]";
const STEP: &str = "a step of thirteen elements";

fn unsound(expected: &'static str, got: impl Into<String>) -> Error {
    Error::new(Code::DefinitionInvalid, expected, got.into())
}

impl Definition {
    /// Reads the canonical bytes and judges them. Raises `DefinitionInvalid`.
    pub fn parse(document: &[u8]) -> Result<Definition> {
        if document.len() > MAX_DEFINITION {
            return Err(unsound("a definition of at most 61,440 bytes", document.len().to_string()));
        }
        let form = |fault: Error| match fault.code {
            Code::Internal => fault,
            code => Error::new(Code::DefinitionInvalid, fault.expected, format!("{}: {}", code.as_str(), fault.got)),
        };
        check_item(document, false).map_err(form)?;
        let read = read_definition(document).map_err(form)?;
        if read.encode() != document {
            return Err(Error::new(
                Code::Internal,
                "a definition that encodes to the bytes it was read from",
                "another",
            ));
        }
        read.judged()
    }

    /// Keyed BLAKE3 over the document (workflow.1.2): what every message that takes a step names.
    pub fn id(&self) -> &Id {
        &self.id
    }

    pub fn document(&self) -> &[u8] {
        &self.document
    }

    pub fn name(&self) -> &Name {
        &self.name
    }

    pub fn start(&self) -> StepIndex {
        self.start
    }

    /// Who may roll an instance back, and how often.
    pub fn rollback(&self) -> (&[Name], u8) {
        (&self.rollback.0, self.rollback.1)
    }

    pub fn steps(&self) -> &[StepRule] {
        &self.steps
    }

    pub fn step(&self, index: StepIndex) -> Result<&StepRule> {
        self.steps.get(index).ok_or_else(|| Error::new(Code::Internal, "a step of this definition", "another"))
    }

    pub fn index(&self, name: &Name) -> Option<StepIndex> {
        self.steps.iter().position(|step| step.name == *name)
    }

    /// Whether `ground` is among the grounds of `step`.
    pub fn is_ground(&self, step: StepIndex, ground: StepIndex) -> bool {
        self.grounds.get(step).is_some_and(|grounds| grounds >> ground & 1 == 1)
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(self.document.len());
        out.array(5).uint(1).text(self.name.as_str()).uint(self.start as u64);
        out.array(2);
        write_names(&mut out, &self.rollback.0);
        out.uint(u64::from(self.rollback.1)).array(self.steps.len());
        self.steps.iter().for_each(|step| step.write(&mut out));
        out.0
    }

    /// workflow.1.3
    fn judged(mut self) -> Result<Definition> {
        let names = |step: &StepRule| step.name.as_str().to_owned();
        for (index, step) in self.steps.iter().enumerate() {
            // a
            if self.index(&step.name) != Some(index) {
                return Err(unsound("steps with distinct names", names(step)));
            }
        }
        // b
        if self.start >= self.steps.len() {
            return Err(unsound("a start among the steps", self.start.to_string()));
        }
        for (index, step) in self.steps.iter().enumerate() {
            let reads = step.when.iter().map(|condition| condition.step);
            if let Some(wrong) = step.refers().chain(reads).find(|to| *to >= self.steps.len()) {
                return Err(unsound("the index of a step", format!("{wrong} in {}", names(step))));
            }
            if step.refers().any(|to| to == index) {
                return Err(unsound("a step that does not refer to itself", names(step)));
            }
        }
        // c
        let start = self.step(self.start)?;
        if !(start.needs.steps.is_empty()
            && start.choice.is_none()
            && start.when.is_empty()
            && start.approvals.is_none())
        {
            return Err(unsound("a start without needs, choice, when or approvals", names(start)));
        }
        // d
        self.grounds = self.find_grounds()?;
        self.steps.iter().enumerate().try_for_each(|(index, step)| self.judge_step(index, step))?;
        // g
        if !self.steps.iter().any(|step| step.terminal) {
            return Err(unsound("a terminal step", "none"));
        }
        Ok(self)
    }

    /// The grounds of every step, each from those of what it needs; what depends on itself never comes to an end.
    fn find_grounds(&self) -> Result<Vec<u64>> {
        let mut found: Vec<Option<u64>> = vec![None; self.steps.len()];
        for _ in &self.steps {
            for (index, step) in self.steps.iter().enumerate() {
                let needs = if step.needs.any { &[] } else { step.needs.steps.as_slice() };
                let grounds = needs.iter().try_fold(0u64, |all, need| {
                    let of_need = found.get(*need).copied().flatten()?;
                    Some(all | of_need | 1 << need)
                });
                if let Some(slot) = found.get_mut(index) {
                    *slot = grounds;
                }
            }
        }
        let circle = found.iter().position(Option::is_none).and_then(|index| self.steps.get(index));
        match circle {
            Some(step) => Err(unsound("needs without a circle, but through any", step.name.as_str())),
            None => Ok(found.into_iter().flatten().collect()),
        }
    }

    /// e, f
    fn judge_step(&self, index: StepIndex, step: &StepRule) -> Result<()> {
        let needed = |to: StepIndex| !step.needs.any && step.needs.steps.contains(&to);
        let of = step.approvals.as_ref().map(|approvals| approvals.of);
        if step.choice.into_iter().chain(of).any(|to| !needed(to)) {
            return Err(unsound("a choice, and approvals, of a step that is needed", step.name.as_str()));
        }
        for condition in &step.when {
            let expected = "a condition on a declared output, of its type, of a step that is needed on every way";
            let read = self.step(condition.step)?;
            let declared = read.outputs.iter().find(|(name, _)| *name == condition.output).map(|(_, kind)| *kind);
            let kind = type_of(&condition.value);
            let ordered = condition.relation == Relation::Equal || kind == OutputType::Int;
            if !self.is_ground(index, condition.step) || declared != Some(kind) || !ordered {
                return Err(unsound(expected, format!("{} in {}", condition.output.as_str(), step.name.as_str())));
            }
        }
        Ok(())
    }
}

impl StepRule {
    /// Every index that it has, but those of its conditions.
    fn refers(&self) -> impl Iterator<Item = StepIndex> {
        let approvals = self.approvals.iter().map(|approvals| approvals.of);
        self.needs.steps.iter().copied().chain(self.choice).chain(approvals).chain(self.undo)
    }

    fn write(&self, out: &mut Writer) {
        out.array(13).text(self.name.as_str());
        write_names(out, &self.by);
        out.array(2).uint(u64::from(self.needs.any)).array(self.needs.steps.len());
        self.needs.steps.iter().for_each(|need| {
            out.uint(*need as u64);
        });
        write_index(out, self.choice);
        out.array(self.when.len());
        for condition in &self.when {
            out.array(4).uint(condition.step as u64).text(condition.output.as_str()).uint(condition.relation as u64);
            write_output(out, &condition.value);
        }
        match &self.approvals {
            Some(approvals) => {
                out.array(3).uint(approvals.of as u64).uint(u64::from(approvals.count));
                write_names(out, &approvals.by);
            }
            None => {
                out.null();
            }
        }
        write_optional_uint(out, self.deadline);
        out.uint(u64::from(self.visits)).bool(self.terminal).bool(self.pivot).map(self.outputs.len());
        for (name, kind) in &self.outputs {
            out.text(name.as_str()).uint(*kind as u64);
        }
        match &self.payload {
            Some(schema) => out.text(schema),
            None => out.null(),
        };
        write_index(out, self.undo);
    }
}

fn write_names(out: &mut Writer, names: &[Name]) {
    out.array(names.len());
    names.iter().for_each(|name| {
        out.text(name.as_str());
    });
}

fn write_index(out: &mut Writer, index: Option<StepIndex>) {
    write_optional_uint(out, index.map(|index| index as u64));
}

pub(super) fn type_of(value: &Output) -> OutputType {
    match value {
        Output::Bool(_) => OutputType::Bool,
        Output::Int(_) => OutputType::Int,
        Output::Text(_) => OutputType::Text,
    }
}

fn read_definition(document: &[u8]) -> Result<Definition> {
    let mut input = Value::new(document, "definition");
    input.array_of(5, DEFINITION)?;
    input.small(1, 1)?;
    let (name, start) = (input.name()?, read_index(&mut input)?);
    input.array_of(2, "rollback: [by, cap]")?;
    let rollback = (read_names(&mut input, 0)?, input.small(0, u8::MAX)?);
    let count = input.list(MAX_WORKFLOW_STEPS)?;
    if count == 0 {
        return Err(input.wrong_type("at least one step"));
    }
    let steps = (0..count).map(|_| read_step(&mut input)).collect::<Result<_>>()?;
    let (id, document) = (keyed(HashPurpose::Definition, document), document.to_vec());
    Ok(Definition { id, document, name, start, rollback, steps, grounds: Vec::new() })
}

fn read_step(input: &mut Value<'_>) -> Result<StepRule> {
    input.array_of(13, STEP)?;
    Ok(StepRule {
        name: input.name()?,
        by: read_names(input, 1)?,
        needs: read_needs(input)?,
        choice: input.or_null(read_index)?,
        when: read_list(input, MAX_CONDITIONS, read_condition)?,
        approvals: input.or_null(read_approvals)?,
        deadline: input.or_null(read_deadline)?,
        visits: input.small(1, u8::MAX)?,
        terminal: input.bool()?,
        pivot: input.bool()?,
        outputs: read_outputs(input, read_output_type)?,
        payload: input.or_null(read_schema)?,
        undo: input.or_null(read_index)?,
    })
}

fn read_list<T>(input: &mut Value<'_>, most: usize, read: impl Fn(&mut Value<'_>) -> Result<T>) -> Result<Vec<T>> {
    (0..input.list(most)?).map(|_| read(input)).collect()
}

/// The bounds of the index of a step; whether there is one of it, soundness asks.
fn read_index(input: &mut Value<'_>) -> Result<StepIndex> {
    let index = input.uint_below(MAX_WORKFLOW_STEPS as u64)?;
    usize::try_from(index).map_err(|_| input.wrong_type("an index"))
}

fn read_names(input: &mut Value<'_>, least: usize) -> Result<Vec<Name>> {
    let count = input.list(MAX_STEP_GROUPS)?;
    if count < least {
        return Err(input.wrong_type("at least one group"));
    }
    input.ascending(count, Value::name)
}

fn read_needs(input: &mut Value<'_>) -> Result<Needs> {
    input.array_of(2, "needs: [mode, steps]")?;
    let any = input.small(0, 1)? == 1;
    let count = input.list(MAX_NEEDS)?;
    if any && count == 0 {
        return Err(input.wrong_type("any of at least one step"));
    }
    Ok(Needs { any, steps: input.ascending(count, read_index)? })
}

fn read_condition(input: &mut Value<'_>) -> Result<Condition> {
    input.array_of(4, "a condition: [step, output, relation, value]")?;
    let (step, output) = (read_index(input)?, input.name()?);
    let relation = match input.small(0, 2)? {
        0 => Relation::Equal,
        1 => Relation::AtMost,
        _ => Relation::AtLeast,
    };
    Ok(Condition { step, output, relation, value: read_output(input)? })
}

fn read_approvals(input: &mut Value<'_>) -> Result<Approvals> {
    input.array_of(3, "approvals: [of, count, by]")?;
    Ok(Approvals { of: read_index(input)?, count: input.small(1, MAX_APPROVALS)?, by: read_names(input, 1)? })
}

fn read_deadline(input: &mut Value<'_>) -> Result<u64> {
    match input.uint_below(TIME_END)? {
        0 => Err(input.wrong_type("a deadline of at least 1 ms")),
        deadline => Ok(deadline),
    }
}

fn read_output_type(input: &mut Value<'_>) -> Result<OutputType> {
    Ok(match input.small(0, 2)? {
        0 => OutputType::Bool,
        1 => OutputType::Int,
        _ => OutputType::Text,
    })
}

fn read_schema(input: &mut Value<'_>) -> Result<String> {
    let schema = input.text("a JSON Schema")?;
    if schema.is_empty() || schema.len() > MAX_SCHEMA {
        return Err(input.fault(Code::ClaimRange, "1 to 16,384 bytes of a JSON Schema", schema.len().to_string()));
    }
    Ok(schema.to_owned())
}
