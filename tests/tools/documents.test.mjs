// The documents lead where they say: every link to a file of the repository, and every
// heading that a link names, exists; every page of docs/ is in the site, and every recipe listed.
// And they say what the code does, of options and of prices.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { GIGABYTES, MESSAGES_PER_REQUEST, PRICES } from '#dormouse-test/prices.mjs';
import { root } from '../harness/root.mjs';

const folders = [
  ...['.', 'docs', 'benches', 'benches/codec', 'tests/suites', 'src/proto', 'src/server'],
  ...['templates/rust', 'templates/typescript', 'packages/dormouse-io', 'packages/dormouse-test'],
  ...['examples/clients', 'examples/gateway', 'examples/migration', 'examples/recipes', 'examples/typescript-recipes'],
];
const documents = folders.flatMap((folder) =>
  readdirSync(path.join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => path.join(folder, name)),
);

const read = (file) => readFileSync(path.join(root, file), 'utf8');
const withoutCode = (text) => text.replace(/^```.*?^```/gms, '');

/** The links of a document, but for those to elsewhere. */
function links(file) {
  const found = withoutCode(read(file)).matchAll(/\]\(([^)\s]+)\)/g);
  return [...found].map(([, link]) => link).filter((link) => !/^[a-z]+:/.test(link));
}

/** The names of a document's headings, as links give them. */
function anchors(file) {
  const headings = [...withoutCode(read(file)).matchAll(/^#+ (.*)$/gm)];
  return headings.map(([, heading]) =>
    heading
      .replace(/\[([^\]]+)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

test('every link within the repository leads somewhere', () => {
  const broken = [];
  for (const file of documents) {
    for (const link of links(file)) {
      const [target, anchor] = link.split('#');
      const found = target === '' ? file : path.join(path.dirname(file), target);
      if (!existsSync(path.join(root, found))) broken.push(`${file}: ${link}`);
      else if (anchor && found.endsWith('.md') && !anchors(found).includes(anchor)) broken.push(`${file}: ${link}`);
    }
  }
  assert.deepEqual(broken, []);
});

test('every page is in the site', () => {
  const pages = documents.filter((file) => path.dirname(file) === 'docs').map((file) => path.basename(file));
  const summary = links('docs/SUMMARY.md');
  assert.deepEqual(pages.filter((name) => name !== 'SUMMARY.md' && !summary.includes(name)), []);
});

test('every option has a row', () => {
  const sources = ['src/server/options/methods.rs', 'src/server/api/server.rs', 'src/server/api/engine.rs', 'src/server/api/traced.rs'];
  const methods = sources.flatMap((file) => [...read(file).matchAll(/^\s*pub fn (\w+)(?:<.*>)?\(mut self/gm)].map(([, name]) => name));
  const tables = read('docs/options.md') + read('docs/engine.io.md');
  const others = /^(on_(?!overrun)|namespace|state$|admit$|status$)/;
  assert.deepEqual(methods.filter((name) => !others.test(name) && !tables.includes(`\`${name}\``)), []);
});

test('prices are those that are calculated with', () => {
  const rows = Object.fromEntries([...read('docs/cost.md').matchAll(/^\| (.+?) \| (.+?) \|/gm)].map(([, item, price]) => [item, price]));
  const million = (item) => Number(/^\$([\d.]+) a million/.exec(rows[item])[1]) / 1_000_000;
  assert.deepEqual(PRICES, {
    objectRequest: million('a request to an object, or its alarm'),
    gigabyteSecond: million('an object that is awake, or kept from sleeping'),
    rowWritten: million('a row written or deleted, or an alarm set'),
    rowRead: million('a row read'),
    workerRequest: million('a request to the Worker'),
    workerCpuMillisecond: million("the Worker's CPU time"),
  });
  assert.match(rows['an object that is awake, or kept from sleeping'], new RegExp(`, at ${GIGABYTES} GB$`));
  assert.deepEqual([rows['an incoming WebSocket message'], MESSAGES_PER_REQUEST], ['a twentieth of a request', 20]);
});

test('every recipe is listed, and needs nothing of the others', () => {
  const list = links('docs/recipes.md');
  const wrong = ['recipes', 'typescript-recipes'].flatMap((folder) => {
    const files = readdirSync(path.join(root, 'examples', folder, 'src'));
    const recipes = files.filter((name) => !['lib.rs', 'index.ts'].includes(name)).map((name) => `examples/${folder}/src/${name}`);
    return recipes.filter((file) => !list.includes(`../${file}`) || /\b(crate|super)::|from "\.\//.test(read(file)));
  });
  assert.deepEqual(wrong, []);
});

test('the repository’s address is in one place', () => {
  const { 1: address } = /^repository = "(.*)"/m.exec(read('Cargo.toml'));
  const manifests = ['package.json', 'packages/dormouse-io/package.json', 'packages/dormouse-test/package.json'];
  const others = ['templates/rust/Cargo.toml', 'examples/gateway/Cargo.toml', 'tools/site.mjs', 'docs/book.toml'];
  const files = [...documents, ...manifests, ...others];
  assert.deepEqual(files.filter((file) => read(file).includes(address)), []);
});
