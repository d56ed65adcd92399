// `npm run new -- <directory> [--gateway]`: a project of your own from a template, which
// builds and tests against this clone as long as its packages are not published. The directory's name
// is the project's. A template is a project as it stands, for `cargo generate`, for
// `npm create cloudflare` and for `cp`.

import { appendFileSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Failure, isMain, main, root, say } from './shell.mjs';
import { packages, templates } from './versions.mjs';

/** The names of the projects that the templates are. */
const NAMES = /my-worker|dormouse-gateway/g;

/** What has been made in a template, and is not part of it. */
const MADE = ['build', 'node_modules', 'target', 'Cargo.lock', 'package-lock.json', '.wrangler', '.dev.vars', 'secret.env'];

/** The crates of this clone, by name. */
const HERE = { dormouse: path.join(root, 'src/server'), 'dormouse-proto': path.join(root, 'src/proto') };

/** Creates a project that takes these crates, and the npm packages of this clone, instead of those that are published. */
export function create(directory, { template = 'rust', crates = HERE } = {}) {
  const name = path.basename(directory);
  if (!/^[a-z][a-z0-9-]{0,62}$/.test(name)) {
    throw new Failure(`“${name}” cannot be the name of a Worker: use lower-case letters, digits and hyphens`);
  }
  const from = path.join(root, templates[template]);
  if (existsSync(directory) && readdirSync(directory).length > 0) throw new Failure(`${directory} is not empty`);
  const filter = (file) => !MADE.includes(path.relative(from, file));
  cpSync(from, directory, { recursive: true, filter });
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) rename(path.join(entry.parentPath, entry.name), name);
  }
  // The versions that are tested here, which the build tools have to fit.
  copyFileSync(path.join(root, 'Cargo.lock'), path.join(directory, 'Cargo.lock'));
  const patches = Object.entries(crates).map(([crate, folder]) => `${crate} = { path = ${JSON.stringify(folder)} }\n`);
  mkdirSync(path.join(directory, '.cargo'), { recursive: true });
  appendFileSync(path.join(directory, '.cargo', 'config.toml'), `[patch.crates-io]\n${patches.join('')}`);
  takePackagesFromHere(path.join(directory, 'package.json'));
}

function takePackagesFromHere(file) {
  if (!existsSync(file)) return;
  const text = readFileSync(file, 'utf8');
  const names = new RegExp(`("(${Object.keys(packages).join('|')})": )"\\^[^"]*"`, 'g');
  writeFileSync(file, text.replace(names, (_, key, name) => `${key}${JSON.stringify(`file:${path.join(root, packages[name])}`)}`));
}

function rename(file, name) {
  const text = readFileSync(file, 'utf8');
  const renamed = text.replace(NAMES, name);
  if (renamed !== text) writeFileSync(file, renamed);
}

if (isMain(import.meta)) {
  await main(() => {
    const args = process.argv.slice(2);
    const [directory, ...rest] = args.filter((arg) => arg !== '--gateway');
    if (!directory || rest.length > 0) {
      throw new Failure('`npm run new -- <directory> [--gateway]` takes a directory that is not there yet');
    }
    create(path.resolve(directory), { template: args.includes('--gateway') ? 'gateway' : 'rust' });
    say(`${directory} is a Worker of your own: its README.md says how to start it`);
  });
}
