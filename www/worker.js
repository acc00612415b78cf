//! The engine's thread: a module worker with the same wasm file as the page, and a WebGPU device of its own.
//!
//! In: first `{ module }`, then commands `{ command, attachments: [{ name, blob }] }`.
//! Out: `{ event, checkpoint, heap, attachments: [{ name, buffer }] }`, `checkpoint` being `[run, step]` if that is what
//! the event brings, and at the end `{ gone }`: why it ended, or ''.

import init, { startEngine } from './dsee_web.js';

const commands = [];
let wake = null;

/** A turn of the event loop without the delay that browsers put on timers. */
const turns = new MessageChannel();
const waiting = [];
turns.port1.onmessage = () => waiting.shift()?.();

/** The adapter as browsers describe it; they give no product names. */
async function adapterName() {
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null);
  const { vendor = '', architecture = '', description = '' } = adapter?.info ?? {};
  const maker = VENDORS[vendor] ?? vendor;
  return description || [maker, architecture].filter(Boolean).join(' ') || 'unnamed adapter';
}

/** The small model that most visitors begin with. */
const ENCODER = 'dsee-tiny-encoder';
const fetched = new Map();

/** A small model that comes with the app, `[{ name, blob }]`: files in a folder beside this script, fetched once. */
function modelFiles(model) {
  if (!fetched.has(model)) {
    const files = Promise.all(['config.json', 'tokenizer.json', 'model.safetensors'].map(async (name) => {
      const response = await fetch(new URL(`./${model}/${name}`, import.meta.url));
      if (!response.ok) throw new Error(`the server answers ${response.status} to ${name}`);
      return { name, blob: await response.blob() };
    }));
    // What failed may be asked for again.
    files.catch(() => fetched.delete(model));
    fetched.set(model, files);
  }
  return fetched.get(model);
}

const VENDORS = { nvidia: 'NVIDIA', amd: 'AMD', intel: 'Intel', apple: 'Apple', google: 'Google', qualcomm: 'Qualcomm', arm: 'Arm', microsoft: 'Microsoft' };

/** What the engine asks of this thread; called from `app-web/src/worker.rs`. */
const host = {
  adapterName: '',
  modelFiles,
  tryNext: () => commands.shift(),
  next: async () => {
    while (commands.length === 0) {
      await new Promise((resolve) => { wake = resolve; });
    }
    return commands.shift();
  },
  breathe: () => new Promise((resolve) => {
    waiting.push(resolve);
    turns.port2.postMessage(null);
  }),
  tell: (event, checkpoint, attachments) => {
    const buffers = attachments.map((attachment) => attachment.buffer);
    self.postMessage({ event, checkpoint, attachments, heap: heap() }, buffers);
  },
  crashed: (reason) => self.postMessage({ gone: reason }),
};

let wasm = null;
const heap = () => wasm?.memory.buffer.byteLength ?? 0;

self.onmessage = async ({ data }) => {
  if (!data.module) {
    commands.push(data);
    wake?.();
    return;
  }
  try {
    modelFiles(ENCODER);
    const [exports, name] = await Promise.all([init({ module_or_path: data.module }), adapterName()]);
    wasm = exports;
    host.adapterName = name;
    await startEngine(host);
    self.postMessage({ gone: '' });
  } catch (error) {
    // After a panic the hook has told the reason already; the page listens to the first one only.
    self.postMessage({ gone: String(error?.message ?? error) });
  }
};
