//! Chromium with a WebGPU adapter in software, and what tests do with its pages.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const FLAGS = [
  '--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
const WEBGPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan'];
const PLACES = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Longest wait for anything: a loaded machine that draws and computes in software is slow. */
export const PATIENCE = 240_000;

/** Starts the browser; `webgpu: false` leaves it without an adapter. */
export function launch({ webgpu = true, flags = [] } = {}) {
  const executablePath = PLACES.find((place) => place && existsSync(place));
  assert.ok(executablePath, 'no Chromium here: install it, or name it in CHROMIUM');
  const args = ['--headless=new', ...FLAGS, ...(webgpu ? WEBGPU : []), ...flags];
  return chromium.launch({ executablePath, headless: true, args });
}

/** A page of a context that collects what goes wrong on it in `page.problems`. */
export async function pageOf(context) {
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.problems = [];
  page.on('console', (message) => {
    if (message.type() === 'error') page.problems.push(`${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => page.problems.push(String(error)));
  return page;
}

/** Opens the page and waits until the app is drawn. */
export async function openApp(context, url) {
  const page = await pageOf(context);
  await page.goto(url);
  await appIsThere(page);
  return page;
}

/** Waits until the app is drawn and its engine is ready. */
export async function appIsThere(page) {
  await page.waitForFunction(() => window.dsee?.firstScreenMs > 0);
  await until(page, (dsee) => dsee.adapter !== null, 'an adapter');
}

/** Waits until `holds(window.dsee, argument)`. Asks from here: the page's policy forbids to poll with text. */
export async function until(page, holds, what, { timeout = PATIENCE, argument = null } = {}) {
  const question = `((argument) => (${holds})(window.dsee, argument))(${JSON.stringify(argument)})`;
  const end = Date.now() + timeout;
  while (!await page.evaluate(question)) {
    if (Date.now() > end) {
      const facts = await page.evaluate(() => {
        const { status, losses, events } = window.dsee;
        return { status, losses: losses.length, events: events.slice(-3) };
      });
      assert.fail(`waited ${timeout} ms for ${what}: ${JSON.stringify(facts).slice(0, 1500)}; ${page.problems.join('; ')}`);
    }
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
}

/** Drops files and folders of this machine on the page, as a hand would. */
export async function dropFiles(page, paths) {
  const session = await page.context().newCDPSession(page);
  const { width, height } = page.viewportSize();
  const data = { items: [], files: paths, dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop']) {
    await session.send('Input.dispatchDragEvent', { type, x: width / 2, y: height / 2, data });
  }
  await session.detach();
}

/** Fails if the console said anything bad. */
export function quiet(page) {
  assert.deepEqual(page.problems, []);
}

/** Moves the keyboard's focus to the widget that `words` describes, and presses it. */
export async function press(page, words, key = 'Enter') {
  await focus(page, words);
  await hit(page, key);
}

/** Moves the keyboard's focus to the widget that `words` describes, by Tab, as somebody without a mouse would. */
export async function focus(page, words) {
  const spoken = page.locator('#focus');
  const seen = new Set();
  for (let i = 0; i < 80; i += 1) {
    const said = await spoken.textContent();
    if (words.test(said)) return;
    seen.add(said);
    await hit(page, 'Tab');
  }
  assert.fail(`Tab reaches nothing like ${words}: ${[...seen].join(' | ')}`);
}

/**
 * Presses a key and waits until a frame has seen it. Drawing in software takes longer than the next key, and of two keys
 * in one frame Tab comes first: Enter would press the neighbour of what it was meant for.
 */
async function hit(page, key) {
  await page.keyboard.press(key);
  // The app is drawn in the first of these frames, with the key; what it says of the focus is there before the second.
  await page.evaluate(() => new Promise((seen) => {
    requestAnimationFrame(() => requestAnimationFrame(seen));
  }));
}
