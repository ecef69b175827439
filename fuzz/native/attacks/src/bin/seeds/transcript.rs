//! One conversation for each rule of fingerprint.5 and fingerprint.6.

use ama2sec_attacks::seal::{envelope, map, seal_file, set};
use ama2sec_attacks::support::{Made, conversation, file, members, message, open, seq};
use ama2sec_attacks::tree::Node;
use ama2sec_core::history::transcript::HEADER;

use super::Sample;

pub fn samples() -> Vec<Sample> {
    let honest = conversation(7, 3, 3, 11);
    let mut all = vec![
        ("ok", "three-authors", file(&honest)),
        ("ok", "open-alone", file(&honest[..1])),
        ("ok", "twenty", file(&conversation(20, 5, 8, 2))),
        ("ok", "withheld", [&file(&honest[..3])[..], &entry_of(&honest[3].envelope)].concat()),
    ];
    all.extend(forms(&honest));
    all.extend(orders(&honest));
    all.extend(claims(&honest));
    all
}

fn entry_of(envelope: &[u8]) -> Vec<u8> {
    Node::Array(vec![Node::uint(1), Node::Bytes(envelope.to_vec()), Node::null()]).write()
}

fn forms(honest: &[Made]) -> Vec<Sample> {
    let bytes = file(honest);
    let behind = |item: &[u8]| [&bytes[..], item].concat();
    vec![
        ("Truncated", "nothing", Vec::new()),
        ("OpenMissing", "header-alone", HEADER.to_vec()),
        ("TranscriptForm", "other-name", [&HEADER[..3], b"ama2sec-transcripT\x01"].concat()),
        ("TranscriptVersion", "two", [&HEADER[..21], b"\x02"].concat()),
        ("ItemUnknown", "second-header", behind(&HEADER)),
        ("ItemUnknown", "no-list", behind(b"\x01")),
        ("ItemNotBuilt", "proof", behind(b"\x82\x04\x00")),
        ("ItemForm", "no-envelope", behind(b"\x83\x01\x00\xf6")),
        ("Truncated", "cut-tail", bytes[..bytes.len() - 5].to_vec()),
        ("NotMinimal", "item", behind(b"\x83\x18\x01\x40\xf6")),
        ("DepthLimit", "item", behind(&[0x81; 30])),
        ("SignatureInvalid", "bit", {
            let mut bytes = bytes.clone();
            let middle = bytes.len() / 2 + honest[3].item.len() / 4;
            bytes[middle] ^= 1;
            bytes
        }),
    ]
}

fn orders(honest: &[Made]) -> Vec<Sample> {
    let changed = |change: &dyn Fn(&mut Vec<Made>)| {
        let mut entries = honest.to_vec();
        change(&mut entries);
        file(&entries)
    };
    let foreign = conversation(4, 3, 1, 12);
    vec![
        ("OpenMissing", "no-open", changed(&|all| drop(all.remove(0)))),
        ("OpenAgain", "second-open", changed(&|all| all.insert(3, open(1, None, 3)))),
        ("ConversationOther", "foreign-entry", changed(&|all| all.insert(3, foreign[2].clone()))),
        ("SeqUsed", "twice", changed(&|all| all.insert(4, all[3].clone()))),
        ("ContextForked", "dropped", changed(&|all| drop(all.remove(2)))),
        ("ContextAhead", "swapped", {
            let straight = conversation(7, 3, 0, 11);
            let mut entries = straight.clone();
            entries.swap(2, 3);
            file(&entries)
        }),
    ]
}

fn claims(honest: &[Made]) -> Vec<Sample> {
    let ids: Vec<_> = honest.iter().map(|entry| entry.id).collect();
    let next = |entry: Made| [&file(honest)[..], &entry.item].concat();
    let edited = |edit: fn(&mut Node) -> Option<()>| {
        let mut items: Vec<Node> = honest.iter().filter_map(|entry| Node::read_whole(&entry.item)).collect();
        let claims = items.last_mut().and_then(envelope).and_then(|envelope| map(envelope, 2));
        claims.and_then(edit).expect("claims");
        seal_file(&mut items, false);
        [HEADER.to_vec(), items.iter().flat_map(Node::write).collect()].concat()
    };
    let relinked = {
        let mut items: Vec<Node> = honest.iter().filter_map(|entry| Node::read_whole(&entry.item)).collect();
        let time = items.first_mut().and_then(envelope).and_then(|envelope| map(envelope, 2)?.label(10));
        *time.expect("a time") = Node::uint(5);
        seal_file(&mut items, true);
        [HEADER.to_vec(), items.iter().flat_map(Node::write).collect()].concat()
    };
    vec![
        ("ok", "everyone-enrolled", {
            let first = open(2, None, 8);
            let ids = [first.id];
            file(&[first, message(4, &ids, 1, seq(4, 1), 1)])
        }),
        ("ok", "relinked", relinked),
        ("NotAMember", "enrolled-stranger", next(message(5, &ids, 7, seq(5, 60), 60))),
        ("NotAMember", "author-of-the-open", file(&[open(3, members(0..2), 1)])),
        ("SeqWindow", "counter", next(message(0, &ids, 7, seq(0, 70_000), 61))),
        ("ContextAhead", "size", edited(|claims| set(claims.label(5)?.element(0), Node::uint(99)))),
        ("ContextForked", "fingerprint", edited(|claims| set(claims.label(5)?.element(1), Node::Bytes(vec![3; 32])))),
        ("BranchUnknown", "other-branch", edited(|claims| set(claims.label(6)?.element(0), Node::Bytes(vec![3; 32])))),
        (
            "MergeNotBuilt",
            "merge",
            edited(|claims| {
                let merge = vec![Node::Bytes(vec![9; 32]), Node::uint(1), Node::Bytes(vec![7; 32])];
                set(claims.label(6)?.element(2), Node::Array(vec![Node::Array(merge)]))
            }),
        ),
        ("PurposeWrong", "operator", next(message(6, &ids, 7, seq(6, 60), 62))),
    ]
}
