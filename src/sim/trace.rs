//! What happened, line by line: hashed always, kept when somebody wants to read it.

pub struct Trace {
    hash: u64,
    lines: Option<Vec<String>>,
    pub count: u64,
}

impl Trace {
    pub fn new(keep: bool) -> Self {
        // FNV-1a.
        Self { hash: 0xcbf2_9ce4_8422_2325, lines: keep.then(Vec::new), count: 0 }
    }

    pub fn line(&mut self, at_ms: u64, text: &str) {
        self.count += 1;
        for byte in at_ms.to_le_bytes().into_iter().chain(text.bytes()) {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>9}.{:03}  {text}", at_ms / 1000, at_ms % 1000));
        }
    }

    pub fn hash(&self) -> u64 {
        self.hash
    }

    pub fn take(&mut self) -> Vec<String> {
        self.lines.take().unwrap_or_default()
    }
}
