//! Conversations as files: the streaming verifier against its twin and against itself, in pieces of any size.

use std::io::Cursor;

use ama2sec_core::errors::Code;
use ama2sec_core::history::head::Head;
use ama2sec_core::history::nodes::{FileNodes, MemoryNodes, NodeStore};
use ama2sec_core::history::report::{Report, Verified};
use ama2sec_core::history::transcript::{ReadFault, Step, TranscriptReader};
use ama2sec_core::history::verify::{Failure, TranscriptVerifier};
use ama2sec_core::limits::{MAX_ITEM, WINDOW};

use super::{DIRECTORY, twin};
use crate::support::Random;

type Buffer = Cursor<Vec<u8>>;
type Judged = Result<Verified, Box<Report>>;

/// In one piece, in pieces, with a narrow window, and as the twin reads it.
pub fn transcript(data: &[u8]) -> Judged {
    let whole = verify(data, None, WINDOW, MemoryNodes::default(), &mut || data.len());
    let twin = twin::verify(data, &DIRECTORY);
    let (sound, found) = match &whole {
        Ok(verified) => (verified.entries, None),
        Err(report) => (report.sound, Some(report.first_fault.error.code)),
    };
    assert!((sound, found) == (twin.sound, twin.code), "streaming {found:?} after {sound}, the twin {twin:?}");
    let mut random = Random(data.iter().fold(7, |hash: u64, byte| hash.wrapping_mul(31) + u64::from(*byte)) | 1);
    let chunks = random.below(700) + 1;
    let mut pieces = || random.below(chunks) as usize + 1;
    let again = verify(data, None, WINDOW, FileNodes::new(Buffer::default(), 1), &mut pieces);
    assert!(again == whole, "in pieces: {again:?}, in one: {whole:?}");
    let narrow = verify(data, None, 1, FileNodes::new(Buffer::default(), 1), &mut pieces);
    match (&narrow, &whole) {
        (Err(narrow), Err(whole)) => assert!(narrow.first_fault == whole.first_fault, "the window changes a verdict"),
        _ => assert!(narrow == whole, "the window changes a verdict"),
    }
    reads_in_pieces(data, &mut pieces);
    if let Ok(verified) = &whole {
        heads(data, verified);
    }
    whole
}

fn verify<S: NodeStore>(
    data: &[u8],
    head: Option<Head>,
    window: usize,
    store: S,
    chunk: &mut dyn FnMut() -> usize,
) -> Judged {
    let mut verifier = TranscriptVerifier::with_window(&*DIRECTORY, head, store, window).threads(1);
    let mut rest = data;
    while !rest.is_empty() {
        let (now, behind) = rest.split_at(chunk().clamp(1, rest.len()));
        verifier.feed(now).expect("a fault is the verdict of the end");
        rest = behind;
        // What is held is at most what came in, once as items and once as envelopes: no length that a file declares counts.
        assert!(verifier.held().0 <= 2 * (data.len() - rest.len()), "held {:?}", verifier.held());
    }
    match verifier.finish() {
        Ok(verified) => Ok(verified),
        Err(Failure::Fault(fault)) => Err(Box::new(fault.report)),
        Err(Failure::Broken(fault)) => panic!("no verdict: {fault}"),
    }
}

/// The items are the file's own bytes, in order, without a gap; reading can start again behind any of them.
fn reads_in_pieces(data: &[u8], chunk: &mut dyn FnMut() -> usize) {
    let (mut items, fault, end) = read(TranscriptReader::new(), data, chunk);
    assert!(end as usize <= data.len() && (fault.is_some() || end as usize == data.len()));
    let mut place = items.first().map_or(end, |(offset, _)| *offset);
    for (offset, bytes) in &items {
        assert!(*offset == place, "a gap before an item");
        assert!(data[*offset as usize..].starts_with(bytes), "other bytes than the file's");
        place += bytes.len() as u64;
    }
    assert!(place == end, "the end of the last whole item");
    if items.len() > 1 {
        let start = items[1].0;
        let again = read(TranscriptReader::resume(start), &data[start as usize..], chunk);
        assert!(again == (items.split_off(1), fault, end), "reading again from an item on, it differs");
    }
}

/// Heads that were kept: the right one, one of a longer history, one of another (fingerprint.6.12).
fn heads(data: &[u8], verified: &Verified) {
    let judge = |head| verify(data, Some(head), WINDOW, MemoryNodes::default(), &mut || data.len());
    let right = verified.head.head;
    assert!(judge(right).is_ok_and(|again| again == Verified { tail_checked: true, ..verified.clone() }));
    let longer = judge(Head { size: right.size + 1, ..right }).expect_err("shorter than a head that was kept");
    assert!((longer.first_fault.error.code, longer.sound) == (Code::HeadStale, right.size));
    let mut other = right;
    other.fingerprint[31] ^= 1;
    let forked = judge(other).expect_err("another history than the head's");
    assert!((forked.first_fault.error.code, forked.first_fault.position) == (Code::HeadForked, right.size - 1));
}

type Reading = (Vec<(u64, Vec<u8>)>, Option<ReadFault>, u64);

fn read(mut reader: TranscriptReader, data: &[u8], chunk: &mut dyn FnMut() -> usize) -> Reading {
    let mut items = Vec::new();
    let mut rest = data;
    loop {
        let (mut now, behind) = rest.split_at(chunk().min(rest.len()));
        rest = behind;
        loop {
            match reader.next(&mut now, rest.is_empty()) {
                Step::Item(item) => items.push((item.offset, item.bytes.to_vec())),
                Step::More => break,
                Step::End => return (items, None, reader.offset()),
                Step::Fault(fault) => return (items, Some(fault), reader.offset()),
            }
        }
        assert!(reader.carried() <= MAX_ITEM + 1, "more than one item is held");
    }
}
