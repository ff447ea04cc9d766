//! Epilogues: chains of element-wise operators that run within the kernel which stores their input.
//!
//! An element-wise operator says which WGSL function makes one element ([`Pointwise`]). A kernel that stores through
//! `epilogue(at, value)` can run a chain of them on the way: the glue generated here is that function, and it calls
//! theirs in order. `plan/fuse` decides which chain goes where; `index_map` broadcasts inputs.

use super::index_map::{IndexMap, Load, load};
use super::{Array, Operand, Operator};
use crate::graph::Value;
use crate::shader::{Constant, ShaderFile, parts};
use crate::tensor::Shape;
use std::fmt::Write as _;
use std::sync::Arc;

/// Number of the first binding of a chain's own operands, past the bindings of any kernel.
const FIRST_BINDING: usize = 32;

/// The WGSL function of an element-wise operator, which makes one element of its only output from its inputs.
#[derive(Clone, Debug)]
pub struct Pointwise {
    /// The file that defines the function, in terms of `Element`: an `f32` or a `vec4<f32>`.
    pub file: &'static ShaderFile,
    /// The function's name. Its parameters are the operator's inputs, in order, all of type `Element`, and then
    /// `numbers`, each an `f32`.
    pub function: &'static str,
    /// For each input, which of its elements belongs to element `i` of the output.
    pub index_map: Vec<IndexMap>,
    /// Attributes that the function takes.
    pub numbers: Vec<f32>,
}

/// An input of an operator in a chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Argument {
    /// The chain's value.
    Chain,
    /// The chain's value as the last link that keeps it found it.
    Kept,
    Tensor(Value),
}

/// One operator of a chain.
#[derive(Clone, Debug)]
pub(crate) struct EpilogueOp {
    pub operator: Arc<dyn Operator>,
    pub pointwise: Pointwise,
    /// Inputs in order. The first link of `map` reads tensors only.
    pub inputs: Vec<Argument>,
    /// Shape of the operator's output. The elements keep their order.
    pub shape: Shape,
    /// Whether later links read the chain's value as this one finds it.
    pub keeps: bool,
}

/// The values of a kernel that the numerics watch checks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Watched {
    /// None.
    Nothing,
    /// The argument of `epilogue`, the result of each link, and the returned value.
    Epilogue,
    /// Arguments of `stored(value)`.
    Stored,
}

/// Writes `epilogue` for a chain, `width` elements at a time, and returns files, text and bindings. With `stored` it
/// also writes the function `stored(value)`, for kernels that combine several results of `epilogue` into one.
pub(crate) fn glue(
    links: &[EpilogueOp],
    width: usize,
    watched: Watched,
    stored: bool,
) -> (Vec<&'static ShaderFile>, String, Vec<Operand>) {
    let element = if width == 4 { "vec4<f32>" } else { "f32" };
    let mut files: Vec<&'static ShaderFile> =
        vec![if width == 4 { &parts::element_4 } else { &parts::element_1 }];
    let (mut declarations, mut body) = (String::new(), String::new());
    // Bound tensors, and whether as whole elements. A tensor that several links read is bound once.
    let mut bound: Vec<(Value, bool)> = Vec::new();
    let mut kept = 0;
    for link in links {
        if link.keeps {
            kept += 1;
            let _ = writeln!(body, "    let kept_{kept} = value;");
        }
        if link.pointwise.index_map.iter().any(|index_map| matches!(index_map, IndexMap::Units(_))) {
            files.push(&parts::units);
        }
        files.push(link.pointwise.file);
        let arguments: Vec<String> = link
            .inputs
            .iter()
            .zip(&link.pointwise.index_map)
            .map(|(input, &index_map)| {
                let value = match *input {
                    Argument::Chain => return "value".to_owned(),
                    Argument::Kept => return format!("kept_{kept}"),
                    Argument::Tensor(value) => value,
                };
                let whole = width == 4 && Load::of(index_map, width) == Load::Whole;
                let known = bound.iter().position(|&binding| binding == (value, whole));
                let number = known.unwrap_or_else(|| {
                    let number = bound.len();
                    bound.push((value, whole));
                    let _ = writeln!(
                        declarations,
                        "@group(0) @binding({}) var<storage, read> operand_{number}: array<{}>;",
                        FIRST_BINDING + number,
                        match index_map {
                            IndexMap::Units(_) => "u32",
                            _ if whole => "vec4<f32>",
                            _ => "f32",
                        }
                    );
                    number
                });
                load(&format!("operand_{number}"), element, index_map, width)
            })
            .chain(link.pointwise.numbers.iter().map(|&number| format!("{}", Constant::from(number))))
            .collect();
        let _ = writeln!(body, "    value = {}({});", link.pointwise.function, arguments.join(", "));
        if watched == Watched::Epilogue {
            let _ = writeln!(body, "    suspect |= is_suspect(value);");
        }
    }
    if watched == Watched::Epilogue {
        body = format!("    var suspect = is_suspect(value);\n{body}    watch(suspect);\n");
    }
    let mut text = format!(
        "{declarations}fn epilogue(at: u32, first: {element}) -> {element} {{\n    var value = first;\n{body}    return value;\n}}\n"
    );
    if stored {
        let watch = if watched == Watched::Stored { "    watch(is_suspect(value));\n" } else { "" };
        let _ = write!(text, "fn stored(value: f32) -> f32 {{\n{watch}    return value;\n}}\n");
    }
    if watched != Watched::Nothing {
        files.push(&parts::watch);
    }
    (files, text, bound.into_iter().map(|(value, _)| Operand::Value(value)).collect())
}

/// Upper bound on the loop iterations of one call of a chain's `epilogue`.
pub(crate) fn iterations(links: &[EpilogueOp], width: usize) -> u64 {
    let draws = |link: &EpilogueOp| {
        let units = link.pointwise.index_map.iter().any(|index_map| matches!(index_map, IndexMap::Units(_)));
        if units { width as u64 * parts::philox.iterations() } else { 0 }
    };
    links.iter().map(|link| link.pointwise.file.iterations() + draws(link)).sum()
}

/// WGSL of a function `name(at)` that loads an operand's elements for the output's elements from `at * width` on,
/// from the buffer at this binding. For kernels that need an operand before they have a result for `epilogue`.
pub(crate) fn reader(name: &str, binding: usize, index_map: IndexMap, width: usize) -> String {
    let element = if width == 4 { "vec4<f32>" } else { "f32" };
    let stored = if Load::of(index_map, width) == Load::Whole { element } else { "f32" };
    let load = load(&format!("{name}_operand"), element, index_map, width);
    format!(
        "@group(0) @binding({binding}) var<storage, read> {name}_operand: array<{stored}>;\nfn {name}(at: u32) -> {element} {{\n    return {load};\n}}\n"
    )
}

impl EpilogueOp {
    pub(crate) fn new(
        operator: Arc<dyn Operator>,
        pointwise: Pointwise,
        inputs: Vec<Argument>,
        shape: Shape,
    ) -> Self {
        EpilogueOp { operator, pointwise, inputs, shape, keeps: false }
    }

    /// Inputs that are tensors, in order.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = Value> {
        self.inputs.iter().filter_map(|input| match input {
            Argument::Tensor(value) => Some(*value),
            Argument::Chain | Argument::Kept => None,
        })
    }

    /// The operator's result for the chain's value, the kept one, and its operands, in order.
    pub(crate) fn reference(&self, value: &Array, kept: &Array, operands: &[&Array]) -> Array {
        let mut operands = operands.iter();
        let of = |input: &Argument| match input {
            Argument::Chain => value,
            Argument::Kept => kept,
            Argument::Tensor(_) => operands.next().expect("every operand is an input"),
        };
        let arguments: Vec<&Array> = self.inputs.iter().map(of).collect();
        self.operator.reference(&arguments).swap_remove(0)
    }
}
