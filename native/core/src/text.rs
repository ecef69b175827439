//! Bytes as text for people: bounded, and harmless in a terminal (errors.1.3).

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Lowercase hex.
pub fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            out.push(char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'?')));
        }
    }
    out
}

/// The bytes of lowercase hex; anything else is None.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| DIGITS.iter().position(|known| *known == byte).and_then(|value| u8::try_from(value).ok());
    text.as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

/// What a peer sent, as at most 64 printable ASCII characters.
pub fn shown(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for byte in bytes.iter().take(48) {
        match byte {
            b'"' | b'\\' => out.push('.'),
            0x20..=0x7e => out.push(char::from(*byte)),
            _ => out.push('.'),
        }
    }
    out.push_str(if bytes.len() > 48 { "\"..." } else { "\"" });
    out
}
