//! Prints what AMD's shader compiler makes of the default kernels for discrete GPUs, without a GPU; see
//! README.md.

#[path = "../../../tests/harness/begin.rs"]
mod begin;
mod loops;
mod problems;
mod radv;

use problems::Planned;
use radv::{Compiled, Radv};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// A chip that the driver can pretend to be.
struct Chip {
    name: &'static str,
    /// The driver's name for the chip.
    family: &'static str,
    /// The least share of multiply-adds in a default kernel's inner loop.
    share: f64,
    /// Whether it is among those that are compiled for unless one is named.
    by_default: bool,
}

const CHIPS: [Chip; 3] = [
    Chip { name: "RDNA2", family: "navi21", share: 0.80, by_default: true },
    Chip { name: "RDNA3", family: "navi31", share: 0.75, by_default: true },
    // Debian 12 has no driver that disassembles its code.
    Chip { name: "RDNA4", family: "gfx1201", share: 0.75, by_default: false },
];

/// The least waves in a SIMD.
const WAVES: f64 = 8.0;

/// Environment variable that tells a child process its chip.
const CHILD: &str = "WGRAD_ISA_CHIP";

const USAGE: &str = "\
usage: wgrad-isa [--chip RDNA2|RDNA3|RDNA4] [--driver FILE] [--variant NAME] [--mixed] [--file FILE.wgsl] [--asm]
  --chip     only this one
  --driver   libvulkan_radeon.so to use; default: the installed one
  --variant  this kernel variant where an operator has it, not the default
  --mixed    plans of mixed precision, with cooperative matrices
  --file     this WGSL text, not the planned kernels
  --asm      print each kernel's machine code too";

#[derive(Default)]
struct Options {
    chip: Option<String>,
    driver: Option<PathBuf>,
    variant: Option<String>,
    mixed: bool,
    file: Option<PathBuf>,
    assembly: bool,
}

fn main() -> ExitCode {
    let result = options().and_then(|options| match std::env::var(CHILD) {
        Ok(name) => {
            let chip = CHIPS.iter().find(|chip| chip.name == name).ok_or("unknown chip")?;
            table(chip, &options)
        }
        Err(_) => start_children(&options),
    });
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("wgrad-isa: {message}");
            ExitCode::from(2)
        }
    }
}

fn options() -> Result<Options, String> {
    use lexopt::prelude::*;
    let mut options = Options::default();
    let mut parser = lexopt::Parser::from_env();
    let text = |e: lexopt::Error| format!("{e}\n{USAGE}");
    while let Some(argument) = parser.next().map_err(text)? {
        match argument {
            Long("chip") => options.chip = Some(parser.value().and_then(|v| v.string()).map_err(text)?),
            Long("driver") => options.driver = Some(parser.value().map_err(text)?.into()),
            Long("variant") => options.variant = Some(parser.value().and_then(|v| v.string()).map_err(text)?),
            Long("file") => options.file = Some(parser.value().map_err(text)?.into()),
            Long("mixed") => options.mixed = true,
            Long("asm") => options.assembly = true,
            _ => return Err(text(argument.unexpected())),
        }
    }
    Ok(options)
}

/// Runs this program once for each chip: the driver reads its environment when it is loaded.
fn start_children(options: &Options) -> Result<bool, String> {
    if let Some(name) = &options.chip
        && !CHIPS.iter().any(|chip| chip.name == name)
    {
        return Err(format!("there is no chip \"{name}\"\n{USAGE}"));
    }
    let manifest = match &options.driver {
        Some(driver) => write_manifest(driver)?,
        None => installed_manifest()?,
    };
    let program = std::env::current_exe().map_err(|e| format!("this program can't find itself: {e}"))?;
    let mut all = true;
    let asked = |chip: &&Chip| options.chip.as_ref().map_or(chip.by_default, |name| name == chip.name);
    for chip in CHIPS.iter().filter(asked) {
        let mut child = Command::new(&program);
        child.args(std::env::args_os().skip(1)).env(CHILD, chip.name);
        child.env("RADV_FORCE_FAMILY", chip.family);
        // Compute with 32 lanes a wave, in which RDNA3 and RDNA4 pair multiply-adds. RDNA2's default is 64.
        if chip.name != "RDNA2" {
            child.env("RADV_PERFTEST", "cswave32");
        }
        child.env("VK_DRIVER_FILES", &manifest).env("VK_ICD_FILENAMES", &manifest);
        if let Some(folder) = options.driver.as_deref().and_then(Path::parent) {
            // An unpacked driver has its libraries beside it.
            child.env("LD_LIBRARY_PATH", folder);
        }
        let status = child.status().map_err(|e| format!("{}: {e}", program.display()))?;
        match status.code() {
            Some(0) => {}
            Some(1) => all = false,
            _ => {
                let hint = "a driver that does not know the chip is too old; newer-driver.sh fetches one";
                return Err(format!("nothing was compiled for {}: {hint}", chip.name));
            }
        }
    }
    Ok(all)
}

/// The manifest of an installed RADV.
fn installed_manifest() -> Result<PathBuf, String> {
    for folder in ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"] {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("radeon_icd") && !name.contains("i686") {
                return Ok(entry.path());
            }
        }
    }
    Err("Mesa's RADV driver is not installed; install it (Debian, Ubuntu: apt-get install \
         mesa-vulkan-drivers) or name its libvulkan_radeon.so with --driver"
        .into())
}

/// Writes a manifest for the driver in this file.
fn write_manifest(driver: &Path) -> Result<PathBuf, String> {
    let driver = std::fs::canonicalize(driver).map_err(|e| format!("{}: {e}", driver.display()))?;
    let path = std::env::temp_dir().join(format!("wgrad-isa-{}.json", std::process::id()));
    let text = format!(
        "{{\"file_format_version\": \"1.0.0\", \"ICD\": {{\"api_version\": \"1.3.0\", \"library_path\": {:?}}}}}\n",
        driver.to_string_lossy()
    );
    std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path)
}

/// Compiles every kernel for the chip and prints a table. Returns whether all reach the aim.
fn table(chip: &Chip, options: &Options) -> Result<bool, String> {
    let radv = Radv::open()?;
    let kernels = match &options.file {
        Some(path) => {
            let source = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
            let shape = String::from("as it stands");
            vec![Planned { kernel: path.display().to_string(), shape, source }]
        }
        None => problems::planned(options.variant.as_deref(), options.mixed).map_err(|e| e.to_string())?,
    };
    println!("{} ({}):\n", chip.name, radv.name);
    println!(
        "| kernel | problem | VGPRs | spills | waves a SIMD | FMA share | around it | workgroup loads, bits | reached |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut all = true;
    for Planned { kernel, shape, source } in kernels {
        let compiled = radv.compile(&source).map_err(|e| format!("{kernel}, {shape}: {e}"))?;
        if options.assembly {
            println!("{}", compiled.assembly);
        }
        let (row, reached) = row(chip, &compiled)?;
        all &= reached;
        println!("| {kernel} | {shape} | {row} | {} |", if reached { "yes" } else { "no" });
    }
    println!();
    Ok(all)
}

/// The figures of one kernel, and whether they reach the aim.
fn row(chip: &Chip, compiled: &Compiled) -> Result<(String, bool), String> {
    let statistic = |name: &str| {
        let known = || compiled.statistics.keys().cloned().collect::<Vec<_>>().join(", ");
        let value = compiled.statistics.get(name).copied();
        value.ok_or_else(|| format!("the driver does not say \"{name}\", only {}", known()))
    };
    let registers = statistic("VGPRs")?;
    let spills = statistic("Spilled VGPRs")? + statistic("Spilled SGPRs")?;
    let waves = statistic("Subgroups per SIMD")?;
    let Some(mix) = loops::hottest(&compiled.assembly) else {
        return Ok((format!("{registers} | {spills} | {waves} | no loop | | "), false));
    };
    let widths = mix.workgroup_loads.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let mut share = match mix.matrix {
        0 => format!("{:.0} % of {}", 100.0 * mix.share(), mix.issued),
        matrix => format!("{matrix} products of matrices in {}", mix.issued),
    };
    if mix.memory > 0 {
        share.push_str(&format!(", {} to memory", mix.memory));
    }
    let reached = spills == 0.0
        && waves >= WAVES
        && (mix.matrix > 0 || mix.share() > chip.share)
        && mix.workgroup_loads.iter().all(|&bits| bits == 128);
    Ok((format!("{registers} | {spills} | {waves} | {share} | {} | {widths}", mix.around), reached))
}
