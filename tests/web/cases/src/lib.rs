//! The case tables of `tests/cases` in a browser: a page asks for a family's cases and runs them one after the other,
//! each as every plan of a browser may. Results are compared as the native tests compare them.
//! `tests/web/cases.mjs` drives it.

#[path = "../../../cases/mod.rs"]
mod cases;
mod harness;
mod plans;
mod training;

use harness::{Case, Prepared, halves, runner};
use plans::Planned;
use wasm_bindgen::prelude::*;
use wgrad::op::Array;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console)]
    fn error(text: &str);
}

/// Says where and why the program ended, which WebAssembly does not tell.
#[wasm_bindgen(start)]
fn start() {
    std::panic::set_hook(Box::new(|info| error(&info.to_string())));
}

/// The names of the families.
#[wasm_bindgen]
pub fn families() -> Vec<String> {
    cases::FAMILIES.iter().map(|family| family.name.to_owned()).collect()
}

/// The adapter's name, and its limits.
#[wasm_bindgen]
pub async fn adapter() -> Result<String, JsError> {
    let device = harness::open().await?;
    Ok(format!("{}, {:?}", device.summary(), device.caps()))
}

/// Whether the adapter has f16.
#[wasm_bindgen]
pub async fn has_f16() -> Result<bool, JsError> {
    Ok(harness::open().await?.caps().f16)
}

/// Trains a network in f32 and in mixed precision, and says how far the losses are apart.
#[wasm_bindgen]
pub async fn train_in_f16() -> Result<String, JsError> {
    harness::open().await?;
    Ok(training::in_f16().await?)
}

/// What a run gave.
#[wasm_bindgen(getter_with_clone)]
#[derive(Default)]
pub struct Ran {
    /// What is wrong, a line each.
    pub failures: Vec<String>,
    /// Kernels that ran.
    pub dispatches: u32,
}

/// A family's cases, and the runs of them.
#[wasm_bindgen]
pub struct Table {
    cases: Vec<Case>,
    runs: Vec<(usize, Planned)>,
    /// What the reference makes of the last case that ran.
    expected: Option<(usize, Vec<Array>)>,
}

#[wasm_bindgen]
impl Table {
    /// Opens the adapter and chooses what runs: by default what shows a variant an edge, in the sweep everything. In f16
    /// it is by default each variant's first case.
    pub async fn open(family: &str, sweep: bool, f16: bool) -> Result<Table, JsError> {
        let found = cases::FAMILIES.iter().find(|known| known.name == family);
        let family = found.ok_or_else(|| JsError::new(&format!("\"{family}\" is no family")))?;
        let device = harness::open().await?;
        let cases = (family.cases)();
        let plans = match f16 {
            true => plans::in_f16(&cases, device.caps(), sweep),
            false => plans::of(&cases, device.caps(), sweep)?,
        };
        let runs = plans.into_iter().enumerate();
        let runs = runs.flat_map(|(case, plans)| plans.into_iter().map(move |planned| (case, planned)));
        Ok(Table { runs: runs.collect(), cases, expected: None })
    }

    /// Number of cases.
    pub fn cases(&self) -> usize {
        self.cases.len()
    }

    /// Number of runs: each is a case as one plan has it.
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// The variant of a run, with its operator.
    pub fn variant(&self, run: usize) -> String {
        let (case, planned) = &self.runs[run];
        planned.variant(&self.cases[*case])
    }

    /// What a run is of.
    pub fn label(&self, run: usize) -> String {
        let (case, planned) = &self.runs[run];
        let case = &self.cases[*case];
        format!("{} {}", planned.label(case), case.name)
    }

    /// Makes a run.
    ///
    /// # Errors
    /// The device was lost, and no other can be opened.
    pub async fn run(&mut self, run: usize) -> Result<Ran, JsError> {
        let (at, planned) = &self.runs[run];
        let case = &self.cases[*at];
        let mut ran = Ran::default();
        if planned.halves {
            if let Err(e) = verify(case, planned, &mut ran).await {
                ran.failures.push(e.to_string());
            }
        } else {
            let expected = match self.expected.take() {
                Some((known, expected)) if known == *at => expected,
                _ => runner::expected(case),
            };
            if let Err(e) = compare(case, planned, &expected, &mut ran).await {
                ran.failures.push(e.to_string());
            }
            self.expected = Some((*at, expected));
        }
        // The driver's errors come after the call that caused them, and end the device.
        if let Err(e) = harness::device().wait_async().await {
            ran.failures = vec![e.to_string()];
            harness::open().await?;
        }
        Ok(ran)
    }
}

/// Runs a case in f16, and holds every node to the reference, which rounds what lies between them.
async fn verify(case: &Case, planned: &Planned, ran: &mut Ran) -> wgrad::Result<()> {
    let mut prepared = halves::prepare(case, planned.variant, &planned.caps)?;
    prepared.session.verify_async().await?;
    ran.dispatches = prepared.session.counters().dispatches as u32;
    Ok(())
}

/// Runs a case as planned, and compares its outputs.
async fn compare(case: &Case, planned: &Planned, expected: &[Array], ran: &mut Ran) -> wgrad::Result<()> {
    let mut prepared = Prepared::new(case, &planned.options, usize::MAX, &planned.caps)?;
    let found = prepared.run_async().await?;
    ran.dispatches = prepared.session.counters().dispatches as u32;
    let each = expected.iter().zip(&found).enumerate();
    ran.failures.extend(each.filter_map(|(i, (expected, found))| runner::judge(case, i, expected, found).1));
    Ok(())
}
