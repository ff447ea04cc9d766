//! The server as its clients see it: answers, refusals, limits, and its end.

use std::io::{BufRead, BufReader, Cursor, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use wgrad::nn::{Layer, models};
use wgrad::predict::Predictor;
use wgrad::weights::Metadata;
use wgrad::{Device, Graph, Mode, Weights};

/// A server that is killed with the test.
struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(model: &Path, arguments: &[&str]) -> Server {
        let mut child = Command::new(env!("CARGO_BIN_EXE_wgrad-serve"))
            .arg("--model")
            .arg(model)
            .args(["--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server can be started");
        let mut output = BufReader::new(child.stdout.take().expect("it has an output"));
        let address = loop {
            let mut line = String::new();
            assert!(output.read_line(&mut line).expect("it prints text") > 0, "it ended before it served");
            if let Some((_, address)) = line.split_once("http://") {
                break address.trim().trim_end_matches("/predict").parse().expect("an address");
            }
        };
        Server { child, output, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout can be set");
        stream
    }

    /// Waits until the metrics have a line.
    fn wait_for(&self, line: &str) {
        let start = Instant::now();
        while !self.get("/metrics").body.lines().any(|found| found == line) {
            assert!(start.elapsed() < Duration::from_secs(30), "there is no \"{line}\"");
        }
    }

    fn get(&self, path: &str) -> Reply {
        let mut stream = self.connect();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("it listens");
        Reply::read(stream)
    }

    fn post(&self, path: &str, kind: &str, body: &[u8]) -> Reply {
        let mut stream = self.connect();
        head(&mut stream, path, kind, body.len());
        // A server that refuses need not read all of it.
        let _ = stream.write_all(body);
        Reply::read(stream)
    }
}

fn head(stream: &mut TcpStream, path: &str, kind: &str, length: usize) {
    let kind = format!("Content-Type: {kind}\r\nContent-Length: {length}");
    write!(stream, "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{kind}\r\n\r\n")
        .expect("it listens");
}

struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn read(mut stream: TcpStream) -> Reply {
        let mut all = Vec::new();
        // What was read before a connection is reset is the answer.
        let _ = stream.read_to_end(&mut all);
        let text = String::from_utf8_lossy(&all);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text}"));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Reply { status: status.expect("a status"), head: head.to_lowercase(), body: body.to_owned() }
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    fn refused(&self, status: u16, part: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        assert!(self.json()["error"].as_str().is_some_and(|error| error.contains(part)), "{}", self.body);
    }
}

/// A file of LeNet-5, untrained.
fn model(folder: &TempDir) -> std::path::PathBuf {
    let device = Device::open().expect("an adapter; scripts/ensure-adapter.sh installs a software one");
    let mut g = Graph::new();
    let x = g.input("x", [1, 1, 28, 28]).expect("a shape");
    models::lenet5(1, 10).forward(&mut g, x, Mode::Eval).expect("it fits");
    let weights = Weights::init(&device, &g, 5).expect("memory");
    let mut metadata = Metadata::default();
    metadata.network = Some("lenet5".into());
    metadata.class_names = (0..10).map(|digit| format!("digit {digit}")).collect();
    metadata.input_shape = Some([1, 28, 28].into());
    weights.set_metadata(metadata).expect("it is right");
    let path = folder.path().join("digits.safetensors");
    weights.save(&path).expect("the folder can be written");
    path
}

fn pixels(seed: u8) -> Vec<u8> {
    (0..28 * 28u32).map(|i| ((i * i * 7 + i * u32::from(seed)) % 253) as u8).collect()
}

fn png(seed: u8) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let image = image::GrayImage::from_raw(28, 28, pixels(seed)).expect("so many pixels");
    image.write_to(&mut file, image::ImageFormat::Png).expect("it is encoded");
    file.into_inner()
}

fn form(pictures: &[Vec<u8>]) -> Vec<u8> {
    let mut all = Vec::new();
    for picture in pictures {
        all.extend_from_slice(
            b"--mark\r\nContent-Disposition: form-data; name=\"a\"; filename=\"a.png\"\r\n\r\n",
        );
        all.extend_from_slice(picture);
        all.extend_from_slice(b"\r\n");
    }
    all.extend_from_slice(b"--mark--\r\n");
    all
}

const FORM: &str = "multipart/form-data; boundary=mark";

#[test]
fn pictures_are_answered_and_others_refused() {
    let folder = TempDir::new().expect("a temporary folder");
    let model = model(&folder);
    let server = Server::start(&model, &["--largest-body", "1000000"]);
    let device = Device::open().expect("an adapter");
    let predictor = Predictor::load(&device, &model).expect("it is a model");

    // What a program gets, a client gets.
    for seed in 1..4 {
        let expected = predictor.classify(&pixels(seed), 3).expect("it is predicted").remove(0);
        let reply = server.post("/predict?top=3", "image/png", &png(seed));
        assert_eq!(reply.status, 200, "{}", reply.body);
        let json = reply.json();
        let found = json["predictions"][0]["classes"].as_array().expect("a list");
        assert_eq!(found.len(), 3);
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found["name"], expected.name);
            assert_eq!(found["label"], expected.label);
            let probability = found["probability"].as_f64().expect("a number");
            assert!((probability - f64::from(expected.probability)).abs() < 1e-5, "{found}");
            assert!(found.get("deviation").is_none());
        }
    }
    let several = server.post("/predict?top=1", FORM, &form(&[png(1), png(2), png(3)]));
    let json = several.json();
    let found = json["predictions"].as_array().expect("a list");
    assert_eq!(found.len(), 3);
    for (found, seed) in found.iter().zip(1..) {
        let expected = &predictor.classify(&pixels(seed), 1).expect("it is predicted")[0][0];
        assert_eq!(found["classes"][0]["name"], expected.name);
    }
    // A network without dropout does not spread.
    let spread = server.post("/predict?samples=3&top=1", "image/png", &png(1)).json();
    assert_eq!(spread["predictions"][0]["classes"][0]["deviation"], 0.0);
    assert_eq!(server.get("/").json()["input"], serde_json::json!([1, 28, 28]));

    let damaged = png(1);
    server.post("/predict", "image/png", &damaged[..damaged.len() / 2]).refused(400, "picture 1:");
    server.post("/predict", "image/png", b"").refused(400, "is empty");
    server.post("/predict", "text/plain", b"hello").refused(400, "no PNG, JPEG or WebP");
    server.post("/predict", FORM, &form(&[png(1), vec![7; 9]])).refused(400, "picture 2:");
    server.post("/predict", FORM, &form(&vec![png(1); 65])).refused(400, "found 65 pictures");
    server.post("/predict", FORM, b"--mark\r\nno form").refused(400, "multipart");
    server.post("/predict?top=x", "image/png", &png(1)).refused(400, "invalid digit");
    server.post("/predict?samples=1", "image/png", &png(1)).refused(400, "found 1, expected 2 to 100");
    server.post("/predict?samples=101", "image/png", &png(1)).refused(400, "expected 2 to 100");
    let mut large = Cursor::new(Vec::new());
    let image = image::GrayImage::new(8192, 4097);
    image.write_to(&mut large, image::ImageFormat::Png).expect("it is encoded");
    server.post("/predict", "image/png", large.get_ref()).refused(400, "has 8192 x 4097 pixels");
    let several = server.post("/predict?top=1", "Multipart/Form-Data; boundary=mark", &form(&[png(1)]));
    assert_eq!(several.status, 200, "media types have no case");
    server.post("/predict", "image/png", &[0; 1_000_001]).refused(413, "1000001 bytes, the limit is 1000000");
    // Before any of it is sent.
    let mut large = server.connect();
    head(&mut large, "/predict", "image/png", 1_000_001);
    Reply::read(large).refused(413, "the limit is 1000000");
    let allowed = server.get("/predict");
    allowed.refused(405, "/predict does not take GET");
    assert!(allowed.head.to_ascii_lowercase().contains("allow: post"), "{}", allowed.head);
    server.get("/nothing").refused(404, "nothing is at /nothing");

    let metrics = server.get("/metrics");
    for line in [
        "wgrad_requests_total{code=\"200\"} 6",
        "wgrad_requests_total{code=\"400\"} 10",
        "wgrad_requests_total{code=\"405\"} 1",
        "wgrad_requests_total{code=\"413\"} 2",
        "wgrad_items_total 8",
        "wgrad_waiting 0",
    ] {
        assert!(metrics.body.lines().any(|found| found == line), "{line} is not in\n{}", metrics.body);
    }
    assert_eq!((server.get("/health").status, server.get("/health").body.as_str()), (200, "ok\n"));
}

/// A request whose body is slow to come takes a place, and its time is limited.
#[test]
fn requests_are_limited_in_number_and_time() {
    let folder = TempDir::new().expect("a temporary folder");
    let server = Server::start(&model(&folder), &["--queue", "1", "--timeout", "5"]);
    let picture = png(1);
    let mut slow = server.connect();
    head(&mut slow, "/predict", "image/png", picture.len());
    slow.write_all(&picture[..20]).expect("it is taken");
    server.wait_for("wgrad_under_way 1");
    let busy = server.post("/predict", "image/png", &picture);
    busy.refused(503, "ask again later");
    assert!(busy.head.contains("retry-after: 1"), "{}", busy.head);
    assert_eq!(server.get("/health").status, 200, "health is no prediction");
    slow.write_all(&picture[20..]).expect("it is taken");
    assert_eq!(Reply::read(slow).status, 200);

    let mut stuck = server.connect();
    head(&mut stuck, "/predict", "image/png", picture.len());
    Reply::read(stuck).refused(408, "not through within 5 s");
    assert_eq!(server.post("/predict", "image/png", &picture).status, 200, "its place is free again");
}

/// The head of a request that is never sent whole, before and at the end.
#[cfg(unix)]
#[test]
fn half_a_head_holds_nothing_up() {
    let folder = TempDir::new().expect("a temporary folder");
    let mut server = Server::start(&model(&folder), &["--timeout", "2"]);
    let mut half = server.connect();
    half.write_all(b"GET / HTTP/1.1\r\nHos").expect("it is taken");
    let start = Instant::now();
    let _ = half.read_to_end(&mut Vec::new());
    assert!(start.elapsed() < Duration::from_secs(20), "the server closes it");
    let mut half = server.connect();
    half.write_all(b"GET / HTTP/1.1\r\nHos").expect("it is taken");
    let id = server.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().expect("there is kill").success());
    let start = Instant::now();
    assert!(server.child.wait().expect("it ends").success());
    assert!(start.elapsed() < Duration::from_secs(20), "the server ends");
}

/// A client that asks for much and goes away leaves the server to others.
#[test]
fn a_client_that_goes_away_takes_its_request_back() {
    let folder = TempDir::new().expect("a temporary folder");
    let server = Server::start(&model(&folder), &["--timeout", "20"]);
    let form = form(&vec![png(1); 64]);
    for _ in 0..40 {
        let mut gone = server.connect();
        head(&mut gone, "/predict?samples=100", FORM, form.len());
        gone.write_all(&form).expect("it is taken");
    }
    server.wait_for("wgrad_under_way 0");
    assert_eq!(server.post("/predict", "image/png", &png(1)).status, 200);
    server.wait_for("wgrad_waiting 0");
}

#[cfg(unix)]
#[test]
fn what_was_begun_is_answered_before_the_end() {
    let folder = TempDir::new().expect("a temporary folder");
    let mut server = Server::start(&model(&folder), &[]);
    let picture = png(1);
    let mut last = server.connect();
    head(&mut last, "/predict", "image/png", picture.len());
    last.write_all(&picture[..20]).expect("it is taken");
    server.wait_for("wgrad_under_way 1");
    let id = server.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().expect("there is kill").success());
    let mut line = String::new();
    server.output.read_line(&mut line).expect("it prints text");
    assert_eq!(line, "stops\n");
    let start = Instant::now();
    while TcpStream::connect(server.address).is_ok() {
        assert!(start.elapsed() < Duration::from_secs(10), "new connections are taken");
        std::thread::sleep(Duration::from_millis(5));
    }
    last.write_all(&picture[20..]).expect("it is taken");
    assert_eq!(Reply::read(last).status, 200);
    let mut rest = String::new();
    server.output.read_to_string(&mut rest).expect("it prints text");
    assert!(rest.contains("answered 1, refused 0"), "{rest}");
    assert!(server.child.wait().expect("it ends").success());
}

#[test]
fn what_the_command_line_lacks_is_named() {
    let run = |arguments: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_wgrad-serve")).args(arguments).output().expect("it runs");
        (
            output.status.success(),
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        )
    };
    let (good, text) = run(&["--help"]);
    assert!(good && text.contains("POST /predict"), "{text}");
    for (arguments, part) in [
        (&[][..], "expected --model FILE"),
        (&["--model", "none.safetensors"], "none.safetensors"),
        (&["--batch-sizes", "1,x"], "--batch-sizes: "),
        (&["--queue", "0"], "--queue: "),
        (&["--wrong"], "--wrong"),
    ] {
        let (good, text) = run(arguments);
        assert!(!good && text.contains(part), "{arguments:?}: {text}");
    }
}
