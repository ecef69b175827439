//! The deterministic encoder: the shortest heads; callers give map keys in order (envelope.3).

/// Appends items to a buffer.
#[derive(Default)]
pub struct Writer(pub Vec<u8>);

impl Writer {
    pub fn with_capacity(capacity: usize) -> Writer {
        Writer(Vec::with_capacity(capacity))
    }

    fn head(&mut self, major: u8, argument: u64) -> &mut Self {
        let major = major << 5;
        let bytes = argument.to_be_bytes();
        let [.., b4, b5, b6, b7] = bytes;
        match argument {
            0..=23 => self.0.push(major | b7),
            24..=0xff => self.0.extend_from_slice(&[major | 24, b7]),
            0x100..=0xffff => self.0.extend_from_slice(&[major | 25, b6, b7]),
            0x1_0000..=0xffff_ffff => self.0.extend_from_slice(&[major | 26, b4, b5, b6, b7]),
            _ => {
                self.0.push(major | 27);
                self.0.extend_from_slice(&bytes);
            }
        }
        self
    }

    pub fn uint(&mut self, value: u64) -> &mut Self {
        self.head(0, value)
    }

    pub fn int(&mut self, value: i64) -> &mut Self {
        if value < 0 { self.head(1, (!value).cast_unsigned()) } else { self.head(0, value.cast_unsigned()) }
    }

    /// The head of a byte string; the caller writes so many bytes.
    pub fn begin_bytes(&mut self, length: usize) -> &mut Self {
        self.head(2, length as u64)
    }

    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.begin_bytes(value.len());
        self.0.extend_from_slice(value);
        self
    }

    pub fn text(&mut self, value: &str) -> &mut Self {
        self.head(3, value.len() as u64);
        self.0.extend_from_slice(value.as_bytes());
        self
    }

    pub fn array(&mut self, count: usize) -> &mut Self {
        self.head(4, count as u64)
    }

    pub fn map(&mut self, pairs: usize) -> &mut Self {
        self.head(5, pairs as u64)
    }

    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.0.push(if value { 0xf5 } else { 0xf4 });
        self
    }

    pub fn null(&mut self) -> &mut Self {
        self.0.push(0xf6);
        self
    }
}
