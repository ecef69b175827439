//! One item for each rule of envelope.3.

use ama2sec_attacks::support::conversation;

use super::Sample;

const ITEMS: [(&str, &str, &[u8]); 35] = [
    ("ok", "null", b"\xf6"),
    (
        "ok",
        "integers",
        b"\x88\x00\x17\x18\x18\x19\x01\x00\x1a\x00\x01\x00\x00\x1b\x00\x00\x00\x01\x00\x00\x00\x00\x20\x38\x18",
    ),
    ("ok", "largest", b"\x82\x1b\x7f\xff\xff\xff\xff\xff\xff\xff\x3b\x7f\xff\xff\xff\xff\xff\xff\xff"),
    ("ok", "strings", b"\x84\x40\x42\x00\xff\x60\x62\xc3\xa9"),
    ("ok", "map", b"\xa4\x01\xf4\x18\x18\xf5\x20\xf6\x61a\x80"),
    ("ok", "eight-deep", b"\x81\x81\x81\x81\x81\x81\x81\x80"),
    ("ok", "maps-in-lists", b"\x82\xa1\x00\x82\xa0\xa0\xa1\x61k\xa1\x01\x02"),
    ("Truncated", "nothing", b""),
    ("Truncated", "argument", b"\x19\x01"),
    ("Truncated", "string", b"\x43ab"),
    ("Truncated", "vast-string", b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff"),
    ("Truncated", "vast-list", b"\x9b\x00\x00\x00\x01\x00\x00\x00\x00\x00"),
    ("Truncated", "vast-map", b"\xbb\x80\x00\x00\x00\x00\x00\x00\x00"),
    ("Truncated", "map-without-value", b"\xa1\x01"),
    ("NotMinimal", "integer", b"\x18\x17"),
    ("NotMinimal", "length", b"\x58\x01\x00"),
    ("NotMinimal", "count", b"\x9a\x00\x00\x00\x01\x00"),
    ("IntRange", "positive", b"\x1b\x80\x00\x00\x00\x00\x00\x00\x00"),
    ("IntRange", "negative", b"\x3b\x80\x00\x00\x00\x00\x00\x00\x00"),
    ("IndefiniteLength", "string", b"\x5f\x41\x00\xff"),
    ("IndefiniteLength", "list", b"\x9f\x01\xff"),
    ("IndefiniteLength", "break", b"\xff"),
    ("FloatForbidden", "half", b"\xf9\x3c\x00"),
    ("FloatForbidden", "double", b"\xfb\x3f\xf0\x00\x00\x00\x00\x00\x00"),
    ("TypeForbidden", "tag", b"\xc1\x01"),
    ("TypeForbidden", "undefined", b"\xf7"),
    ("TypeForbidden", "reserved", b"\x1c"),
    ("TypeForbidden", "key-of-bytes", b"\xa1\x41\x00\x00"),
    ("Utf8Invalid", "overlong", b"\x62\xc0\x80"),
    ("Utf8Invalid", "surrogate", b"\x63\xed\xa0\x80"),
    ("MapDuplicateKey", "integer", b"\xa2\x01\x00\x01\x00"),
    ("MapDuplicateKey", "text", b"\xa2\x61a\x00\x61a\x01"),
    ("MapKeyOrder", "integers", b"\xa2\x02\x00\x01\x00"),
    ("DepthLimit", "nine-deep", b"\x81\x81\x81\x81\x81\x81\x81\x81\x80"),
    ("TrailingBytes", "second-item", b"\xf6\xf6"),
];

pub fn samples() -> Vec<Sample> {
    let mut all: Vec<Sample> = ITEMS.iter().map(|(code, what, bytes)| (*code, *what, bytes.to_vec())).collect();
    let entry = conversation(2, 2, 0, 3).pop().expect("two entries");
    all.push(("ok", "entry", entry.item));
    all
}
