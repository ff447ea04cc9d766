// Trains with tfjs, driven by the same messages as examples/web/page/worker.js, with the same loop.
import * as tf from '@tensorflow/tfjs-core';
import { Network, PIXELS } from './network.js';

let images, labels, network, settings, order = [], at = 0, step = 0;
let running = false, begun = 0, perCall = 1, queue = [], wake = () => {};

async function idx(name, skip) {
  const response = await fetch(`data/${name}.gz`);
  if (!response.ok) throw new Error(`data/${name}.gz: ${response.status} ${response.statusText}`);
  const unpacked = response.body.pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(unpacked).arrayBuffer()).slice(skip);
}

// The next batch of a shuffled epoch.
function batch() {
  const size = settings.batch, pixels = new Float32Array(size * PIXELS), answers = new Int32Array(size);
  if (at + size > order.length) {
    order = Array.from(labels.keys());
    for (let i = order.length - 1; i > 0; i--) {
      const j = Math.floor(Math.random() * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    at = 0;
  }
  for (let i = 0; i < size; i++) {
    const item = order[at++];
    for (let j = 0; j < PIXELS; j++) pixels[i * PIXELS + j] = images[item * PIXELS + j] / 255;
    answers[i] = labels[item];
  }
  return [pixels, answers];
}

// Runs steps, and gives the loss of each, read together at the end.
async function train(steps) {
  const losses = [];
  for (let i = 0; i < steps; i++) losses.push(network.step(...batch()));
  const read = await Promise.all(losses.map((loss) => loss.data()));
  tf.dispose(losses);
  step += steps;
  return read.map(([loss]) => loss);
}

const commands = {
  async begin(command) {
    begun = performance.now();
    settings = command.settings;
    network?.dispose();
    network = new Network(settings, command.weights);
    [step, at, order, perCall] = [0, 0, [], 1];
    return { step };
  },
  async run(command) { running = command.running; return {}; },
  async train({ steps }) { return { losses: await train(steps) }; },
};

onmessage = ({ data }) => { queue.push(data); wake(); };

async function main() {
  if (!(await tf.setBackend('webgpu'))) throw new Error('tfjs has no WebGPU here');
  await tf.ready();
  const [packed, answers] = await Promise.all([idx('train-images-idx3-ubyte', 16), idx('train-labels-idx1-ubyte', 8)]);
  images = packed;
  labels = answers;
  postMessage({ ready: true, backend: tf.getBackend(), version: tf.version_core });
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
      const losses = await train(perCall);
      const seconds = (performance.now() - start) / 1000;
      const first = begun ? performance.now() - begun : null;
      begun = 0;
      perCall = Math.max(1, Math.min(64, Math.round((perCall * 0.1) / seconds)));
      postMessage({ losses, step, seconds, first });
    } catch (error) {
      running = false;
      postMessage({ stopped: String(error.message ?? error) });
    }
    await new Promise((resolve) => setTimeout(resolve));
  }
}

main().catch((error) => postMessage({ failed: String(error.message ?? error) }));
