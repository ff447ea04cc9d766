// Trains, so that the page never waits. Commands are answered one after the other; between them it trains.
import init, { Classroom } from './wgrad_web.js';

const TOGETHER = 500;
let classroom, images, labels, running = false, rate = 0.05, last = 0, queue = [], wake = () => {};
let perCall = 1;

async function unpacked(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
  return new Response(response.body.pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
}

const idx = async (name, skip) => new Uint8Array(await unpacked(`data/${name}.gz`)).slice(skip);

// What the browser tells of the adapter: all of it, some, or nothing.
async function name() {
  const { vendor, architecture, device, description } = (await navigator.gpu.requestAdapter()).info;
  const known = [vendor, architecture, device, description].filter(Boolean).join(' ') || 'A GPU that the browser does not name';
  return classroom.software() ? `${known}: no GPU, kernels run on the processor` : known;
}

const commands = {
  async begin({ settings }) {
    classroom.begin(settings.batch, settings.optimizer, settings.dropout, settings.smoothing, settings.seed);
    if (settings.checkpoint) classroom.resume(settings.checkpoint);
    perCall = 1;
    // What is read from the device comes after all kernels of the step are compiled.
    return { filters: await classroom.filters(), step: classroom.step() };
  },
  async run(command) { ({ running, rate, last } = command); return {}; },
  async rate(command) { ({ rate, last } = command); return {}; },
  async look({ image }) { return { looked: await classroom.look(image), filters: await classroom.filters() }; },
  async spread({ image }) { return { spread: await classroom.spread(image, 20) }; },
  async evaluate({ count }) {
    let right = 0;
    const wrong = [];
    for (let first = 0; first < count; first += TOGETHER) {
      const logits = await classroom.evaluate(first);
      for (let i = 0; i < logits.length / 10; i++) {
        const row = logits.subarray(10 * i, 10 * i + 10), label = labels[first + i];
        const best = row.indexOf(Math.max(...row));
        if (best === label) right++;
        else wrong.push({ index: first + i, label, read: best, margin: row[best] - row[label] });
      }
    }
    wrong.sort((a, b) => b.margin - a.margin);
    for (const one of wrong.slice(0, 12)) one.image = images.slice(784 * one.index, 784 * one.index + 784);
    return { accuracy: right / count, count, step: classroom.step(), wrong: wrong.slice(0, 12) };
  },
  async logits({ first }) { return { logits: await classroom.evaluate(first) }; },
  async test({ index }) { return { image: images.slice(784 * index, 784 * index + 784), label: labels[index] }; },
  async weights() { return { file: await classroom.weights() }; },
  async load({ file }) { classroom.load(file); return {}; },
  async checkpoint() { return { file: await classroom.checkpoint(), step: classroom.step() }; },
  async verify() { return { table: await classroom.verify(rate), step: classroom.step() }; },
};

onmessage = ({ data }) => { queue.push(data); wake(); };

async function main() {
  await init({ module_or_path: await unpacked('wgrad_web_bg.wasm.gz') });
  const files = ['train-images-idx3', 'train-labels-idx1', 't10k-images-idx3', 't10k-labels-idx1'];
  const [trainImages, trainLabels, testImages, testLabels] =
    await Promise.all(files.map((name) => idx(`${name}-ubyte`, name.includes('images') ? 16 : 8)));
  images = testImages.slice();
  labels = testLabels.slice();
  classroom = await Classroom.open(trainImages, trainLabels, testImages, testLabels);
  postMessage({ ready: true, adapter: await name(), test: labels.length });
  for (;;) {
    while (queue.length) {
      const command = queue.shift();
      try {
        postMessage({ id: command.id, ...(await commands[command.name](command)) });
      } catch (error) {
        postMessage({ id: command.id, error: String(error.message ?? error) });
      }
    }
    if (!running) {
      await new Promise((resolve) => { wake = resolve; if (queue.length) resolve(); });
      continue;
    }
    try {
      const start = performance.now();
      const losses = await classroom.train(perCall, rate, last);
      const seconds = (performance.now() - start) / 1000;
      // About a tenth of a second at a time: commands wait no longer.
      perCall = Math.max(1, Math.min(64, Math.round((perCall * 0.1) / seconds)));
      if (last && classroom.step() >= last) running = false;
      postMessage({ losses, step: classroom.step(), seconds, ended: !running });
    } catch (error) {
      running = false;
      postMessage({ stopped: String(error.message ?? error) });
    }
    await new Promise((resolve) => setTimeout(resolve));
  }
}

main().catch((error) => postMessage({ failed: String(error.message ?? error) }));
