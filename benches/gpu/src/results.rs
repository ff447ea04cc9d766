//! The results of a part, kept in a file that is written anew as they come, so that a part that is stopped leaves what
//! it has.

use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The least time between two writes: each syncs the disk.
const BETWEEN_WRITES: Duration = Duration::from_millis(500);

/// The folder of the parts' files within the folder of the results.
pub fn folder(out: &Path) -> PathBuf {
    out.join("parts")
}

/// Results of one part.
pub struct Results {
    path: PathBuf,
    values: Map<String, Value>,
    rows: Vec<Value>,
    notes: Vec<Value>,
    wrong: Vec<Value>,
    left_out: bool,
    started: Instant,
    limit: Option<Duration>,
    written: Instant,
}

impl Results {
    /// Results of this part, empty. `limit` is the time after which the part should end.
    pub fn new(out: &Path, part: &str, limit: Option<Duration>) -> Result<Results, String> {
        let folder = folder(out);
        std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let mut results = Results {
            path: folder.join(format!("{part}.json")),
            values: Map::new(),
            rows: Vec::new(),
            notes: Vec::new(),
            wrong: Vec::new(),
            left_out: false,
            started: Instant::now(),
            limit,
            written: Instant::now(),
        };
        results.write();
        Ok(results)
    }

    /// Sets a value of the part.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.values.insert(name.to_owned(), value.into());
        self.write();
    }

    /// Appends a row to the part's table, and prints it.
    pub fn row(&mut self, row: Value) {
        println!("{}", brief(&row));
        self.rows.push(row);
        if self.written.elapsed() >= BETWEEN_WRITES {
            self.write();
        }
    }

    /// Replaces the part's table.
    pub fn replace_rows(&mut self, rows: Vec<Value>) {
        self.rows = rows;
        if self.written.elapsed() >= BETWEEN_WRITES {
            self.write();
        }
    }

    /// Adds a sentence that the report shows with the part.
    pub fn note(&mut self, sentence: impl Into<String>) {
        let sentence = sentence.into();
        println!("{sentence}");
        self.notes.push(sentence.into());
        self.write();
    }

    /// Adds a sentence on a result that is wrong, or on work that failed. The part then counts as failed.
    pub fn wrong(&mut self, sentence: impl Into<String>) {
        let sentence = sentence.into();
        println!("WRONG: {sentence}");
        self.wrong.push(sentence.into());
        self.write();
    }

    /// Says why the part does not run on this adapter, which is no error. It is the last that the part prints.
    pub fn leave_out(&mut self, why: &str) {
        println!("{why}");
        self.left_out = true;
    }

    /// Whether the part does not run on this adapter.
    pub fn is_left_out(&self) -> bool {
        self.left_out
    }

    /// Whether nothing was wrong.
    pub fn is_fine(&self) -> bool {
        self.wrong.is_empty()
    }

    /// Whether a share of the part's time is over.
    pub fn is_past(&self, share: f64) -> bool {
        self.limit.is_some_and(|limit| self.started.elapsed() >= limit.mul_f64(share))
    }

    /// Writes the file a last time.
    pub fn finish(&mut self) -> Result<(), String> {
        self.set("seconds", self.started.elapsed().as_secs_f64());
        self.try_write()
    }

    /// A write that fails here fails again in [`finish`](Results::finish), which reports it.
    fn write(&mut self) {
        let _ = self.try_write();
        self.written = Instant::now();
    }

    fn try_write(&self) -> Result<(), String> {
        let mut all = self.values.clone();
        all.insert("rows".into(), json!(self.rows));
        all.insert("notes".into(), json!(self.notes));
        all.insert("wrong".into(), json!(self.wrong));
        let text = serde_json::to_string_pretty(&Value::Object(all)).map_err(|e| e.to_string())?;
        wgrad::file::write_whole(&self.path, text.as_bytes()).map_err(|e| e.to_string())
    }
}

/// The fields of a row that hold one value each.
fn brief(row: &Value) -> String {
    let fields = row.as_object().into_iter().flatten();
    let single = fields.filter(|(_, value)| !value.is_array() && !value.is_object());
    single.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
}

/// The middle sample, or the mean of the two in the middle; NaN without samples.
pub fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    let middle = samples.len() / 2;
    match samples.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => samples[middle],
        _ => 0.5 * (samples[middle - 1] + samples[middle]),
    }
}
