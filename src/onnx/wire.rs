//! Counts a file's messages before they are decoded: an empty message takes two bytes in the file and hundreds in memory.

use prost::encoding::{WireType, decode_key, decode_varint};

/// The most messages of a file. A large network has some ten thousand nodes with five attributes each.
const MOST_MESSAGES: usize = 1 << 20;
/// The most strings; nodes name their inputs and outputs by them.
const MOST_STRINGS: usize = 1 << 21;

/// Kinds of messages by what lies in them. Their nesting is bounded, because no kind lies within itself.
#[derive(Clone, Copy)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    ValueInfo,
    Type,
    TensorType,
    Shape,
    Leaf,
}

/// What a field of a message holds.
enum Field {
    Message(Kind),
    String,
    Other,
}

impl Kind {
    fn field(self, tag: u32) -> Field {
        let message = match (self, tag) {
            (Kind::Model, 7) => Kind::Graph,
            (Kind::Graph, 1) => Kind::Node,
            (Kind::Graph, 5) | (Kind::Attribute, 5) => Kind::Tensor,
            (Kind::Graph, 11 | 12) => Kind::ValueInfo,
            (Kind::Node, 5) => Kind::Attribute,
            (Kind::ValueInfo, 2) => Kind::Type,
            (Kind::Type, 1) => Kind::TensorType,
            (Kind::TensorType, 2) => Kind::Shape,
            (Kind::Model, 8 | 14) | (Kind::Tensor, 13) | (Kind::Shape, 1) => Kind::Leaf,
            (Kind::Node, 1 | 2) | (Kind::Attribute, 9) | (Kind::Graph, 15) => return Field::String,
            _ => return Field::Other,
        };
        Field::Message(message)
    }
}

#[derive(Default)]
struct Counts {
    messages: usize,
    strings: usize,
}

/// Fails for a model with more messages than any network has, or whose bytes are no messages.
pub(super) fn check(bytes: &[u8]) -> Result<(), String> {
    Counts::default().walk(bytes, Kind::Model)
}

impl Counts {
    fn walk(&mut self, mut bytes: &[u8], kind: Kind) -> Result<(), String> {
        let damaged = |_| "is no ONNX model, or damaged: its bytes are no protobuf messages".to_owned();
        self.messages += 1;
        while !bytes.is_empty() {
            let (tag, wire) = decode_key(&mut bytes).map_err(damaged)?;
            let skipped = match wire {
                WireType::Varint => {
                    decode_varint(&mut bytes).map_err(damaged)?;
                    0
                }
                WireType::ThirtyTwoBit => 4,
                WireType::SixtyFourBit => 8,
                WireType::LengthDelimited => decode_varint(&mut bytes).map_err(damaged)?,
                WireType::StartGroup | WireType::EndGroup => {
                    return Err("is no ONNX model, or damaged: it holds a protobuf group".into());
                }
            };
            let skipped = usize::try_from(skipped).ok().filter(|&skipped| skipped <= bytes.len());
            let Some((inner, rest)) = skipped.map(|skipped| bytes.split_at(skipped)) else {
                return Err("is damaged: it ends within a message".into());
            };
            bytes = rest;
            match (kind.field(tag), wire) {
                (Field::Message(kind), WireType::LengthDelimited) => self.walk(inner, kind)?,
                (Field::String, WireType::LengthDelimited) => self.strings += 1,
                _ => {}
            }
            if self.messages > MOST_MESSAGES || self.strings > MOST_STRINGS {
                return Err(format!(
                    "has more than {MOST_MESSAGES} messages or {MOST_STRINGS} names, which no network needs"
                ));
            }
        }
        Ok(())
    }
}
