//! Index maps: which element of an input belongs to an element of the output, as WGSL expressions. It is the same
//! one, a broadcast one, or a random one.

use crate::tensor::Shape;

/// Which element of an input belongs to element `i` of the output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum IndexMap {
    /// Element `i`: the shapes are equal.
    Same,
    /// Element `i / plane % channels`: a number for each channel, or a single one.
    Channel {
        /// Elements of the input.
        channels: usize,
        /// Neighbours in the output that share an element.
        plane: usize,
    },
    /// The sum of `i / step % size * stride` over these spans, outermost first: any broadcast of up to six
    /// dimensions. Unused spans have size 1.
    Spans([Span; 3]),
    /// The input is the step counter: element `i` gets 1 if its unit is drawn, else 0.
    Units(Units),
}

/// A random draw of units, new in each step, by counter-based random words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Units {
    /// Neighbours in the output that are one unit.
    pub plane: usize,
    /// A unit is drawn if its word is below this.
    pub below: u32,
    /// Seed of the draws.
    pub seed: u64,
    /// Distinguishes this draw from others in the same step.
    pub node: u32,
}

impl Units {
    /// The expression that draws the elements from `at * width` on. The step counter is in the buffer `name`.
    fn load(self, name: &str, width: usize) -> String {
        let Units { plane, below, seed, node } = self;
        let (low, high) = (seed as u32, (seed >> 32) as u32);
        let rest = format!("{name}[0], {node}u, vec2({low}u, {high}u), {below}u)");
        let unit = |at: &str, plane: usize| match plane {
            1 => format!("kept_of_unit({at}, {rest}"),
            _ => format!("kept_of_unit({at} / {plane}u, {rest}"),
        };
        match width {
            1 => unit("at", plane),
            _ if plane == 1 => format!("kept_of_four(at, {rest}"),
            _ if plane.is_multiple_of(4) => format!("Element({})", unit("at", plane / 4)),
            _ => {
                let each = |i: usize| unit(&format!("(at * 4u + {i}u)"), plane);
                format!("vec4({}, {}, {}, {})", each(0), each(1), each(2), each(3))
            }
        }
    }
}

/// Neighbouring dimensions that an input shares with the output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// Elements.
    pub size: usize,
    /// Distance in the output from one element to the next.
    pub step: usize,
    /// Distance in the input from one element to the next.
    pub stride: usize,
}

impl Span {
    const NONE: Span = Span { size: 1, step: 1, stride: 1 };
}

impl IndexMap {
    /// The broadcast of an input of shape `from` to `to`. `None` if there is none, or if it needs more than three
    /// spans, which takes seven dimensions.
    pub fn of(from: &Shape, to: &Shape) -> Option<IndexMap> {
        if from == to {
            return Some(IndexMap::Same);
        }
        let skipped = to.len().checked_sub(from.len())?;
        let mut spans: Vec<Span> = Vec::new();
        let (mut step, mut stride, mut within) = (1, 1, false);
        for d in (0..to.len()).rev().filter(|&d| to[d] != 1) {
            let size = if d < skipped { 1 } else { from[d - skipped] };
            match spans.last_mut() {
                _ if size == 1 => {}
                _ if size != to[d] => return None,
                Some(span) if within => span.size *= size,
                _ => spans.push(Span { size, step, stride }),
            }
            within = size != 1;
            step *= to[d];
            stride *= size;
        }
        spans.reverse();
        match spans[..] {
            [] => Some(IndexMap::Channel { channels: 1, plane: to.elements() }),
            [Span { size, step, .. }] => Some(IndexMap::Channel { channels: size, plane: step }),
            [first, second] => Some(IndexMap::Spans([Span::NONE, first, second])),
            [first, second, third] => Some(IndexMap::Spans([first, second, third])),
            _ => None,
        }
    }

    /// The spans longer than 1, outermost first. Empty for an input that is read in order.
    fn spans(self) -> Vec<Span> {
        let all = match self {
            IndexMap::Same | IndexMap::Units(_) => Vec::new(),
            IndexMap::Channel { channels, plane } => vec![Span { size: channels, step: plane, stride: 1 }],
            IndexMap::Spans(spans) => spans.to_vec(),
        };
        all.into_iter().filter(|span| span.size > 1).collect()
    }
}

/// How neighbouring elements of an input are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    /// As one element of the output's width.
    Whole,
    /// As one number that they share.
    Shared,
    /// One by one.
    Each,
}

impl Load {
    pub(super) fn of(index_map: IndexMap, width: usize) -> Load {
        match index_map.spans().last() {
            _ if index_map == IndexMap::Same => Load::Whole,
            _ if width == 1 => Load::Shared,
            None => Load::Shared,
            Some(last) if last.step == 1 && last.size.is_multiple_of(width) => Load::Whole,
            Some(last) if last.step.is_multiple_of(width) => Load::Shared,
            Some(_) => Load::Each,
        }
    }
}

/// The expression that loads from the buffer `name` for the output's elements from `at * width` on.
pub(super) fn load(name: &str, element: &str, index_map: IndexMap, width: usize) -> String {
    match index_map {
        IndexMap::Same => return format!("{name}[at]"),
        IndexMap::Units(units) => return units.load(name, width),
        _ => {}
    }
    match Load::of(index_map, width) {
        Load::Whole => format!("{name}[{}]", index("at", &index_map.spans(), width, width)),
        Load::Shared => format!("{element}({name}[{}])", index("at", &index_map.spans(), width, 1)),
        Load::Each => {
            let each = |i: usize| {
                format!("{name}[{}]", index(&format!("(at * 4u + {i}u)"), &index_map.spans(), 1, 1))
            };
            format!("vec4({}, {}, {}, {})", each(0), each(1), each(2), each(3))
        }
    }
}

/// The sum of `at / step % size * stride` over `spans`, with `at` counted in `width` elements and
/// the result in `whole` ones.
fn index(at: &str, spans: &[Span], width: usize, whole: usize) -> String {
    let terms = spans.iter().map(|&Span { size, step, stride }| {
        // Whole elements lie within the innermost span, which has step and stride 1.
        let (size, step, stride) = match step {
            1 => (size / whole, 1, 1),
            _ => (size, step / width, stride / whole),
        };
        let quotient = if step == 1 { at.to_owned() } else { format!("{at} / {step}u") };
        let factor = if stride == 1 { String::new() } else { format!(" * {stride}u") };
        format!("{quotient} % {size}u{factor}")
    });
    let terms: Vec<String> = terms.collect();
    if terms.is_empty() { "0".to_owned() } else { terms.join(" + ") }
}
