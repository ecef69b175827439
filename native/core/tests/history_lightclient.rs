//! The light client and the exhibit, clause by clause (proofs.5, proofs.6).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod history_support;

use std::sync::LazyLock;

use ama2sec_core::errors::Code;
use ama2sec_core::history::Hash;
use ama2sec_core::history::accumulator::{BranchTree, Scope, fingerprints};
use ama2sec_core::history::consistency::prove_consistency;
use ama2sec_core::history::exhibit::{Exhibit, check_exhibit, make_exhibit};
use ama2sec_core::history::head::{Fingerprint, Head};
use ama2sec_core::history::inclusion::prove_inclusion;
use ama2sec_core::history::lightclient::{LightClient, Source};
use ama2sec_core::history::nodes::MemoryNodes;
use ama2sec_core::history::range::prove_range;
use ama2sec_core::history::tree::Tree;
use ama2sec_core::identity::Directory;
use ama2sec_core::limits::LIGHT_WINDOW;
use ama2sec_core::message::{UnverifiedEnvelope, VerifiedEnvelope, parse_message};
use history_support::{
    Made, Random, claims, conversation, directory, ids, made, members, merge, message, open, seq, sign,
};

/// Made once: enrolling checks each key, which takes longer than what is tested here.
static DIRECTORY: LazyLock<Directory> = LazyLock::new(directory);

fn verified(entry: &Made) -> VerifiedEnvelope {
    let parts = parse_message(&entry.item).unwrap();
    UnverifiedEnvelope::parse(parts.envelope).unwrap().verify(&DIRECTORY, parts.body).unwrap()
}

fn tree(ids: &[Hash]) -> Tree<MemoryNodes> {
    let mut made = Tree::new(MemoryNodes::default());
    made.extend(ids).unwrap();
    made
}

fn head(ids: &[Hash], n: usize) -> Fingerprint {
    let scope = Scope::of_file(ids[0]);
    let fingerprint = fingerprints(&scope, &ids[..n]).unwrap()[n];
    Fingerprint { scope, head: Head { size: n as u64, fingerprint } }
}

fn follow(client: &mut LightClient, entries: &[Made]) {
    for entry in entries {
        let next = client.check(&verified(entry), None).unwrap();
        client.apply(next).unwrap();
    }
}

/// Starts at the open and sees the first `n` entries.
fn client(entries: &[Made], n: usize) -> LightClient {
    let mut made = LightClient::start(verified(&entries[0])).unwrap();
    follow(&mut made, &entries[1..n]);
    made
}

/// Joins at n with the messages [i, n).
fn joined(entries: &[Made], i: usize, n: usize) -> LightClient {
    let all = ids(entries);
    let last: Vec<_> = entries[i..n].iter().map(verified).collect();
    let proof = prove_range::<BranchTree, _>(&mut tree(&all), i as u64, n as u64, n as u64).unwrap();
    LightClient::join(head(&all, n), verified(&entries[0]), &last, &proof).unwrap()
}

fn code<T: std::fmt::Debug>(outcome: ama2sec_core::errors::Result<T>) -> Code {
    outcome.unwrap_err().code
}

#[test]
fn each_next_message_needs_no_proof_and_gives_the_head_of_the_whole() {
    let entries = conversation(300, 5, 7, 11);
    let all = ids(&entries);
    let mut light = LightClient::start(verified(&entries[0])).unwrap();
    for n in 1..entries.len() {
        assert_eq!(light.head(), head(&all, n));
        follow(&mut light, &entries[n..=n]);
        assert_eq!(light.peaks().len() as u32, light.size().count_ones());
    }
    assert_eq!(light.oldest(), 1);
}

#[test]
fn a_joined_client_goes_on_like_one_that_was_there_from_the_start() {
    let entries = conversation(200, 4, 3, 5);
    for n in [1_usize, 2, 3, 64, 65, 100, 127, 128, 199] {
        for i in [0, n / 2, n.saturating_sub(5), n - 1] {
            let mut light = joined(&entries, i, n);
            assert_eq!(light.head(), head(&ids(&entries), n));
            assert_eq!(light.oldest(), i as u64 + 1);
            for entry in &entries[n..] {
                match light.check(&verified(entry), None) {
                    Ok(next) => light.apply(next).unwrap(),
                    Err(fault) => {
                        // Only a sender who was behind the join needs a proof.
                        assert_eq!(fault.code, Code::NeedsProof);
                        assert!(entry.n <= i as u64);
                        let proof =
                            prove_consistency::<BranchTree, _>(&mut tree(&ids(&entries)), entry.n, light.size())
                                .unwrap();
                        let next = light.check(&verified(entry), Some(&proof)).unwrap();
                        light.apply(next).unwrap();
                    }
                }
            }
            assert_eq!(light.head(), head(&ids(&entries), 200));
        }
    }
}

#[test]
fn every_fault_of_a_next_entry_has_its_code_and_changes_nothing() {
    let entries = conversation(40, 3, 0, 9);
    let all = ids(&entries);
    let light = client(&entries, 40);
    let before = light.encode();
    let ask = |entry: &Made| code(light.check(&verified(entry), None));
    assert_eq!(ask(&open(0, None, 3)), Code::OpenAgain);
    let others = conversation(3, 3, 0, 10);
    assert_eq!(ask(&others[1]), Code::ConversationOther);
    assert_eq!(ask(&message(5, &all, 40, seq(5, 50), 1)), Code::NotAMember);
    assert_eq!(ask(&entries[39]), Code::SeqUsed);
    let mut jump = claims(0, &all, 40, seq(0, 50), 1);
    jump.seq = Some(ama2sec_core::message::Seq { epoch: 1_900_000_000_000, counter: (1 << 16) + 1 });
    assert_eq!(ask(&made(0, sign(0, &jump), None)), Code::SeqWindow);
    let mut other = claims(0, &all, 40, seq(0, 50), 1);
    other.branch = [9; 32];
    assert_eq!(ask(&made(0, sign(0, &other), None)), Code::BranchUnknown);
    let mut forked = claims(0, &all, 40, seq(0, 50), 1);
    forked.context.fingerprint[31] ^= 1;
    assert_eq!(ask(&made(0, sign(0, &forked), None)), Code::ContextForked);
    let mut parent = claims(0, &all, 40, seq(0, 50), 1);
    parent.parent = Some(all[3]);
    assert_eq!(ask(&made(0, sign(0, &parent), None)), Code::ContextForked);
    let mut merged = claims(0, &all, 40, seq(0, 50), 1);
    merged.merges = vec![merge([9; 32])];
    assert_eq!(ask(&made(0, sign(0, &merged), None)), Code::MergeNotBuilt);
    let more = conversation(44, 3, 0, 9);
    assert_eq!(code(light.check(&verified(&more[43]), None)), Code::ContextAhead);
    let proof = prove_consistency::<BranchTree, _>(&mut tree(&all), 39, 40).unwrap();
    let honest = message(0, &all, 40, seq(0, 50), 1);
    assert_eq!(code(light.check(&verified(&honest), Some(&proof))), Code::ProofClaim);
    assert!(light.check(&verified(&honest), None).is_ok());
    assert_eq!(light.encode(), before);
}

#[test]
fn a_check_is_for_the_size_at_which_it_was_made() {
    let entries = conversation(10, 3, 0, 2);
    let mut light = client(&entries, 8);
    let (first, again) = (light.check(&verified(&entries[8]), None).unwrap(), light.clone());
    light.apply(first.clone()).unwrap();
    assert_eq!(code(light.apply(first)), Code::Internal);
    assert_eq!(again.size() + 1, light.size());
}

#[test]
fn a_gap_names_the_first_missing_message_from_the_senders_context_or_a_peers() {
    let entries = conversation(60, 4, 0, 21);
    let all = ids(&entries);
    for size in 1..59 {
        let light = client(&entries, size);
        let late = verified(&entries[59]);
        assert_eq!(code(light.check(&late, None)), Code::ContextAhead);
        let claimed = late.claims().context;
        let context =
            Fingerprint { scope: light.scope(), head: Head { size: claimed.size, fingerprint: claimed.fingerprint } };
        let proof = prove_inclusion::<BranchTree, _>(&mut tree(&all), size as u64, claimed.size).unwrap();
        for source in [Source::Sender, Source::Peer] {
            let found = light.missing(context, source, &all[size], &proof).unwrap();
            assert_eq!((*found.id(), found.index(), found.source()), (all[size], size as u64, source));
        }
        // Another id, another index and another size are no answer.
        assert_eq!(code(light.missing(context, Source::Peer, &all[size - 1], &proof)), Code::ProofRoot);
        let other = prove_inclusion::<BranchTree, _>(&mut tree(&all), size as u64 - 1, claimed.size).unwrap();
        assert_eq!(code(light.missing(context, Source::Peer, &all[size - 1], &other)), Code::ProofClaim);
        let shorter = prove_inclusion::<BranchTree, _>(&mut tree(&all), size as u64, claimed.size - 1);
        if let Ok(shorter) = shorter {
            assert_eq!(code(light.missing(context, Source::Peer, &all[size], &shorter)), Code::ProofClaim);
        }
    }
}

#[test]
fn a_fork_shows_in_the_first_subtree_that_differs() {
    let ours = conversation(40, 3, 0, 31);
    for cut in [1_usize, 5, 16, 31, 32, 36] {
        // The same beginning, then other messages.
        let mut theirs: Vec<Made> = ours[..cut].to_vec();
        while theirs.len() < 50 {
            let so_far = ids(&theirs);
            theirs.push(message(1, &so_far, so_far.len(), seq(1, 1000 + so_far.len() as u64), 7));
        }
        let light = client(&ours, 37);
        let all = ids(&theirs);
        let proof = prove_inclusion::<BranchTree, _>(&mut tree(&all), 37, 50).unwrap();
        let fault = light.missing(head(&all, 50), Source::Peer, &all[37], &proof).unwrap_err();
        assert_eq!(fault.code, Code::ContextForked);
        let place = if cut < 32 { "leaves 0 to 32" } else { "leaves 32 to 36" };
        let place = if cut == 36 { "leaves 36 to 37" } else { place };
        assert!(fault.expected.starts_with(place), "{cut}: {}", fault.expected);
    }
}

#[test]
fn a_sender_beyond_the_window_needs_a_proof_and_a_forged_one_does_not_help() {
    let count = LIGHT_WINDOW + 40;
    let entries = conversation(count, 3, 0, 41);
    let all = ids(&entries);
    let light = client(&entries, count);
    assert_eq!(light.oldest(), 41);
    let late = message(2, &all, 10, seq(2, 5000), 1);
    assert_eq!(code(light.check(&verified(&late), None)), Code::NeedsProof);
    let proof = prove_consistency::<BranchTree, _>(&mut tree(&all), 10, count as u64).unwrap();
    assert!(light.check(&verified(&late), Some(&proof)).is_ok());
    let mut forked = claims(2, &all, 10, seq(2, 5000), 1);
    forked.context.fingerprint = head(&all, 11).head.fingerprint;
    let forked = made(2, sign(2, &forked), None);
    assert_eq!(code(light.check(&verified(&forked), Some(&proof))), Code::ConsistencyRoot);
    for bit in 0..proof.len() * 8 {
        let mut flipped = proof.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(light.check(&verified(&late), Some(&flipped)).is_err(), "bit {bit}");
    }
}

#[test]
fn what_a_join_needs_and_refuses() {
    let entries = conversation(50, 3, 0, 51);
    let all = ids(&entries);
    let (opening, last) = (verified(&entries[0]), vec![verified(&entries[49])]);
    let proof = prove_range::<BranchTree, _>(&mut tree(&all), 49, 50, 50).unwrap();
    let join = |head: Fingerprint, opening: &VerifiedEnvelope, last: &[VerifiedEnvelope], proof: &[u8]| {
        code(LightClient::join(head, opening.clone(), last, proof))
    };
    let good = head(&all, 50);
    assert!(LightClient::join(good, opening.clone(), &last, &proof).is_ok());
    let with = |change: &dyn Fn(&mut Fingerprint)| {
        let mut other = good;
        change(&mut other);
        other
    };
    assert_eq!(join(with(&|h| h.scope.realm = [1; 32]), &opening, &last, &proof), Code::RealmOther);
    assert_eq!(join(with(&|h| h.scope.conversation = [1; 32]), &opening, &last, &proof), Code::ConversationOther);
    assert_eq!(join(with(&|h| h.scope.branch = [1; 32]), &opening, &last, &proof), Code::BranchUnknown);
    assert_eq!(join(with(&|h| h.head.size = 51), &opening, &last, &proof), Code::ProofClaim);
    assert_eq!(join(with(&|h| h.head.fingerprint[0] ^= 1), &opening, &last, &proof), Code::ProofRoot);
    assert_eq!(join(good, &verified(&entries[1]), &last, &proof), Code::OpenMissing);
    assert_eq!(join(good, &opening, &[], &proof), Code::ArgumentRange);
    assert_eq!(join(good, &opening, &[verified(&entries[48])], &proof), Code::ProofRoot);
    let early = prove_range::<BranchTree, _>(&mut tree(&all), 48, 49, 50).unwrap();
    assert_eq!(join(good, &opening, &[verified(&entries[48])], &early), Code::ProofClaim);
    // An enrolled stranger cannot open a conversation whose members he names.
    let strange = open(5, members(0..3), 1);
    assert_eq!(code(LightClient::start(verified(&strange))), Code::NotAMember);
}

#[test]
fn a_client_skips_only_to_heads_that_extend_its_own() {
    let entries = conversation(90, 3, 0, 61);
    let all = ids(&entries);
    let mut light = client(&entries, 20);
    let mut nodes = tree(&all);
    let extends = prove_consistency::<BranchTree, _>(&mut nodes, 20, 90).unwrap();
    let range = prove_range::<BranchTree, _>(&mut nodes, 85, 90, 90).unwrap();
    let last: Vec<_> = entries[85..90].iter().map(verified).collect();
    let before = light.encode();
    let forked = conversation(90, 3, 0, 62);
    let other = Fingerprint { scope: light.scope(), head: head(&ids(&forked), 90).head };
    assert_eq!(code(light.skip(other, &extends, &last, &range)), Code::ProofRoot);
    assert_eq!(code(light.skip(head(&all, 19), &extends, &last, &range)), Code::HeadStale);
    let same_size = Fingerprint { scope: light.scope(), head: head(&ids(&forked), 20).head };
    assert_eq!(code(light.skip(same_size, &extends, &last, &range)), Code::HeadForked);
    assert_eq!(code(light.skip(head(&all, 90), &extends, &last[1..], &range)), Code::ArgumentRange);
    assert_eq!(light.encode(), before, "nothing changes when a skip fails");
    let own = light.head();
    light.skip(own, &[], &[], &[]).unwrap();
    assert_eq!(light.encode(), before);
    light.skip(head(&all, 90), &extends, &last, &range).unwrap();
    assert_eq!((light.head(), light.oldest()), (head(&all, 90), 86));
    // Numbers that were known stay known.
    assert!(light.last_seq(&verified(&entries[19]).claims().agent).is_some());
}

#[test]
fn the_state_file_has_one_form_and_every_bit_counts() {
    let entries = conversation(21, 3, 2, 71);
    let light = client(&entries, 21);
    let bytes = light.encode();
    let again = LightClient::parse(&bytes, &DIRECTORY).unwrap();
    assert_eq!((again.encode(), again.head(), again.oldest()), (bytes.clone(), light.head(), light.oldest()));
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(code(LightClient::parse(&flipped, &DIRECTORY)), Code::StateForm, "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert_eq!(code(LightClient::parse(&bytes[..length], &DIRECTORY)), Code::StateForm);
    }
}

#[test]
fn a_state_whose_checksum_was_made_again_is_still_held_to_its_form() {
    use sha2::{Digest, Sha256};
    let entries = conversation(21, 3, 2, 71);
    let body = client(&entries, 21).encode();
    let body = &body[..body.len() - 32];
    let mut accepted = 0;
    for bit in 0..body.len() * 8 {
        let mut flipped = body.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let sum: [u8; 32] = Sha256::digest(&flipped).into();
        flipped.extend_from_slice(&sum);
        // Older leaves, fingerprints and numbers are the owner's word; form, open, peaks and the last fingerprint are not.
        if LightClient::parse(&flipped, &DIRECTORY).is_ok() {
            accepted += 1;
        }
    }
    assert!(accepted < body.len() * 8, "some are accepted: {accepted}");
    let at = body.windows(4).position(|part| part == [0xd2, 0x84, 0x58, 0x3c]).unwrap();
    let mut forged = body.to_vec();
    forged[at + 100] ^= 1;
    let sum: [u8; 32] = Sha256::digest(&forged).into();
    forged.extend_from_slice(&sum);
    assert!(LightClient::parse(&forged, &DIRECTORY).is_err(), "the open is verified again");
}

#[test]
fn a_stored_state_is_only_replaced_by_its_own_future() {
    let entries = conversation(LIGHT_WINDOW + 60, 3, 0, 81);
    let stored = client(&entries, 30);
    let (same, later, earlier) = (client(&entries, 30), client(&entries, 31), client(&entries, 29));
    assert!(same.check_succeeds(&stored).is_ok());
    assert!(later.check_succeeds(&stored).is_ok());
    assert_eq!(code(earlier.check_succeeds(&stored)), Code::HeadStale);
    let mut forked = entries[..29].to_vec();
    forked.push(message(1, &ids(&forked), 29, seq(1, 4000), 5));
    forked.push(message(1, &ids(&forked), 30, seq(1, 4001), 5));
    assert_eq!(code(client(&forked, 31).check_succeeds(&stored)), Code::HeadForked);
    let other = conversation(40, 3, 0, 82);
    assert_eq!(code(client(&other, 40).check_succeeds(&stored)), Code::ConversationOther);
    // Beyond the window only a client that came from that file may write it.
    let far = client(&entries, LIGHT_WINDOW + 60);
    assert_eq!(code(far.check_succeeds(&stored)), Code::NeedsProof);
    let mut came = LightClient::parse(&stored.encode(), &DIRECTORY).unwrap();
    follow(&mut came, &entries[30..]);
    assert!(came.check_succeeds(&stored).is_ok());
    let mut forked_file = client(&forked, 31);
    forked_file.mark_kept();
    assert_eq!(code(came.check_succeeds(&forked_file)), Code::NeedsProof);
}

#[test]
fn random_lags_joins_and_skips_end_at_the_same_head() {
    let mut random = Random(0x11_51);
    for round in 0..12 {
        let entries = conversation(150, 5, random.below(40), 100 + round);
        let all = ids(&entries);
        let start = 1 + random.below(40) as usize;
        let from = random.below(start as u64) as usize;
        let mut light = joined(&entries, from, start);
        while (light.size() as usize) < entries.len() {
            let size = light.size() as usize;
            if random.below(10) == 0 {
                let to = size + 1 + random.below((entries.len() - size) as u64) as usize;
                let begin = to - 1 - random.below(to.min(5) as u64) as usize;
                let mut nodes = tree(&all);
                let extends = prove_consistency::<BranchTree, _>(&mut nodes, size as u64, to as u64).unwrap();
                let range = prove_range::<BranchTree, _>(&mut nodes, begin as u64, to as u64, to as u64).unwrap();
                let last: Vec<_> = entries[begin..to].iter().map(verified).collect();
                light.skip(head(&all, to), &extends, &last, &range).unwrap();
                continue;
            }
            let entry = &entries[size];
            let proof = (entry.n < light.oldest())
                .then(|| prove_consistency::<BranchTree, _>(&mut tree(&all), entry.n, light.size()).unwrap());
            let next = light.check(&verified(entry), proof.as_deref()).unwrap();
            light.apply(next).unwrap();
            assert_eq!(light.head(), head(&all, light.size() as usize));
        }
    }
}

#[test]
fn an_exhibit_holds_one_message_its_path_and_its_head() {
    let entries = conversation(33, 3, 1, 91);
    let all = ids(&entries);
    for index in [0u64, 1, 16, 32] {
        let proof = prove_inclusion::<BranchTree, _>(&mut tree(&all), index, 33).unwrap();
        let good = head(&all, 33);
        let entry = &entries[index as usize];
        let data = make_exhibit(&good, &entry.item, &proof).unwrap();
        let found = check_exhibit(&data, Some(&good.head)).unwrap();
        assert!(found.retained());
        assert_eq!((found.included().index(), found.included().id()), (index, &entry.id));
        assert!(!check_exhibit(&data, None).unwrap().retained());
        assert_eq!(Exhibit::parse(&data).unwrap().entry(), entry.item);
        // A bare envelope becomes an entry that withholds the body.
        let bare = make_exhibit(&good, &entry.envelope, &proof).unwrap();
        assert!(check_exhibit(&bare, Some(&good.head)).is_ok());
        assert_eq!(code(check_exhibit(&data, Some(&head(&all, 32).head))), Code::HeadForked);
        assert_eq!(code(check_exhibit(&data, Some(&Head { size: 34, ..good.head }))), Code::HeadStale);
        let other = &entries[(index as usize + 1) % 33];
        assert_eq!(code(make_exhibit(&good, &other.item, &proof)), Code::ProofRoot);
    }
}

#[test]
fn every_bit_and_every_length_of_an_exhibit_counts() {
    let entries = conversation(9, 2, 0, 92);
    let all = ids(&entries);
    let proof = prove_inclusion::<BranchTree, _>(&mut tree(&all), 4, 9).unwrap();
    let good = head(&all, 9);
    let data = make_exhibit(&good, &entries[4].envelope, &proof).unwrap();
    // The signature stands in no hash: only a directory sees it.
    let at = data.windows(66).position(|part| part == &entries[4].envelope[entries[4].envelope.len() - 66..]).unwrap();
    for bit in 0..data.len() * 8 {
        let mut flipped = data.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let in_signature = (at + 2..at + 66).contains(&(bit / 8));
        assert_eq!(check_exhibit(&flipped, Some(&good.head)).is_ok(), in_signature, "bit {bit}");
    }
    for length in 0..data.len() {
        assert_eq!(code(check_exhibit(&data[..length], None)), Code::ExhibitForm);
    }
    let mut longer = data.clone();
    longer.push(0);
    assert_eq!(code(check_exhibit(&longer, None)), Code::ExhibitForm);
    assert_eq!(code(check_exhibit(&vec![0; (1 << 20) + 1], None)), Code::SizeLimit);
}
