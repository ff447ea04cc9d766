//! The command line.

use lexopt::ValueExt;
use std::num::{NonZeroU16, NonZeroU32, ParseIntError};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

pub const HELP: &str = "\
usage: wgrad-serve --model FILE [--listen ADDRESS] [--batch-sizes N,N...] [--batching MS]
             [--queue N] [--largest-body BYTES] [--timeout SECONDS] [--adapter NAME]
       wgrad-serve --train-digits FILE
  --model FILE          weights that say which network they are of (.safetensors)
  --listen ADDRESS      address and port (default 127.0.0.1:8080; port 0 takes a free one)
  --batch-sizes N,N...  batch sizes that are opened (default 1,4,16)
  --batching MS         how long a request waits for others, in milliseconds
                        (default 0: shares with what came while the device was busy)
  --queue N             requests that may be under way; others get 503 (default 64)
  --largest-body BYTES  bytes of a request; larger ones get 413 (default 8388608)
  --timeout SECONDS     until a request that is not through gets 408, a connection
                        without a request is closed, and a server that ends does
                        not wait any more (default 30)
  --adapter NAME        take the adapter whose name contains this
  --train-digits FILE   train LeNet-5 on MNIST for one epoch, write it to FILE,
                        and end
requests:
  POST /predict         a picture (PNG, JPEG, WebP) as the body, or several as
                        multipart/form-data; ?top=N classes, ?samples=N draws of dropout (2 to 100)
  GET /                 the network: its classes, its input's shape, the adapter
  GET /health           200, or 503 if the device is lost
  GET /metrics          Prometheus text
";

/// What the command line says.
pub struct Options {
    pub model: Option<PathBuf>,
    pub train_digits: Option<PathBuf>,
    pub adapter: Option<String>,
    pub listen: String,
    pub batch_sizes: Vec<usize>,
    pub batching: Duration,
    pub queue: usize,
    pub largest_body: usize,
    pub timeout: Duration,
}

impl Options {
    /// `None` if the user asks for help.
    pub fn read() -> Result<Option<Options>, lexopt::Error> {
        use lexopt::prelude::*;
        let mut options = Options {
            model: None,
            train_digits: None,
            adapter: None,
            listen: "127.0.0.1:8080".into(),
            batch_sizes: vec![1, 4, 16],
            batching: Duration::ZERO,
            queue: 64,
            largest_body: 8 << 20,
            timeout: Duration::from_secs(30),
        };
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("model") => options.model = Some(parser.value()?.into()),
                Long("train-digits") => options.train_digits = Some(parser.value()?.into()),
                Long("adapter") => options.adapter = Some(parser.value()?.string()?),
                Long("listen") => options.listen = parser.value()?.string()?,
                Long("batch-sizes") => {
                    let sizes = |list: &str| -> Result<Vec<usize>, ParseIntError> {
                        list.split(',').map(|size| size.trim().parse()).collect()
                    };
                    options.batch_sizes = parser.value()?.parse_with(sizes).map_err(named("batch-sizes"))?;
                }
                Long("batching") => {
                    let milliseconds: u32 = number(&mut parser, "batching")?;
                    options.batching = Duration::from_millis(milliseconds.into());
                }
                Long("queue") => options.queue = number::<NonZeroU16>(&mut parser, "queue")?.get().into(),
                Long("largest-body") => options.largest_body = number(&mut parser, "largest-body")?,
                Long("timeout") => {
                    let seconds: NonZeroU32 = number(&mut parser, "timeout")?;
                    options.timeout = Duration::from_secs(seconds.get().into());
                }
                Long("help") | Short('h') => return Ok(None),
                _ => return Err(argument.unexpected()),
            }
        }
        Ok(Some(options))
    }
}

/// What is wrong with an option's value, behind the option's name.
fn named(option: &str) -> impl Fn(lexopt::Error) -> lexopt::Error {
    move |error| format!("--{option}: {error}").into()
}

fn number<T>(parser: &mut lexopt::Parser, option: &str) -> Result<T, lexopt::Error>
where
    T: FromStr,
    T::Err: Into<Box<dyn std::error::Error + Send + Sync + 'static>>,
{
    parser.value()?.parse().map_err(named(option))
}
