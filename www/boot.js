//! First script of the page: what is missing is said, the app is loaded in sight, and a crash becomes a report.

import init, { startPage } from './dsee_web.js';
import { checkGpu, missingForWindow } from './capability.js';
import { Facts } from './facts.js';
import { PageHost } from './host.js';
import { compile, megabytes } from './loading.js';

const WASM = new URL('./dsee_web_bg.wasm', import.meta.url);
const at = (id) => document.getElementById(id);
const facts = new Facts();
window.dsee = facts;
let ended = false;

/** Puts a page of text where the app was or would have been. */
function report({ title, text, steps = [], details = '' }) {
  // A crash often has followers: the first one is the cause.
  if (ended) return;
  ended = true;
  at('intro').hidden = true;
  at('canvas').remove();
  at('report-title').textContent = title;
  at('report-text').textContent = text;
  at('report-steps').replaceChildren(...steps.map(item));
  at('report-body').textContent = [
    title, text, details, `last status: ${facts.status || 'none'}`,
    `adapter: ${facts.adapter ? JSON.stringify(facts.adapter) : 'none'}`, `browser: ${navigator.userAgent}`,
    `page: ${location.origin}${location.pathname}`, `events: ${facts.events.slice(-20).map((event) => event.type ?? event.event).join(', ')}`,
  ].filter(Boolean).join('\n');
  at('report').hidden = false;
  at('status').textContent = title;
  document.title = `${title} · DSEE Studio`;
}

function item(text) {
  const element = document.createElement('li');
  element.textContent = text;
  return element;
}

/** A message above the app. */
function notice({ level, title, text, steps }) {
  at('notice').dataset.level = level;
  at('notice-title').textContent = title;
  at('notice-text').textContent = text;
  at('notice-steps').replaceChildren(...steps.map(item));
  at('notice-more').hidden = steps.length === 0;
  at('notice').hidden = false;
}

function crashed(reason) {
  report({
    title: 'The app has stopped',
    text: 'This is a mistake of the program, not yours. What was saved of your runs is still there: reload the page and go on with the last one.',
    details: reason,
  });
}

function count(bytes) {
  const all = Number(at('loading').dataset.bytes);
  at('bar').value = Math.min(1, bytes / all);
  at('loaded').textContent = bytes < all ? `Loading the app: ${megabytes(bytes)} of ${megabytes(all)}` : 'Starting …';
}

async function start() {
  const missing = missingForWindow();
  if (missing) return report(missing);
  const gpu = checkGpu();
  const module = await compile(WASM, count);
  const wasm = await init({ module_or_path: module });
  facts.pageHeap = () => wasm.memory.buffer.byteLength;
  const host = new PageHost(module, facts);
  const canvas = at('canvas');
  canvas.hidden = false;
  const page = await startPage(canvas, host, host.store);
  await host.begin(page, canvas);
  await new Promise(requestAnimationFrame);
  facts.firstScreenMs = performance.now();
  at('intro').classList.add('leaving');
  setTimeout(() => { at('intro').hidden = true; }, 160);
  canvas.focus({ preventScroll: true });
  const problem = await gpu;
  if (problem) notice(problem);
}

at('notice-close').addEventListener('click', () => { at('notice').hidden = true; });
at('report-reload').addEventListener('click', () => location.reload());
at('report-copy').addEventListener('click', async () => {
  try {
    await navigator.clipboard.writeText(at('report-body').textContent);
    at('report-copy').textContent = 'Copied';
  } catch {
    // Without permission the text is there to be selected.
    at('report-details').open = true;
    getSelection().selectAllChildren(at('report-body'));
  }
});
window.addEventListener('dsee-crashed', ({ detail }) => crashed(detail));
window.addEventListener('error', ({ error }) => { if (error instanceof WebAssembly.RuntimeError) crashed(error.stack); });

start().catch((error) => report({
  title: 'The app could not start',
  text: 'Reload the page. If that does not help, the report says what happened.',
  details: String(error?.stack ?? error),
}));
