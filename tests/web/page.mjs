// Tests of the page in a real browser: node page.mjs BROWSER FOLDER NATIVE [WORD]. NATIVE.safetensors are weights of the
// native trainer, NATIVE.csv its logits; only tests with WORD in their names run. If WORD is "quick", those run that are
// in `brief`, with a tenth of the test digits. scripts/test-web.sh runs it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { serve, software, start } from './browser.mjs';

const [browserPath, folder, native, word = ''] = process.argv.slice(2);
const quick = word === 'quick', digits = quick ? 1000 : 10000;

// The first digits of a file, which has their number in its fifth to eighth byte.
function shortened(path, head, bytes) {
  const all = gunzipSync(readFileSync(join(folder, path)));
  const first = Buffer.from(all.subarray(0, head + digits * bytes));
  first.writeUInt32BE(digits, 4);
  return [`/${path}`, gzipSync(first)];
}
const fewer = () => Object.fromEntries([
  shortened('data/t10k-images-idx3-ubyte.gz', 16, 784),
  shortened('data/t10k-labels-idx1-ubyte.gz', 8, 1),
]);
const { url, close } = await serve(folder, quick ? fewer() : {});

const errors = [];
async function opened(context) {
  const page = await context.newPage();
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(url);
  await page.waitForFunction(() => document.title === 'wgrad: ready', null, { timeout: 60000 });
  return page;
}
const step = (page, least) => page.waitForFunction((least) => window.wgrad.state.step >= least, least, { timeout: 180000 });
const losses = (page, count) => page.evaluate((count) => Array.from(window.wgrad.state.losses.slice(0, count)), count);
const ask = (page, name, more) => page.evaluate(([name, more]) => window.wgrad.ask(name, more), [name, more]);

// Begins a new training, from the same seed.
async function anew(page) {
  await page.click('#reset');
  await page.waitForFunction(() => document.getElementById('message').textContent.startsWith('A new training'));
}

// Draws a 1, which is read as 1.
async function draw(page) {
  await page.click('#clear');
  const box = await page.locator('#pad').boundingBox();
  await page.mouse.move(box.x + 130, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + 122, box.y + 210, { steps: 12 });
  await page.mouse.up();
  const read = () => { // surely: what an empty pad is read as has a fifth
    const best = document.querySelector('#bars .best');
    return best?.firstChild.textContent === '1' && parseFloat(best.lastChild.textContent) > 80;
  };
  await page.waitForFunction(read, null, { timeout: 30000 });
}

const tests = {
  async 'its code holds only what it asks for'() {
    const packed = readFileSync(join(folder, 'wgrad_web_bg.wasm.gz')), code = gunzipSync(packed);
    assert(code.includes('kernels/gemm/gemm_register'));
    for (const file of ['movement/concatenate', 'movement/pad_grad', 'movement/strided_copy', 'sample_moments/running_sum'])
      assert(!code.includes(file), `it holds ${file}.wgsl, which no graph of the page reaches`);
    if (!quick) assert(packed.length <= 400000, `${packed.length} bytes`);
  },

  async 'what is missing is said in words'() {
    const browser = await start(browserPath, ['--disable-features=WebGPU']);
    const page = await browser.newPage();
    await page.addInitScript(() => Object.defineProperty(Navigator.prototype, 'gpu', { get: () => undefined }));
    await page.goto(url);
    await page.waitForFunction(() => document.getElementById('adapter').textContent.includes('no WebGPU'));
    assert(await page.isDisabled('#start'));
    await browser.close();
  },

  async 'it learns to 97 %'(browser) {
    const context = await browser.newContext({ viewport: { width: 1200, height: 1500 } });
    const page = await opened(context);
    // What learns most from few images, and images are what takes time here.
    await page.locator('summary').click();
    await page.selectOption('#batch', '16');
    await page.selectOption('#optimizer', 'nesterov');
    for (const [id, value] of Object.entries({ dropout: '0', smoothing: '0.2', rate: '0.04', last: '270' })) {
      await page.fill(`#${id}`, value);
      await page.dispatchEvent(`#${id}`, 'change');
    }
    await page.waitForFunction(() => window.wgrad.state.compiled === window.wgrad.state.prepared, null, { timeout: 60000 });
    const began = Date.now();
    await page.click('#start');
    await step(page, 1);
    const first = (Date.now() - began) / 1000;
    await page.waitForFunction(() => !window.wgrad.state.running && document.getElementById('accuracy').textContent.endsWith('%'), null, { timeout: 240000 });
    const seconds = (Date.now() - began) / 1000, found = parseFloat(await page.textContent('#accuracy'));
    console.log(`  first step after ${first.toFixed(1)} s, ${found} % after ${seconds.toFixed(1)} s, ${await page.textContent('#speed')} images/s`);
    assert(found >= 97, `${found} %`);
    assert(first <= 3, `the first step came after ${first} s`);

    await draw(page);
    if (process.env.WGRAD_SCREENSHOT) await page.screenshot({ path: process.env.WGRAD_SCREENSHOT });
    await page.click('#verify');
    await page.waitForFunction(() => document.getElementById('table').textContent.includes('conv2d_grad_input'), null, { timeout: 120000 });
    await context.close();
  },

  async 'it is used by keyboard'(browser) {
    const context = await browser.newContext();
    const page = await opened(context);
    // Every control is reached by Tab, in the order in which it is read.
    const order = await page.evaluate(() => Array.from(document.querySelectorAll('button, input, select, summary, #pad')).map((e) => e.id || e.tagName));
    const reached = [];
    while (reached.length < order.length) {
      await page.keyboard.press('Tab');
      reached.push(await page.evaluate(() => document.activeElement.id || document.activeElement.tagName));
      if (reached.at(-1) === 'SUMMARY') await page.keyboard.press('Enter'); // opens the settings
    }
    assert.deepEqual(reached, order);
    await page.locator('#start').focus();
    await page.keyboard.press('Enter');
    await step(page, 2);
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => !window.wgrad.state.running);
    // A stroke by arrow keys: down, with the pen lowered.
    await page.click('#clear');
    await page.locator('#pad').focus();
    for (let i = 0; i < 12; i++) await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Space');
    for (let i = 0; i < 24; i++) await page.keyboard.press('ArrowDown');
    const ink = await page.evaluate(() => window.wgrad.state.image.reduce((sum, v) => sum + v, 0));
    assert(ink > 5000, `${ink}`);
    await context.close();
  },

  async 'a browser that keeps nothing trains too'(browser) {
    const context = await browser.newContext();
    await context.addInitScript(() => { IDBFactory.prototype.open = () => { throw new Error('no storage here'); }; });
    const page = await opened(context);
    await page.click('#start');
    await step(page, 2);
    await page.click('#start');
    const said = (words) => document.getElementById('message').textContent.includes(words);
    await page.waitForFunction(said, "can't be kept in this browser: no storage here", { timeout: 120000 });
    const before = await page.evaluate(() => window.wgrad.state.step);
    await page.click('#start');
    await step(page, before + 1);
    await context.close();
  },

  async 'one seed gives the same losses, also after a reload'(browser) {
    const context = await browser.newContext();
    let page = await opened(context);
    await page.click('#start');
    await step(page, 4);
    await page.click('#start');
    const isKept = () => !window.wgrad.state.running && window.wgrad.state.kept === window.wgrad.state.step;
    await page.waitForFunction(isKept, null, { timeout: 120000 });
    const paused = await page.evaluate(() => window.wgrad.state.step);
    // An earlier page kept no label smoothing.
    await page.evaluate(() => new Promise((resolve, reject) => {
      indexedDB.open('wgrad', 1).onsuccess = ({ target: { result } }) => {
        const store = result.transaction('trainings', 'readwrite').objectStore('trainings');
        store.get('last').onsuccess = ({ target: { result: kept } }) => {
          delete kept.settings.smoothing;
          const request = store.put(kept, 'last');
          request.onsuccess = resolve;
          request.onerror = reject;
        };
      };
    }));
    await page.close();

    page = await opened(context);
    assert.equal(await page.evaluate(() => window.wgrad.state.step), paused);
    await page.click('#start');
    const many = Math.max(12, paused + 6);
    await step(page, many);
    const resumed = await losses(page, many);

    await anew(page);
    assert.equal(await page.evaluate(() => window.wgrad.state.step), 0);
    await page.click('#start');
    await step(page, many);
    assert.deepEqual(await losses(page, many), resumed);
    await context.close();
  },
};

tests['weights of the native trainer give its logits, and read a drawn digit'] = async (browser) => {
  const context = await browser.newContext();
  const page = await opened(context);
  await page.setInputFiles('#load', `${native}.safetensors`);
  await page.waitForFunction(() => document.getElementById('accuracy').textContent.endsWith('%'), null, { timeout: 240000 });
  const rows = readFileSync(`${native}.csv`, 'utf8').trim().split('\n').map((line) => line.split(',').map(Number));
  assert.equal(await page.evaluate(() => window.wgrad.state.test), digits);
  const labels = gunzipSync(readFileSync(join(folder, 'data/t10k-labels-idx1-ubyte.gz'))).subarray(8);
  const expected = rows.slice(0, 500).flat(), largest = Math.max(...expected.map(Math.abs));
  const { logits } = await ask(page, 'logits', { first: 0 });
  assert.equal(logits.length, expected.length);
  const apart = Math.max(...expected.map((x, i) => Math.abs(x - logits[i])));
  console.log(`  5,000 logits up to ${largest.toFixed(2)} differ by at most ${apart.toExponential(1)}`);
  assert(apart <= 1e-5 * largest, `${apart} of ${largest}`);
  // Rounding may tip a digit or two.
  const right = rows.slice(0, digits).filter((row, i) => row.indexOf(Math.max(...row)) === labels[i]).length * 100 / digits;
  const found = parseFloat(await page.textContent('#accuracy'));
  assert(Math.abs(found - right) < 250 / digits, `${found} % here, ${right} % there`);
  await draw(page);

  // Weights that are saved and loaded again give the same logits.
  const { file } = await ask(page, 'weights', {});
  await anew(page);
  assert.notDeepEqual((await ask(page, 'logits', { first: 0 })).logits, logits);
  await ask(page, 'load', { file });
  assert.deepEqual((await ask(page, 'logits', { first: 0 })).logits, logits);
  await context.close();
};

const brief = [
  'its code holds only what it asks for',
  'what is missing is said in words',
  'one seed gives the same losses, also after a reload',
  'weights of the native trainer give its logits, and read a drawn digit',
];
let failed = 0;
const browser = await start(browserPath, software);
const chosen = Object.entries(tests).filter(([name]) => quick ? brief.includes(name) : name.includes(word));
assert(chosen.length >= (quick ? brief.length : 1), `no test has "${word}" in its name`);
for (const [name, test] of chosen) {
  const began = Date.now();
  try {
    await test(browser);
    console.log(`test ${name} ... ok, ${((Date.now() - began) / 1000).toFixed(0)} s`);
  } catch (error) {
    failed += 1;
    console.log(`test ${name} ... FAILED\n${error.stack}`);
  }
}
if (errors.length) { failed += 1; console.log(`errors of the page:\n${errors.join('\n')}`); }
await browser.close();
close();
process.exit(failed ? 1 : 0);
