//! The command line on this machine, to compare the page with.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Settings by their names in `run.toml` as flags of the command line. */
const flags = (settings) => Object.entries(settings).map(([name, value]) => `--${name.replaceAll('_', '-')}=${value}`);

/** Trains the embedded model on the embedded sentences into the run folder `folder`. */
export async function trainInto(folder, settings) {
  const { DSEE } = process.env;
  assert.ok(DSEE, 'name the native program in DSEE');
  await run(DSEE, ['train', `--output-dir=${folder}`, ...flags(settings)]);
}

/** Trains as `trainInto` does: `[step, loss]` of every report. */
export async function lossesOf(settings) {
  const folder = join(mkdtempSync(join(tmpdir(), 'dsee-web-')), 'run');
  await trainInto(folder, settings);
  const lines = readFileSync(join(folder, 'trainer_log.jsonl'), 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  return lines.filter((line) => line.loss !== undefined).map((line) => [line.current_steps, line.loss]);
}
