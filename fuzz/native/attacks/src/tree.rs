//! CBOR as an attacker writes it: any item, honest or not, as a tree that can be edited and written again.
//!
//! Shares nothing with the codec of the core, so that `is_canonical` is also a second opinion on what that accepts (envelope.3).

/// Nesting that is read. The profile allows 8; what is deeper is handled as plain bytes.
const DEEPEST: usize = 40;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    Int {
        negative: bool,
        argument: u64,
    },
    Bytes(Vec<u8>),
    /// Not always UTF-8.
    Text(Vec<u8>),
    Array(Vec<Node>),
    Map(Vec<(Node, Node)>),
    Tag(u64, Box<Node>),
    /// A byte string whose content is an item of its own: a header, claims, an envelope in an entry.
    Wrapped(Box<Node>),
    /// The node with its head in this many bytes of argument, whatever the shortest form is.
    Wide(usize, Box<Node>),
    /// Bytes that stand as they are: simple values, floats, and whatever an attacker puts in.
    Raw(Vec<u8>),
}

impl Node {
    pub fn uint(argument: u64) -> Node {
        Node::Int { negative: false, argument }
    }

    pub fn null() -> Node {
        Node::Raw(vec![0xf6])
    }

    /// Reads one item from the start of `data`, in any form that has a definite length; the length it takes.
    pub fn read(data: &[u8]) -> Option<(Node, usize)> {
        read(data, 0)
    }

    /// Reads `data` as exactly one item.
    pub fn read_whole(data: &[u8]) -> Option<Node> {
        Node::read(data).filter(|(_, length)| *length == data.len()).map(|(node, _)| node)
    }

    /// The bytes, quirks and all.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_to(&mut out, 0);
        out
    }

    fn write_to(&self, out: &mut Vec<u8>, width: usize) {
        match self {
            Node::Int { negative, argument } => head(out, u8::from(*negative), *argument, width),
            Node::Bytes(bytes) => string(out, 2, bytes, width),
            Node::Text(bytes) => string(out, 3, bytes, width),
            Node::Wrapped(node) => string(out, 2, &node.write(), width),
            Node::Array(items) => {
                head(out, 4, items.len() as u64, width);
                items.iter().for_each(|item| item.write_to(out, 0));
            }
            Node::Map(pairs) => {
                head(out, 5, pairs.len() as u64, width);
                for (key, value) in pairs {
                    key.write_to(out, 0);
                    value.write_to(out, 0);
                }
            }
            Node::Tag(number, node) => {
                head(out, 6, *number, width);
                node.write_to(out, 0);
            }
            Node::Wide(width, node) => node.write_to(out, *width),
            Node::Raw(bytes) => out.extend_from_slice(bytes),
        }
    }

    /// Whether this is an item that the profile allows: the rules of envelope.3, one line each.
    pub fn is_canonical(&self, depth: usize) -> bool {
        match self {
            Node::Int { argument, .. } => *argument < 1 << 63,
            Node::Bytes(_) | Node::Wrapped(_) => true,
            Node::Text(bytes) => std::str::from_utf8(bytes).is_ok(),
            Node::Array(items) => depth < 8 && items.iter().all(|item| item.is_canonical(depth + 1)),
            Node::Map(pairs) => {
                let sorted = pairs.windows(2).all(|pair| matches!(pair, [(a, _), (b, _)] if a.write() < b.write()));
                let keys = pairs.iter().all(|(key, _)| matches!(key, Node::Int { .. } | Node::Text(_)));
                depth < 8
                    && sorted
                    && keys
                    && pairs.iter().all(|(key, value)| key.is_canonical(depth + 1) && value.is_canonical(depth + 1))
            }
            Node::Tag(..) | Node::Wide(..) => false,
            Node::Raw(bytes) => matches!(bytes.as_slice(), [0xf4..=0xf6]),
        }
    }

    /// Nodes in this tree, itself among them.
    pub fn count(&self) -> usize {
        1 + self.children().map(Node::count).sum::<usize>()
    }

    fn children(&self) -> impl Iterator<Item = &Node> {
        let (items, pairs, inner): (&[Node], &[(Node, Node)], Option<&Node>) = match self {
            Node::Array(items) => (items, &[], None),
            Node::Map(pairs) => (&[], pairs, None),
            Node::Tag(_, node) | Node::Wrapped(node) | Node::Wide(_, node) => (&[], &[], Some(node)),
            _ => (&[], &[], None),
        };
        items.iter().chain(pairs.iter().flat_map(|(key, value)| [key, value])).chain(inner)
    }

    /// The node at this place, counted from the root in the order of the bytes.
    pub fn at(&mut self, mut place: usize) -> Option<&mut Node> {
        if place == 0 {
            return Some(self);
        }
        place -= 1;
        let mut walk: Vec<&mut Node> = match self {
            Node::Array(items) => items.iter_mut().collect(),
            Node::Map(pairs) => pairs.iter_mut().flat_map(|(key, value)| [key, value]).collect(),
            Node::Tag(_, node) | Node::Wrapped(node) | Node::Wide(_, node) => vec![node.as_mut()],
            _ => Vec::new(),
        };
        for node in walk.drain(..) {
            let count = node.count();
            if place < count {
                return node.at(place);
            }
            place -= count;
        }
        None
    }

    /// The value under an integer key of a map.
    pub fn label(&mut self, label: u64) -> Option<&mut Node> {
        let Node::Map(pairs) = self else {
            return None;
        };
        pairs.iter_mut().find(|(key, _)| *key == Node::uint(label)).map(|(_, value)| value)
    }

    /// The element of an array.
    pub fn element(&mut self, index: usize) -> Option<&mut Node> {
        match self {
            Node::Array(items) => items.get_mut(index),
            _ => None,
        }
    }
}

fn head(out: &mut Vec<u8>, major: u8, argument: u64, width: usize) {
    let shortest = match argument {
        0..=23 => 0,
        24..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        _ => 8,
    };
    let width = width.max(shortest);
    let info = match width {
        0 => argument as u8,
        1 => 24,
        2 => 25,
        4 => 26,
        _ => 27,
    };
    out.push(major << 5 | info);
    let bytes = argument.to_be_bytes();
    if width > 0 {
        out.extend_from_slice(&bytes[8 - width.min(8)..]);
    }
}

fn string(out: &mut Vec<u8>, major: u8, bytes: &[u8], width: usize) {
    head(out, major, bytes.len() as u64, width);
    out.extend_from_slice(bytes);
}

fn read(data: &[u8], depth: usize) -> Option<(Node, usize)> {
    let first = *data.first()?;
    let (major, info) = (first >> 5, first & 31);
    let width = match info {
        0..=23 => 0,
        24..=27 => 1usize << (info - 24),
        _ => return (major == 7).then(|| (Node::Raw(vec![first]), 1)),
    };
    let raw = data.get(1..1 + width)?;
    let mut at = 1 + width;
    if major == 7 {
        return Some((Node::Raw(data.get(..at)?.to_vec()), at));
    }
    if depth > DEEPEST {
        return None;
    }
    let argument = if width == 0 { u64::from(info) } else { raw.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)) };
    let length = usize::try_from(argument).ok();
    let node = match major {
        0 | 1 => Node::Int { negative: major == 1, argument },
        2 | 3 => {
            let content = data.get(at..at.checked_add(length?)?)?;
            at += content.len();
            if major == 3 { Node::Text(content.to_vec()) } else { byte_string(content, depth) }
        }
        4 => {
            let items = read_items(data, &mut at, length?, depth)?;
            Node::Array(items)
        }
        5 => {
            let mut items = read_items(data, &mut at, length?.checked_mul(2)?, depth)?.into_iter();
            let mut pairs = Vec::new();
            while let (Some(key), Some(value)) = (items.next(), items.next()) {
                pairs.push((key, value));
            }
            Node::Map(pairs)
        }
        _ => {
            let (node, length) = read(data.get(at..)?, depth + 1)?;
            at += length;
            Node::Tag(argument, Box::new(node))
        }
    };
    let mut shortest = Vec::new();
    head(&mut shortest, major, argument, 0);
    Some((if shortest.len() == 1 + width { node } else { Node::Wide(width, Box::new(node)) }, at))
}

fn read_items(data: &[u8], at: &mut usize, count: usize, depth: usize) -> Option<Vec<Node>> {
    if count > data.len() {
        return None;
    }
    let mut items = Vec::new();
    for _ in 0..count {
        let (node, length) = read(data.get(*at..)?, depth + 1)?;
        *at += length;
        items.push(node);
    }
    Some(items)
}

/// A byte string of some length is opened where its content is an item: ids and keys are 32 bytes and never are.
fn byte_string(content: &[u8], depth: usize) -> Node {
    let opened = if content.len() > 40 { read(content, depth + 1) } else { None };
    match opened {
        Some((node, length)) if length == content.len() && node.write() == content => Node::Wrapped(Box::new(node)),
        _ => Node::Bytes(content.to_vec()),
    }
}
