//! The form of a proof, as plainly as proofs.1 and proofs.4.2 can be written. Shares nothing with the reader of the core.

use ama2sec_core::errors::Code;
use ama2sec_core::history::Hash;

/// The numbers of a proof; of an ancestry proof its hops instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    pub kind: u8,
    pub tree: u8,
    pub numbers: Vec<u64>,
    pub hops: Vec<Hop>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    pub index: u64,
    pub size: u64,
    pub merge: u8,
    pub kid: Hash,
    pub claims: Vec<u8>,
}

/// The largest power of two below n > 1.
fn k(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

/// Hashes of PATH(i, D) of n leaves: all of them, and those on the right.
pub fn path_length(i: u64, n: u64) -> (usize, usize) {
    if n == 1 {
        return (0, 0);
    }
    let k = k(n);
    let (all, right) = if i < k { path_length(i, k) } else { path_length(i - k, n - k) };
    (all + 1, right + usize::from(i < k))
}

/// Hashes of SUBPROOF(m, D, false) of n leaves.
pub fn subproof_length(m: u64, n: u64) -> usize {
    if m == n {
        return 1;
    }
    let k = k(n);
    1 + if m <= k { subproof_length(m, k) } else { subproof_length(m - k, n - k) }
}

/// How many hashes these numbers ask for, or `ProofIndex`.
pub fn count(kind: u8, numbers: &[u64]) -> Result<usize, Code> {
    match (kind, numbers) {
        (1, &[index, size]) if index < size => Ok(path_length(index, size).0),
        (2, &[old, new]) if 0 < old && old < new => Ok(subproof_length(old, new)),
        (3, &[begin, end, size]) if begin < end && end <= size => {
            Ok(begin.count_ones() as usize + path_length(end - 1, size).1)
        }
        _ => Err(Code::ProofIndex),
    }
}

/// The code that a proof's form gets, or what stands in it.
pub fn read(data: &[u8]) -> Result<Form, Code> {
    if data.len() > 262_144 {
        return Err(Code::SizeLimit);
    }
    let mut input = Input(data);
    if input.take(3)? != b"a2p" {
        return Err(Code::ProofForm);
    }
    if input.take(1)? != [1] {
        return Err(Code::ProofVersion);
    }
    let kind = input.take(1)?[0];
    if ![1, 2, 3, 4].contains(&kind) {
        return Err(Code::ProofForm);
    }
    let tree = input.take(1)?[0];
    if tree != 1 && (tree != 2 || kind == 4) {
        return Err(Code::ProofForm);
    }
    let mut form = Form { kind, tree, numbers: Vec::new(), hops: Vec::new() };
    if kind == 4 {
        form.hops = input.hops()?;
    } else {
        form.numbers = (0..if kind == 3 { 3 } else { 2 }).map(|_| input.number(6)).collect::<Result<_, _>>()?;
        input.take(32 * count(kind, &form.numbers)?)?;
    }
    if input.0.is_empty() { Ok(form) } else { Err(Code::ProofForm) }
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Code> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Code::ProofForm)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self, width: usize) -> Result<u64, Code> {
        Ok(self.take(width)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn hops(&mut self) -> Result<Vec<Hop>, Code> {
        let count = self.number(1)?;
        if count == 0 || count > 32 {
            return Err(Code::ProofForm);
        }
        (1..=count).map(|number| self.hop(number == count)).collect()
    }

    fn hop(&mut self, last: bool) -> Result<Hop, Code> {
        let (index, size) = (self.number(6)?, self.number(6)?);
        self.take(32 * self::count(1, &[index, size])?)?;
        let mut hop = Hop { index, size, merge: 0, kid: [0; 32], claims: Vec::new() };
        if !last {
            hop.merge = self.number(1)? as u8;
            hop.kid.copy_from_slice(self.take(32)?);
            let length = self.number(2)? as usize;
            hop.claims = self.take(length)?.to_vec();
        }
        Ok(hop)
    }
}
