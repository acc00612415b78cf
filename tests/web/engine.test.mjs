//! Proves that the worker trains: the same losses as the native program, pause and single steps that count, and its
//! place in a crash. It talks to the worker as the page does, so that it needs no window.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openApp, quiet } from './support/browser.mjs';
import { lossesOf } from './support/native.mjs';
import { browser, server } from './support/stage.mjs';

const SETTINGS = { logging_steps: '1', max_steps: '20', eval_strategy: 'no', save_strategy: 'no', max_train_samples: '400' };
/** How far a loss in the browser may be from the native one: two compilers, and another order of sums. */
const MOST_DIFFERENCE = 1e-3;

/** A page with an engine of its own, `window.engine`, that notes its events. */
async function withEngine() {
  const page = await openApp(await browser.newContext(), server.url);
  await page.evaluate(async () => {
    const script = document.querySelector('script[type=module]').src;
    const { Engine } = await import(new URL('./engine.js', script));
    const module = await WebAssembly.compileStreaming(fetch(new URL('./dsee_web_bg.wasm', script)));
    const told = [];
    const engine = new Engine(module, {
      event: ({ event, attachments }) => told.push({ ...JSON.parse(event), files: attachments.map(({ name }) => name) }),
      gone: (reason) => told.push({ type: 'gone', reason }),
    });
    engine.start();
    window.told = told;
    window.engine = engine;
    window.command = (command) => engine.send(JSON.stringify(command), []);
    window.hear = async (type, after = 0) => {
      for (;;) {
        const i = told.findIndex((event, i) => i >= after && (event.type === type || event.event?.event === type));
        if (i >= 0) return told[i];
        const broken = told.find((event) => ['failed', 'rejected', 'gone'].includes(event.type));
        if (broken && broken.type !== type) throw new Error(JSON.stringify(broken));
        await new Promise((resolve) => { setTimeout(resolve, 20); });
      }
    };
  });
  return page;
}

/** Loads the embedded model and sentences and starts a run. */
function start(page, settings, paused = false) {
  return page.evaluate(async ([settings, paused]) => {
    window.command({ command: 'load_model', name: '' });
    window.command({ command: 'load_data', settings });
    window.command({ command: 'start', run: 1, settings, paused });
  }, [settings, paused]);
}

const progress = (page) => page.evaluate(() => window.told
  .filter((event) => event.event?.event === 'progress').map(({ event }) => [event.step, event.loss, event.elapsed_seconds]));

test('losses are those of the native program', async () => {
  const page = await withEngine();
  await start(page, SETTINGS);
  await page.evaluate(() => window.hear('finished'));
  const here = await progress(page);
  quiet(page);
  await page.context().close();
  const native = await lossesOf(SETTINGS);
  assert.equal(here.length, 20);
  const differences = here.map(([step, loss], i) => {
    assert.equal(step, native[i][0]);
    return Math.abs(loss - native[i][1]);
  });
  const largest = Math.max(...differences);
  const seconds = (here[19][2] - here[9][2]) / 10;
  console.log(`20 losses, largest difference ${largest.toExponential(1)}; ${(seconds * 1e3).toFixed(0)} ms a step in the browser`);
  assert.ok(largest < MOST_DIFFERENCE, `losses differ by ${largest}:\n${here}\n${native}`);
});

test('pause, step and resume act within a step', async () => {
  const page = await withEngine();
  await start(page, { ...SETTINGS, max_steps: '60' }, true);
  const steps = await page.evaluate(async () => {
    const steps = [(await window.hear('paused')).step];
    const say = async (command, answer) => {
      const after = window.told.length;
      window.command({ command, run: 1 });
      return (await window.hear(answer, after)).step;
    };
    steps.push(await say('step', 'paused'));
    steps.push(await say('step', 'paused'));
    await say('resume', 'resumed');
    await window.hear('progress', window.told.length);
    const asked = window.told.filter((event) => event.event?.event === 'progress').at(-1).event.step;
    steps.push(asked, await say('pause', 'paused'));
    const after = window.told.length;
    await new Promise((resolve) => { setTimeout(resolve, 500); });
    steps.push(window.told.slice(after).filter((event) => event.type === 'run').length);
    return steps;
  });
  const [first, second, third, asked, paused, later] = steps;
  assert.deepEqual([first, second, third], [0, 1, 2]);
  assert.ok(paused >= asked && paused <= asked + 2, `asked at step ${asked}, paused at ${paused}`);
  assert.equal(later, 0, 'nothing happens while it waits');
  await page.context().close();
});
