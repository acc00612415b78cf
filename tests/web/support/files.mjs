//! Files to drop: a model of any size, and data.

import { copyFileSync, mkdirSync, mkdtempSync, openSync, writeFileSync, writeSync, closeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const GOLDEN = fileURLToPath(new URL('../../golden/', import.meta.url));

/** A folder of its own for one test. */
export const folder = (name) => {
  const place = join(mkdtempSync(join(tmpdir(), 'dsee-web-')), name);
  mkdirSync(place);
  return place;
};

/** A small random model as a folder; it has a head. */
export const TINY_BERT = join(GOLDEN, 'tiny_bert');

/** A BERT of the given sizes, all zeros but its norms; with a tokenizer of few words. */
export function makeBert(place, { hidden, layers, feedForward, vocab, positions = 128 }) {
  const config = {
    architectures: ['BertModel'], model_type: 'bert', hidden_size: hidden, num_hidden_layers: layers, num_attention_heads: hidden / 32,
    intermediate_size: feedForward, vocab_size: vocab, max_position_embeddings: positions, type_vocab_size: 2, hidden_act: 'gelu',
    layer_norm_eps: 1e-12, hidden_dropout_prob: 0.1, attention_probs_dropout_prob: 0.1, pad_token_id: 0,
  };
  writeFileSync(join(place, 'config.json'), JSON.stringify(config));
  copyFileSync(join(TINY_BERT, 'tokenizer.json'), join(place, 'tokenizer.json'));
  const shapes = [
    ['embeddings.word_embeddings.weight', [vocab, hidden]], ['embeddings.position_embeddings.weight', [positions, hidden]],
    ['embeddings.token_type_embeddings.weight', [2, hidden]], ...norm('embeddings.LayerNorm', hidden),
  ];
  for (let i = 0; i < layers; i += 1) {
    const at = `encoder.layer.${i}`;
    for (const part of ['query', 'key', 'value']) shapes.push(...linear(`${at}.attention.self.${part}`, hidden, hidden));
    shapes.push(...linear(`${at}.attention.output.dense`, hidden, hidden), ...norm(`${at}.attention.output.LayerNorm`, hidden));
    shapes.push(...linear(`${at}.intermediate.dense`, feedForward, hidden), ...linear(`${at}.output.dense`, hidden, feedForward));
    shapes.push(...norm(`${at}.output.LayerNorm`, hidden));
  }
  shapes.push(...linear('pooler.dense', hidden, hidden));
  writeSafetensors(join(place, 'model.safetensors'), shapes);
}

const linear = (name, rows, cols) => [[`${name}.weight`, [rows, cols]], [`${name}.bias`, [rows]]];
const norm = (name, size) => [[`${name}.weight`, [size]], [`${name}.bias`, [size]]];

function writeSafetensors(path, shapes) {
  const header = { __metadata__: { format: 'pt' } };
  let end = 0;
  for (const [name, shape] of shapes) {
    const begin = end;
    end += 4 * shape.reduce((product, size) => product * size, 1);
    header[name] = { dtype: 'F32', shape, data_offsets: [begin, end] };
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const file = openSync(path, 'w');
  writeSync(file, length);
  writeSync(file, text);
  for (const [name, shape] of shapes) {
    const n = shape.reduce((product, size) => product * size, 1);
    writeSync(file, Buffer.from(new Float32Array(n).fill(name.endsWith('LayerNorm.weight') ? 1 : 0).buffer));
  }
  closeSync(file);
}

/** Reviews with a label in two spellings. */
export function writeReviews(path) {
  const rows = ['review,sentiment'];
  for (let i = 0; i < 60; i += 1) {
    rows.push(`"a fine, warm film number ${i}",${i === 7 ? 'Positive' : 'positive'}`, `"a dull and cold film number ${i}",negative`);
  }
  writeFileSync(path, `${rows.join('\n')}\n`);
}
