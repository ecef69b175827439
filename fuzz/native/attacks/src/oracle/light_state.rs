//! State files (proofs.5.5): the form as a pattern, and nothing that is read is written otherwise.

use ama2sec_core::errors::Code;
use ama2sec_core::history::Hash;
use ama2sec_core::history::accumulator::{BranchTree, Scope};
use ama2sec_core::history::lightclient::LightClient;
use ama2sec_core::identity::Directory;
use ama2sec_core::message::UnverifiedEnvelope;
use sha2::{Digest, Sha256};

use super::DIRECTORY;
use super::twin::is_member;
use crate::proof_support::Twin;
use crate::seal::content;
use crate::tree::Node;

pub fn state(data: &[u8]) -> Option<Code> {
    let verdict = LightClient::parse(data, &DIRECTORY);
    let twin = read(data);
    let found = verdict.as_ref().err().map(|fault| fault.code);
    assert!(found == twin.err(), "the state: {verdict:?}, its twin: {twin:?}");
    if let Ok(client) = &verdict {
        assert!(client.encode() == data, "written again, it differs");
        assert!(client.check_succeeds(client).is_ok() && client.oldest() >= 1 && client.oldest() <= client.size());
        assert!(LightClient::parse(data, &Directory::default()).is_err(), "the open is verified again");
    }
    found
}

fn read(data: &[u8]) -> Result<(), Code> {
    let (opening, rest) = shape(data).ok_or(Code::StateForm)?;
    let open = UnverifiedEnvelope::parse(&opening).and_then(|open| open.verify(&DIRECTORY, None));
    let open = open.map_err(|fault| fault.code)?;
    let part = open.claims().open.as_ref().ok_or(Code::OpenMissing)?;
    is_member(part.members.as_deref(), &open)?;
    fits(&rest, open.id()).ok_or(Code::StateForm)
}

/// The list of seven, with its sum: the open, and what follows it.
fn shape(data: &[u8]) -> Option<(Vec<u8>, Vec<Node>)> {
    let (body, sum) = data.split_last_chunk::<32>()?;
    let node = Node::read_whole(body).filter(|node| node.is_canonical(0) && Sha256::digest(body).as_slice() == sum)?;
    let Node::Array(mut seven) = node else { return None };
    if seven.len() != 7 || seven[0] != Node::Text(b"ama2sec-lightclient".to_vec()) || seven[1] != Node::uint(1) {
        return None;
    }
    let rest = seven.split_off(3);
    let opening = matches!(seven[2], Node::Bytes(_) | Node::Wrapped(_)).then(|| content(&seven[2]))?;
    let [size, Node::Array(peaks), Node::Array(points), Node::Array(authors)] = rest.as_slice() else { return None };
    let shaped = uint(size).is_some_and(|size| (1..1 << 48).contains(&size))
        && peaks.len() <= 48
        && points.len() <= 1024
        && peaks.iter().all(|peak| hash(peak).is_some())
        && points.iter().all(|point| point_of(point).is_some())
        && authors.iter().all(|author| author_of(author).is_some());
    shaped.then_some((opening, rest))
}

/// What the parts must be to each other.
fn fits(parts: &[Node], conversation: &Hash) -> Option<()> {
    let [size, Node::Array(peaks), Node::Array(points), Node::Array(authors)] = parts else { return None };
    let size = uint(size)?;
    let peaks: Vec<Hash> = peaks.iter().map(hash).collect::<Option<_>>()?;
    let (_, print) = point_of(points.last()?)?;
    let root = peaks.iter().rev().copied().reduce(|right, left| BranchTree::node(&left, &right))?;
    let authors: Vec<Hash> = authors.iter().map(author_of).collect::<Option<_>>()?;
    let fits = peaks.len() == size.count_ones() as usize
        && points.len() as u64 <= size
        && authors.is_sorted_by(|one, two| one < two)
        && print == Scope::of_file(*conversation).fingerprint(size, &root);
    fits.then_some(())
}

fn uint(node: &Node) -> Option<u64> {
    match node {
        Node::Int { negative: false, argument } => Some(*argument),
        _ => None,
    }
}

fn hash(node: &Node) -> Option<Hash> {
    matches!(node, Node::Bytes(_)).then(|| content(node))?.try_into().ok()
}

fn point_of(node: &Node) -> Option<(Hash, Hash)> {
    match node {
        Node::Array(two) if two.len() == 2 => Some((hash(&two[0])?, hash(&two[1])?)),
        _ => None,
    }
}

fn author_of(node: &Node) -> Option<Hash> {
    match node {
        Node::Array(three) if three.len() == 3 => {
            let small = uint(&three[1])? < 1 << 48 && uint(&three[2])? <= u64::from(u32::MAX);
            hash(&three[0]).filter(|_| small)
        }
        _ => None,
    }
}
