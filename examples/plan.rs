//! Prints the plan of a network's training step for any kind of adapter, without a GPU: kernels and why they
//! were chosen, fused operators, memory, and bytes moved.
//!
//! `cargo run --release --example plan -- discrete 64` plans the seed network for a discrete GPU and 64 images a step.
//! Further arguments name fusions to leave out; `none` leaves out all. `--network resnet18` plans another network.
//!
//! `--kernel NAME` prints kernels instead, as the driver gets them: those of this name in the plan, or all of the
//! node or of the operator of this name. A kernel that the network has no use for is printed with its holes filled by
//! the first files that do, and with the sizes that stand in them.

#[path = "help/mod.rs"]
mod help;
#[path = "../tests/harness/network.rs"]
#[allow(dead_code, reason = "tests need more of it")]
mod network;

use network::Training;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use wgrad::nn::models;
use wgrad::op::AdapterKind;
use wgrad::plan::{Fusion, Step};
use wgrad::shader::{Kernel, ShaderFile};
use wgrad::{Caps, Error, Plan, PlanOptions};

const KINDS: [AdapterKind; 4] =
    [AdapterKind::Discrete, AdapterKind::Integrated, AdapterKind::Apple, AdapterKind::Software];

/// A network's training step at a batch size.
type Network = (&'static str, fn(usize) -> Result<Training, Error>);

const NETWORKS: [Network; 5] = [
    ("seed", network::training),
    ("resnet18", |batch| network::training_of(&models::resnet18(3, 1000), [batch, 3, 224, 224])),
    ("resnet50", |batch| network::training_of(&models::resnet50(3, 1000), [batch, 3, 224, 224])),
    ("mobilenet_v2", |batch| network::training_of(&models::mobilenet_v2(3, 1000), [batch, 3, 224, 224])),
    ("unet", |batch| network::training_of(&models::unet(1, 3, 32), [batch, 1, 256, 256])),
];

/// What the command line asks for.
struct Request {
    network: Network,
    kernel: Option<String>,
    kind: AdapterKind,
    batch: usize,
    options: PlanOptions,
}

const HELP: &str = "\
usage: plan [ADAPTER] [BATCH] [FUSION...] [--network NAME] [--kernel NAME]
  ADAPTER         discrete, integrated, apple or software
  BATCH           images a step (default 64)
  FUSION          fusions to leave out; none leaves out all
  --network NAME  seed, resnet18, resnet50, mobilenet_v2 or unet (default seed)
  --kernel NAME   print kernels as the driver gets them: of this name, or of this node or operator
";

fn main() -> ExitCode {
    help::answer(HELP);
    let arguments =
        std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    match read(arguments).and_then(|request| print(&request)) {
        Ok(text) => {
            // The reader may have closed the pipe (`| head`).
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "error: {}", wgrad::file::printable_message(&message));
            ExitCode::FAILURE
        }
    }
}

/// Takes an option and its value out of the arguments.
fn option(arguments: &mut Vec<String>, name: &str) -> Result<Option<String>, String> {
    let Some(at) = arguments.iter().position(|argument| argument == name) else { return Ok(None) };
    if at + 1 == arguments.len() {
        return Err(format!("{name} needs a value"));
    }
    Ok(arguments.drain(at..at + 2).next_back())
}

fn read(mut arguments: Vec<String>) -> Result<Request, String> {
    let kernel = option(&mut arguments, "--kernel")?;
    let network = option(&mut arguments, "--network")?.unwrap_or_else(|| NETWORKS[0].0.to_owned());
    let network = NETWORKS.into_iter().find(|(name, _)| *name == network).ok_or_else(|| {
        format!("\"{network}\" is no network; expected {}", list(&NETWORKS.map(|(name, _)| name)))
    })?;
    let kind = arguments.first().map_or("software", String::as_str);
    let kind = KINDS
        .into_iter()
        .find(|known| known.to_string() == kind)
        .ok_or_else(|| format!("\"{kind}\" is no kind of adapter; expected {}", list(&KINDS)))?;
    let batch = match arguments.get(1) {
        None => 64,
        Some(text) => text.parse().map_err(|_| format!("\"{text}\" is no batch size"))?,
    };
    let mut options = PlanOptions::default();
    for name in arguments.iter().skip(2) {
        let named = |fusion: &Fusion| name == "none" || fusion.to_string() == *name;
        let mut found = Fusion::ALL.into_iter().filter(named).peekable();
        if found.peek().is_none() {
            return Err(format!("\"{name}\" is no fusion; expected none, {}", list(&Fusion::ALL)));
        }
        options = found.fold(options, PlanOptions::without);
    }
    Ok(Request { network, kernel, kind, batch, options })
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

fn print(request: &Request) -> Result<String, String> {
    let plan = plan(request).map_err(|error| error.to_string())?;
    match &request.kernel {
        None => Ok(plan.to_string()),
        Some(name) => {
            kernels(&plan, name).map_err(|error| error.to_string())?.ok_or_else(|| unknown(&plan, name))
        }
    }
}

fn plan(request: &Request) -> Result<Plan, Error> {
    let Training { graph, loss, .. } = (request.network.1)(request.batch)?;
    // A desktop GPU or driver offers subgroups and more than the eight buffers of a browser's default.
    let mut caps = Caps::webgpu_defaults(request.kind);
    caps.max_storage_buffers = 16;
    if request.kind == AdapterKind::Software {
        (caps.subgroups, caps.subgroup_size) = (true, 8);
    }
    Plan::with_options(&graph, &[loss], &caps, &request.options)
}

/// Kernels as the driver gets them, each text once, behind the nodes that run it.
fn kernels(plan: &Plan, name: &str) -> Result<Option<String>, Error> {
    let node = |step: &Step| plan.graph().node(step.node).expect("a plan's steps are nodes of its graph");
    let all =
        || plan.steps().iter().flat_map(|step| step.dispatches.clone().map(move |dispatch| (step, dispatch)));
    let mut found: Vec<_> = all().filter(|(_, i)| plan.dispatches()[*i].kernel.name() == name).collect();
    if found.is_empty() {
        found = all().filter(|(step, _)| node(step).name == name).collect();
    }
    if found.is_empty() {
        found = all().filter(|(step, _)| node(step).operator.name() == name).collect();
    }
    if found.is_empty() {
        return by_itself(name);
    }
    let mut nodes: BTreeMap<String, (usize, Vec<String>)> = BTreeMap::new();
    for (i, (step, dispatch)) in found.into_iter().enumerate() {
        let (kernel, [x, y, z]) =
            (&plan.dispatches()[dispatch].kernel, plan.dispatches()[dispatch].workgroups);
        let of = node(step);
        let line =
            format!("// {} [{x} {y} {z}] for {} ({})\n", kernel.name(), of.name, of.operator.describe());
        nodes.entry(kernel.source()?).or_insert((i, Vec::new())).1.push(line);
    }
    let mut texts: Vec<_> =
        nodes.into_iter().map(|(source, (first, lines))| (first, lines.concat(), source)).collect();
    texts.sort();
    Ok(Some(
        texts
            .into_iter()
            .map(|(_, lines, source)| format!("{lines}\n{source}"))
            .collect::<Vec<_>>()
            .join("\n"),
    ))
}

/// A kernel that is in no plan.
fn by_itself(name: &str) -> Result<Option<String>, Error> {
    let kernels = ShaderFile::kernels();
    let mut kernel = if let Some(file) = kernels.iter().find(|file| file.name() == name) {
        Kernel::new(file)
    } else {
        let Some(part) = ShaderFile::part(name) else { return Ok(None) };
        let Some(file) = kernels.iter().find(|file| is_filled_by(file, part)) else { return Ok(None) };
        Kernel::new(file).fill(part)
    };
    let mut text = format!("// {name}, which the network has no use for\n\n");
    while let Some((_, hole)) = kernel.open().pop() {
        let Some(filler) = hole.by.iter().find_map(|by| ShaderFile::part(by)) else {
            let _ = writeln!(text, "// Rust fills hole {}: {}", hole.name, hole.by.join(", "));
            kernel = kernel.fill_text(std::slice::from_ref(&hole.name), String::new());
            continue;
        };
        kernel = kernel.fill(filler);
    }
    Ok(Some(text + &kernel.source()?))
}

/// Whether a kernel takes its name from this part, as `map` does from what it makes.
fn is_filled_by(kernel: &ShaderFile, part: &ShaderFile) -> bool {
    kernel.holes().iter().any(|hole| hole.by.contains(&"the operator") && part.fills().contains(&hole.name))
}

fn unknown(plan: &Plan, name: &str) -> String {
    let mut names: Vec<&str> = plan.dispatches().iter().map(|dispatch| dispatch.kernel.name()).collect();
    names.extend(ShaderFile::kernels().iter().map(|file| file.name()));
    names.sort_unstable();
    names.dedup();
    format!(
        "\"{name}\" is no kernel, and no node or operator of the network; kernels are {}",
        names.join(", ")
    )
}
