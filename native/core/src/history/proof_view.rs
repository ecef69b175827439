//! A proof as JSON, for people: its numbers, and for each hash the leaves that it stands for. Never read back as evidence.

use serde_json::{Map, Value, json};

use super::Hash;
use super::ancestry::Hop;
use super::inclusion::InclusionProof;
use super::path::{Sibling, Side};
use super::proof::{Claim, Proof};
use crate::errors::Result;
use crate::message::{claims_to_json, read_message};
use crate::text::hex;

/// The numbers and the hashes of a proof. Raises for claims inside an ancestry proof that do not read strictly.
pub fn proof_to_json(proof: &Proof<'_>) -> Result<Value> {
    let mut view = Map::new();
    view.insert("type".into(), proof.kind().into());
    view.insert("tree".into(), proof.tree().as_str().into());
    match &proof.claim {
        Claim::Inclusion(path) => path_view(&mut view, path),
        Claim::Consistency(proof) => {
            view.insert("old_size".into(), proof.old_size().into());
            view.insert("new_size".into(), proof.new_size().into());
            view.insert("hashes".into(), proof.steps().map(hash_view).collect());
        }
        Claim::Range(proof) => {
            view.insert("begin".into(), proof.begin().into());
            view.insert("end".into(), proof.end().into());
            view.insert("size".into(), proof.size().into());
            view.insert("hashes".into(), proof.steps().map(hash_view).collect());
        }
        Claim::Ancestry(proof) => {
            view.insert("via".into(), proof.via().iter().map(hop_view).collect::<Result<_>>()?);
            path_view(&mut view, proof.last());
        }
    }
    Ok(view.into())
}

fn path_view(view: &mut Map<String, Value>, path: &InclusionProof<'_>) {
    view.insert("index".into(), path.index().into());
    view.insert("size".into(), path.size().into());
    view.insert("hashes".into(), path.steps().map(hash_view).collect());
}

fn hash_view((sibling, hash): (Sibling, &Hash)) -> Value {
    let side = match sibling.side {
        Side::Left => "left",
        Side::Right => "right",
    };
    json!({"hash": hex(hash), "begin": sibling.begin, "end": sibling.end, "side": side})
}

fn hop_view(hop: &Hop<'_>) -> Result<Value> {
    let (claims, id) = read_message(hop.kid, hop.claims)?;
    let mut view = Map::new();
    path_view(&mut view, &hop.path);
    view.insert("message_id".into(), hex(&id).into());
    view.insert("kid".into(), hex(hop.kid).into());
    view.insert("merge".into(), hop.merge.into());
    view.insert("claims".into(), claims_to_json(&claims));
    Ok(view.into())
}
