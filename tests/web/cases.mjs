// The case tables of the operators in a real browser: node cases.mjs BROWSER FOLDER [FAMILY... or -FAMILY...]. By default
// every family runs, with -FAMILY all but these; each variant on the cases that show it an edge, with WGRAD_SWEEP every
// variant on every case. With WGRAD_LAVAPIPE, the library of lavapipe.c, all of it is in f16, and a network is trained.
// scripts/test-web.sh runs it.
import { serve, software, start } from './browser.mjs';

const [browserPath, folder, ...wanted] = process.argv.slice(2);
const sweep = Boolean(process.env.WGRAD_SWEEP);
const lavapipe = process.env.WGRAD_LAVAPIPE, f16 = Boolean(lavapipe);
const LONGEST = 1200; // seconds of a case
const MOST_LOST = 5; // pages of a family that a browser loses before it gives the family up
const BROWSERS = 2; // a browser has one thread for all that its GPU compiles
const MOST_TOLD = 50; // failures of a family

const server = await serve(folder);
const total = { cases: 0, runs: 0, dispatches: 0 }, variants = new Set();
let failures = 0;

// A page whose program ends leaves promises that nobody keeps.
async function opened(browser) {
  const page = await browser.newPage();
  const said = [];
  page.on('console', (message) => { if (message.type() === 'error') said.push(message.text()); });
  const ended = new Promise((_, reject) => {
    const end = (why) => reject(new Error([why, ...said].join('\n')));
    page.on('pageerror', (error) => setTimeout(end, 100, String(error)));
    page.on('crash', () => end('the page crashed'));
  });
  ended.catch(() => {});
  const late = () => new Promise((_, reject) => setTimeout(reject, LONGEST * 1000, new Error(`no answer in ${LONGEST} s`)).unref());
  const ask = (call, argument) => Promise.race([page.evaluate(call, argument), ended, late()]);
  await page.goto(server.url);
  await Promise.race([page.waitForFunction(() => document.title === 'ready'), ended]);
  return { page, ask };
}

// One browser's share of a family: the next run that no other has, until there are none left.
async function share(browser, name, done) {
  let table, lost = 0;
  const open = async () => {
    table = await opened(browser);
    const found = await table.ask(([name, sweep, f16]) => window.open(name, sweep, f16), [name, sweep, f16]);
    if (found.runs === 0 && !f16) throw new Error('there are no runs');
    Object.assign(done, { cases: found.cases, of: found.runs });
  };
  while (done.next < done.of && lost < MOST_LOST && browser.isConnected()) {
    let label = name;
    try {
      if (!table) await open();
      if (done.next >= done.of) break;
      const at = done.next++;
      const [variant, said] = await table.ask((at) => [window.table.variant(at), window.table.label(at)], at);
      label = said;
      const { failures, dispatches } = await table.ask((at) => window.run(at), at);
      done.wrong.push(...failures.map((failure) => `${label}: ${failure}`));
      variants.add(variant);
      done.runs += 1;
      done.dispatches += dispatches;
    } catch (error) {
      done.wrong.push(`${label}: ${error.message.split('\n    at ')[0]}`);
      lost += 1;
      await table?.page.close().catch(() => {});
      table = null;
    }
  }
  await table?.page.close().catch(() => {});
}

async function family(browsers, name) {
  const began = Date.now();
  const done = { next: 0, of: 1, cases: 0, runs: 0, dispatches: 0, wrong: [] };
  await Promise.all(browsers.map((browser) => share(browser, name, done)));
  if (done.runs < done.of) done.wrong.push(`${done.runs} of ${done.of} runs ended`);
  const seconds = ((Date.now() - began) / 1000).toFixed(0);
  const counts = `${done.cases} cases, ${done.runs} runs, ${done.dispatches} dispatches in ${seconds} s`;
  console.log(`cases ${name}: ${counts} ... ${done.wrong.length ? 'FAILED' : 'ok'}`);
  for (const line of done.wrong.slice(0, MOST_TOLD)) console.log(`  ${line.replace(/\s+/g, ' ')}`);
  if (done.wrong.length > MOST_TOLD) console.log(`  and ${done.wrong.length - MOST_TOLD} more`);
  for (const what of Object.keys(total)) total[what] += done[what];
  failures += done.wrong.length;
}

const began = Date.now();
const browsers = await Promise.all(Array.from({ length: BROWSERS }, () => start(browserPath, software, f16 ? { LD_PRELOAD: lavapipe } : {})));
const { page, ask } = await opened(browsers[0]);
console.log(await ask(() => window.adapter()));
if (f16) {
  if (!await ask(() => window.has_f16())) {
    console.log('NOT TESTED in f16: lavapipe is not in this browser, or has no f16');
    process.exit(3);
  }
  console.log(await ask(() => window.train_in_f16()));
}
const known = await ask(() => window.families());
await page.close();
const unknown = wanted.map((name) => name.replace(/^-/, '')).find((name) => !known.includes(name));
if (unknown) throw new Error(`"${unknown}" is no family; there are ${known.join(', ')}`);
const named = wanted.filter((name) => !name.startsWith('-'));
for (const name of named.length ? named : known.filter((name) => !wanted.includes(`-${name}`))) await family(browsers, name);
await Promise.all(browsers.map((browser) => browser.close()));
server.close();
const seconds = ((Date.now() - began) / 1000).toFixed(0);
console.log(`${total.cases} cases, ${variants.size} variants, ${total.runs} runs, ${total.dispatches} dispatches in ${seconds} s: ${failures} failures`);
// A family of views alone launches nothing.
const ran = total.cases && total.runs && (total.dispatches || wanted.length);
process.exit(failures || !ran ? 1 : 0);
