//! The page around the app: carries out what the window asks for, and tells it what happens.
//!
//! `app-web/src/page.rs` calls the public methods; what the window is told goes through `page.notice` as one JSON
//! object, the `PageNotice` of `app-web/src/notices.rs`.

import { Engine } from './engine.js';
import * as files from './files.js';
import { HubStore } from './hub.js';
import { Runs } from './runs.js';

/** What each purpose may be chosen from. */
const PICKS = {
  model: { folder: true, accept: '' },
  train_data: { folder: false, accept: '.csv,.tsv,.json,.jsonl,.txt' },
  validation_data: { folder: false, accept: '.csv,.tsv,.json,.jsonl,.txt' },
  settings: { folder: false, accept: '.toml' },
};
/** Time between two saved states of a run that goes on. */
const AUTOSAVE_MS = 15_000;

export class PageHost {
  #page = null;
  #engine;
  #runs;
  #facts;
  #status = '';
  #unsaved = false;
  #awake = false;
  #awakeLock = null;
  /** Run id → key of the saved run it goes on with. */
  #resumed = new Map();
  #early = [];
  /** When a state was last asked for or saved. */
  #savedAt = -AUTOSAVE_MS;

  /**
   * @param module the compiled wasm file
   * @param facts what `window.dsee` shows, filled here
   */
  constructor(module, facts) {
    this.#facts = facts;
    this.#runs = new Runs((text) => this.#problem(text));
    facts.settled = () => this.#runs.settled();
    this.store = new HubStore((text) => this.#problem(text));
    this.#engine = new Engine(module, {
      event: (message) => this.#event(message),
      gone: (reason) => this.#gone(reason),
    });
    window.addEventListener('beforeunload', (event) => { if (this.#unsaved) event.preventDefault(); });
    window.addEventListener('hashchange', () => this.#link());
    document.addEventListener('visibilitychange', () => { if (!document.hidden && this.#awake) this.keepAwake(true); });
  }

  /** The app is there: start the engine, and tell what was found. */
  async begin(page, canvas) {
    this.#page = page;
    this.#facts.frames = () => JSON.parse(page.frameFigures());
    this.#early.splice(0).forEach((notice) => this.#notice(notice));
    this.#engine.start();
    if (navigator.wakeLock) this.#notice({ notice: 'can_keep_awake' });
    this.#link();
    files.listenToDrops(canvas, (name, list) => this.#dropped(name, list), (text) => this.#problem(text));
    await this.#runs.openStore();
    await this.#findLastRun();
  }

  // What the window asks for.

  /** Sends a command (JSON text) with `[{ name, id }]` or `[{ name, bytes }]` beside it. */
  send(text, attachments) {
    const command = JSON.parse(text);
    const blobs = attachments.map(({ name, id, bytes }) => ({ name, blob: bytes ? new Blob([bytes]) : files.blobOf(id) }));
    if (command.command === 'start' || command.command === 'restore') {
      const inputs = { model: this.#engine.input('load_model'), data: this.#engine.input('load_data') };
      this.#runs.begin(command.run, command.settings, inputs, this.#resumed.get(command.run));
    }
    this.#engine.send(text, blobs);
  }

  /** Lets the user choose files for a purpose. */
  async pick(purpose) {
    const list = await files.pick(PICKS[purpose]);
    if (list.length > 0) await this.#files(purpose, list[0].name.split('/')[0], list);
  }

  /** Hands bytes to the user as a download. */
  save(name, bytes) {
    files.download(name, bytes);
    this.#notice({ notice: 'saved', place: `${name}, where this browser keeps downloads` });
  }

  /** Keeps text in the address, without a new entry in the history. */
  setLink(text) {
    history.replaceState(null, '', text ? `#${text}` : location.pathname + location.search);
  }

  // Models that are kept. Downloads are driven by `app-web/src/hub`, through `store`.

  listStorage() { return this.#told(this.#listStorage()); }
  openCached(id) { return this.#told(this.store.files(id), (list) => this.#files('model', id, list)); }
  deleteCached(id) { return this.#told(this.store.remove(id).then(() => this.#listStorage())); }

  async #listStorage() {
    this.#notice({ notice: 'storage', ...await this.store.storage() });
  }

  // Saved runs.

  listRuns() { return this.#told(this.#listRuns()); }
  deleteRun(key) { return this.#told(this.#runs.remove(key).then(() => this.#listRuns())); }

  /** Goes on with a saved run under a new id: model, data and state into the engine. */
  async resumeRun(key, run) {
    const present = { model: this.#engine.input('load_model'), data: this.#engine.input('load_data') };
    try {
      const saved = await this.#runs.open(key, present);
      this.#resumed.set(run, key);
      const held = async ({ command, attachments }) => ({ command, files: await files.hold(attachments) });
      this.#page.resume(JSON.stringify({
        model: await held(saved.model),
        data: await held(saved.data),
        state: await held({ command: { command: 'restore', run, settings: saved.settings, paused: false }, attachments: saved.checkpoint }),
      }));
    } catch (error) {
      this.#problem(error.message);
    }
  }

  /** Opens the folder of a run made by the command line, to look at. */
  async pickRunFolder() {
    const list = await files.pick({ folder: true, accept: '' });
    if (list.length === 0) return;
    const report = reportOf(list);
    if (report) await this.#lookAt(list, report);
    else this.#problem('This folder has no report.json: choose the folder of a run, with run.toml and report.json in it.');
  }

  /** Adds a run made elsewhere to the list, and shows it. */
  #lookAt(list, report) {
    return this.#told(report.blob.text().then((text) => this.#runs.adopt(list[0].name.split('/')[0], text)), async (key) => {
      await this.#listRuns();
      this.#notice({ notice: 'show_run', key });
    });
  }

  /** What is dropped is for the window to sort, but for the folder of a run: that is kept with the others. */
  #dropped(name, list) {
    const report = reportOf(list);
    return report ? this.#lookAt(list, report) : this.#files('dropped', name, list);
  }

  /** The user wants nothing of this run to stay. */
  discardRun(run) { return this.#told(this.#runs.discard(run).then(() => this.#listRuns())); }

  /** The window gives a new engine its model and data again, as soon as it is ready. */
  restartEngine() { this.#engine.start(); }
  setUnsaved(unsaved) { this.#unsaved = unsaved; }

  /** Keeps the screen on while the page is looked at. */
  async keepAwake(awake) {
    this.#awake = awake;
    try {
      await this.#awakeLock?.release();
      this.#awakeLock = awake ? await navigator.wakeLock?.request('screen') : null;
    } catch (error) {
      this.#problem(`The screen cannot be kept on: ${error.message}`);
    }
  }

  /** The newest state of a run as text: its report. */
  saveReport(run, report, finished) {
    this.#runs.saveReport(run, report, finished);
  }

  /** The line that says how things stand: read out, and the title of the tab. */
  setStatus(text, title) {
    if (document.title !== title) document.title = title;
    if (text === this.#status) return;
    this.#status = text;
    this.#facts.status = text;
    document.getElementById('status').textContent = text;
  }

  /** Something that ended and that the status line does not show. */
  announce(text) {
    this.#facts.announced.push(text);
    document.getElementById('status').textContent = text;
  }

  /** The widget that has the keyboard, for screen readers: they cannot see into a canvas. */
  setFocus(widget) {
    document.getElementById('focus').textContent = widget;
  }

  /** A panic of the page. */
  crashed(reason) {
    window.dispatchEvent(new CustomEvent('dsee-crashed', { detail: reason }));
  }

  // What happens.

  #event({ event, checkpoint, heap, attachments }) {
    const told = this.#facts.note(event, heap);
    this.#autosave(told);
    // The last good state came before.
    if (told.type === 'failed' && told.last_good_step !== null) this.#told(this.#findLastRun());
    if (checkpoint) this.#runs.saveCheckpoint(...checkpoint, attachments);
    // The state of a run goes to the disk, not through the window's memory.
    this.#page.engineEvent(event, checkpoint ? [] : attachments);
  }

  /** Asks for the state of a run every now and then, so that a reload or a crash costs little. */
  #autosave(event) {
    if (event.type === 'checkpoint_saved') this.#savedAt = performance.now();
    if (event.type !== 'run' || event.event.event !== 'progress') return;
    if (performance.now() - this.#savedAt < AUTOSAVE_MS) return;
    this.#savedAt = performance.now();
    this.#engine.send(JSON.stringify({ command: 'save_checkpoint', run: event.run }), []);
  }

  #gone(reason) {
    this.#page.engineGone(reason);
    this.#told(this.#findLastRun());
  }

  async #findLastRun() {
    const runs = await this.#listRuns();
    const run = Runs.unfinished(runs);
    if (run && await this.#runs.isElsewhere(run.key)) {
      this.#notice({ notice: 'read_only', why: 'Another tab of this browser works on the last run: this one only looks. Close it there and reload to go on here.' });
    } else {
      if (run) this.#notice({ notice: 'last_run', run });
    }
  }

  async #listRuns() {
    const runs = await this.#runs.list();
    this.#notice({ notice: 'runs', runs });
    return runs;
  }

  async #files(purpose, name, list) {
    this.#notice({ notice: 'files', purpose, name, files: await files.hold(list) });
  }

  #link() {
    const text = location.hash.slice(1);
    if (text) this.#notice({ notice: 'link', text });
  }

  /** Waits for something the user asked for; if it fails, says so. */
  async #told(promise, then = () => {}) {
    try {
      await then(await promise);
    } catch (error) {
      this.#problem(error.message);
    }
  }

  #problem(text) {
    this.announce(text);
    this.#notice({ notice: 'problem', text });
  }

  #notice(notice) {
    this.#facts.notices.push(notice.notice);
    if (this.#page) this.#page.notice(JSON.stringify(notice));
    else this.#early.push(notice);
  }
}

/** The report among the files of a run folder; a file of its own in a checkpoint's folder is another one. */
function reportOf(list) {
  const settings = list.find(({ name }) => /^([^/]+\/)?run\.toml$/.test(name));
  return settings && list.find(({ name }) => name === settings.name.replace('run.toml', 'report.json'));
}
