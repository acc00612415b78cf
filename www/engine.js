//! The page's end of the engine: starts its worker, sends commands, hears events, starts it anew when it is gone.

const SCRIPT = new URL('./worker.js', import.meta.url);

export class Engine {
  #module;
  #listener;
  #worker = null;
  /** What model and data were last read from. */
  #inputs = new Map();

  /** Bytes of wasm memory the worker had when it last told something. */
  heap = 0;

  /**
   * @param module the compiled wasm file
   * @param listener `{ event(message), gone(reason) }`
   */
  constructor(module, listener) {
    this.#module = module;
    this.#listener = listener;
  }

  /** Starts a worker; one that is there is ended. */
  start() {
    this.#worker?.terminate();
    const worker = new Worker(SCRIPT, { type: 'module', name: 'dsee engine' });
    this.#worker = worker;
    const gone = (reason) => {
      // What an ended worker still says is not for us.
      if (this.#worker !== worker) return;
      this.#worker = null;
      worker.terminate();
      this.#listener.gone(reason);
    };
    worker.onmessage = ({ data }) => {
      if (this.#worker !== worker) return;
      if (data.gone !== undefined) return gone(data.gone);
      this.heap = data.heap;
      this.#listener.event(data);
    };
    worker.onerror = (event) => gone(event.message || 'its script could not be loaded');
    worker.onmessageerror = () => gone('a message to it could not be read');
    worker.postMessage({ module: this.#module });
  }

  /** Sends a command (JSON text) with `[{ name, blob }]`. Without a worker there is nobody to hear it. */
  send(command, attachments) {
    const message = { command, attachments };
    const kind = JSON.parse(command).command;
    if (kind === 'load_model') this.#inputs.clear();
    if (kind === 'load_model' || kind === 'load_data') this.#inputs.set(kind, message);
    this.#worker?.postMessage(message);
  }

  /** What the model or the data were read from: `{ command, attachments }`. */
  input(kind) {
    const message = this.#inputs.get(kind);
    return message && { command: JSON.parse(message.command), attachments: message.attachments };
  }
}
