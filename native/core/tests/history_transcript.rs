//! The reader of transcripts: strict, the same for chunks of every size, bounded, and able to tell a crash from damage.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "history_support/mod.rs"]
mod support;

use ama2sec_core::errors::Code;
use ama2sec_core::history::transcript::{HEADER, ReadFault, Step, TranscriptReader};
use ama2sec_core::limits::MAX_ITEM;
use support::{Random, conversation, file};

#[derive(Debug, PartialEq, Clone)]
struct Read {
    /// Offset, bytes, and the code of the item's own form.
    items: Vec<(u64, Vec<u8>, Option<Code>)>,
    fault: Option<ReadFault>,
    offset: u64,
}

fn read(bytes: &[u8], mut next_length: impl FnMut() -> usize) -> Read {
    let mut reader = TranscriptReader::new();
    let mut found = Read { items: Vec::new(), fault: None, offset: 0 };
    let mut rest = bytes;
    'file: loop {
        let (mut chunk, behind) = rest.split_at(next_length().min(rest.len()));
        rest = behind;
        let last = rest.is_empty();
        loop {
            match reader.next(&mut chunk, last) {
                Step::Item(item) => {
                    let code = item.entry.as_ref().err().map(|error| error.code);
                    found.items.push((item.offset, item.bytes.to_vec(), code));
                }
                Step::More => break,
                Step::Fault(fault) => found.fault = Some(fault),
                Step::End => break 'file,
            }
            assert!(reader.carried() <= MAX_ITEM + 1);
        }
        assert!(chunk.is_empty() && !last);
    }
    found.offset = reader.offset();
    found
}

fn whole(bytes: &[u8]) -> Read {
    let found = read(bytes, || usize::MAX);
    let mut random = Random(bytes.len() as u64 + 1);
    assert_eq!(read(bytes, || random.below(700) as usize + 1), found);
    if bytes.len() < 100_000 {
        assert_eq!(read(bytes, || 1), found);
    }
    found
}

fn fault(bytes: &[u8]) -> (Code, u64) {
    let fault = whole(bytes).fault.unwrap();
    assert!(fault.error.offset.unwrap() >= fault.offset as usize);
    (fault.error.code, fault.offset)
}

fn with_header(items: &[&[u8]]) -> Vec<u8> {
    [&HEADER[..], &items.concat()].concat()
}

#[test]
fn items_come_with_their_places() {
    let entries = conversation(12, 5, 3, 1);
    let bytes = file(&entries);
    let found = whole(&bytes);
    assert_eq!(found.fault, None);
    assert_eq!(found.offset, bytes.len() as u64);
    assert_eq!(found.items.len(), 12);
    for (entry, (offset, item, code)) in entries.iter().zip(found.items) {
        assert_eq!((&entry.item, None), (&item, code));
        assert_eq!(bytes[offset as usize..][..item.len()], item);
    }
    assert_eq!(whole(&HEADER).items.len(), 0);
    assert_eq!(whole(&HEADER).fault, None);
}

#[test]
fn the_header_is_the_first_item() {
    assert_eq!(fault(b""), (Code::Truncated, 0));
    assert_eq!(fault(&HEADER[..21]), (Code::Truncated, 0));
    assert_eq!(fault(b"\x80"), (Code::TranscriptForm, 0));
    assert_eq!(fault(b"\x01"), (Code::TranscriptForm, 0));
    assert_eq!(fault(b"\x83\x01\x72ama2sec-transcript\x01"), (Code::TranscriptForm, 0));
    assert_eq!(fault(b"\x83\x00\x72ama2sec-transcripT\x01"), (Code::TranscriptForm, 0));
    assert_eq!(fault(b"\x84\x00\x72ama2sec-transcript\x01\x01"), (Code::TranscriptForm, 0));
    assert_eq!(fault(b"\x83\x00\x72ama2sec-transcript\x40"), (Code::TranscriptForm, 0));
    assert_eq!(fault(b"\x83\x00\x72ama2sec-transcript\x02"), (Code::TranscriptVersion, 0));
    assert_eq!(fault(b"\x83\x00\x72ama2sec-transcript\x00"), (Code::TranscriptVersion, 0));
    assert_eq!(fault(b"\x83\x18\x00\x72ama2sec-transcript\x01"), (Code::NotMinimal, 0));
    assert_eq!(whole(&[0u8; 40]).fault.unwrap().error.code, Code::TranscriptForm);
}

#[test]
fn each_type_of_item_has_its_code_and_the_reading_goes_on() {
    let entry: &[u8] = b"\x83\x01\x41\xd2\xf6";
    let salted = [b"\x83\x01\x41\xd2\x82\x58\x20".as_slice(), &[7; 32], b"\x42hi"].concat();
    let cases: Vec<(&[u8], Option<Code>)> = vec![
        (entry, None),
        (&salted, None),
        (&HEADER, Some(Code::ItemUnknown)),
        (b"\x82\x02\xf6", Some(Code::ItemNotBuilt)),
        (b"\x81\x03", Some(Code::ItemNotBuilt)),
        (b"\x83\x04\x41\xd2\xf6", Some(Code::ItemNotBuilt)),
        (b"\x83\x05\x41\xd2\xf6", Some(Code::ItemUnknown)),
        (b"\x80", Some(Code::ItemUnknown)),
        (b"\x01", Some(Code::ItemUnknown)),
        (b"\xa1\x01\x01", Some(Code::ItemUnknown)),
        (b"\x82\x20\xf6", Some(Code::ItemUnknown)),
        (b"\x82\x41\x01\xf6", Some(Code::ItemUnknown)),
        (b"\x81\x01", Some(Code::ItemForm)),
        (b"\x82\x01\x41\xd2", Some(Code::ItemForm)),
        (b"\x84\x01\x41\xd2\xf6\xf6", Some(Code::ItemForm)),
        (b"\x83\x01\x61\x61\xf6", Some(Code::ItemForm)),
        (b"\x83\x01\x41\xd2\xf5", Some(Code::ItemForm)),
        (b"\x83\x01\x41\xd2\x80", Some(Code::ItemForm)),
        (b"\x83\x01\x41\xd2\x82\x41\x01\x41\x01", Some(Code::ItemForm)),
    ];
    let items: Vec<&[u8]> = cases.iter().map(|(item, _)| *item).collect();
    let found = whole(&with_header(&items));
    assert_eq!(found.fault, None);
    for ((item, expected), (_, bytes, code)) in cases.iter().zip(found.items) {
        assert_eq!((*item, *expected), (bytes.as_slice(), code));
    }
}

#[test]
fn a_fault_of_the_codec_ends_the_reading_where_the_item_starts() {
    let good: &[u8] = b"\x83\x01\x41\xd2\xf6";
    let at = HEADER.len() as u64 + 5;
    let cases: [(&[u8], Code); 12] = [
        (b"\x9f\xff", Code::IndefiniteLength),
        (b"\x83\x01\xf9\x00\x00\xf6", Code::FloatForbidden),
        (b"\x83\x01\xd2\x41\x00\xf6", Code::TypeForbidden),
        (b"\xd2\x80", Code::TypeForbidden),
        (b"\xf7", Code::TypeForbidden),
        (b"\x83\x18\x01\x41\xd2\xf6", Code::NotMinimal),
        (b"\x83\x01\x58\x01\xd2\xf6", Code::NotMinimal),
        (b"\x83\x01\x61\xff\xf6", Code::Utf8Invalid),
        (b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff", Code::IntRange),
        (b"\xa2\x02\x01\x01\x01", Code::MapKeyOrder),
        (b"\xa2\x01\x01\x01\x01", Code::MapDuplicateKey),
        (b"\x81\x81\x81\x81\x81\x81\x81\x81\x81\x01", Code::DepthLimit),
    ];
    for (item, code) in cases {
        for behind in [&b""[..], good, &[0xff; 3000]] {
            let bytes = with_header(&[good, item, behind]);
            assert_eq!(fault(&bytes), (code, at), "{item:02x?}");
            assert_eq!(whole(&bytes).offset, at);
            assert_eq!(whole(&bytes).fault.unwrap().partial, None);
        }
    }
    assert_eq!(fault(&with_header(&[good, b"\x98\x64\x01"])), (Code::Truncated, at));
}

#[test]
fn lengths_are_held_against_the_file_and_the_bound_of_an_item() {
    let at = HEADER.len() as u64;
    let largest = |extra: usize| {
        let body = MAX_ITEM - 7 - 34 - 5 + extra;
        let head =
            [b"\x83\x01\x41\xd2\x82\x58\x20".as_slice(), &[7; 32], b"\x5a", &(body as u32).to_be_bytes()].concat();
        [head, vec![0; body]].concat()
    };
    assert!(largest(0).len() <= MAX_ITEM && largest(2).len() == MAX_ITEM);
    for extra in [0, 1, 2] {
        assert_eq!(whole(&with_header(&[&largest(extra), &largest(extra)])).items.len(), 2);
    }
    assert_eq!(fault(&with_header(&[&largest(3)])), (Code::SizeLimit, at));
    // Cut to the bound the file ends before the item does; one byte more and the item is too long.
    assert_eq!(fault(&with_header(&[&largest(3)[..MAX_ITEM]])), (Code::Truncated, at));
    let huge = b"\x83\x01\x5b\x7f\xff\xff\xff\xff\xff\xff\xff";
    assert_eq!(fault(&with_header(&[huge])), (Code::Truncated, at));
    assert_eq!(fault(&with_header(&[huge, &vec![0; MAX_ITEM]])), (Code::SizeLimit, at));
    // A fault that stands earlier in the item is met first.
    assert_eq!(
        fault(&with_header(&[b"\x83\xf7\x5b\x7f\xff\xff\xff\xff\xff\xff\xff", &vec![0; MAX_ITEM]])).0,
        Code::TypeForbidden
    );
}

#[test]
fn every_cut_is_told_from_damage() {
    let entries = conversation(4, 3, 1, 9);
    let bytes = file(&entries);
    let mut ends = vec![HEADER.len()];
    entries.iter().for_each(|entry| ends.push(ends.last().unwrap() + entry.item.len()));
    for length in HEADER.len()..bytes.len() {
        let found = read(&bytes[..length], || usize::MAX);
        let end = *ends.iter().rev().find(|end| **end <= length).unwrap();
        assert_eq!(found.offset, end as u64);
        let partial = found.fault.map(|fault| (fault.error.code, fault.partial));
        let expected = (length > end).then_some((Code::Truncated, Some((length - end) as u64)));
        assert_eq!(partial, expected, "cut at {length}");
    }
    assert_eq!(read(&bytes[..10], || 3).fault.unwrap().partial, None, "a file without its header is not repaired");
}

#[test]
fn a_damaged_length_is_no_crash() {
    let entries = conversation(8, 3, 1, 9);
    let bytes = file(&entries);
    for at in HEADER.len()..bytes.len() - entries[7].item.len() {
        for bit in 0..8 {
            let mut broken = bytes.clone();
            broken[at] ^= 1 << bit;
            let found = read(&broken, || usize::MAX);
            if let Some(bytes) = found.fault.and_then(|fault| fault.partial) {
                panic!("a flip at {at}.{bit} would cost {bytes} bytes");
            }
        }
    }
}

#[test]
fn a_reader_can_stand_at_any_item() {
    let entries = conversation(6, 3, 1, 2);
    let bytes = file(&entries);
    let found = whole(&bytes);
    let (offset, item, _) = &found.items[3];
    let mut reader = TranscriptReader::resume(*offset);
    let mut rest = &bytes[*offset as usize..];
    match reader.next(&mut rest, true) {
        Step::Item(read) => assert_eq!((read.offset, read.bytes), (*offset, item.as_slice())),
        other => panic!("{other:?}"),
    }
}
