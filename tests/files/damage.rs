//! Damages files: at random, and by headers that lie.

/// How many times as many cases as usual the generated tests run.
pub fn times() -> u64 {
    match std::env::var("WGRAD_FUZZ") {
        Ok(text) => text.parse().expect("WGRAD_FUZZ is a whole number"),
        Err(_) => 1,
    }
}

/// SplitMix64.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, or 0 where there is none.
    pub fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { (self.next() % end as u64) as usize }
    }

    pub fn of<'t, T: ?Sized>(&mut self, choices: &[&'t T]) -> &'t T {
        choices[self.below(choices.len())]
    }

    /// More often small than large, so that what stands at the start of a file is met.
    fn place(&mut self, end: usize) -> usize {
        let most = match self.below(3) {
            0 => end.min(16),
            1 => end.min(512),
            _ => end,
        };
        self.below(most + 1)
    }

    /// A number at an edge of something.
    fn edge(&mut self) -> u64 {
        let power = 1u64 << self.below(64);
        match self.below(6) {
            0 => self.below(300) as u64,
            1 => power - 1,
            2 => power,
            3 => u64::MAX - self.below(9) as u64,
            4 => 100_000_000 + self.below(3) as u64 - 1,
            _ => self.next(),
        }
    }
}

/// One of `seeds` with one to four wounds, among them parts of the others.
pub fn damaged(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(4) {
        let at = random.place(bytes.len());
        let length = random.place(bytes.len() - at);
        match random.below(10) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = random.next() as u8,
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..at + length)),
            4 => {
                let more = random.place(64);
                let more: Vec<u8> = (0..more).map(|_| random.next() as u8).collect();
                drop(bytes.splice(at..at, more));
            }
            5 => {
                let part = bytes[at..at + length.min(4096)].to_vec();
                drop(bytes.splice(at..at, part));
            }
            6 => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.place(other.len());
                bytes.truncate(at);
                bytes.extend(&other[from..]);
            }
            7 => bytes[at..at + length].fill(if random.below(2) == 0 { 0 } else { 0xff }),
            8 => {
                let edge = random.edge();
                let little = random.below(2) == 0;
                let edge = if little { edge.to_le_bytes() } else { edge.to_be_bytes() };
                let width = [1, 2, 4, 8][random.below(4)].min(bytes.len() - at);
                bytes[at..at + width].copy_from_slice(if little {
                    &edge[..width]
                } else {
                    &edge[8 - width..]
                });
            }
            _ => bytes.extend(vec![random.next() as u8; length.min(4096)]),
        }
    }
    bytes
}

/// A safetensors file whose header is sound by itself, but lies.
pub fn lying(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let seed = &seeds[random.below(seeds.len())];
    let length = u64::from_le_bytes(seed[..8].try_into().expect("a seed has a header")) as usize;
    let mut header = String::from_utf8(seed[8..8 + length].to_vec()).expect("a seed's header is text");
    for _ in 0..=random.below(3) {
        header =
            if random.below(2) == 0 { other_number(random, &header) } else { other_text(random, header) };
    }
    let mut bytes =
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &seed[8 + length..]].concat();
    if random.below(8) == 0 {
        bytes.truncate(random.below(bytes.len()));
    }
    bytes
}

/// Puts another number in the place of one.
fn other_number(random: &mut Random, header: &str) -> String {
    let starts: Vec<usize> = header
        .char_indices()
        .filter(|&(at, c)| c.is_ascii_digit() && !header[..at].ends_with(|c: char| c.is_ascii_digit()))
        .map(|(at, _)| at)
        .collect();
    let Some(&at) = starts.get(random.below(starts.len())) else { return header.to_owned() };
    let digits = header[at..].find(|c: char| !c.is_ascii_digit()).unwrap_or(header.len() - at);
    let number = match random.below(8) {
        0 => "-1".to_owned(),
        1 => "1.5".to_owned(),
        2 => "1e400".to_owned(),
        3 => "\"7\"".to_owned(),
        4 => format!("{},{}", &header[at..at + digits], random.below(10)),
        _ => random.edge().to_string(),
    };
    format!("{}{number}{}", &header[..at], &header[at + digits..])
}

/// Puts other words in the place of some.
fn other_text(random: &mut Random, header: String) -> String {
    const WORDS: [&str; 22] = [
        "F32",
        "F64",
        "I64",
        "I32",
        "BF16",
        "F4",
        "BOOL",
        "fc.weight",
        "fc.bias",
        "momentum_buffer",
        "num_batches_tracked",
        "__metadata__",
        "wgrad_checkpoint",
        "step_number",
        "notes",
        "state",
        "shape",
        "dtype",
        "data_offsets",
        "\\\"",
        "{}",
        "[]",
    ];
    let from = random.of(&WORDS);
    let to = match random.below(6) {
        0 => "\\u001b[2J".to_owned(),
        1 => "\u{202e}".repeat(1 + random.below(400)),
        2 => String::new(),
        3 => "[".repeat(random.below(300)),
        _ => random.of(&WORDS).to_owned(),
    };
    // All, or the first, or the last.
    match (random.below(3), header.rfind(from)) {
        (0, _) => header.replace(from, &to),
        (1, _) => header.replacen(from, &to, 1),
        (_, Some(at)) => format!("{}{to}{}", &header[..at], &header[at + from.len()..]),
        _ => header,
    }
}
