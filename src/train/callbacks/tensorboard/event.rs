//! One record of an event file: TensorFlow's `Event` message in protocol buffers' encoding, framed with checksums.
//!
//! The messages are `event.proto`, `summary.proto` and `histogram.proto` of TensorFlow, the frame is that of its
//! `RecordWriter`: length, checksum of the length, message, checksum of the message.

/// Buckets of a histogram.
const BUCKETS: usize = 30;

/// A message under construction.
#[derive(Clone, Debug)]
pub(super) struct Event {
    head: Vec<u8>,
    summary: Vec<u8>,
}

impl Event {
    /// At a time (seconds since 1970) and a step.
    pub(super) fn new(time: f64, step: u64) -> Event {
        let mut head = Vec::new();
        double(&mut head, 1, time);
        varint_field(&mut head, 2, step);
        Event { head, summary: Vec::new() }
    }

    /// The event that a file begins with.
    pub(super) fn first(time: f64) -> Event {
        let mut head = Vec::new();
        double(&mut head, 1, time);
        bytes(&mut head, 3, b"brain.Event:2");
        Event { head, summary: Vec::new() }
    }

    fn value(mut self, tag: &str, fill: impl FnOnce(&mut Vec<u8>)) -> Event {
        let mut value = Vec::new();
        bytes(&mut value, 1, tag.as_bytes());
        fill(&mut value);
        bytes(&mut self.summary, 1, &value);
        self
    }

    pub(super) fn scalar(self, tag: &str, number: f32) -> Event {
        self.value(tag, |value| {
            key(value, 2, 5);
            value.extend(number.to_le_bytes());
        })
    }

    pub(super) fn image(self, tag: &str, png: &[u8], [width, height]: [u32; 2]) -> Event {
        self.value(tag, |value| {
            let mut image = Vec::new();
            varint_field(&mut image, 1, height.into());
            varint_field(&mut image, 2, width.into());
            varint_field(&mut image, 3, 3); // RGB
            bytes(&mut image, 4, png);
            bytes(value, 4, &image);
        })
    }

    /// Equal buckets from the smallest to the largest number. Numbers that are not finite are left out.
    pub(super) fn histogram(self, tag: &str, numbers: &[f64]) -> Event {
        let finite: Vec<f64> = numbers.iter().copied().filter(|x| x.is_finite()).collect();
        let least = finite.iter().copied().fold(f64::INFINITY, f64::min);
        let most = finite.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (least, most) = if finite.is_empty() { (0.0, 0.0) } else { (least, most) };
        let width = if most > least { (most - least) / BUCKETS as f64 } else { 1.0 };
        let mut counts = [0u64; BUCKETS];
        for x in &finite {
            counts[(((x - least) / width) as usize).min(BUCKETS - 1)] += 1;
        }
        self.value(tag, |value| {
            let mut histogram = Vec::new();
            double(&mut histogram, 1, least);
            double(&mut histogram, 2, most);
            double(&mut histogram, 3, finite.len() as f64);
            double(&mut histogram, 4, finite.iter().sum());
            double(&mut histogram, 5, finite.iter().map(|x| x * x).sum());
            let limits = (1..=BUCKETS).flat_map(|i| (least + i as f64 * width).to_le_bytes());
            bytes(&mut histogram, 6, &limits.collect::<Vec<u8>>());
            let counts = counts.iter().flat_map(|&count| (count as f64).to_le_bytes());
            bytes(&mut histogram, 7, &counts.collect::<Vec<u8>>());
            bytes(value, 5, &histogram);
        })
    }

    /// The framed record.
    pub(super) fn record(&self) -> Vec<u8> {
        let mut message = self.head.clone();
        if !self.summary.is_empty() {
            bytes(&mut message, 5, &self.summary);
        }
        let length = (message.len() as u64).to_le_bytes();
        let mut record = length.to_vec();
        record.extend(masked(&length).to_le_bytes());
        record.extend(&message);
        record.extend(masked(&message).to_le_bytes());
        record
    }
}

/// A field's number and wire type.
fn key(to: &mut Vec<u8>, field: u32, wire: u32) {
    varint(to, u64::from(field << 3 | wire));
}

fn varint(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

fn varint_field(to: &mut Vec<u8>, field: u32, number: u64) {
    key(to, field, 0);
    varint(to, number);
}

fn double(to: &mut Vec<u8>, field: u32, number: f64) {
    key(to, field, 1);
    to.extend(number.to_le_bytes());
}

fn bytes(to: &mut Vec<u8>, field: u32, contents: &[u8]) {
    key(to, field, 2);
    varint(to, contents.len() as u64);
    to.extend(contents);
}

/// The checksum of a record's part: CRC-32C, rotated and shifted by a constant so that it is not its own checksum.
fn masked(contents: &[u8]) -> u32 {
    crc32c(contents).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), bit by bit; event files are small.
fn crc32c(contents: &[u8]) -> u32 {
    let mut crc = !0u32;
    for &byte in contents {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::{Event, crc32c};

    #[test]
    fn the_checksum_is_that_of_rfc_3720() {
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_record_is_length_checksum_message_checksum() {
        let record = Event::new(1.5, 300).scalar("loss", 0.25).record();
        let length = u64::from_le_bytes(record[..8].try_into().expect("eight bytes")) as usize;
        assert_eq!(record.len(), 8 + 4 + length + 4);
        let mut expected = vec![0x09];
        expected.extend(1.5f64.to_le_bytes());
        expected.extend([0x10, 0xac, 0x02]); // 300 as a varint
        expected.extend([0x2a, 13, 0x0a, 11, 0x0a, 4, b'l', b'o', b's', b's', 0x15]);
        expected.extend(0.25f32.to_le_bytes());
        assert_eq!(record[12..12 + length], expected);
    }
}
