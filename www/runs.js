//! Runs that outlive the page, in the browser's own file system (OPFS).
//!
//!     runs/<key>/run.json            settings, where model and data lie, the newest checkpoint
//!     runs/<key>/report.json         everything the run told
//!     runs/<key>/checkpoint-<n>/…    the engine's files
//!     inputs/<digest>/<i>            dropped model and data files, shared by runs that used the same
//!
//! A file is replaced only when its new content is whole (`createWritable` writes aside), and `run.json` names a
//! checkpoint only when all of its files are there.

const RUNS = 'runs';
const INPUTS = 'inputs';

export class Runs {
  #root = null;
  #problem;
  /** Run ids of this page → `{ key, record, writes, failed }`. */
  #open = new Map();
  #locks = new Map();

  /** @param problem hears sentences the user should know */
  constructor(problem) {
    this.#problem = problem;
  }

  /** Opens the store. Private windows may have none: then runs live as long as the page. */
  async openStore() {
    try {
      this.#root = await navigator.storage.getDirectory();
    } catch {
      this.#problem('This browser window keeps nothing: runs are lost when it closes. Export what you want to keep.');
    }
  }

  /** All saved runs, the newest first. */
  async list() {
    await this.settled();
    const runs = [];
    for (const key of await this.#keys()) {
      const folder = await this.#folder([RUNS, key]);
      const record = await readJson(folder, 'run.json');
      const report = await readJson(folder, 'report.json');
      // A run whose record is not readable was cut off before it began.
      if (!record || !report) continue;
      const savedAt = record.savedAt ?? record.startedAt;
      runs.push({
        key,
        when: new Date(savedAt).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' }),
        minutes_ago: Math.max(0, Math.round((Date.now() - savedAt) / 60_000)),
        step: record.checkpoint ?? 0,
        finished: record.finished,
        run: [...this.#open].findLast(([, open]) => open.key === key)?.[0] ?? null,
        report,
      });
    }
    return runs;
  }

  async #keys() {
    const keys = [];
    const folder = this.#root && await this.#folder([RUNS]).catch(() => null);
    if (folder) {
      for await (const key of folder.keys()) keys.push(key);
    }
    return keys.sort().reverse();
  }

  /** The newest run that can be gone on with, among those of `list()`. */
  static unfinished(runs) {
    return runs.find((run) => !run.finished && run.step > 0) ?? null;
  }

  /** Whether another tab works on this run. */
  async isElsewhere(key) {
    if (this.#locks.has(key) || !navigator.locks) return false;
    const { held } = await navigator.locks.query();
    return held.some((lock) => lock.name === lockName(key));
  }

  /** Takes the run for this page; `false` if another tab has it. */
  #take(key) {
    if (this.#locks.has(key) || !navigator.locks) return Promise.resolve(true);
    return new Promise((resolve) => {
      navigator.locks.request(lockName(key), { ifAvailable: true }, (lock) => {
        if (!lock) return void resolve(false);
        resolve(true);
        return new Promise((release) => this.#locks.set(key, release));
      });
    });
  }

  /**
   * A run begins: remembers what it is made of. `from` is the key of a saved run it goes on with.
   * @param inputs `{ model, data }`, each as `Engine.input` gives it
   */
  async begin(run, settings, inputs, from) {
    const startedAt = Date.now();
    const key = from ?? new Date(startedAt).toISOString().replaceAll(':', '-');
    const open = { key, record: null, writes: Promise.resolve(), failed: false };
    this.#open.set(run, open);
    await this.#take(key);
    if (!this.#root) return;
    navigator.storage.persist?.();
    this.#write(open, async () => {
      if (from) {
        open.record = await readJson(await this.#folder([RUNS, key]), 'run.json');
        open.record.finished = false;
        return;
      }
      open.record = { key, settings, startedAt, savedAt: startedAt, checkpoint: null, finished: false };
      for (const kind of ['model', 'data']) open.record[kind] = await this.#keepInput(inputs[kind]);
      await this.#saveRecord(open);
    });
  }

  /** Copies what a run reads, unless it is there already. What does not fit is noted by name. */
  async #keepInput(input) {
    if (!input) return null;
    const { command, attachments } = input;
    const names = attachments.map(({ name }) => name);
    const digest = await digestOf(attachments);
    const kept = { command, names, digest, lost: false };
    if (attachments.length === 0) return kept;
    try {
      const folder = await this.#folder([INPUTS, digest], true);
      for (const [i, { blob }] of attachments.entries()) {
        const there = await folder.getFileHandle(String(i)).then((file) => file.getFile()).catch(() => null);
        if (there?.size !== blob.size) await writeFile(folder, String(i), blob);
      }
    } catch (error) {
      kept.lost = true;
      this.#problem(`${cause(error)} The run goes on; after a reload, drop ${names.join(', ')} again to go on with it.`);
    }
    return kept;
  }

  /** Keeps the newest state of a run, `[{ name, buffer }]`, and everything it told until then. */
  saveCheckpoint(run, step, files) {
    const open = this.#open.get(run);
    if (!open || !this.#root) return;
    this.#write(open, async () => {
      const folder = await this.#folder([RUNS, open.key, `checkpoint-${step}`], true);
      for (const { name, buffer } of files) await writeFile(folder, name, buffer);
      const older = open.record.checkpoint;
      Object.assign(open.record, { checkpoint: step, savedAt: Date.now() });
      await this.#saveRecord(open);
      if (older !== null && older !== step) {
        await (await this.#folder([RUNS, open.key])).removeEntry(`checkpoint-${older}`, { recursive: true });
      }
    });
  }

  /** Keeps what a run told, as JSON text. */
  saveReport(run, report, finished) {
    const open = this.#open.get(run);
    if (!open || !this.#root) return;
    this.#write(open, async () => {
      await writeFile(await this.#folder([RUNS, open.key], true), 'report.json', report);
      if (finished) {
        open.record.finished = true;
        await this.#saveRecord(open);
      }
    });
  }

  /** Forgets a run of this page. */
  async discard(run) {
    const open = this.#open.get(run);
    if (!open || !this.#root) return;
    this.#open.delete(run);
    await open.writes;
    await this.remove(open.key);
  }

  /** Writes of one run come one after the other; the first that fails is told, and the run goes on from memory. */
  #write(open, work) {
    open.writes = open.writes.then(async () => {
      if (open.failed) return;
      try {
        await work();
      } catch (error) {
        open.failed = true;
        this.#problem(`${cause(error)} The run goes on in memory; export it before you leave.`);
      }
    });
  }

  /** Resolves when everything that was told until now is on the disk. */
  settled() {
    return Promise.all([...this.#open.values()].map((open) => open.writes));
  }

  async #saveRecord(open) {
    await writeFile(await this.#folder([RUNS, open.key], true), 'run.json', JSON.stringify(open.record));
  }

  /**
   * Everything needed to go on with a saved run: `{ settings, model, data, checkpoint }`, the last three with
   * `attachments` `[{ name, blob }]`. Files the store could not keep are looked for among `present` inputs.
   * @throws sentences for the user
   */
  async open(key, present) {
    if (!await this.#take(key)) throw new Error('Another tab works on this run. Close it there, or look on here.');
    await this.settled();
    const folder = await this.#folder([RUNS, key]);
    const record = await readJson(folder, 'run.json');
    if (!record || record.checkpoint === null) throw new Error('This run has no saved state to go on from.');
    const checkpoint = [];
    const states = await folder.getDirectoryHandle(`checkpoint-${record.checkpoint}`);
    for await (const [name, file] of states.entries()) checkpoint.push({ name, blob: await file.getFile() });
    return {
      settings: record.settings,
      model: await this.#input(record.model, present.model),
      data: await this.#input(record.data, present.data),
      checkpoint,
    };
  }

  async #input(kept, present) {
    if (!kept) throw new Error('It is not known what this run was made of.');
    const { command, names, digest, lost } = kept;
    if (names.length === 0) return { command, attachments: [] };
    if (present && await digestOf(present.attachments) === digest) return { command, attachments: present.attachments };
    if (lost) throw new Error(`There was no room to keep ${names.join(', ')}: drop them again, then go on with the run.`);
    const folder = await this.#folder([INPUTS, digest]);
    const attachments = await Promise.all(names.map(async (name, i) => {
      const file = await folder.getFileHandle(String(i));
      return { name, blob: await file.getFile() };
    }));
    return { command, attachments };
  }

  /** Removes a saved run, and inputs no other run needs. */
  async remove(key) {
    if (await this.isElsewhere(key)) throw new Error('Another tab works on this run.');
    await (await this.#folder([RUNS])).removeEntry(key, { recursive: true });
    const needed = new Set();
    for (const other of await this.#keys()) {
      const record = await readJson(await this.#folder([RUNS, other]), 'run.json');
      for (const kind of ['model', 'data']) needed.add(record?.[kind]?.digest);
    }
    const inputs = await this.#folder([INPUTS], true);
    for await (const digest of inputs.keys()) {
      if (!needed.has(digest)) await inputs.removeEntry(digest, { recursive: true });
    }
  }

  /**
   * Takes over a run made elsewhere, to look at: its report as JSON text. Gives its key.
   * @throws sentences for the user
   */
  async adopt(name, report) {
    if (!this.#root) throw new Error('This browser window keeps nothing, so it cannot keep this run to look at.');
    try {
      if (typeof JSON.parse(report).title !== 'string') throw new Error('it has no title');
    } catch (error) {
      throw new Error(`report.json of ${name} is not the report of a run: ${error.message}`);
    }
    const startedAt = Date.now();
    const key = new Date(startedAt).toISOString().replaceAll(':', '-');
    const record = { key, settings: {}, startedAt, savedAt: startedAt, checkpoint: null, finished: true, name };
    const folder = await this.#folder([RUNS, key], true);
    await writeFile(folder, 'report.json', report);
    await writeFile(folder, 'run.json', JSON.stringify(record));
    return key;
  }

  async #folder(path, create = false) {
    let folder = this.#root;
    for (const part of path) folder = await folder.getDirectoryHandle(part, { create });
    return folder;
  }
}

const lockName = (key) => `dsee-run-${key}`;

async function writeFile(folder, name, content) {
  const file = await folder.getFileHandle(name, { create: true });
  const writable = await file.createWritable();
  try {
    await writable.write(content);
  } catch (error) {
    await writable.abort().catch(() => {});
    throw error;
  }
  await writable.close();
}

/** The content of a JSON file; `null` if it is not there or cut off. */
async function readJson(folder, name) {
  try {
    return JSON.parse(await (await (await folder.getFileHandle(name)).getFile()).text());
  } catch {
    return null;
  }
}

/** Which files these are: names, sizes and times; what has no time, pasted text for example, is short and read. */
async function digestOf(attachments) {
  const words = await Promise.all(attachments.map(async ({ name, blob }) =>
    `${name} ${blob.size} ${blob.lastModified ?? await sha256(await blob.arrayBuffer())}`));
  return (await sha256(new TextEncoder().encode(words.join('\n')))).slice(0, 24);
}

async function sha256(bytes) {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return [...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function cause(error) {
  return error.name === 'QuotaExceededError'
    ? 'The browser gives this page no more room on the disk.'
    : `The browser could not save the run (${error.message}).`;
}
