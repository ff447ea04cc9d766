//! Predictors: any number of items, from many threads, by what a file says.

use crate::harness::{device, numbers};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use wgrad::nn::{self, Layer, models};
use wgrad::optim::{AdamW, Ema};
use wgrad::predict::{Class, Predictor, PredictorOptions};
use wgrad::weights::{LoadOptions, Metadata};
use wgrad::{Error, Graph, HostTensor, Mode, Plan, Result, Session, Weights};

const CLASSES: usize = 5;
const PIXELS: usize = 2 * 6 * 7;

fn network() -> nn::Sequential {
    nn::Sequential::new()
        .add("conv", nn::Conv2d::new(2, 3, [3, 3]).padding([1, 1]))
        .add("bn", nn::BatchNorm::new(3))
        .add("relu", nn::Relu)
        .add("flatten", nn::Flatten)
        .add("dropout", nn::Dropout::new(0.4).seed(3))
        .add("fc", nn::Linear::new(3 * 6 * 7, CLASSES))
}

fn metadata() -> Metadata {
    let mut metadata = Metadata::default();
    metadata.class_names = ["ant", "bee", "cat", "dog", "elk"].map(String::from).to_vec();
    (metadata.mean, metadata.deviation) = (vec![0.4, 0.5], vec![0.2, 0.25]);
    metadata.input_shape = Some([2, 6, 7].into());
    metadata
}

/// Weights with running statistics of a network that was trained.
fn weights() -> Result<Weights> {
    let mut g = Graph::new();
    let x = g.input("x", [1, 2, 6, 7])?;
    network().forward(&mut g, x, Mode::Train)?;
    let weights = Weights::init(device(), &g, 7)?;
    weights.write("bn.running_mean", &[0.3, -0.2, 0.1])?;
    weights.write("bn.running_var", &[0.5, 2.0, 1.5])?;
    weights.write("bn.weight", &[1.5, -0.5, 1.0])?;
    weights.set_metadata(metadata())?;
    Ok(weights)
}

fn options() -> PredictorOptions {
    PredictorOptions::new().network(network()).batch_sizes([1, 4, 16])
}

fn bytes(items: usize) -> Vec<u8> {
    (0..items * PIXELS).map(|i| ((i * i * 31 + i * 7) % 251) as u8).collect()
}

/// The bytes as floats, normalised in f64.
fn normalized(bytes: &[u8]) -> Vec<f32> {
    let Metadata { mean, deviation, .. } = metadata();
    let channel = |i: usize| i / (6 * 7) % 2;
    let number = |(i, &byte): (usize, &u8)| {
        let (mean, deviation) = (f64::from(mean[channel(i)]), f64::from(deviation[channel(i)]));
        ((f64::from(byte) / 255.0 - mean) / deviation) as f32
    };
    bytes.iter().enumerate().map(number).collect()
}

/// Logits of items one by one, by a plain session.
fn one_by_one(weights: &Weights, items: &[u8]) -> Result<Vec<f32>> {
    let mut g = Graph::new();
    let x = g.input("x", [1, 2, 6, 7])?;
    let y = network().forward(&mut g, x, Mode::Eval)?;
    let mut session = Session::new(device(), Plan::new(&g, &[y], device().caps())?, weights)?;
    let mut all = Vec::new();
    for item in normalized(items).chunks(PIXELS) {
        session.write(x, item)?;
        session.step()?;
        all.extend_from_slice(session.read(y)?.as_f32().expect("logits are floats"));
    }
    Ok(all)
}

fn assert_close(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (&x, &y)) in found.iter().zip(expected).enumerate() {
        assert!((x - y).abs() <= 2e-5 * (1.0 + y.abs()), "{what}: {x} at {i}, expected {y}");
    }
}

fn floats(tensor: &HostTensor) -> &[f32] {
    tensor.as_f32().expect("it holds floats")
}

#[test]
fn any_number_of_items_is_predicted_as_one_by_one() -> Result<()> {
    let weights = weights()?;
    let items = bytes(40);
    let expected = one_by_one(&weights, &items)?;
    let as_floats = normalized(&items);
    for sizes in [&[1, 4, 16][..], &[7], &[3, 40]] {
        let of_bytes = options().batch_sizes(sizes.iter().copied()).share(device(), &weights)?;
        let of_floats = options().batch_sizes(sizes.iter().copied()).floats().copy(device(), &weights)?;
        for count in [0, 1, 2, 3, 4, 5, 13, 16, 17, 23, 31, 40] {
            let what = format!("{count} items in batches of {sizes:?}");
            let found = of_bytes.predict(&items[..count * PIXELS])?;
            assert_eq!(found.shape[..], [count, CLASSES]);
            assert_close(floats(&found), &expected[..count * CLASSES], &what);
            let found = of_floats.predict(&as_floats[..count * PIXELS])?;
            assert_close(floats(&found), &expected[..count * CLASSES], &what);
        }
    }
    Ok(())
}

#[test]
fn batch_sizes_are_opened_when_they_are_needed() -> Result<()> {
    let weights = weights()?;
    let predictor = options().share(device(), &weights)?;
    assert_eq!(predictor.open_batch_sizes(), [1]);
    let items = bytes(16);
    let before = predictor.predict(&items)?;
    let start = Instant::now();
    while predictor.open_batch_sizes() != [1, 16] {
        assert!(start.elapsed() < Duration::from_secs(120), "{:?}", predictor.open_batch_sizes());
        thread::sleep(Duration::from_millis(5));
    }
    assert!(predictor.counters().batches <= 16);
    let counted = predictor.counters();
    assert_close(floats(&predictor.predict(&items)?), floats(&before), "one batch after sixteen");
    assert_eq!(predictor.counters().batches, counted.batches + 1);

    predictor.open_all()?;
    assert_eq!(predictor.open_batch_sizes(), [1, 4, 16]);
    let counted = predictor.counters();
    let thirteen = predictor.predict(&items[..13 * PIXELS])?;
    assert_eq!(predictor.predict(&items[..13 * PIXELS])?, thirteen, "the same bits twice");
    let now = predictor.counters();
    assert_eq!((now.batches, now.padding), (counted.batches + 2, counted.padding + 6));
    assert_eq!((now.requests, now.items, now.waiting), (4, 16 + 16 + 13 + 13, 0));
    Ok(())
}

#[test]
fn threads_get_their_own_answers() -> Result<()> {
    let weights = weights()?;
    let items = bytes(40);
    let expected = one_by_one(&weights, &items)?;
    for options in
        [options(), options().batching(Duration::ZERO), options().batching(Duration::from_millis(3))]
    {
        let predictor = options.share(device(), &weights)?;
        thread::scope(|scope| {
            for own in 0..8 {
                let (predictor, items, expected) = (predictor.clone(), &items, &expected);
                scope.spawn(move || {
                    for round in 0..12 {
                        let (from, count) = ((own * 5 + round) % 36, 1 + (own + round) % 4);
                        let part = &items[from * PIXELS..(from + count) * PIXELS];
                        let found = predictor.predict(part).expect("it is predicted");
                        let expected = &expected[from * CLASSES..(from + count) * CLASSES];
                        assert_close(floats(&found), expected, &format!("thread {own}, round {round}"));
                    }
                });
            }
        });
        assert_eq!(predictor.counters().requests, 96);
    }
    Ok(())
}

/// Asks by futures, which one thread polls.
#[test]
fn what_waits_shares_a_batch() -> Result<()> {
    let weights = weights()?;
    let items = bytes(7);
    let expected = one_by_one(&weights, &items)?;
    let predictor =
        options().batch_sizes([4]).batching(Duration::from_secs(3600)).share(device(), &weights)?;
    let mut cx = Context::from_waker(Waker::noop());
    let part = |from: usize, count: usize| &items[from * PIXELS..(from + count) * PIXELS];

    // Two items do not fill a batch, and two more do.
    let mut first = pin!(predictor.predict_async(part(0, 2)));
    assert!(first.as_mut().poll(&mut cx).is_pending());
    thread::sleep(Duration::from_millis(50));
    assert!(first.as_mut().poll(&mut cx).is_pending());
    assert_close(floats(&predictor.predict(part(2, 2))?), &expected[2 * CLASSES..4 * CLASSES], "the second");
    assert_close(floats(&pollster::block_on(first)?), &expected[..2 * CLASSES], "the first");
    let counters = predictor.counters();
    assert_eq!((counters.requests, counters.batches, counters.padding), (2, 1, 0));

    // A request that does not fit into the batch ends it, and is not cut.
    let mut first = pin!(predictor.predict_async(part(4, 3)));
    assert!(first.as_mut().poll(&mut cx).is_pending());
    let mut second = pin!(predictor.predict_async(part(0, 2)));
    assert!(second.as_mut().poll(&mut cx).is_pending());
    assert_close(floats(&pollster::block_on(first)?), &expected[4 * CLASSES..], "what fills it nearly");
    assert_eq!(predictor.counters().padding, 1);
    assert!(second.as_mut().poll(&mut cx).is_pending());
    Ok(())
}

#[test]
fn nobody_waits_longer_than_the_limit() -> Result<()> {
    let weights = weights()?;
    let items = bytes(1);
    let predictor = options().batching(Duration::from_millis(200)).share(device(), &weights)?;
    let start = Instant::now();
    predictor.predict(&items)?;
    assert!(start.elapsed() >= Duration::from_millis(200));
    Ok(())
}

#[test]
fn a_full_queue_refuses() -> Result<()> {
    let weights = weights()?;
    let items = bytes(6);
    let options = options().batch_sizes([8]).batching(Duration::from_secs(3600)).longest_queue(4);
    let predictor = options.share(device(), &weights)?;
    let mut cx = Context::from_waker(Waker::noop());
    // If nothing waits, a request may be of any size.
    let mut first = pin!(predictor.predict_async(&items[..3 * PIXELS]));
    assert!(first.as_mut().poll(&mut cx).is_pending());
    let refused = predictor.predict(&items[..2 * PIXELS]).expect_err("five would wait");
    assert!(matches!(refused, Error::Busy { waiting: 3, most: 4 }), "{refused}");
    let mut second = pin!(predictor.predict_async(&items[..PIXELS]));
    assert!(second.as_mut().poll(&mut cx).is_pending());
    assert_eq!(predictor.counters().waiting, 4);
    Ok(())
}

/// A client that goes away costs nothing.
#[test]
fn what_nobody_waits_for_is_left_out() -> Result<()> {
    let weights = weights()?;
    let items = bytes(4);
    let predictor =
        options().batch_sizes([4]).batching(Duration::from_secs(3600)).share(device(), &weights)?;
    let mut cx = Context::from_waker(Waker::noop());
    {
        let mut dropped = pin!(predictor.predict_async(&items[..PIXELS]));
        assert!(dropped.as_mut().poll(&mut cx).is_pending());
    }
    predictor.predict(&items)?;
    let counters = predictor.counters();
    assert_eq!((counters.requests, counters.items, counters.batches), (1, 4, 1));
    assert_eq!(counters.waiting, 0);
    Ok(())
}

/// It does not wait for the limit of batching.
#[test]
fn the_thread_ends_with_the_last_predictor() -> Result<()> {
    let weights = weights()?;
    let predictor = options().batching(Duration::from_secs(3600)).share(device(), &weights)?;
    let kept = predictor.clone();
    let mut asked = Box::pin(async move { kept.predict_async(&bytes(1)).await });
    assert!(asked.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(predictor);
    drop(asked);
    Ok(())
}

#[test]
fn the_spread_is_that_of_a_session() -> Result<()> {
    let weights = weights()?;
    let items = bytes(4);
    let options = options().batch_sizes([4]);
    let mut g = Graph::new();
    let x = g.input("x", [4, 2, 6, 7])?;
    let logits = network().forward(&mut g, x, Mode::MonteCarlo)?;
    let probabilities = g.softmax(logits, 1)?;
    let estimate = g.monte_carlo(&[probabilities])?;
    let own = weights.with_state_of(&g)?;
    let mut session = Session::new(device(), Plan::new(&g, &[], device().caps())?, &own)?;
    session.write(x, &normalized(&items))?;
    let expected = session.monte_carlo(&estimate, 20)?.remove(0);

    for predictor in [options.share(device(), &weights)?, options.copy(device(), &weights)?] {
        // Fewer items than a batch has see the same draws, because an item's place decides them.
        for count in [4, 3, 1] {
            let found = predictor.spread(&items[..count * PIXELS], 20)?;
            assert_eq!(found.mean.shape[..], [count, CLASSES]);
            let what = format!("{count} items");
            assert_close(floats(&found.mean), &floats(&expected.mean)[..count * CLASSES], &what);
            assert_close(floats(&found.variance), &floats(&expected.variance)[..count * CLASSES], &what);
            assert!(floats(&found.variance).iter().any(|&x| x > 1e-6), "dropout spreads");
        }
        let error = predictor.spread(&items, 1).expect_err("one sample has no variance");
        assert!(error.to_string().contains("between 2 and"), "{error}");
    }
    Ok(())
}

/// Evaluation folds the batch norm, and draws of dropout keep it apart from the convolution.
#[test]
fn a_spread_may_need_what_outputs_fold() -> Result<()> {
    let network = nn::Sequential::new()
        .add("conv", nn::Conv2d::new(2, 3, [3, 3]))
        .add("dropout", nn::Dropout::new(0.4).seed(3))
        .add("bn", nn::BatchNorm::new(3))
        .add("flatten", nn::Flatten)
        .add("fc", nn::Linear::new(3 * 4 * 5, CLASSES));
    let mut g = Graph::new();
    let x = g.input("x", [1, 2, 6, 7])?;
    network.forward(&mut g, x, Mode::Eval)?;
    let weights = Weights::init(device(), &g, 7)?;
    weights.write("bn.running_var", &[0.5, 2.0, 1.5])?;
    weights.set_metadata(metadata())?;
    let options = PredictorOptions::new().network(network).batch_sizes([1]);
    let (shared, copied) = (options.share(device(), &weights)?, options.copy(device(), &weights)?);
    let item = bytes(1);
    assert_close(floats(&copied.predict(&item)?), floats(&shared.predict(&item)?), "outputs");
    let [shared, copied] = [shared.spread(&item, 9)?, copied.spread(&item, 9)?];
    assert_close(floats(&copied.mean), floats(&shared.mean), "mean");
    assert_close(floats(&copied.variance), floats(&shared.variance), "variance");
    assert!(floats(&shared.variance).iter().any(|&x| x > 1e-6), "dropout spreads");
    Ok(())
}

#[test]
fn a_file_says_what_it_is() -> Result<()> {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("digits.safetensors");
    let mut g = Graph::new();
    let x = g.input("x", [1, 1, 28, 28])?;
    let y = models::lenet5(1, 10).forward(&mut g, x, Mode::Eval)?;
    let weights = Weights::init(device(), &g, 1)?;
    let mut metadata = Metadata::default();
    metadata.network = Some("lenet5".into());
    metadata.class_names = (0..10).map(|digit| format!("digit {digit}")).collect();
    metadata.input_shape = Some([1, 28, 28].into());
    weights.set_metadata(metadata.clone())?;
    weights.save(&path)?;

    let predictor = Predictor::load(device(), &path)?;
    assert_eq!(predictor.metadata(), &metadata);
    assert_eq!((&predictor.input_shape()[..], &predictor.output_shape()[..]), (&[1, 28, 28][..], &[10][..]));
    let pixels: Vec<u8> = (0..28 * 28).map(|i| (i % 256) as u8).collect();
    let mut session = Session::new(device(), Plan::new(&g, &[y], device().caps())?, &weights)?;
    session.write(x, &pixels.iter().map(|&byte| f32::from(byte) / 255.0).collect::<Vec<_>>())?;
    session.step()?;
    let logits = session.read(y)?.to_f64();
    let sum: f64 = logits.iter().map(|x| x.exp()).sum();
    let best = (0..10).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).expect("there are ten");
    let Class { label, name, probability, .. } = predictor.classify(&pixels, 3)?.remove(0).remove(0);
    assert_eq!((label, name), (best, format!("digit {best}")));
    assert!((f64::from(probability) - logits[best].exp() / sum).abs() < 1e-5);

    // What a file leaves open is an error that says how to close it.
    for (what, change, part) in [
        ("network", (|m| m.network = None) as fn(&mut Metadata), "says of no network"),
        ("name", |m| m.network = Some("lenet6".into()), "\"lenet6\", expected one of convnext_tiny,"),
        ("classes", |m| m.class_names.clear(), "no classes"),
        ("shape", |m| m.input_shape = None, "no input shape"),
    ] {
        let mut changed = metadata.clone();
        change(&mut changed);
        weights.set_metadata(changed)?;
        weights.save(&path)?;
        let error = Predictor::load(device(), &path).expect_err(what).to_string();
        assert!(error.contains(part) && error.contains("digits.safetensors"), "{error}");
        assert!(error.contains("PredictorOptions::network"), "{error}");
    }
    // The options fill it in.
    let options = PredictorOptions::new().network(models::lenet5(1, 10)).input_shape([1, 28, 28]);
    assert_eq!(options.load(device(), &path)?.classify(&pixels, 3)?[0][0].label, best);
    Ok(())
}

/// The graph of the evaluation is all that a checkpoint needs: no loss, no optimizer.
#[test]
fn a_checkpoint_is_predicted_with() -> Result<()> {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("checkpoint.safetensors");
    let mut g = Graph::new();
    let x = g.input("x", [4, 2, 6, 7])?;
    let labels = g.input_i32("labels", [4])?;
    let rate = g.input_scalar("rate")?;
    let logits = network().forward(&mut g, x, Mode::Train)?;
    let loss = g.cross_entropy(logits, labels)?;
    AdamW::new(rate).average(Ema::new(0.5)).minimize(&mut g, loss)?;
    let weights = Weights::init(device(), &g, 7)?;
    weights.set_metadata(metadata())?;
    let mut session = Session::new(device(), Plan::new(&g, &[loss], device().caps())?, &weights)?;
    let items = bytes(4);
    session.write(x, &normalized(&items))?;
    session.write(labels, &[0, 1, 2, 3])?;
    session.write_scalar(rate, 0.05)?;
    session.run(5)?;
    session.save_checkpoint(&path)?;

    let last = options().load(device(), &path)?;
    let averaged = options().load_options(LoadOptions::new().averages()).load(device(), &path)?;
    let [last, averaged] = [last.predict(&items)?, averaged.predict(&items)?];
    assert_close(floats(&last), &one_by_one(&weights, &items)?, "the last weights");
    assert_close(floats(&averaged), &one_by_one(&weights.averaged()?, &items)?, "the averages");
    assert_ne!(last, averaged);
    Ok(())
}

#[test]
fn what_does_not_fit_is_named() -> Result<()> {
    let weights = weights()?;
    let predictor = options().share(device(), &weights)?;
    for (error, part) in [
        (predictor.predict(&bytes(2)[1..]), "found 167 elements, expected a multiple of 84"),
        (predictor.predict(&[0.5f32; PIXELS]), "found f32 data, expected u8"),
        (options().floats().share(device(), &weights)?.predict(&bytes(1)), "found u8 data, expected f32"),
    ] {
        let error = error.expect_err(part).to_string();
        assert!(error.contains(part), "{error}");
    }
    let wrong = network().add("more", nn::Linear::new(CLASSES, 3));
    for (options, part) in [
        (options().batch_sizes([]), "found [], expected sizes from 1"),
        (options().batch_sizes([4, 0]), "found [4, 0], expected sizes from 1"),
        (options().input_shape([2, 0]), "expected at least one element"),
        (options().input_shape([3, 6, 7]), "found 2, and an item [3, 6, 7] has 3 channels"),
        (options().input_shape([2, 1, 1]), "fc"),
        (options().network(wrong), "found 5, and the network tells 3 classes"),
        (PredictorOptions::new(), "PredictorOptions::network"),
    ] {
        let error = options.share(device(), &weights).expect_err(part).to_string();
        assert!(error.contains(part), "{error}");
    }
    // A network without rows of logits has outputs, and no classes.
    let flat = nn::Sequential::new().add("pool", nn::MaxPool2d::new([2, 2]));
    let predictor = PredictorOptions::new().network(flat).share(device(), &weights)?;
    assert_eq!(predictor.predict(&bytes(3))?.shape[..], [3, 2, 3, 3]);
    let error = predictor.classify(&bytes(3), 1).expect_err("there are no classes").to_string();
    assert!(error.contains("expected logits [n, classes]"), "{error}");
    Ok(())
}

/// Predictions see what a training session does to shared weights, and not what it does to those that were copied.
#[test]
fn weights_are_shared_or_copied() -> Result<()> {
    let weights = weights()?;
    let predictor = options().share(device(), &weights)?;
    let of_copy = options().copy(device(), &weights)?;
    let items = numbers([PIXELS], 3);
    let pixels: Vec<u8> = floats(&items).iter().map(|x| (x * 100.0) as u8).collect();
    let before = predictor.predict(&pixels)?;
    assert_close(floats(&of_copy.predict(&pixels)?), floats(&before), "copied weights");
    weights.write("fc.bias", &[1.0, 2.0, 3.0, 4.0, 5.0])?;
    weights.write("bn.bias", &[1.0, 2.0, 3.0])?;
    let after = predictor.predict(&pixels)?;
    assert_ne!(before, after);
    assert_close(floats(&after), &one_by_one(&weights, &pixels)?, "other weights");
    assert_close(floats(&of_copy.predict(&pixels)?), floats(&before), "copied weights later");
    Ok(())
}

/// A layer of the user's that panics for some batch sizes ends nothing but itself.
#[test]
fn a_panic_of_a_layer_is_no_hang() -> Result<()> {
    #[derive(Debug)]
    struct Picky(nn::Sequential, usize);
    impl Layer for Picky {
        fn forward(&self, g: &mut Graph, x: wgrad::Value, mode: Mode) -> Result<wgrad::Value> {
            let batch = g.shape(x)?[0];
            assert!(batch != self.1 && !(self.1 == 0 && mode == Mode::MonteCarlo), "this layer is picky");
            self.0.forward(g, x, mode)
        }
    }
    let weights = weights()?;
    let items = bytes(16);
    // On the thread that opens a further size.
    let predictor = options().network(Picky(network(), 16)).share(device(), &weights)?;
    predictor.predict(&items)?;
    let panicked = thread::scope(|scope| scope.spawn(|| predictor.open_all()).join());
    assert!(panicked.is_err() || panicked.is_ok_and(|opened| opened.is_err()));
    assert_eq!(predictor.predict(&items)?.shape[..], [16, CLASSES]);
    drop(predictor);
    // On the thread that answers, which opens the first session of another kind.
    let predictor = options().network(Picky(network(), 0)).share(device(), &weights)?;
    let error = predictor.spread(&items, 4).expect_err("there is no thread").to_string();
    assert!(error.contains("its thread ended without an answer"), "{error}");
    // The thread may still be on its way out.
    let start = Instant::now();
    while predictor.check().is_ok() {
        assert!(start.elapsed() < Duration::from_secs(20), "nothing tells that it has ended");
    }
    let error = predictor.predict(&items).expect_err("there is no thread").to_string();
    assert!(error.contains("by a panic"), "{error}");
    Ok(())
}

/// Who has an answer, or has gone, takes no place.
#[test]
fn only_who_waits_counts_as_waiting() -> Result<()> {
    let weights = weights()?;
    let items = bytes(16);
    let mut cx = Context::from_waker(Waker::noop());
    let predictor = options().longest_queue(24).share(device(), &weights)?;
    for _ in 0..300 {
        let mut asked = pin!(predictor.predict_async(&items));
        while asked.as_mut().poll(&mut cx).map(|answer| answer.expect("nobody else waits")).is_pending() {}
        assert_eq!(predictor.counters().waiting, 0);
    }
    let options = options().batch_sizes([8]).batching(Duration::MAX).longest_queue(4);
    let predictor = options.share(device(), &weights)?;
    for _ in 0..9 {
        let mut gone = pin!(predictor.predict_async(&items[..3 * PIXELS]));
        assert!(gone.as_mut().poll(&mut cx).is_pending());
    }
    let mut asked = pin!(predictor.predict_async(&items[..4 * PIXELS]));
    assert!(asked.as_mut().poll(&mut cx).is_pending());
    assert_eq!(predictor.counters().waiting, 4);
    Ok(())
}

/// A request of very many draws is given up when its future is dropped.
#[test]
fn what_runs_stops_when_nobody_waits() -> Result<()> {
    let weights = weights()?;
    let items = bytes(4);
    let predictor = options().batch_sizes([4]).share(device(), &weights)?;
    predictor.spread(&items, 2)?;
    {
        let mut gone = pin!(predictor.spread_async(&items, 1 << 24));
        assert!(gone.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        thread::sleep(Duration::from_millis(50));
    }
    let start = Instant::now();
    predictor.predict(&items)?;
    assert!(start.elapsed() < Duration::from_secs(20), "16 million draws take hours");
    Ok(())
}
