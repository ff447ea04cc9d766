// Trains one network with wgrad's page and with tfjs's, in turns, and prints a table:
// node peer-web.mjs BROWSER WGRAD WHOLE CHOSEN PUBLISHED [TURNS]. Three folders with pages, and one with tfjs's published
// files. scripts/peer-web.sh runs it.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { serve, software, start } from './browser.mjs';

const [browserPath, wgrad, whole, chosen, published, turns = '3'] = process.argv.slice(2);
const peers = [
  { name: 'wgrad', folder: wgrad },
  { name: 'tfjs', folder: whole },
  { name: 'tfjs, chosen', folder: chosen },
];
const BATCH = 64;
// Steps that are compared, steps of a turn that do not count, and when a turn ends: by steps, or by time.
const COMPARED = 10, WARM = 3, COUNTED = 40, SECONDS = 60;

const files = (folder, ending) => readdirSync(folder).filter((name) => name.endsWith(ending)).map((name) => join(folder, name));
const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const load = () => loadavg()[0].toFixed(1);

// Opens a peer's page in a browser of its own, and hands it to `use`.
async function opened(peer, replaced, use) {
  const { url, close } = await serve(peer.folder, replaced);
  const browser = await start(browserPath, software);
  try {
    const page = await browser.newPage(), errors = [];
    page.on('pageerror', (error) => errors.push(String(error)));
    // Both workers tell the page the losses of each call, and how long it took.
    await page.addInitScript(() => {
      window.calls = [];
      const Original = Worker;
      window.Worker = class extends Original {
        constructor(...args) {
          super(...args);
          this.addEventListener('message', ({ data }) => {
            if (data.id || !data.losses) return;
            window.calls.push({ losses: Array.from(data.losses), seconds: data.seconds, at: performance.now() });
          });
        }
      };
    });
    await page.goto(url);
    await page.waitForFunction(() => document.title.endsWith(': ready'), null, { timeout: 60000 })
      .catch(async () => assert.fail(`${peer.name} is not ready: ${await page.textContent('#adapter')}`));
    peer.adapter = await page.textContent('#adapter');
    if (peer !== peers[0]) assert(peer.adapter.endsWith(' on webgpu'), peer.adapter);
    const result = await use(page, browser);
    assert.deepEqual(errors, [], `${peer.name}'s page has errors`);
    return result;
  } finally {
    await browser.close();
    close();
  }
}

const calls = (page) => page.evaluate(() => window.calls);
const press = (page, id) => page.evaluate((id) => {
  window.pressed = performance.now();
  document.getElementById(id).click();
}, id);

// Waits until the calls are enough, or the page has stopped.
async function until(page, peer, enough) {
  for (;;) {
    const made = await calls(page);
    if (enough(made)) return made;
    const message = await page.evaluate(() => document.getElementById('message')?.textContent ?? document.getElementById('adapter').textContent);
    assert(!message.includes('stopped'), `${peer.name}: ${message}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

// Most resident memory of the page's process and of the GPU's, in MiB. Only Linux tells.
async function memory(browser) {
  const { processInfo } = await (await browser.newBrowserCDPSession()).send('SystemInfo.getProcessInfo');
  const peak = (type) => Math.max(...processInfo.filter((process) => process.type === type).map(({ id }) => {
    try {
      return Number(/VmHWM:\s*(\d+)/.exec(readFileSync(`/proc/${id}/status`, 'utf8'))[1]) / 1024;
    } catch {
      return NaN;
    }
  }));
  return { page: peak('renderer'), gpu: peak('GPU') };
}

// A turn: from pressing start to the last counted step.
const turn = (peer) => opened(peer, data, async (page, browser) => {
  await press(page, 'start');
  let counted = [];
  const made = await until(page, peer, (made) => {
    let steps = 0;
    counted = made.filter(({ losses }) => (steps += losses.length) > WARM);
    const seconds = counted.reduce((sum, call) => sum + call.seconds, 0);
    return counted.flatMap(({ losses }) => losses).length >= COUNTED || seconds >= SECONDS;
  });
  const losses = made.flatMap(({ losses }) => losses);
  const last = losses.slice(-3).reduce((a, b) => a + b) / 3;
  assert(last < 0.8 * losses[0], `${peer.name} does not learn: ${losses}`);
  // The page's clock begins with its navigation.
  const open = made[0].at / 1000, first = open - await page.evaluate(() => window.pressed) / 1000;
  const steps = counted.flatMap(({ losses }) => losses).length;
  const seconds = counted.reduce((sum, call) => sum + call.seconds, 0);
  return { open, first, speed: (steps * BATCH) / seconds, steps, losses, ...await memory(browser) };
});

// MNIST as wgrad's page has it, and its first batch alone: then every step has the same images, in any order.
const data = Object.fromEntries(files(join(wgrad, 'data'), '.gz').map((path) => [path.slice(wgrad.length), readFileSync(path)]));
function firstBatch() {
  const cut = (name, header, each) => {
    const bytes = Buffer.from(gunzipSync(data[`/data/${name}.gz`]).subarray(0, header + BATCH * each));
    bytes.writeUInt32BE(BATCH, 4);
    return [`/data/${name}.gz`, gzipSync(bytes)];
  };
  return { ...data, ...Object.fromEntries([cut('train-images-idx3-ubyte', 16, 784), cut('train-labels-idx1-ubyte', 8, 1)]) };
}

// Tensors of a safetensors file in tfjs's layouts: HWIO, inputs before outputs, positions before channels.
function forTfjs(file) {
  const length = Number(file.readBigUInt64LE(0)), header = JSON.parse(file.subarray(8, 8 + length));
  const permuted = (from, shape, order) => {
    const out = new Float32Array(from.length), strides = shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1));
    const sizes = order.map((axis) => shape[axis]);
    for (let i = 0; i < out.length; i++) {
      let rest = i, at = 0;
      for (let k = order.length - 1; k >= 0; k--) {
        at += (rest % sizes[k]) * strides[order[k]];
        rest = Math.floor(rest / sizes[k]);
      }
      out[i] = from[at];
    }
    return out;
  };
  return Object.fromEntries(Object.entries(header).filter(([, { dtype }]) => dtype === 'F32').map(([name, { shape, data_offsets }]) => {
    const bytes = file.subarray(8 + length).subarray(...data_offsets);
    const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    if (name === 'fc1.weight') return [name, permuted(values, [600, 32, 49], [2, 1, 0])];
    if (name === 'fc2.weight') return [name, permuted(values, shape, [1, 0])];
    if (shape.length === 4) return [name, permuted(values, shape, [2, 3, 1, 0])];
    return [name, values];
  }));
}

// That it is the same network: from the same weights, without dropout, on the same images, the same losses.
async function compare() {
  const images = firstBatch();
  let weights;
  const expected = await opened(peers[0], images, async (page) => {
    await page.evaluate(async () => {
      const dropout = document.getElementById('dropout');
      dropout.value = 0;
      dropout.dispatchEvent(new Event('change'));
      await window.wgrad.state.prepared;
    });
    weights = forTfjs(Buffer.from((await page.evaluate(() => window.wgrad.ask('weights'))).file));
    await press(page, 'start');
    const made = await until(page, peers[0], (made) => made.flatMap(({ losses }) => losses).length >= COMPARED);
    return made.flatMap(({ losses }) => losses).slice(0, COMPARED);
  });
  console.log(`wgrad: ${expected.map((loss) => loss.toPrecision(5)).join(' ')}`);
  for (const peer of peers.slice(1)) {
    const found = await opened(peer, images, (page) => page.evaluate(async ([weights, batch, steps]) => {
      await window.peer.ask('begin', { settings: { batch, dropout: 0, rate: 0.05, seed: 42 }, weights });
      return (await window.peer.ask('train', { steps })).losses;
    }, [weights, BATCH, COMPARED]));
    console.log(`${peer.name}: ${found.map((loss) => loss.toPrecision(5)).join(' ')}`);
    // Both sum in orders of their own; at ReLU's edge, rounding decides whether a unit counts.
    const differences = found.map((loss, i) => Math.abs(loss - expected[i]) / expected[i]);
    assert(Math.max(...differences) < 0.01, `${peer.name} trains another network`);
    console.log(`${peer.name}: losses differ by ${(100 * Math.max(...differences)).toPrecision(2)} % at most`);
  }
}

// Bytes of files as they are and compressed.
function size(paths) {
  const contents = paths.map((path) => (path.endsWith('.gz') ? gunzipSync(readFileSync(path)) : readFileSync(path)));
  const packed = paths.map((path, i) => (path.endsWith('.gz') ? readFileSync(path) : gzipSync(contents[i], { level: 9 })));
  const sum = (list) => list.reduce((sum, bytes) => sum + bytes.length, 0);
  return { plain: sum(contents), packed: sum(packed) };
}

console.log(`load average at the start: ${load()}`);
await compare();
for (const peer of peers) {
  // What only draws is left out: wgrad's page.js, tfjs's index.html.
  peer.size = size([...files(peer.folder, '.wasm.gz'), ...files(peer.folder, '.js')].filter((path) => !path.endsWith('/page.js')));
  peer.turns = [];
}
for (let i = 1; i <= Number(turns); i++) {
  for (const peer of peers) {
    const before = load(), made = await turn(peer);
    peer.turns.push(made);
    console.log(`turn ${i}, ${peer.name}: first step ${made.open.toFixed(2)} s after opening, ${made.first.toFixed(2)} s after start, ${made.speed.toFixed(1)} images/s over ${made.steps} steps, ` +
      `page ${made.page.toFixed(0)} MiB, GPU process ${made.gpu.toFixed(0)} MiB, loss ${made.losses[0].toFixed(3)} to ` +
      `${made.losses.at(-1).toFixed(3)}; load average before ${before}`);
  }
}
const browser = await start(browserPath, software);
const version = browser.version();
await browser.close();

const all = (peer, key) => peer.turns.map((turn) => turn[key]);
const row = (name, cell) => console.log(`| ${[name, ...peers.map(cell)].join(' | ')} |`);
const timed = (key, best, digits) => (peer) => `${median(all(peer, key)).toFixed(digits)} (${best(...all(peer, key)).toFixed(digits)})`;
const kilobytes = (bytes) => `${(bytes / 1000).toFixed(0)} kB`;
console.log(`\nChromium ${version}, ${peers[0].adapter}; ${peers[1].adapter}; ${cpus().length} x ${cpus()[0].model}; ` +
  `${new Date().toISOString().slice(0, 10)}, ${turns} turns: median (best)\n`);
row('', (peer) => peer.name);
row('---', () => '---');
row('first step after opening the page, s', timed('open', Math.min, 2));
row('first step after pressing start, s', timed('first', Math.min, 2));
row('images per second', timed('speed', Math.max, 1));
row('code, gzipped', (peer) => kilobytes(peer.size.packed));
row('code', (peer) => kilobytes(peer.size.plain));
row('most memory of the page, MiB', timed('page', Math.min, 0));
row('most memory of the GPU process, MiB', timed('gpu', Math.min, 0));
const bundle = size(files(published, '.js'));
console.log(`\ntfjs's published files, which a page without a bundler loads: ${kilobytes(bundle.packed)} gzipped, ${kilobytes(bundle.plain)} as they are`);
