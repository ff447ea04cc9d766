//! Operators that work element by element, and chains of them in one kernel.
//!
//! Such an operator says which WGSL function makes one element ([`Pointwise`]). By itself it runs in
//! the one kernel `map`. A kernel that stores through `epilogue(at, value)` can take a chain of them
//! along: the glue generated here is that function, which calls theirs one after the other. What chain
//! goes where is the plan's decision (`plan/fuse`). How inputs are broadcast stands in `index_map`.

mod index_map;

pub use index_map::{IndexMap, Span, Units};

use super::Operator;
use crate::error::Result;
use crate::graph::{Node, Value};
use crate::plan::{Caps, LowerContext, Operand};
use crate::reference::Array;
use crate::shader::{Constant, Kernel, ShaderFile};
use crate::shader_file;
use crate::tensor::{Shape, TensorType};
use index_map::{Load, load};
use std::fmt::Write as _;
use std::iter;
use std::sync::Arc;

static ELEMENT_1: ShaderFile = shader_file!("shared/element_1");
static ELEMENT_4: ShaderFile = shader_file!("shared/element_4");
static GROUP: ShaderFile = shader_file!("shared/group");
static MAP: ShaderFile = shader_file!("map");
static PHILOX: ShaderFile = shader_file!("shared/philox");
static UNITS: ShaderFile = shader_file!("shared/units");
pub(crate) static WATCH: ShaderFile = shader_file!("shared/watch");

/// Invocations of a workgroup of `map`, and how many elements each makes in turn.
const LANES: usize = 64;
const ITEMS: usize = 4;

/// Number of the first binding of a chain's own operands: past those of any kernel.
const FIRST_BINDING: usize = 32;

/// How an operator makes one element of its only output from its inputs.
#[derive(Clone, Debug)]
pub struct Pointwise {
    /// The file that defines the function, in terms of `Element`: an f32 or a vec4 of them.
    pub file: &'static ShaderFile,
    /// The function. Its parameters are the operator's inputs, in order, all of type `Element`, and then
    /// `numbers`, each an f32.
    pub function: &'static str,
    /// Which element of each input goes into element `i` of the output.
    pub index_map: Vec<IndexMap>,
    /// Attributes that the function takes.
    pub numbers: Vec<f32>,
}

/// An operator at work within a chain: the chain's value is one of its inputs, the others are
/// tensors.
#[derive(Clone, Debug)]
pub(crate) struct EpilogueOp {
    pub operator: Arc<dyn Operator>,
    pub pointwise: Pointwise,
    /// Inputs in order; `None` is the chain's value. The first link of `map` reads tensors alone.
    pub inputs: Vec<Option<Value>>,
    /// The shape that the operator gives the chain's value: elements in the same order.
    pub shape: Shape,
}

/// Which values of a kernel the numerics watch looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Watched {
    /// None.
    Nothing,
    /// What `epilogue` is given, each link makes of it, and it returns.
    Epilogue,
    /// What passes through `stored(value)`.
    Stored,
}

/// Writes `epilogue` for a chain, with `width` elements at a time, and says what it binds. With `stored`, writes
/// that function too: what a kernel stores after combining several finished values.
pub(crate) fn glue(
    links: &[EpilogueOp],
    width: usize,
    watched: Watched,
    stored: bool,
) -> (Vec<&'static ShaderFile>, String, Vec<Operand>) {
    let element = if width == 4 { "vec4<f32>" } else { "f32" };
    let kind = if width == 4 { "vector" } else { "scalar" };
    let mut files = vec![if width == 4 { &ELEMENT_4 } else { &ELEMENT_1 }];
    let (mut declarations, mut body) = (String::new(), String::new());
    // What is bound, and whether as whole elements: a tensor that several links read is bound once.
    let mut bound: Vec<(Value, bool)> = Vec::new();
    for link in links {
        if link.pointwise.index_map.iter().any(|index_map| matches!(index_map, IndexMap::Units(_))) {
            files.extend([&PHILOX, &UNITS]);
        }
        files.push(link.pointwise.file);
        let arguments: Vec<String> = link
            .inputs
            .iter()
            .zip(&link.pointwise.index_map)
            .map(|(input, &index_map)| {
                let Some(value) = *input else { return "value".to_owned() };
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
            let _ = writeln!(body, "    suspect |= suspect_{kind}(value);");
        }
    }
    if watched == Watched::Epilogue {
        body = format!("    var suspect = suspect_{kind}(value);\n{body}    watch_{kind}(suspect);\n");
    }
    let mut text = format!(
        "{declarations}fn epilogue(at: u32, first: Element) -> Element {{\n    var value = first;\n{body}    return value;\n}}\n"
    );
    if stored {
        let watch =
            if watched == Watched::Stored { "    watch_scalar(suspect_scalar(value));\n" } else { "" };
        let _ = write!(text, "fn stored(value: f32) -> f32 {{\n{watch}    return value;\n}}\n");
    }
    if watched != Watched::Nothing {
        files.push(&WATCH);
    }
    (files, text, bound.into_iter().map(|(value, _)| Operand::Value(value)).collect())
}

/// Upper bound on the loop iterations of one call of a chain's `epilogue`.
pub(crate) fn iterations(links: &[EpilogueOp], width: usize) -> u64 {
    let draws = |link: &EpilogueOp| {
        let units = link.pointwise.index_map.iter().any(|index_map| matches!(index_map, IndexMap::Units(_)));
        if units { width as u64 * PHILOX.iterations() } else { 0 }
    };
    links.iter().map(|link| link.pointwise.file.iterations() + draws(link)).sum()
}

/// WGSL of a function `name(at)` that gives what goes into elements `at * width` and on from the buffer at
/// this binding. For kernels that use an operand before their result is there to be finished.
pub(crate) fn reader(name: &str, binding: usize, index_map: IndexMap, width: usize) -> String {
    let element = if width == 4 { "vec4<f32>" } else { "f32" };
    let stored = if Load::of(index_map, width) == Load::Whole { element } else { "f32" };
    let load = load(&format!("{name}_operand"), element, index_map, width);
    format!(
        "@group(0) @binding({binding}) var<storage, read> {name}_operand: array<{stored}>;\nfn {name}(at: u32) -> {element} {{\n    return {load};\n}}\n"
    )
}

/// Records an operator that works element by element, by itself.
pub(crate) fn lower(cx: &mut LowerContext<'_>) -> Result<()> {
    let types: Vec<TensorType> = (0..cx.inputs()).map(|i| cx.input_type(i).clone()).collect();
    let operator = Arc::clone(&cx.node.operator);
    let pointwise = operator.pointwise(&types.iter().collect::<Vec<_>>()).expect("the operator is pointwise");
    let inputs = cx.node.inputs.iter().copied().map(Some).collect();
    let own = EpilogueOp { operator, pointwise, inputs, shape: cx.output_type(0).shape.clone() };
    cx.chain.insert(0, own);
    let elements = cx.output_type(0).shape.elements();
    let width = if elements.is_multiple_of(4) { 4 } else { 1 };
    let kernel = Kernel::new(&[&GROUP, &MAP])
        .with("ELEMENTS", cx.index(elements / width)?)
        .with("ITEMS", ITEMS as u32)
        .iterations(ITEMS as u64)
        .epilogue_calls(ITEMS as u64);
    let operands = [cx.output(0)];
    cx.dispatch_epilogue(kernel, &operands, (elements / width).div_ceil(LANES * ITEMS), width);
    Ok(())
}

/// An operator followed by a chain of operators that work element by element on its first output.
///
/// Inputs are the head's own, then what the links bind. To the plan it is the head: the same name,
/// variants and dispatches.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub head: Arc<dyn Operator>,
    pub head_inputs: usize,
    pub links: Vec<Arc<EpilogueOp>>,
    /// At the most as many operands as one of its kernels binds.
    pub operands: usize,
}

impl Chain {
    /// The operator of a node, with nothing after it yet.
    pub fn new(node: &Node) -> Chain {
        Chain {
            head: Arc::clone(&node.operator),
            head_inputs: node.inputs.len(),
            links: Vec::new(),
            operands: usize::MAX,
        }
    }

    fn head_kinds<'t>(&self, inputs: &[&'t TensorType]) -> Vec<&'t TensorType> {
        inputs[..self.head_inputs].to_vec()
    }

    /// The head's value, and what each link makes of the value before it.
    fn follow(&self, value: Array, inputs: &[&Array]) -> Vec<Array> {
        let mut bound = &inputs[self.head_inputs..];
        let mut values = vec![value];
        for link in &self.links {
            let value = values.last_mut().expect("the first is there");
            value.shape = link.shape.clone();
            let (operands, rest) = bound.split_at(link.operands());
            bound = rest;
            let next = link.reference(value, operands);
            values.push(next);
        }
        values
    }
}

impl EpilogueOp {
    /// Inputs that are tensors.
    fn operands(&self) -> usize {
        self.inputs.iter().flatten().count()
    }

    /// What the operator makes of the chain's value and its operands, in order.
    fn reference(&self, value: &Array, operands: &[&Array]) -> Array {
        let mut operands = operands.iter();
        let of = |input: &Option<Value>| match input {
            None => value,
            Some(_) => operands.next().expect("every operand is an input"),
        };
        let arguments: Vec<&Array> = self.inputs.iter().map(of).collect();
        self.operator.reference(&arguments).swap_remove(0)
    }
}

impl Operator for Chain {
    fn name(&self) -> &'static str {
        self.head.name()
    }

    fn arity(&self) -> (usize, usize) {
        let bound = self.links.iter().flat_map(|link| &link.inputs).flatten().count();
        (self.head_inputs + bound, self.head_inputs + bound)
    }

    fn describe(&self) -> String {
        let links: Vec<String> = self.links.iter().map(|link| link.operator.describe()).collect();
        format!("{} + {}", self.head.describe(), links.join(" + "))
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        self.head.infer(&self.head_kinds(inputs))
    }

    fn variants(&self, inputs: &[&TensorType], caps: &Caps) -> Vec<&'static str> {
        self.head.variants(&self.head_kinds(inputs), caps)
    }

    fn shape_class(&self, inputs: &[&TensorType]) -> &'static str {
        self.head.shape_class(&self.head_kinds(inputs))
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let head = Node {
            operator: Arc::clone(&self.head),
            inputs: cx.node.inputs[..self.head_inputs].to_vec(),
            ..cx.node.clone()
        };
        cx.within(&head, &self.links)
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let mut outputs = self.head.reference(&inputs[..self.head_inputs]);
        let followed = self.follow(outputs[0].clone(), inputs).pop().expect("the last is there");
        outputs[0].data = followed.data;
        outputs
    }

    // A link that subtracts may leave nothing but what was rounded before it. So this is what the rest of the
    // chain makes of the error that the head, or a link, may have.
    fn largest_sum_of_terms(&self, output: usize, inputs: &[&Array]) -> Option<f64> {
        let head = &inputs[..self.head_inputs];
        let terms = self.head.largest_sum_of_terms(output, head);
        if output > 0 {
            return terms;
        }
        let values = self.follow(self.head.reference(head).swap_remove(0), inputs);
        let makers = iter::once(&self.head).chain(self.links.iter().map(|link| &link.operator));
        let mut bound = &inputs[self.head_inputs..];
        // How far each element may be off in front of a link, by the error of whichever maker moves it most.
        let mut moves = values[0].map(|_| 0.0);
        for (i, (link, maker)) in self.links.iter().zip(makers).enumerate() {
            let (value, exact) = (&values[i], &values[i + 1]);
            let scale = if i == 0 { value.largest().max(terms.unwrap_or(0.0)) } else { value.largest() };
            moves = moves.map(|moves| moves.max(maker.tolerance() * scale));
            moves.shape = value.shape.clone();
            let (operands, rest) = bound.split_at(link.operands());
            bound = rest;
            let [up, down] = [1.0, -1.0].map(|sign| {
                let moved = link.reference(&value.zip(&moves, |x, moves| x + sign * moves), operands);
                moved.zip(exact, |moved, exact| (moved - exact).abs())
            });
            moves = up.zip(&down, f64::max);
        }
        Some(moves.largest() / self.tolerance())
    }

    fn in_place(&self) -> Vec<(usize, usize)> {
        self.head.in_place()
    }

    fn tolerance(&self) -> f64 {
        let links = self.links.iter().map(|link| link.operator.tolerance());
        links.fold(self.head.tolerance(), f64::max)
    }

    fn serial_terms(&self, inputs: &[&TensorType], variant: &str) -> u64 {
        self.head.serial_terms(&self.head_kinds(inputs), variant)
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        let elements = self.infer(inputs).map_or(0, |outputs| outputs[0].shape.elements());
        self.head.flops(&self.head_kinds(inputs)) + (elements * self.links.len()) as u64
    }
}
