// The page: controls, curves and pictures. Everything that takes time is the worker's.
const $ = (id) => document.getElementById(id);
const worker = new Worker('worker.js', { type: 'module' });
const pending = new Map();
let sent = 0;

function ask(name, more = {}) {
  const id = ++sent;
  worker.postMessage({ id, name, ...more });
  return new Promise((resolve, reject) => pending.set(id, { resolve, reject }));
}

const state = {
  running: false, prepared: null, compiled: null, test: 0, step: 0, pressed: 0,
  losses: [], accuracies: [], speeds: [], settings: null, image: new Uint8Array(784), kept: 0,
};
window.wgrad = { state, ask }; // for tests

function say(text, isError = false) {
  $('message').textContent = text;
  $('message').classList.toggle('error', isError);
}

function fail(text) {
  $('adapter').textContent = text;
  for (const id of ['start', 'reset', 'save', 'verify', 'load']) $(id).disabled = true;
  say(text, true);
}

worker.onerror = (event) => fail(`The worker could not be started: ${event.message ?? 'unknown'}`);
worker.onmessage = ({ data }) => {
  if (data.id) {
    const { resolve, reject } = pending.get(data.id);
    pending.delete(data.id);
    return data.error ? reject(new Error(data.error)) : resolve(data);
  }
  if (data.failed) return fail(data.failed);
  if (data.ready) return ready(data).catch((error) => fail(error.message));
  if (data.stopped) {
    state.running = false;
    buttons();
    return say(`The training stopped: ${data.stopped}`, true);
  }
  progress(data).catch((error) => say(error.message, true));
};

// Training

function settings() {
  return {
    batch: Number($('batch').value),
    optimizer: $('optimizer').value,
    dropout: Number($('dropout').value),
    smoothing: Number($('smoothing').value),
    seed: Number($('seed').value) >>> 0,
  };
}

const pace = () => ({ rate: Number($('rate').value), last: Number($('last').value) });

// Plans a training and compiles its kernels, which takes some seconds: it is done before anybody presses Start.
function begin(checkpoint) {
  // Trainings that were kept by an earlier page have no smoothing.
  state.settings = checkpoint ? { smoothing: 0, ...checkpoint.settings } : settings();
  const begun = ask('begin', { settings: { ...state.settings, checkpoint: checkpoint?.file } }).then(({ step }) => {
    Object.assign(state, { step, losses: checkpoint?.losses ?? [], accuracies: checkpoint?.accuracies ?? [], speeds: [] });
    $('steps').textContent = step;
    $('loss').textContent = $('accuracy').textContent = $('speed').textContent = $('first').textContent = '–';
    draw();
  });
  state.prepared = begun;
  return begun;
}

async function ready({ adapter, test }) {
  state.test = test;
  $('adapter').textContent = adapter;
  const kept = await keep.get().catch(() => null);
  if (kept) for (const [name, value] of Object.entries(kept.settings)) $(name).value = value;
  const prepared = begin(kept).catch((error) => {
    if (!kept) throw error;
    return keep.clear().then(() => begin());
  });
  say('Compiling kernels…');
  buttons();
  await prepared;
  say(state.step ? `Goes on from step ${state.step}, kept in this browser.` : '');
  document.title = 'wgrad: ready';
  await another();
  await compileRest();
}

// What looks into the network and what evaluates it have kernels of their own. They are compiled one after the other
// while nobody trains, so that a first step waits for one of them at the most. Settings may change while others are still
// compiled for: what was prepared last is compiled for, once.
let compiling = null;
async function compileRest() {
  const { prepared } = state;
  if (compiling === prepared) return;
  compiling = prepared;
  await prepared;
  for (const does of [look, () => ask('logits', { first: 0 })]) {
    if (state.running || prepared !== state.prepared) return;
    await does();
  }
  state.compiled = prepared;
}

function buttons() {
  $('start').textContent = state.running ? 'Pause' : 'Start';
  for (const id of ['start', 'reset', 'save', 'verify', 'load']) $(id).disabled = false;
}

async function run(running) {
  state.pressed = running ? performance.now() : 0;
  state.running = running;
  buttons();
  await state.prepared;
  await ask('run', { running, ...pace() });
  if (!running) await evaluate(state.test).then(store);
}

// Whether it is time to do something again: after so many milliseconds at least, and so many times as long as it took.
const turns = { look: { least: 1000, times: 25 }, evaluate: { least: 2000, times: 40 }, store: { least: 10000, times: 40 } };
const due = (name) => performance.now() >= (turns[name].next ?? 0);
async function timed(name, does) {
  const start = performance.now();
  await does();
  turns[name].next = performance.now() + Math.max(turns[name].least, turns[name].times * (performance.now() - start));
}

let busy = false;
async function progress({ losses, step, seconds, ended }) {
  state.losses.push(...losses);
  state.step = step;
  state.speeds.push([losses.length, seconds]);
  if (state.speeds.length > 20) state.speeds.shift();
  const [steps, time] = state.speeds.reduce(([a, b], [c, d]) => [a + c, b + d], [0, 0]);
  $('steps').textContent = step;
  $('loss').textContent = mean(state.losses.slice(-20)).toFixed(3);
  $('speed').textContent = Math.round((steps * state.settings.batch) / time);
  if (state.pressed) $('first').textContent = `${((performance.now() - state.pressed) / 1000).toFixed(1)} s`;
  state.pressed = 0;
  draw();
  if (ended && state.running) {
    say(`Step ${step} was the last.`);
    return run(false);
  }
  if (busy) return;
  busy = true;
  try {
    if (due('look')) await timed('look', look);
    // A pause evaluates and stores by itself.
    if (state.running && step >= 20 && due('evaluate')) await timed('evaluate', () => evaluate(500));
    if (state.running && due('store')) await timed('store', store);
  } catch (error) {
    say(error.message, true);
  }
  busy = false;
}

async function evaluate(count) {
  await state.prepared;
  const found = await ask('evaluate', { count });
  state.accuracies.push([found.step, found.accuracy]);
  $('accuracy').textContent = `${(100 * found.accuracy).toFixed(2)} %${count < state.test ? ` of ${count}` : ''}`;
  $('wrong').replaceChildren(...found.wrong.map((one) => {
    const figure = document.createElement('figure'), canvas = document.createElement('canvas');
    canvas.width = canvas.height = 28;
    paint(canvas, one.image, 28, 28, 1, 255);
    const caption = document.createElement('figcaption');
    caption.textContent = `${one.label} as ${one.read}`;
    figure.append(canvas, caption);
    return figure;
  }));
  draw();
}

// What is kept

const keep = {
  open: () => new Promise((resolve, reject) => {
    const request = indexedDB.open('wgrad', 1);
    request.onupgradeneeded = () => request.result.createObjectStore('trainings');
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  }),
  async with(mode, use) {
    const database = await keep.open();
    return new Promise((resolve, reject) => {
      const request = use(database.transaction('trainings', mode).objectStore('trainings'));
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  },
  get: () => keep.with('readonly', (store) => store.get('last')),
  put: (value) => keep.with('readwrite', (store) => store.put(value, 'last')),
  clear: () => keep.with('readwrite', (store) => store.delete('last')),
};

async function store() {
  const { file, step } = await ask('checkpoint');
  const { settings, losses, accuracies } = state;
  await keep.put({ settings, file, step, losses: losses.slice(0, step), accuracies })
    .then(() => { state.kept = step; })
    .catch((error) => say(`The training can't be kept in this browser: ${error.message}`, true));
}

// Pictures

const mean = (list) => list.reduce((a, b) => a + b, 0) / (list.length || 1);

function draw() {
  const canvas = $('curves'), g = canvas.getContext('2d'), { width, height } = canvas;
  const style = getComputedStyle(document.documentElement), color = (name) => style.getPropertyValue(name).trim();
  const left = 52, right = width - 52, top = 16, bottom = height - 34;
  g.clearRect(0, 0, width, height);
  g.font = '14px system-ui, sans-serif';
  const steps = Math.max(state.losses.length, 50), most = Math.max(0.5, ...state.losses.slice(0, 5), ...state.losses.slice(-2000));
  const x = (step) => left + ((right - left) * step) / steps;
  g.strokeStyle = color('--line');
  g.fillStyle = color('--soft');
  for (let i = 0; i <= 4; i++) {
    const y = bottom - ((bottom - top) * i) / 4;
    g.beginPath(); g.moveTo(left, y); g.lineTo(right, y); g.stroke();
    g.textAlign = 'right'; g.fillText(((most * i) / 4).toFixed(2), left - 8, y + 5);
    g.textAlign = 'left'; g.fillText(`${80 + 5 * i} %`, right + 8, y + 5);
    g.textAlign = 'center'; g.fillText(Math.round((steps * i) / 4), x((steps * i) / 4), height - 12);
  }
  g.lineWidth = 2;
  g.strokeStyle = color('--loss');
  g.beginPath();
  const window = Math.max(1, Math.floor(state.losses.length / 300));
  for (let i = 0; i + window <= state.losses.length; i += window) {
    const y = bottom - ((bottom - top) * Math.min(mean(state.losses.slice(i, i + window)), most)) / most;
    i ? g.lineTo(x(i + window / 2), y) : g.moveTo(x(i + window / 2), y);
  }
  g.stroke();
  g.fillStyle = g.strokeStyle = color('--accuracy');
  g.beginPath();
  state.accuracies.forEach(([step, accuracy], i) => {
    const y = bottom - ((bottom - top) * Math.max(0, accuracy - 0.8)) / 0.2;
    i ? g.lineTo(x(step), y) : g.moveTo(x(step), y);
    g.fillRect(x(step) - 3, y - 3, 6, 6);
  });
  g.stroke();
  g.lineWidth = 1;
}

// Pictures side by side; each is stretched to its own range unless `most` is given.
function paint(canvas, numbers, width, height, count, most) {
  const each = width * height, gap = count > 1 ? 4 : 0;
  const across = Math.max(1, Math.floor((canvas.width + gap) / (width + gap)));
  const g = canvas.getContext('2d'), data = g.createImageData(width, height);
  g.clearRect(0, 0, canvas.width, canvas.height);
  for (let n = 0; n < count; n++) {
    const part = numbers.subarray(n * each, (n + 1) * each);
    const low = most ? 0 : Math.min(...part), high = most ?? Math.max(...part);
    part.forEach((value, i) => {
      const level = high > low ? (255 * (value - low)) / (high - low) : 0;
      data.data.set([level, level, level, 255], 4 * i);
    });
    g.putImageData(data, (n % across) * (width + gap), Math.floor(n / across) * (height + gap));
  }
}

function enlarged(numbers, side, count, factor) {
  const out = new Float32Array(numbers.length * factor * factor), wide = side * factor;
  for (let n = 0; n < count; n++)
    for (let y = 0; y < wide; y++)
      for (let x = 0; x < wide; x++)
        out[n * wide * wide + y * wide + x] = numbers[n * side * side + Math.floor(y / factor) * side + Math.floor(x / factor)];
  return out;
}

async function look() {
  await state.prepared;
  const { image } = state;
  const { looked, filters } = await ask('look', { image });
  paint($('filters'), enlarged(filters, 3, 8, 10), 30, 30, 8);
  paint($('maps1'), enlarged(looked.subarray(0, 1568), 14, 8, 4), 56, 56, 8);
  paint($('maps2'), enlarged(looked.subarray(1568, 3136), 7, 32, 3), 21, 21, 32);
  paint($('hidden'), looked.subarray(3136, 3736), 60, 10, 1);
  const { spread } = await ask('spread', { image });
  bars(spread.subarray(0, 10), spread.subarray(10));
}

function bars(means, deviations) {
  const best = means.indexOf(Math.max(...means));
  $('bars').replaceChildren(...Array.from(means, (p, digit) => {
    const item = document.createElement('li');
    item.className = digit === best ? 'best' : '';
    const low = Math.max(0, p - deviations[digit]), high = Math.min(1, p + deviations[digit]);
    item.innerHTML = `<span>${digit}</span><span class="track"><span class="bar" style="width:${100 * p}%"></span>` +
      `<span class="whisker" style="left:${100 * low}%;width:${100 * (high - low)}%"></span></span><span>${(100 * p).toFixed(1)} %</span>`;
    return item;
  }));
}

// The pad: strokes on 252 x 252, brought to 28 x 28 as MNIST's digits are: 20 pixels high, its weight in the middle.

const pad = $('pad'), pen = pad.getContext('2d', { willReadFrequently: true });
let at = null, keys = { x: 126, y: 126, down: false };

function blank() { pen.fillStyle = '#000'; pen.fillRect(0, 0, 252, 252); }

function stroke(x, y) {
  pen.strokeStyle = '#fff'; pen.lineWidth = 20; pen.lineCap = pen.lineJoin = 'round';
  pen.beginPath(); pen.moveTo(...(at ?? [x, y])); pen.lineTo(x, y); pen.stroke();
  at = [x, y];
}

function digit() {
  const { data } = pen.getImageData(0, 0, 252, 252);
  let box = [252, 252, -1, -1];
  for (let i = 0; i < 252 * 252; i++) if (data[4 * i] > 20) {
    const x = i % 252, y = (i / 252) | 0;
    box = [Math.min(box[0], x), Math.min(box[1], y), Math.max(box[2], x), Math.max(box[3], y)];
  }
  const image = new Uint8Array(784);
  if (box[2] < 0) return image;
  const [w, h] = [box[2] - box[0] + 1, box[3] - box[1] + 1], scale = 20 / Math.max(w, h);
  const small = new OffscreenCanvas(28, 28), g = small.getContext('2d', { willReadFrequently: true });
  const place = (dx, dy) => {
    g.fillStyle = '#000'; g.fillRect(0, 0, 28, 28);
    g.imageSmoothingQuality = 'high';
    g.drawImage(pad, box[0], box[1], w, h, 14 - (w * scale) / 2 + dx, 14 - (h * scale) / 2 + dy, w * scale, h * scale);
    return g.getImageData(0, 0, 28, 28).data;
  };
  const first = place(0, 0);
  let [sum, mx, my] = [0, 0, 0];
  for (let i = 0; i < 784; i++) { const v = first[4 * i]; sum += v; mx += v * (i % 28); my += v * ((i / 28) | 0); }
  const placed = sum ? place(Math.round(13.5 - mx / sum), Math.round(13.5 - my / sum)) : first;
  for (let i = 0; i < 784; i++) image[i] = placed[4 * i];
  return image;
}

async function drawn() { state.image = digit(); await look().catch((error) => say(error.message, true)); }

const point = (event) => {
  const box = pad.getBoundingClientRect();
  return [((event.clientX - box.left) * 252) / box.width, ((event.clientY - box.top) * 252) / box.height];
};
pad.addEventListener('pointerdown', (event) => { pad.setPointerCapture(event.pointerId); at = null; stroke(...point(event)); });
pad.addEventListener('pointermove', (event) => { if (event.buttons) stroke(...point(event)); });
pad.addEventListener('pointerup', () => { at = null; drawn(); });
pad.addEventListener('keydown', (event) => {
  const move = { ArrowLeft: [-6, 0], ArrowRight: [6, 0], ArrowUp: [0, -6], ArrowDown: [0, 6] }[event.key];
  if (event.key === ' ') { keys.down = !keys.down; at = null; }
  if (!move && event.key !== ' ') return;
  event.preventDefault();
  if (move) [keys.x, keys.y] = [keys.x + move[0], keys.y + move[1]].map((v) => Math.max(10, Math.min(242, v)));
  if (keys.down) stroke(keys.x, keys.y);
  drawn();
});

async function another() {
  const { image } = await ask('test', { index: Math.floor(Math.random() * state.test) });
  state.image = image;
  const small = new OffscreenCanvas(28, 28);
  paint(small, image, 28, 28, 1, 255);
  blank();
  pen.imageSmoothingEnabled = false;
  pen.drawImage(small, 0, 0, 252, 252);
}

// Buttons

const act = (id, event, does) => $(id).addEventListener(event, (e) => Promise.resolve(does(e)).catch((error) => say(error.message, true)));
act('start', 'click', () => { say(''); return run(!state.running); });
act('reset', 'click', async () => {
  state.running = false;
  await ask('run', { running: false, ...pace() });
  await begin();
  await keep.clear();
  buttons();
  say('A new training, from weights by the seed.');
  await compileRest();
});
for (const id of ['batch', 'optimizer', 'dropout', 'smoothing', 'seed'])
  act(id, 'change', () => (state.step || state.running ? say('Reset begins a training with these settings.') : begin().then(compileRest)));
for (const id of ['rate', 'last']) act(id, 'change', () => ask('rate', pace()));
act('clear', 'click', () => { blank(); return drawn(); });
act('other', 'click', () => another().then(look));
act('save', 'click', async () => {
  const { file } = await ask('weights');
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([file]));
  link.download = 'mnist.safetensors';
  link.click();
  say(`Saved mnist.safetensors, ${file.length.toLocaleString()} bytes.`);
});
act('load', 'change', async (event) => {
  const [file] = event.target.files;
  if (!file) return;
  await ask('load', { file: new Uint8Array(await file.arrayBuffer()) });
  event.target.value = '';
  say(`Loaded ${file.name}.`);
  await look();
  await evaluate(state.test);
});
act('verify', 'click', async () => {
  const { table, step } = await ask('verify');
  state.step = step;
  $('table').hidden = false;
  $('table').textContent = table;
  say('Every kernel of a step agrees with the reference.');
});

blank();
draw();
if (!isSecureContext) fail('WebGPU needs https or localhost.');
else if (!navigator.gpu) fail('This browser has no WebGPU. Chrome and Edge have it from version 113, Safari from 26, Firefox from 141 (Windows).');
